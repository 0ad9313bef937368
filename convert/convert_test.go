package convert

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var origin = falco.Origin{Account: "111122223333", Region: "eu-central-1", Cluster: "prod"}

func converter(t testing.TB, cfg Config) *Converter {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t testing.TB, record string) *falco.Alert {
	t.Helper()
	a, err := falco.Parse([]byte(record))
	if err != nil {
		t.Fatalf("%v in %s", err, record)
	}
	return a
}

// alert makes an alert of a rule with the output fields given as JSON members.
func alert(t testing.TB, rule, fields string) *falco.Alert {
	t.Helper()
	return parse(t, `{"hostname":"node-1","output":"02:25:46.5: Warning Something | x=y","output_fields":{`+fields+`},"priority":"Warning","rule":"`+rule+
		`","source":"syscall","tags":["container","mitre_execution","T1059"],"time":"2026-11-21T02:25:46.5Z"}`)
}

// TestGolden converts the recorded alerts; the golden files hold the findings. -update rewrites them.
func TestGolden(t *testing.T) {
	c := converter(t, Config{Remediation: shipped(t)})
	for _, name := range []string{"docker-event-generator", "docker-seed", "host-seed"} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			for line := range bytes.Lines(testshared.Read(t, "falco/alerts/"+name+".jsonl")) {
				f := c.Convert(parse(t, string(line)), origin)
				text := f.AppendJSON(nil)
				if invalid := asff.Validate(text, asff.MaxFindingBytes); invalid != nil {
					t.Errorf("%s: %v", f.ID, invalid)
				}
				got = append(append(got, text...), '\n')
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
			if len(gotLines) != len(wantLines) {
				t.Errorf("%d lines, want %d", len(gotLines), len(wantLines))
			}
			for i := range min(len(gotLines), len(wantLines)) {
				if gotLines[i] != wantLines[i] {
					t.Fatalf("line %d differs:\ngot  %s\nwant %s", i+1, gotLines[i], wantLines[i])
				}
			}
		})
	}
}
