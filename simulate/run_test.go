package simulate

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// hub answers with findings that arrive at the n-th question.
type hub struct {
	mu    sync.Mutex
	asked int
	after int
	found []Finding
	err   error
}

func (h *hub) Since(_ context.Context, t time.Time) ([]Finding, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if h.err != nil {
		return nil, h.err
	}
	var list []Finding
	for _, f := range h.found {
		if h.asked > h.after && !f.Observed.Before(t) {
			list = append(list, f)
		}
	}
	return list, nil
}

func named(t *testing.T, names ...string) []*Action {
	t.Helper()
	actions, err := Find(names...)
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

func TestRun(t *testing.T) {
	needRoot(t)
	later := time.Now().Add(time.Hour)
	h := &hub{after: 2, found: []Finding{
		{ID: "a", Rule: "Write below etc", Command: "vi /etc/passwd", Observed: later},              // somebody else's
		{ID: "b", Rule: "Write below etc", Command: "touch /etc/eyrie-simulate", Observed: later},   // ours
		{ID: "c", Rule: "Some other rule", Command: "cat /etc/shadow", Observed: later},             // no rule of the action's
		{ID: "d", Rule: "Read of a secret file", Command: "cat /etc/shadow", Observed: time.Time{}}, // from before
		{ID: "e", Rule: "Mkdir binary dirs", Observed: later},                                       // an alert without the command line
	}}
	var doing, done []string
	results, err := Run(context.Background(), Options{
		Actions: named(t, "write-below-etc", "read-shadow", "mkdir-in-bin", "release-agent"), Findings: h, Wait: time.Second,
		Doing: func(a *Action, p Place) { doing = append(doing, a.Name+" "+p.String()) },
		Done:  func(r Result) { done = append(done, r.Action.Name) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(doing, ", "), "write-below-etc host, read-shadow host, mkdir-in-bin host, release-agent container"; got != want {
		t.Errorf("doing %s, want %s", got, want)
	}
	if len(done) != 4 {
		t.Errorf("told of %v, want each once", done)
	}
	for i, want := range []string{"b", "", "e", ""} {
		r := results[i]
		if r.Err != nil || want == "" && r.Finding != nil || want != "" && (r.Finding == nil || r.Finding.ID != want || r.After <= 0) {
			t.Errorf("%s: %+v (%v), want finding %q", r.Action.Name, r.Finding, r.Err, want)
		}
	}
}

func TestRunWithoutHub(t *testing.T) {
	needRoot(t)
	results, err := Run(context.Background(), Options{Actions: named(t, "Write below etc"), In: Container})
	if err != nil || len(results) != 1 || results[0].Err != nil || results[0].Place != Container {
		t.Errorf("%+v, %v", results, err)
	}
	if _, err := Run(context.Background(), Options{Actions: named(t, "release-agent"), In: Host}); err == nil || !strings.Contains(err.Error(), "--in") {
		t.Errorf("an action for containers on the host: %v", err)
	}
	inUse := map[string]bool{"Container reaches for the host": true}
	results, err = Run(context.Background(), Options{Actions: named(t, "change-namespace", "read-shadow"), InUse: inUse})
	if err != nil || len(results) != 1 || results[0].Place != Container || len(results[0].Rules) != 1 {
		t.Errorf("with one rule in use that fires in containers: %+v, %v", results, err)
	}
	wrong := errors.New("403")
	if _, err := Run(context.Background(), Options{Actions: named(t, "read-shadow"), Findings: &hub{err: wrong}}); !errors.Is(err, wrong) {
		t.Errorf("a hub that refuses: %v", err)
	}
}

func TestFind(t *testing.T) {
	if all := named(t); len(all) == 0 || len(all) >= len(Actions()) {
		t.Errorf("%d of %d: those that need something must be named", len(all), len(Actions()))
	}
	if got := named(t, "Debugfs Launched in Privileged Container", "debugfs"); len(got) != 1 || got[0].Name != "debugfs" {
		t.Errorf("%+v", got)
	}
	if _, err := Find("nothing", "read-shadow"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("%v", err)
	}
}
