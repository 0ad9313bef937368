package asff

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func seed(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add(full().AppendJSON(nil))
	for _, doc := range attributeDocs {
		f.Add([]byte(doc))
	}
	for _, c := range badJSON {
		if len(c.doc) < 10_000 {
			f.Add([]byte(c.doc))
		}
	}
}

// FuzzExtract: the scanner takes what encoding/json takes, and matching never fails on it.
func FuzzExtract(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		err := Extract(doc, func(a Attribute, key, value []byte) {
			if int(a) >= NumAttributes || (key != nil) != (a.Kind() == KindMap) {
				t.Fatalf("attribute %d with key %q", a, key)
			}
		})
		if valid := json.Valid(doc); err == nil && !valid || err != nil && valid && !deep(doc) {
			t.Fatalf("got %v, encoding/json says valid: %v", err, valid)
		}
		if textErr := Text(doc, func([]byte) bool { return true }); (textErr == nil) != (err == nil) {
			t.Fatalf("Text: %v, Extract: %v", textErr, err)
		}
	})
}

// deep reports nesting beyond MaxDepth, or what might be it.
func deep(doc []byte) bool {
	return bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) > MaxDepth
}

// FuzzParseDocument: what was parsed reads back as the same members.
func FuzzParseDocument(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := ParseDocument(raw)
		if err != nil {
			return
		}
		out := d.Append(nil)
		var before, after map[string]json.RawMessage
		if err := json.Unmarshal(raw, &before); err != nil {
			t.Fatalf("encoding/json refuses the input: %v", err)
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("encoding/json refuses %s: %v", out, err)
		}
		if !utf8.Valid(raw) {
			return // encoding/json merges names that differ in invalid bytes
		}
		if len(before) != len(after) || len(before) != d.Len() {
			t.Fatalf("%d members before, %d after, Len %d", len(before), len(after), d.Len())
		}
		for name, value := range before {
			if !bytes.Equal(after[name], value) || !bytes.Equal(d.Get(name), value) {
				t.Fatalf("%q: %s before, %s after, Get %s", name, value, after[name], d.Get(name))
			}
		}
	})
}

// FuzzValidate: what is accepted is JSON that decodes and extracts.
func FuzzValidate(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		bad := Validate(doc, MaxFindingBytes)
		if bad != nil {
			if bad.Message == "" || !utf8.ValidString(bad.Message) {
				t.Fatalf("message %q", bad.Message)
			}
			return
		}
		if err := new(Finding).UnmarshalJSON(doc); err != nil {
			t.Fatal(err)
		}
		if err := Extract(doc, func(Attribute, []byte, []byte) {}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzUnmarshalJSON: a decoded finding encodes to what decodes to the same, and can be clamped.
func FuzzUnmarshalJSON(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		first, second := new(Finding), new(Finding)
		if first.UnmarshalJSON(doc) != nil {
			return
		}
		out := first.AppendJSON(nil)
		if err := second.UnmarshalJSON(out); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if again := second.AppendJSON(nil); !bytes.Equal(out, again) && utf8.Valid(doc) {
			t.Fatalf("first  %s\nsecond %s", out, again)
		}
		first.Clamp()
		if out = first.AppendJSON(nil); len(out) > MaxFindingBytes || !json.Valid(out) {
			t.Fatalf("clamped: %d bytes %s", len(out), out)
		}
	})
}

// FuzzParseFilters: accepted filters read back from their JSON, and match without error.
func FuzzParseFilters(f *testing.F) {
	for _, a := range Attributes() {
		f.Add([]byte(`{"` + a.Name() + `":[` + filterFor[a.Kind()].matches + `]}`))
	}
	f.Add([]byte(`{"Title":[{"Value":"\ud800","Comparison":"CONTAINS_WORD","Group":3}],"UpdatedAt":[{"Start":"2024-01-04T15:25:10Z"}]}`))
	doc := full().AppendJSON(nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		filters, err := ParseFilters(raw)
		if err != nil {
			return
		}
		again, err := ParseFilters(filters.JSON())
		if err != nil {
			t.Fatalf("%s: %v", filters.JSON(), err)
		}
		if !bytes.Equal(filters.JSON(), again.JSON()) {
			t.Fatalf("first  %s\nsecond %s", filters.JSON(), again.JSON())
		}
		first, err := filters.Match(doc, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if second, _ := again.Match(doc, testNow); first != second && utf8.Valid(raw) {
			t.Fatalf("%s matches %v, then %v", filters.JSON(), first, second)
		}
	})
}
