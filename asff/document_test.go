package asff

import (
	"fmt"
	"strings"
	"testing"
)

// TestDocumentOfManyMembers: of members that stand twice the last is kept, in the place of the first, however many there are.
func TestDocumentOfManyMembers(t *testing.T) {
	const many = 20_000 // by looking through all for each: 2·10⁸ comparisons
	var raw, want strings.Builder
	raw.WriteString("{")
	want.WriteString("{")
	for i := range many {
		if i > 0 {
			raw.WriteString(",")
			want.WriteString(",")
		}
		fmt.Fprintf(&raw, `"m%d":%d`, i, i)
		if i == 10 || i == many-1 {
			fmt.Fprintf(&want, `"m%d":"again"`, i)
		} else {
			fmt.Fprintf(&want, `"m%d":%d`, i, i)
		}
	}
	fmt.Fprintf(&raw, `,"m10":"again","m%d":"again"}`, many-1)
	want.WriteString("}")
	d, err := ParseDocument([]byte(raw.String()))
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != many || string(d.Append(nil)) != want.String() {
		t.Errorf("%d members, want %d, in their order with the last values", d.Len(), many)
	}
}

func TestDocument(t *testing.T) {
	raw := ` { "b" : {"x": 1.0,"y":"\u00e9" } ,"A\u006c":[ ] , "t":"a\nb", "b":2.50, "last":null } `
	d, err := ParseDocument([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"b", `2.50`}, {"Al", `[ ]`}, {"last", `null`}, {"none", ``}, {"t", `"a\nb"`},
	} {
		if got := string(d.Get(c.name)); got != c.want {
			t.Errorf("Get(%q): got %s, want %s", c.name, got, c.want)
		}
	}
	if got := d.Text("t") + "|" + d.Text("b") + "|" + d.Text("none"); got != "a\nb||" {
		t.Errorf("Text: got %q", got)
	}
	if got, want := strings.Join(d.Names(), " "), "b Al t last"; got != want || d.Len() != 4 {
		t.Errorf("Names: got %q (%d), want %q", got, d.Len(), want)
	}
	check := func(what, want string) {
		t.Helper()
		if got := string(d.Append([]byte("x"))); got != "x"+want {
			t.Errorf("%s: got %s, want x%s", what, got, want)
		}
	}
	check("untouched", `{"b":2.50,"A\u006c":[ ],"t":"a\nb","last":null}`)
	other := d.Clone()
	d.Set("Al", []byte(`{"n":1}`))
	d.SetText("new\"", "é\x01")
	d.Delete("b")
	d.Delete("none")
	check("edited", `{"A\u006c":{"n":1},"t":"a\nb","last":null,"new\"":"é\u0001"}`)
	if got, want := string(other.Append(nil)), `{"b":2.50,"A\u006c":[ ],"t":"a\nb","last":null}`; got != want {
		t.Errorf("the clone changed: got %s, want %s", got, want)
	}
	d = Document{}
	check("zero", `{}`)
	d.Set("a", []byte(`1`))
	check("set on zero", `{"a":1}`)
}

// TestDocumentKeepsBytes: a compact document comes out as it went in.
func TestDocumentKeepsBytes(t *testing.T) {
	doc := full().AppendJSON(nil)
	before := string(doc)
	d, err := ParseDocument(doc)
	if err != nil {
		t.Fatal(err)
	}
	d.SetText("RecordState", "ARCHIVED")
	d.SetText("RecordState", "ACTIVE")
	if got := string(d.Append(nil)); got != before || string(doc) != before {
		t.Errorf("got  %s\nwant %s", got, before)
	}
}
