package simulate

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor"
	"github.com/eyrie-sec/eyrie/sensor/container"
)

// seen is an alert of the sensor's, with what tells whose it is.
type seen struct {
	set     int // of rules
	alert   *falco.Alert
	command string
	host    bool
}

// watcher is sensors that watch this host: one with Falco's rules, one with those that ship, the rules that are off
// included.
type watcher struct {
	sets    []*rule.Set
	arrived chan struct{}

	mu   sync.Mutex
	seen []seen // guarded by mu
}

func ruleSets(t *testing.T) []*rule.Set {
	t.Helper()
	var official []rule.File
	for _, name := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"} {
		official = append(official, rule.File{Name: name, Content: testshared.Read(t, "falco/rules/"+name)})
	}
	own, err := os.ReadFile("../etc/rules/eyrie_rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var sets []*rule.Set
	for _, files := range [][]rule.File{official, {{Name: "eyrie_rules.yaml", Content: own}}} {
		var on strings.Builder
		for i, r := range loadRules(t, files).Rules {
			if i == 0 || !r.Enabled {
				fmt.Fprintf(&on, "- rule: %q\n  enabled: true\n  override: {enabled: replace}\n", r.Name)
			}
		}
		sets = append(sets, loadRules(t, append(slices.Clone(files), rule.File{Name: "on.yaml", Content: []byte(on.String())})))
	}
	return sets
}

func loadRules(t *testing.T, files []rule.File) *rule.Set {
	t.Helper()
	set, report := rule.Load(files, rule.LoadOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// startWatcher starts the sensors. EYRIE_REQUIRE_ALL=1 turns the skip where there can be none into a failure.
func startWatcher(t *testing.T, socket string) *watcher {
	t.Helper()
	w := &watcher{sets: ruleSets(t), arrived: make(chan struct{}, 1)}
	for i, set := range w.sets {
		engine := rule.NewEngine(set, rule.Config{AllMatches: true, Hostname: "test"})
		s, err := sensor.Open(sensor.Config{Engine: engine, Containers: container.Config{Sockets: []container.Socket{{Type: container.TypeDocker, Path: socket}}}})
		if err != nil {
			if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
				t.Fatal(err)
			}
			t.Skip("no sensor here: ", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		session := engine.Session()
		go func() { done <- s.Run(ctx, func(e *event.Event) { w.take(e, i, session) }) }()
		t.Cleanup(func() {
			cancel()
			<-done
			_ = s.Close()
		})
	}
	return w
}

func (w *watcher) take(e *event.Event, set int, session *rule.Session) {
	matched := session.Match(e)
	if len(matched) == 0 {
		return
	}
	command, _ := e.Text(field.ProcCmdline)
	id, _ := e.Text(field.ContainerID)
	w.mu.Lock()
	for _, r := range matched {
		w.seen = append(w.seen, seen{set, session.Alert(e, r), strings.Clone(command), id == "host"})
	}
	w.mu.Unlock()
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// which is a rule of one of the sets.
type which struct {
	set  int
	name string
}

// of lists the alerts that an action has caused, the first of each rule.
func (w *watcher) of(a *Action, place Place, began time.Time) map[which]*falco.Alert {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[which]*falco.Alert{}
	for _, s := range w.seen {
		f := Finding{Rule: s.alert.Rule, Command: s.command, Observed: s.alert.Time}
		r := Result{Action: a, Place: place, Rules: a.Watched(place, nil), Began: began}
		if k := (which{s.set, s.alert.Rule}); s.command != "" && s.host == (place == Host) && r.caused(&f) && found[k] == nil {
			found[k] = s.alert
		}
	}
	return found
}

// do does the action and waits until enough says so, at most for the time limit.
func (w *watcher) do(t *testing.T, a *Action, place Place, limit time.Duration, enough func(map[which]*falco.Alert) bool) map[which]*falco.Alert {
	t.Helper()
	began := time.Now()
	if err := a.do(context.Background(), place); err != nil {
		t.Errorf("%s on %s: %v", a.Name, place, err)
	}
	end := time.After(limit)
	for {
		found := w.of(a, place, began)
		if enough(found) {
			return found
		}
		select {
		case <-w.arrived:
		case <-end:
			return found
		}
	}
}

// fakeDocker knows every container: it is privileged, and otherwise that of the recordings.
func fakeDocker(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		id, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/json"), "/containers/")
		if !ok {
			out.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(out, `{"Id":%q,"Name":"/payments-api","Config":{"Image":"registry.example.com/shop/payments-api:1.4.2"},"HostConfig":{"Privileged":true},
			"Mounts":[{"Source":"/srv/lab","Destination":"/lab","RW":true,"Propagation":"rprivate"}]}`, id)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done; _ = os.RemoveAll(dir) })
	return path
}

// TestSensor does every action under the embedded sensor. What fires is what docs/sensor-rules.md says; with -update it
// is written there.
func TestSensor(t *testing.T) {
	needRoot(t)
	if testing.Short() {
		t.Skip("takes half a minute; run without -short")
	}
	w := startWatcher(t, fakeDocker(t))
	expected := readDocument(t)
	fired := map[which]map[Place]*firing{}
	for _, a := range Actions() {
		for _, place := range []Place{Host, Container} {
			if a.In&place == 0 {
				continue
			}
			limit := 15 * time.Second // for what the document promises
			if *update {
				limit = 3 * time.Second // for what may not come
			}
			found := w.do(t, a, place, limit, func(found map[which]*falco.Alert) bool {
				for k := range expected[a.Name+"/"+place.String()] {
					if found[k] == nil {
						return false
					}
				}
				return !*update || len(found) == w.count(a, place)
			})
			for k, alert := range found {
				if fired[k] == nil {
					fired[k] = map[Place]*firing{}
				}
				if fired[k][place] == nil {
					fired[k][place] = &firing{alert: alert}
				}
				fired[k][place].actions = append(fired[k][place].actions, a.Name)
			}
		}
	}
	checkDocument(t, w.sets, fired)
}

// count is how many rules of the sets should fire.
func (w *watcher) count(a *Action, place Place) int {
	n := 0
	for _, set := range w.sets {
		for _, name := range a.Watched(place, nil) {
			if set.Rule(name) != nil {
				n++
			}
		}
	}
	return n
}

// firing is that a rule fired.
type firing struct {
	alert   *falco.Alert // of the first action
	actions []string
}

// seeds lists what is done in the recordings of a host and of a Docker container with the programs of the system: their
// command lines, and the programs above.
var seeds = []struct {
	place Place
	file  string
	above []link
}{
	{Host, "host-seed.jsonl", []link{{As: "bash"}, {As: "bash"}, {As: "bash"}, {As: "seed.sh", Args: []string{"/opt/lab/seed.sh"}}}},
	{Container, "docker-seed.jsonl", []link{{As: "containerd-shim"}, {As: "bash", Args: []string{"/lab/seed.sh"}}}},
}

// TestSeeds does what was done under a real Falco, with the same programs, and compares every field of every alert.
func TestSeeds(t *testing.T) {
	needRoot(t)
	w := startWatcher(t, fakeDocker(t))
	for _, s := range seeds {
		for _, want := range recordedAll(t, s.file) {
			command := want.Get("proc.cmdline")
			if strings.HasPrefix(command, "bash ") {
				continue // the first process of that container; capable-container stands for it
			}
			t.Run(s.place.String()+"/"+command, func(t *testing.T) {
				words := strings.Fields(command)
				if strings.HasPrefix(command, "grep ") { // one argument with blanks
					words = []string{"grep", "-r", "BEGIN RSA PRIVATE", "/etc/ssl"}
				}
				do := []op{{Name: "run", Args: words}}
				if words[0] == "rmdir" {
					do = append([]op{{Name: "mkdir", Args: words[1:]}}, do...)
				}
				a := &Action{Name: "seed", Rules: []string{want.Rule}, In: s.place, steps: []step{{Chain: s.above, Do: do}}, shows: []string{command}}
				key := which{0, want.Rule}
				var got *falco.Alert
				w.do(t, a, s.place, 15*time.Second, func(map[which]*falco.Alert) bool {
					got = w.find(key, command, s.place)
					return got != nil
				})
				if got == nil {
					t.Fatal("no alert")
				}
				if d := compareValues(got, want, s.place); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// find is the first alert of a rule about a command line.
func (w *watcher) find(k which, command string, place Place) *falco.Alert {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seen {
		if s.set == k.set && s.alert.Rule == k.name && s.command == command && s.host == (place == Host) {
			return s.alert
		}
	}
	return nil
}
