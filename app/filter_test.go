package app

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/sensortest"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// deeds are what a shell does below a directory of its own ($1): things that Falco's rules look for, things that are
// nearly such, and much that is none of their business. Some fail on purpose. All happen in a mount namespace of their
// own, with an /etc, /bin and /root that are thrown away.
const deeds = `
exec >/dev/null
for d in etc root usr; do mkdir -p $1/$d/upper $1/$d/work; mount -t overlay overlay -o lowerdir=/$d,upperdir=$1/$d/upper,workdir=$1/$d/work /$d || mount -t tmpfs tmpfs /$d/local; done
cat /etc/shadow /etc/passwd /etc/hostname /etc/sudoers /etc/shadow-
head -c 1 /etc/../etc/shadow; cd /etc; head -c 1 shadow; head -c 1 ./shadow; cd /; head -c 1 etc/pam.conf; head -c 1 /nowhere/shadow
: > /etc/eyrie-deed; echo x >> /etc/eyrie-deed; true < /etc/eyrie-deed; rm /etc/eyrie-deed
: > /usr/bin/eyrie-deed; mkdir /usr/bin/eyrie-dir; rmdir /usr/bin/eyrie-dir; mv /usr/bin/eyrie-deed /usr/bin/eyrie-moved; rm -f /usr/bin/eyrie-moved
: > /root/eyrie-deed; : > /root/.bash_history; rm -f /root/.bash_history; : > /root/.bashrc; mkdir -p /root/.ssh; : > /root/.ssh/authorized_keys; cat /root/.ssh/authorized_keys
ln -s /etc/shadow $1/link; ln -s /etc $1/dir; cat $1/link $1/dir/hostname; ln /etc/hostname $1/hard
cp /bin/true $1/true; $1/true; chmod u+s $1/true; chmod 0755 $1/true; cp /bin/true /dev/shm/eyrie-deed; /dev/shm/eyrie-deed; rm -f /dev/shm/eyrie-deed
find / -maxdepth 1 -name id_rsa; grep -r "BEGIN RSA PRIVATE" $1; base64 -d </dev/null; touch -d yesterday $1/link2; truncate -s 0 $1/link2
touch /tmp/eyrie-deed-$$ /var/tmp/eyrie-deed-$$ /dev/eyrie-deed; rm -f /tmp/eyrie-deed-$$ /var/tmp/eyrie-deed-$$ /dev/eyrie-deed
i=0; while [ $i -lt 300 ]; do true < /etc/hostname; : > $1/noise; true < $1/none$i; i=$((i+1)); done
mknod $1/null c 1 3; mkfifo $1/fifo; unshare -n true; nsenter -t $$ -u true; setpriv --reuid 65534 --clear-groups cat /etc/hostname
cat /proc/self/environ /proc/1/environ /proc/sys/kernel/core_pattern; cat /etc/ssl/certs/ca-certificates.crt; umount -l $1/none; nc -z 127.0.0.1 1; bash -c ': < /dev/tcp/127.0.0.1/1'
true
`

// TestFilterLosesNothing: with Falco's own rules, all matches, the same deeds give the same alerts whether the kernel
// leaves out what no rule can match or tells everything.
func TestFilterLosesNothing(t *testing.T) {
	sensortest.Need(t)
	rules := []string{testshared.Path(t, "falco/rules"), "../etc/rules/eyrie_rules.yaml"}
	type side struct {
		d      *Detection
		mu     sync.Mutex
		alerts []*falco.Alert
	}
	sides := []*side{{}, {}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i, s := range sides {
		// The session tells our deeds from whatever else happens on this machine.
		o := DetectionOptions{Rules: rules, AllMatches: true, AppendOutput: "%proc.sid %evt.type %fd.name %evt.res %proc.name %container.id", Hostname: "h"}
		o.Sensor.NoFilter, o.Sensor.BufferBytes = i == 1, 64<<20
		var err error
		if s.d, err = OpenDetection(o); err != nil {
			t.Fatal(err)
		}
		defer s.d.Close()
		running.Go(func() {
			if err := s.d.Run(ctx, func(_ context.Context, alerts []*falco.Alert) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.alerts = append(s.alerts, alerts...)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	script := filepath.Join(t.TempDir(), "deeds")
	if err := os.WriteFile(script, []byte(deeds), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", script, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	session := strconv.Itoa(cmd.Process.Pid)
	last := func(s *side) string { // the deeds end when their shell does
		s.mu.Lock()
		defer s.mu.Unlock()
		return strconv.Itoa(len(s.alerts))
	}
	marker := exec.Command("/bin/sh", "-c", "cat /etc/shadow >/dev/null")
	for n := 0; n < 2; n++ { // an alert after the last deed: all before it have been evaluated
		before := []string{last(sides[0]), last(sides[1])}
		m := *marker
		if err := m.Run(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the alert after the deeds", func() bool { return last(sides[0]) != before[0] && last(sides[1]) != before[1] })
	}
	cancel()
	running.Wait()
	count := func(s *side) map[string]int {
		all := map[string]int{}
		for _, a := range s.alerts {
			if a.Get("proc.sid") == session {
				all[strings.Join([]string{a.Rule, a.Get("evt.type"), a.Get("fd.name"), a.Get("evt.res"), a.Get("proc.name"), a.Get("proc.cmdline"), a.Get("container.id")}, " | ")]++
			}
		}
		return all
	}
	filtered, all := count(sides[0]), count(sides[1])
	if diff := cmp.Diff(all, filtered); diff != "" {
		t.Errorf("alerts without (-) and with (+) the filter:\n%s", diff)
	}
	fired := map[string]bool{}
	for key := range all {
		name, _, _ := strings.Cut(key, " | ")
		fired[name] = true
	}
	t.Logf("%d rules fired: %s", len(fired), strings.Join(slices.Sorted(maps.Keys(fired)), "; "))
	if len(fired) < 12 {
		t.Errorf("%d rules fired, want at least 12", len(fired))
	}
	f, n := sides[0].d.Stats(), sides[1].d.Stats()
	if f.Sensor.Filtered == 0 || f.Sensor.Sent >= n.Sensor.Sent {
		t.Errorf("the kernel told %d events and left out %d with the filter, and told %d without", f.Sensor.Sent, f.Sensor.Filtered, n.Sensor.Sent)
	}
	for _, st := range []DetectionStats{f, n} {
		if d := st.Drops()["kernel buffer full"]; d > 0 {
			t.Errorf("%d events were lost", d)
		}
	}
}
