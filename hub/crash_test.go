package hub_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/hubtest"
	"github.com/eyrie-sec/eyrie/hub/sqlite"
	"github.com/google/go-cmp/cmp"
)

// crashFindings is how many findings the alerts of the crash test belong to: alert n to finding n%crashFindings.
const crashFindings = 17

func crashTime(seq int64) time.Time { return hubtest.Epoch.Add(time.Duration(seq) * 7 * time.Second) }

func crashHub(ctx context.Context, dir string) (*hub.Hub, hub.Store, error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "hub.db")})
	if err != nil {
		return nil, nil, err
	}
	h, err := hub.Open(ctx, hub.Config{Account: "111122223333", Region: "us-west-2", KeepAlerts: 5, SnapshotPath: filepath.Join(dir, "hub.index")}, s)
	return h, s, err
}

// TestCrash kills a process that observes alerts, again and again, and checks each time that what it acknowledged is
// there, and that every alert up to the cursor counts exactly once. EYRIE_CRASH_ROUNDS says how often; 5 by default.
func TestCrash(t *testing.T) {
	if dir := os.Getenv("EYRIE_CRASH_CHILD"); dir != "" {
		crashChild(t, dir)
		return
	}
	rounds := 5
	if s := os.Getenv("EYRIE_CRASH_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		acknowledged := crashOnce(t, dir, random)
		h, store, err := crashHub(t.Context(), dir)
		if err != nil {
			t.Fatalf("round %d: open after the kill: %v", round, err)
		}
		checkCrash(t, h, acknowledged)
		closer := h.Close
		if random.IntN(2) == 0 { // the next process starts from an older snapshot, or none
			closer = store.Close
		}
		if err := closer(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// crashOnce starts the child, kills it at some moment and returns the last cursor that it acknowledged.
func crashOnce(t *testing.T, dir string, random *rand.Rand) int64 {
	child := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	child.Env = append(os.Environ(), "EYRIE_CRASH_CHILD="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged, lines := int64(0), 0
	killAfter := 1 + random.IntN(30)
	in := bufio.NewScanner(out)
	for in.Scan() {
		n, err := strconv.ParseInt(in.Text(), 10, 64)
		if err != nil {
			t.Errorf("the child says %q", in.Text())
			break
		}
		acknowledged = n
		if lines++; lines == killAfter {
			// From here on the child is somewhere in the next commits; what it still acknowledges counts too.
			time.AfterFunc(time.Duration(random.IntN(int(20*time.Millisecond))), func() { child.Process.Kill() })
		}
	}
	child.Process.Kill()
	child.Wait() // says that it was killed
	if lines < killAfter {
		t.Fatalf("the child ended by itself after %d lines", lines)
	}
	return acknowledged
}

// crashChild observes alerts from where the store says that it is, until it is killed.
func crashChild(t *testing.T, dir string) {
	ctx := context.Background()
	h, _, err := crashHub(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := h.Observed(ctx, "journal")
	if err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		obs := make([]hub.Observation, 1+rand.IntN(40))
		for i := range obs {
			seq++
			obs[i] = hubtest.Observation(seq, int(seq%crashFindings), crashTime(seq))
		}
		if err := h.Observe(ctx, "journal", seq, obs); err != nil {
			t.Fatal(err)
		}
		fmt.Println(seq)
	}
}

func checkCrash(t *testing.T, h *hub.Hub, acknowledged int64) {
	t.Helper()
	ctx := t.Context()
	cursor, err := h.Observed(ctx, "journal")
	if err != nil {
		t.Fatal(err)
	}
	if cursor < acknowledged {
		t.Errorf("cursor %d, but %d was acknowledged", cursor, acknowledged)
	}
	want := map[hub.Key]int64{}
	last := map[hub.Key]int64{}
	for seq := int64(1); seq <= cursor; seq++ {
		f := hubtest.Finding(int(seq % crashFindings))
		key := hub.Key{ID: f.ID, ProductArn: f.ProductArn}
		want[key]++
		last[key] = seq
	}
	page, err := h.Find(ctx, hub.Query{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[hub.Key]int64{}
	for _, f := range page.Findings {
		got[f.Key] = f.Occurrences
		points, err := h.Timeline(ctx, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for _, p := range points {
			n += p.Count
		}
		alerts, err := h.Alerts(ctx, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		if n != want[f.Key] || len(alerts) == 0 || alerts[len(alerts)-1].Seq != last[f.Key] || !f.LastObserved.Equal(crashTime(last[f.Key])) {
			t.Errorf("%s: timeline has %d of %d, %d alerts, last observed %v", f.ID, n, want[f.Key], len(alerts), f.LastObserved)
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("occurrences: got (-) want (+)\n%s", diff)
	}
	bins, err := h.Activity(ctx, hubtest.Epoch, hubtest.Epoch.Add(365*24*time.Hour), 365*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range bins[0].BySeverity {
		total += n
	}
	if int64(total) != cursor {
		t.Errorf("activity counts %d alerts, the cursor is %d", total, cursor)
	}
}
