package field

import (
	"encoding/json"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
)

// TestTableAgreesWithFalco compares the table with Falco's own list of fields: every field, its type, whether it is a
// list and whether it takes an argument.
func TestTableAgreesWithFalco(t *testing.T) {
	var ref struct {
		Classes []struct {
			Fields []struct {
				Name, Type string
				List       bool `json:"is_list"`
				Argument   *struct{ Required bool }
			}
		} `json:"fieldclasses"`
	}
	if err := json.Unmarshal(testshared.Read(t, "falco/reference/fields.json"), &ref); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range ref.Classes {
		for _, f := range c.Fields {
			n++
			id, ok := ByName(f.Name)
			if !ok {
				t.Errorf("%s is missing", f.Name)
				continue
			}
			info := id.Info()
			if info.Type.String() != f.Type || info.Flags&List != 0 != f.List || info.Arg != ArgNone != (f.Argument != nil) {
				t.Errorf("%s: got %+v, want %+v", f.Name, *info, f)
			}
		}
	}
	if n < 200 {
		t.Errorf("the reference has %d fields", n)
	}
}

func TestEventsAgreeWithFalco(t *testing.T) {
	var ref map[string]json.RawMessage
	if err := json.Unmarshal(testshared.Read(t, "falco/reference/events.json"), &ref); err != nil {
		t.Fatal(err)
	}
	for group, raw := range ref {
		var list []struct {
			Name, Dir string
			Params    []struct{ Name, Type string }
		}
		if json.Unmarshal(raw, &list) != nil {
			continue // the schema version
		}
		for _, e := range list {
			id, ok := EventByName(e.Name)
			if !ok {
				t.Errorf("%s: %s is missing", group, e.Name)
				continue
			}
			for _, p := range e.Params {
				i := id.Info().Param(p.Name)
				if e.Dir == "<" && (i < 0 || id.Info().Params[i].Type.String() != p.Type) {
					t.Errorf("%s: parameter %s differs", e.Name, p.Name)
				}
			}
		}
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{"proc.nmae": "proc.name", "fd.nam": "fd.name", "evt.typ": "evt.type", "completely.else": ""} {
		if got := Nearest(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestLongestPrefix(t *testing.T) {
	for text, want := range map[string]string{"proc.namex": "proc.name", "proc.aname[2] x": "proc.aname", "evt.args": "evt.args", "fd.name.": "fd.name"} {
		if id, ok := LongestPrefix(text); !ok || id.String() != want {
			t.Errorf("%s: got %s, want %s", text, id, want)
		}
	}
	if _, ok := LongestPrefix("nope.x"); ok {
		t.Error("an unknown field is found")
	}
}

func TestEventSet(t *testing.T) {
	a, _ := EventByName("open")
	b, _ := EventByName("close")
	var s EventSet
	s.Add(a)
	inv := s.Invert()
	if inv.Has(a) || !inv.Has(b) || s.Intersect(inv) != (EventSet{}) || s.Union(inv) != AllEvents() {
		t.Error("set operations disagree")
	}
	if n := len(AllEvents().Types()); n != EventCount()-1 || n != 465 {
		t.Errorf("got %d event types, want 465", n)
	}
}
