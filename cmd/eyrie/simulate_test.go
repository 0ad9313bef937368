package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/access/sigv4"
	"github.com/eyrie-sec/eyrie/simulate"
)

const credentials = "[eyrie]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret+key/1\nregion = local-1\n"

// TestHubClient asks a hub that checks signatures and answers in two pages.
func TestHubClient(t *testing.T) {
	verifier := sigv4.New(sigv4.Config{Region: "local-1", Service: "securityhub", Now: time.Now, Secret: func(id string) (string, string, bool) {
		return "secret+key/1", "eyrie", id == "AKIDEXAMPLE"
	}})
	var starts []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		claim, err := verifier.Begin(r)
		if err == nil {
			_, err = claim.Verify(body)
		}
		var refusal *sigv4.Error
		if errors.As(err, &refusal) {
			http.Error(w, refusal.Message, refusal.Status)
			return
		}
		var q struct {
			NextToken string
			Filters   struct{ LastObservedAt []struct{ Start string } }
		}
		if json.Unmarshal(body, &q) != nil || r.URL.Path != "/findings" || len(q.Filters.LastObservedAt) != 1 {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		starts = append(starts, q.Filters.LastObservedAt[0].Start)
		if q.NextToken == "" {
			fmt.Fprint(w, `{"Findings":[{"Id":"a","LastObservedAt":"2026-11-21T02:00:00.000Z","ProductFields":{"eyrie/rule":"R","falco/proc.cmdline":"cat x"}}],"NextToken":"n"}`)
			return
		}
		fmt.Fprint(w, `{"Findings":[{"Id":"b","LastObservedAt":"2026-11-21T02:00:01.000Z"}]}`)
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte(credentials), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := newHubClient(s.URL+"/", "local-1", file)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 21, 1, 59, 59, 5e6, time.UTC)
	got, err := h.Since(context.Background(), began)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != (simulate.Finding{ID: "a", Rule: "R", Command: "cat x", Observed: began.Add(995 * time.Millisecond)}) || got[1].ID != "b" {
		t.Errorf("%+v", got)
	}
	if starts[0] != "2026-11-21T01:59:59.005Z" {
		t.Errorf("asked from %s", starts[0])
	}
	h.region = "eu-west-1"
	if _, err := h.Since(context.Background(), began); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("another Region: %v", err)
	}
	if err := os.WriteFile(file, []byte("[eyrie]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newHubClient(s.URL, "local-1", file); err == nil || !strings.Contains(err.Error(), "aws_access_key_id") {
		t.Errorf("no key: %v", err)
	}
}

func TestPrintResults(t *testing.T) {
	a := simulate.Actions()[0]
	var b bytes.Buffer
	missed := printResults(&b, []simulate.Result{
		{Action: a, Place: simulate.Host, Rules: []string{"R", "S"}, Finding: &simulate.Finding{Rule: "S"}, After: 1234 * time.Millisecond},
		{Action: a, Place: simulate.Container, Rules: []string{"R", "S"}},
		{Action: a, Place: simulate.Container, Rules: []string{"R"}, Err: errors.New("no\nway")},
	}, true)
	want := `ACTION           WHERE      FINDING           RULE
write-below-etc  host       after 1234 ms     S
write-below-etc  container  none              R; S
write-below-etc  container  not done: no; way  R

1 of 3 findings arrived; 1 did not, 1 actions could not be done.
A finding arrives only where its rule is loaded and on: by the sensor of ` + "`eyrie up`" + ` (see --rules there) or by Falco.
`
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if missed != 2 || words(b.String()) != words(want) {
		t.Errorf("%d missed:\n%s", missed, b.String())
	}
}

// TestRulesInUse: every rule that ships has an action that it fires for.
func TestRulesInUse(t *testing.T) {
	inUse, err := rulesInUse(nil)
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, a := range simulate.Actions() {
		for _, name := range a.Watched(simulate.Container, nil) {
			has[name] = true
		}
		for _, name := range a.Watched(simulate.Host, nil) {
			has[name] = true
		}
	}
	for name, on := range inUse {
		if on && !has[name] {
			t.Errorf("no action for the rule %q", name)
		}
	}
	if _, err := rulesInUse([]string{"/nowhere"}); err == nil {
		t.Error("rules that are not there")
	}
}
