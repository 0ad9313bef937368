package rule

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/rule/event"
)

// mix is what a host with some containers does, by share in percent of events. It was put together by hand and not
// taken from a capture: its types are those that the official rules ask a sensor for and a few that keep track of
// processes, its shares are meant as those of a build server that also serves: 50 % opens, 16 % processes that start and
// end, 17 % network, 17 % other calls on files and processes. Three processes make the events in bursts of four, two of
// them in containers. None of the events is suspicious, so that every rule has to be ruled out.
//
// What makes it comparable with a mixed capture: opens prevail, which most rules look at, and only 12 % of the events
// (clone, procexit, chdir) are of types that no rule looks at. A capture with reads, writes and polls in it has far more of
// those, which cost next to nothing. Every event carries the fields that a sensor would fill, ancestors and container included.
var mix = []struct {
	percent int
	event   string
}{
	{38, `openat fd.name=/usr/lib/x86_64-linux-gnu/libc.so.6 fd.typechar=f fd.type=file fd.num=3 evt.is_open_read=true evt.is_open_write=false evt.is_open_exec=false evt.is_open_create=false evt.arg.flags="O_RDONLY|O_CLOEXEC" evt.arg.name=/usr/lib/x86_64-linux-gnu/libc.so.6 evt.rawres=3 evt.res=SUCCESS`},
	{8, `openat fd.name=/srv/build/out/main.o fd.typechar=f fd.type=file fd.num=4 evt.is_open_read=false evt.is_open_write=true evt.is_open_exec=false evt.is_open_create=true evt.arg.flags="O_WRONLY|O_CREAT|O_TRUNC" evt.arg.name=main.o evt.rawres=4 evt.res=SUCCESS`},
	{4, `open fd.name=/proc/self/stat fd.typechar=f fd.type=file fd.num=5 evt.is_open_read=true evt.is_open_write=false evt.is_open_exec=false evt.is_open_create=false evt.arg.flags=O_RDONLY evt.arg.name=/proc/self/stat evt.rawres=5 evt.res=SUCCESS`},
	{6, `execve evt.res=SUCCESS evt.rawres=0 evt.arg.exe=/usr/bin/cc evt.arg.flags=EXE_LOWER_LAYER proc.is_exe_upper_layer=false proc.is_exe_from_memfd=false proc.is_exe_writable=false proc.duration=1000 proc.vpid=77 proc.is_vpgid_leader=false`},
	{5, `clone evt.res=SUCCESS evt.rawres=812 evt.arg.flags="CLONE_CHILD_SETTID"`},
	{5, `procexit`},
	{6, `connect fd.name="10.0.3.7:41822->10.0.9.1:5432" fd.typechar=4 fd.type=ipv4 fd.l4proto=tcp fd.sockfamily=ip fd.cip=10.0.3.7 fd.sip=10.0.9.1 fd.lip=10.0.3.7 fd.rip=10.0.9.1 fd.cport=41822 fd.sport=5432 fd.lport=41822 fd.rport=5432 fd.num=7 fd.connected=true fd.name_changed=true fd.is_server=false evt.rawres=0 evt.res=SUCCESS`},
	{4, `accept4 fd.name="10.0.3.9:51822->10.0.3.7:8080" fd.typechar=4 fd.type=ipv4 fd.l4proto=tcp fd.cip=10.0.3.9 fd.sip=10.0.3.7 fd.cport=51822 fd.sport=8080 fd.num=9 fd.is_server=true evt.rawres=9 evt.res=SUCCESS`},
	{3, `sendto fd.name="10.0.3.7:5353->10.0.0.2:53" fd.typechar=4 fd.type=ipv4 fd.l4proto=udp fd.cip=10.0.3.7 fd.sip=10.0.0.2 fd.cport=5353 fd.sport=53 fd.rip=10.0.0.2 fd.rport=53 fd.num=11 fd.connected=false fd.name_changed=true evt.rawres=48 evt.res=SUCCESS`},
	{4, `socket evt.arg.domain=AF_INET evt.rawres=12 evt.res=SUCCESS`},
	{4, `dup2 fd.typechar=f fd.type=file fd.num=1 fd.name=/dev/null evt.rawres=1 evt.res=SUCCESS`},
	{3, `unlinkat evt.arg.name=tmp.o fs.path.name=/srv/build/out/tmp.o evt.rawres=0 evt.res=SUCCESS`},
	{2, `rename evt.arg.oldpath=a.tmp evt.arg.newpath=a.o fs.path.source=/srv/build/a.tmp fs.path.target=/srv/build/a.o evt.rawres=0 evt.res=SUCCESS`},
	{2, `mkdir evt.arg.path=/srv/build/out/x fs.path.name=/srv/build/out/x evt.rawres=0 evt.res=SUCCESS`},
	{2, `fchmodat evt.arg.filename=/srv/build/out/x evt.arg.mode="S_IRUSR" evt.rawres=0 evt.res=SUCCESS`},
	{2, `setuid evt.arg.uid=1000 evt.rawres=0 evt.res=SUCCESS`},
	{2, `chdir evt.arg.path=/srv/build evt.rawres=0 evt.res=SUCCESS`},
}

const everyEvent = ` evt.time=1795226862275986838 evt.num=9 proc.name=cc1 proc.exe=/usr/bin/cc1 proc.exepath=/usr/lib/gcc/cc1 proc.cmdline="cc1 -O2 -c main.c -o main.o" proc.args="-O2 -c main.c -o main.o" proc.cwd=/srv/build/ proc.pid=811 proc.ppid=800 proc.tty=0 proc.sname=bash proc.aname=[cc1 make bash containerd-shim systemd] proc.acmdline=["cc1 -O2" "make -j4" "bash ci.sh" "containerd-shim -id x" "systemd"] proc.aexe=[cc1 make bash shim systemd] proc.aexepath=[/usr/lib/gcc/cc1 /usr/bin/make /bin/bash /usr/bin/containerd-shim /lib/systemd/systemd] proc.env=[PATH=/usr/bin:/bin HOME=/root] thread.cap_permitted="CAP_CHOWN CAP_DAC_OVERRIDE" thread.cap_effective="CAP_CHOWN" user.uid=0 user.name=root user.loginuid=-1 user.loginname="<NA>" group.gid=0 container.id=3ad7b26ded6d container.name=ci container.image.repository=registry.example/ci/builder container.image.tag=v4 container.privileged=false container.start_ts=1795220000000000000 container.mounts=["/srv:/srv:rw:true:rprivate"] k8s.ns.name=ci k8s.pod.name=builder-0`

// processes make the events of the mix in turn, a burst of four calls each.
var processes = []string{
	"",
	` proc.name=webd proc.exe=/usr/local/bin/webd proc.exepath=/usr/local/bin/webd proc.cmdline="webd -c app.conf" proc.args="-c app.conf" proc.cwd=/srv/app/ proc.pid=77 proc.aname=[webd tini containerd-shim systemd] container.id=9f00d1c2b3a4 container.name=web container.image.repository=registry.example/shop/web k8s.pod.name=web-1`,
	` proc.name=postgres proc.exe=postgres proc.exepath=/usr/lib/postgresql/16/bin/postgres proc.cmdline="postgres: writer" proc.args=writer proc.cwd=/var/lib/postgresql/ proc.pid=402 proc.aname=[postgres postgres systemd] container.id=host container.name=host container.image.repository=""`,
}

// mixEvents are 100 events in the proportions of the mix, interleaved.
func mixEvents(t testing.TB) []*event.Event {
	t.Helper()
	out := make([]*event.Event, 100)
	at := 0
	for _, m := range mix {
		for range m.percent {
			e := &event.Event{}
			for out[at] != nil {
				at = (at + 1) % 100
			}
			if err := event.Parse(m.event+everyEvent+processes[at/4%len(processes)], e); err != nil {
				t.Fatal(m.event, err)
			}
			out[at] = e
			at = (at + 37) % 100
		}
	}
	return out
}

func officialEngine(t testing.TB, names ...string) *Engine {
	t.Helper()
	set, report := Load(official(t, names...), LoadOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	enableAll(set)
	return NewEngine(set, Config{})
}

func BenchmarkMatch(b *testing.B) {
	for _, bc := range []struct {
		rules int
		files []string
	}{{25, officialFiles[:1]}, {93, officialFiles}} {
		b.Run(fmt.Sprintf("rules=%d", bc.rules), func(b *testing.B) {
			s := officialEngine(b, bc.files...).Session()
			events := mixEvents(b)
			for _, e := range events { // what the first events compile is BenchmarkFirstEvents
				s.Match(e)
			}
			b.ReportAllocs()
			i, hits, before := 0, 0, processorTime()
			for b.Loop() {
				hits += len(s.Match(events[i]))
				if i++; i == len(events) {
					i = 0
				}
			}
			if used := processorTime() - before; used > 0 {
				b.ReportMetric(float64(b.N)*1e3/float64(used.Nanoseconds()), "Mevents/cpu-s")
			}
			b.ReportMetric(1e3/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "Mevents/s")
			b.ReportMetric(float64(hits)/float64(b.N), "matches/event")
		})
	}
}

func BenchmarkMatchByType(b *testing.B) {
	s := officialEngine(b).Session()
	for _, m := range mix {
		e := &event.Event{}
		if err := event.Parse(m.event+everyEvent, e); err != nil {
			b.Fatal(err)
		}
		b.Run(strings.Fields(m.event)[0], func(b *testing.B) {
			for b.Loop() {
				s.Match(e)
			}
		})
	}
}

// TestNoAllocations holds the engine to making nothing for events that match no rule.
func TestNoAllocations(t *testing.T) {
	s := officialEngine(t).Session()
	for _, e := range mixEvents(t) {
		if hits := s.Match(e); len(hits) > 0 {
			t.Fatalf("%s matches %s: the mix must hold nothing suspicious", event.Append(nil, e), hits[0].Name)
		}
	}
	for _, e := range mixEvents(t) {
		if n := testing.AllocsPerRun(20, func() { s.Match(e) }); n != 0 {
			t.Errorf("%v allocations for %s", n, e.Type)
		}
	}
}

// TestSessionsShareAnEngine lets sessions ask for parts of an engine that are not compiled yet, all at once.
func TestSessionsShareAnEngine(t *testing.T) {
	want := map[int]int{}
	script := sharedEvents(t)
	s := officialEngine(t).Session()
	for i, e := range script {
		want[i] = len(s.Match(e))
	}
	g := officialEngine(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := g.Session()
			for i, e := range sharedEvents(t) {
				if got := len(s.Match(e)); got != want[i] {
					t.Errorf("event %d: got %d rules, want %d", i, got, want[i])
				}
			}
		})
	}
	wg.Go(g.Prepare)
	wg.Wait()
}

// sharedEvents are the events of the mix and some that match.
func sharedEvents(t testing.TB) []*event.Event {
	events := mixEvents(t)
	for _, text := range []string{
		"openat fd.name=/etc/shadow fd.typechar=f fd.num=3 evt.is_open_read=true",
		"openat fd.name=/root/.ssh/id_rsa fd.typechar=f fd.num=3 evt.is_open_read=true",
		"execve evt.res=SUCCESS proc.cmdline=\"nc -e sh\"",
	} {
		e := &event.Event{}
		if err := event.Parse(text+everyEvent+" proc.name=cat", e); err != nil {
			t.Error(text, err)
		}
		events = append(events, e)
	}
	return events
}

// processorTime is the time this process has used, 0 where that cannot be told. On a shared machine it says more than the
// clock.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
