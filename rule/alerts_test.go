package rule

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// eventOf rebuilds the event that caused an alert from the fields the alert carries.
func eventOf(t *testing.T, a *falco.Alert) *event.Event {
	t.Helper()
	typ, ok := field.EventByName(a.Get("evt.type"))
	if !ok {
		typ, _ = field.EventByName("execve") // the output does not say; it matters to no field
	}
	e := &event.Event{}
	e.Reset(typ)
	e.Time = a.Time.UnixNano()
	var names []string
	for _, f := range a.Fields {
		if f.Value.Kind == falco.Null || f.Name == "evt.time" || f.Name == "evt.type" {
			continue
		}
		switch base, index, _ := strings.Cut(f.Name, "["); base {
		case "proc.aname":
			var n int
			if _, err := fmt.Sscanf(index, "%d]", &n); err != nil {
				t.Fatal(f.Name)
			}
			for len(names) <= n {
				names = append(names, "")
			}
			names[n] = f.Value.Text
			e.SetList(field.ProcAname, names)
			continue
		}
		text := fmt.Sprintf("%s %s=%q", typ, f.Name, f.Value.Text)
		one := &event.Event{}
		if err := event.Parse(text, one); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		copyField(e, one, f.Name)
	}
	return e
}

func copyField(to, from *event.Event, name string) {
	if arg, ok := strings.CutPrefix(name, "evt.arg."); ok {
		i := to.Type.Info().Param(arg)
		to.SetArg(i, from.Arg(i).Text)
		return
	}
	id, _ := field.ByName(name)
	if a, ok := from.Addr(id); ok {
		to.SetAddr(id, a)
	} else if n, ok := from.Number(id); ok && id.Info().Type.Numeric() {
		to.SetNum(id, n)
	} else if s, ok := from.Text(id); ok {
		to.SetText(id, s)
	}
}

// TestAlertsAreReproduced makes every recorded alert of a published rule again, byte for byte, from the event that its
// fields describe.
func TestAlertsAreReproduced(t *testing.T) {
	set, report := Load(official(t), LoadOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, name := range []string{"host-seed.jsonl", "docker-seed.jsonl", "docker-event-generator.jsonl"} {
		for line := range bytes.Lines(testshared.Read(t, "falco/alerts/"+name)) {
			line = bytes.TrimSpace(line)
			want, err := falco.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			r := set.Rule(want.Rule)
			if r == nil {
				t.Logf("%s: rule %q is not published", name, want.Rule)
				continue
			}
			g := NewEngine(set, Config{Hostname: want.Hostname})
			got := g.Session().Alert(eventOf(t, want), r)
			if out := falco.AppendJSON(nil, got); !bytes.Equal(bytes.TrimSpace(out), line) {
				t.Errorf("%s, %s:\n got %s\nwant %s", name, want.Rule, out, line)
			}
			done++
		}
	}
	t.Logf("%d alerts made again", done)
	if done < 60 {
		t.Errorf("only %d alerts are of published rules", done)
	}
}
