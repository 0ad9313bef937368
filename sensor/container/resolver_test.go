package container

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/rule/event"
)

// run starts a Resolver and stops it with the test.
func run(t *testing.T, c Config) *Resolver {
	t.Helper()
	r := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// settled waits until nothing is pending for ref.
func settled(t *testing.T, r *Resolver, ref *Ref) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for ref.Pending() {
		select {
		case <-r.Changed():
		case <-limit:
			t.Fatal("still pending")
		}
	}
}

func TestResolver(t *testing.T) {
	var asked atomic.Int64
	answer := docker(dockerInspect, "")
	path := serve(t, func(w http.ResponseWriter, q *http.Request) { asked.Add(1); answer(w, q) })
	r := run(t, Config{Sockets: []Socket{{TypeDocker, path}}})

	if ref := r.Of("/system.slice/sshd.service"); ref.Pending() || !ref.Container().IsHost() {
		t.Errorf("host: %+v", ref.Container())
	}
	ref := r.Of("/", "/docker/"+idA)
	if got := ref.Container().ShortID(); got != idA[:12] {
		t.Errorf("before the answer: id %s", got)
	}
	settled(t, r, ref)
	c := ref.Container()
	if !c.Known() || c.Info().Name != "payments-api" || c.FullID() != idA {
		t.Errorf("after the answer: %+v", c)
	}
	if again := r.Of("/system.slice/docker-" + idA + ".scope"); again != ref {
		t.Error("another path of the same container is another container")
	}
	n := asked.Load()
	for range 100 {
		if r.Of("/docker/"+idA) != ref {
			t.Fatal("another Ref")
		}
	}
	if asked.Load() != n {
		t.Error("a known container was asked about again")
	}
	if s := r.Stats(); s.Containers != 1 || s.Found != 1 || s.Lookups != 1 {
		t.Errorf("%+v", s)
	}
}

// TestResolverWaitsForTheRuntime: a runtime that learns of the container a little later is asked again, while it pays to wait.
func TestResolverWaitsForTheRuntime(t *testing.T) {
	var asked atomic.Int64
	answer := docker(dockerInspect, "")
	path := serve(t, func(w http.ResponseWriter, q *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		answer(w, q)
	})
	r := run(t, Config{Sockets: []Socket{{TypeDocker, path}}})
	ref := r.Of("/docker/" + idA)
	settled(t, r, ref)
	if !ref.Container().Known() {
		t.Errorf("not known after %d questions", asked.Load())
	}
}

func TestResolverOfUnknownContainer(t *testing.T) {
	r := run(t, Config{Sockets: []Socket{{TypeDocker, serve(t, docker(dockerInspect, ""))}}})
	ref := r.Of("/docker/" + idB)
	settled(t, r, ref)
	if c := ref.Container(); c.Known() || c.IsHost() || c.ShortID() != idB[:12] {
		t.Errorf("%+v", c)
	}
	if s := r.Stats(); s.Missing < eager || s.Found != 0 {
		t.Errorf("%+v: it should have been asked about %d times before giving up", s, eager)
	}
}

// TestResolverWithoutRuntimes: where nobody can be asked, nothing waits.
func TestResolverWithoutRuntimes(t *testing.T) {
	r := New(Config{Sockets: []Socket{{TypeDocker, filepath.Join(t.TempDir(), "none.sock")}}})
	ref := r.Of("/docker/" + idA)
	if ref.Pending() || ref.Container().ShortID() != idA[:12] {
		t.Errorf("pending %v, %+v", ref.Pending(), ref.Container())
	}
	if ref := r.Of("/lxc.payload.web"); ref.Pending() || ref.Container().Info().Name != "web" || ref.Container().ShortID() != "web" {
		t.Errorf("LXC: %+v", ref.Container())
	}
}

func TestResolverIsBounded(t *testing.T) {
	r := New(Config{Sockets: []Socket{}, MaxContainers: 10})
	first := r.Of("/docker/" + idA)
	for i := range maxPaths + 1000 {
		r.Of(fmt.Sprintf("/docker/%064x", i))
	}
	s := r.Stats()
	if s.Containers != 10 || s.Evicted != maxPaths+1000+1-10 || len(r.paths) > maxPaths || len(r.refs) != 10 {
		t.Errorf("%+v, %d paths, %d refs", s, len(r.paths), len(r.refs))
	}
	if s.Deferred == 0 {
		t.Error("more lookups than the queue holds, and none was put off")
	}
	if again := r.Of("/docker/" + idA); again == first || again.Container().FullID() != idA {
		t.Error("an evicted container must get a new Ref")
	}
}

func TestOfPID(t *testing.T) {
	proc := t.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "42"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "12:pids:/docker/" + idA + "\n0::/\n"
	if err := os.WriteFile(filepath.Join(proc, "42", "cgroup"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r := New(Config{Sockets: []Socket{}, ProcRoot: proc})
	if got := r.OfPID(42).Container().FullID(); got != idA {
		t.Errorf("OfPID(42) is %s", got)
	}
	if !r.OfPID(43).Container().IsHost() {
		t.Error("a process that is gone is taken for a container's")
	}
}

func TestWaiting(t *testing.T) {
	var out []string
	w := NewWaiting(4, time.Second, func(e string) { out = append(out, e) })
	ref := func(pending bool) *Ref {
		r := &Ref{}
		r.now.Store(newContainer(ID{Full: idA}, nil))
		r.pending.Store(pending)
		return r
	}
	expect := func(step, want string) {
		t.Helper()
		if got := strings.Join(out, " "); got != want {
			t.Errorf("%s: released %q, want %q", step, got, want)
		}
	}
	now := time.Unix(100, 0)
	a, b := ref(true), ref(true)
	if w.Must(ref(false)) {
		t.Error("an event of a known container must wait")
	}
	w.Add(a, "a1", now)
	w.Add(b, "b1", now.Add(500*time.Millisecond))
	w.Add(a, "a2", now)
	expect("held", "")
	if next, ok := w.Next(); !ok || !next.Equal(now.Add(time.Second)) {
		t.Errorf("Next is %v, %v", next, ok)
	}
	a.pending.Store(false)
	if !w.Must(a) {
		t.Error("an event would overtake those that wait")
	}
	w.Add(a, "a3", now)
	expect("known", "a1 a2 a3")
	w.Release(now.Add(1400 * time.Millisecond))
	expect("not yet", "a1 a2 a3")
	w.Release(now.Add(1500 * time.Millisecond))
	expect("late", "a1 a2 a3 b1")
	if w.Must(b) {
		t.Error("a container that had its time waits again")
	}
	c, d := ref(true), ref(true)
	for i := range 4 {
		w.Add(c, fmt.Sprint("c", i), now)
	}
	w.Add(d, "d0", now)
	expect("full, another container", "a1 a2 a3 b1 d0")
	w.Add(c, "c4", now)
	expect("full, the same container", "a1 a2 a3 b1 d0 c0 c1 c2 c3 c4")
	w.Add(a, "a4", now)
	e := ref(true)
	w.Add(e, "e0", now)
	w.Close()
	if got := strings.Join(out[len(out)-2:], " "); got != "a4 e0" {
		t.Errorf("closed: %q", got)
	}
	want := WaitingStats{Held: 8, Complete: 2, Late: 2, Full: 6}
	if got := w.Stats(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, ok := w.Next(); ok {
		t.Error("something is to be released although nothing waits")
	}
}

func BenchmarkOf(b *testing.B) {
	r := New(Config{Sockets: []Socket{}})
	path := "/docker/" + idA
	for b.Loop() {
		if r.Of(path).Container().IsHost() {
			b.Fatal("host")
		}
	}
}

func BenchmarkFill(b *testing.B) {
	var e event.Event
	c := newContainer(ID{Full: idA}, &Info{Type: TypeDocker, Name: "n", Image: "shop/api:3", Labels: []string{"a=b"}})
	b.ReportAllocs()
	for b.Loop() {
		e.Reset(1)
		c.Fill(&e)
	}
}
