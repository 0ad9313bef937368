package script

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// TestOfficial fires each of the rules that Falco publishes once, and misses it narrowly once.
func TestOfficial(t *testing.T) {
	text, err := os.ReadFile("testdata/official.test")
	if err != nil {
		t.Fatal(err)
	}
	res := Run("official.test", string(text), func(path string) ([]byte, error) {
		return testshared.Read(t, filepath.Join("falco/rules", path)), nil
	})
	for _, f := range res.Failures {
		t.Error(f.String())
	}
	if len(res.Rules) != 93 {
		t.Errorf("got %d rules, want 93", len(res.Rules))
	}
	for _, name := range res.Rules {
		if res.Fired[name] == 0 {
			t.Errorf("rule %q never fired", name)
		}
	}
	if res.Checks < 2*93 {
		t.Errorf("got %d checks, want one that fires and one that misses for each rule", res.Checks)
	}
}
