package truth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The places that the recordings name; the programs have them compiled in.
const (
	home    = "/opt/tp"
	hostLog = "/tmp/drv.log"
	place   = "/run/tpctr"
)

// lab is the programs, built, and the place they run in.
type lab struct {
	t        *testing.T
	shared   string   // falco/truth of the shared inputs
	programs []string // to run, in the order of the manifest
}

// need skips the test where something is missing, or fails it if the environment asks for that.
func need(t *testing.T, ok bool, what string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func have(tool string) bool { _, err := exec.LookPath(tool); return err == nil }

// newLab builds the programs into /opt/tp, which must not be there, and takes them away at the end.
func newLab(t *testing.T, shared string) *lab {
	need(t, os.Geteuid() == 0, "the sensor and the programs need root")
	need(t, have("gcc"), "building the recorded programs needs gcc and libc6-dev (Debian packages)")
	l := &lab{t: t, shared: shared}
	if _, err := os.Stat(home); err == nil && os.Getenv("EYRIE_TRUTH_KEEP") == "" {
		t.Fatalf("%s is there already, perhaps from a run that was killed: remove it", home)
	} else if err != nil {
		l.run("sh", filepath.Join(shared, "src/build.sh"), home)
	}
	l.driver()
	if os.Getenv("EYRIE_TRUTH_KEEP") == "" {
		t.Cleanup(func() { _ = os.RemoveAll(home) })
	}
	l.manifest()
	return l
}

func (l *lab) run(name string, args ...string) {
	l.t.Helper()
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// driver builds the driver again so that it runs every program once instead of twice.
func (l *lab) driver() {
	source := filepath.Join(l.shared, "src/drv.c")
	text, err := os.ReadFile(source)
	if err != nil {
		l.t.Fatal(err)
	}
	once := bytes.Replace(text, []byte("run<2"), []byte("run<1"), 1)
	if bytes.Equal(once, text) {
		l.t.Fatalf("%s does not run everything twice", source)
	}
	file := filepath.Join(l.t.TempDir(), "drv.c")
	if err := os.WriteFile(file, once, 0o644); err != nil {
		l.t.Fatal(err)
	}
	l.run("gcc", "-I"+filepath.Join(l.shared, "src"), "-O1", "-static", "-w", "-s", "-o", home+"/drv", file)
}

// manifest writes the list of programs to run: all, or those that EYRIE_TRUTH_PROGRAMS names.
func (l *lab) manifest() {
	text, err := os.ReadFile(filepath.Join(l.shared, "src/manifest.tsv"))
	if err != nil {
		l.t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "\t")
		if _, err := os.Stat(filepath.Join(home, "bin", name)); err != nil || !anyOf(os.Getenv("EYRIE_TRUTH_PROGRAMS"), name) {
			continue
		}
		l.programs = append(l.programs, name)
		out.WriteString(line)
	}
	if err := os.WriteFile(home+"/manifest.tsv", []byte(out.String()), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// span is the time in which a program ran, in ns since 1970.
type span struct {
	program string
	from    int64
}

// host runs the programs on the host and says when each began.
func (l *lab) host(ctx context.Context) []span {
	_ = os.Remove(hostLog)
	l.t.Cleanup(func() { _ = os.Remove(hostLog) })
	cmd := exec.Command("bash", filepath.Join(l.shared, "run-host.sh"), hostLog)
	l.leak(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return l.wait(ctx, hostLog)
}

// leak gives the driver one more descriptor, a pipe with a high number, as it had where it was recorded.
func (l *lab) leak(cmd *exec.Cmd) {
	r, w, err := os.Pipe()
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	cmd.ExtraFiles = make([]*os.File, 200) // the first is descriptor 3
	cmd.ExtraFiles[199] = w
}

// wait reads the driver's log until every program has run.
func (l *lab) wait(ctx context.Context, log string) []span {
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		spans, done := readLog(log)
		if done >= len(l.programs) {
			return spans
		}
		select {
		case <-ctx.Done():
			l.t.Fatalf("%s: %d of %d programs ran: %v", log, done, len(l.programs), ctx.Err())
		case <-tick.C:
		}
	}
}

// readLog reads lines of run, program, time of start, time of end and status.
func readLog(log string) (all []span, done int) {
	text, _ := os.ReadFile(log)
	for line := range strings.Lines(string(text)) {
		cols := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cols) < 3 {
			continue
		}
		from, _ := strconv.ParseInt(cols[2], 10, 64)
		all = append(all, span{cols[1], from})
		if len(cols) == 5 && strings.HasSuffix(line, "\n") {
			done++
		}
	}
	return all, done
}

// runc runs the programs in a container of runc's that no daemon knows, docker in one that a Docker daemon answers for.
func (l *lab) runc(ctx context.Context) []span { return l.contained(ctx, "") }

func (l *lab) docker(ctx context.Context) []span { return l.contained(ctx, dockerID) }

// contained runs the programs in a container and says when each began. id is that of the container, "" for the recorded
// configuration's.
func (l *lab) contained(ctx context.Context, id string) []span {
	need(l.t, have("runc"), "the container needs runc (Debian package)")
	l.overlay()
	bundle := place + "/bundle"
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		l.t.Fatal(err)
	}
	l.config(bundle, id)
	cmd := exec.Command("setsid", "-f", home+"/base", "/usr/sbin/runc", "run", "-d", "-b", bundle, "tpctr")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return l.wait(ctx, place+"/merged/lab/drv.log")
}

// teardown takes the container and its root away, if there are any.
func teardown() {
	_ = exec.Command("runc", "delete", "-f", "tpctr").Run()
	_ = unix.Unmount(place+"/merged", unix.MNT_DETACH)
	_ = unix.Unmount(place, unix.MNT_DETACH)
	_ = os.Remove(place)
}

// overlay mounts a root for the container: an upper layer in memory over a layer with the programs over this host's.
func (l *lab) overlay() {
	teardown() // of the try before
	l.t.Cleanup(teardown)
	if err := os.MkdirAll(place, 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", place, "tmpfs", 0, ""); err != nil {
		l.t.Fatal(err)
	}
	for _, d := range []string{"upper/lab", "work", "layer/opt", "layer/etc", "merged"} {
		if err := os.MkdirAll(filepath.Join(place, d), 0o755); err != nil {
			l.t.Fatal(err)
		}
	}
	l.run("cp", "-a", home, place+"/layer/opt/tp")
	l.run("cp", "/etc/passwd", "/etc/group", place+"/layer/etc") // the container's own, not the host's
	options := fmt.Sprintf("lowerdir=%[1]s/layer:/,upperdir=%[1]s/upper,workdir=%[1]s/work", place)
	if err := unix.Mount("overlay", place+"/merged", "overlay", 0, options); err != nil {
		l.t.Fatalf("overlay %s: %v", options, err)
	}
}

// The container of the recordings in Docker, and what its daemon said of it.
const (
	dockerID = "4df8fa0d29ded9d024bd657d302b1c8b540afb4384dbc818d5e2bb31ae6df338"
	inspect  = `{"Id":"` + dockerID + `","Name":"/tp-payments","Created":"2026-11-21T03:16:44Z",
"Image":"sha256:aed50280126c568b5e22f09a75df39ea7eb8de6c1d68cce45e548718f7b18b74",
"Config":{"Image":"registry.example.com/shop/payments-api:1.4.2","Labels":{"team":"shop","app":"payments"}},
"HostConfig":{"NetworkMode":"none","IpcMode":"private"},
"Mounts":[{"Source":"/run/tplab","Destination":"/lab","Mode":"","RW":true,"Propagation":"rprivate"},
{"Source":"/opt/tp/drv","Destination":"/opt/tp/drv","Mode":"ro","RW":false,"Propagation":"rprivate"}]}`
)

// daemon answers as Docker does, on a socket whose path it gives.
func daemon(t *testing.T) string {
	dir, err := os.MkdirTemp("", "dockerd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", dir+"/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containers/"+dockerID+"/json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(inspect))
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return dir + "/docker.sock"
}

// config writes the container's configuration as it was recorded, but for the place of the driver's log and the id.
func (l *lab) config(bundle, id string) {
	text, err := os.ReadFile(filepath.Join(l.shared, "runc-config.json"))
	if err != nil {
		l.t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		l.t.Fatal(err)
	}
	process := config["process"].(map[string]any)
	process["args"] = []any{home + "/drv", home + "/manifest.tsv", "/lab/drv.log"}
	if id != "" {
		linux := config["linux"].(map[string]any)
		linux["cgroupsPath"] = "/docker/" + id
		linux["sysctl"] = map[string]any{"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv4.ip_unprivileged_port_start": "0"} // as Docker does
		process["env"] = []any{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=tpdocker", "HOME=/root"}
	}
	text, err = json.Marshal(config)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(bundle+"/config.json", text, 0o644); err != nil {
		l.t.Fatal(err)
	}
}
