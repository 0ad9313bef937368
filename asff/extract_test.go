package asff

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func extracted(t *testing.T, doc string) []string {
	t.Helper()
	var got []string
	err := Extract([]byte(doc), func(a Attribute, key, value []byte) {
		if key != nil {
			got = append(got, fmt.Sprintf("%s[%s]=%s", a, key, value))
		} else {
			got = append(got, fmt.Sprintf("%s=%s", a, value))
		}
	})
	if err != nil {
		t.Fatalf("Extract(%s): %v", doc, err)
	}
	return got
}

func TestExtract(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"empty", ` {} `, ``},
		{"array order", `{"Resources":[{"Type":"b","Id":"1"},{"Id":"2","Type":"a"}]}`,
			`ResourceType=b ResourceId=1 ResourceId=2 ResourceType=a`},
		{"escapes", `{"Title":"a\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00\ud800","Tit\u006ce":"x"}`,
			"Title=a\"\\/\b\f\n\r\tAé😀\uFFFD Title=x"},
		{"escaped key", `{"ProductFields":{"a\tb":"c\td"}}`, "ProductFields[a\tb]=c\td"},
		{"number as it was written", `{"Severity":{"Product":1.50e+1,"Normalized":-0}}`, `SeverityProduct=1.50e+1 SeverityNormalized=-0`},
		{"boolean", `{"Sample":false}`, `Sample=false`},
		{"null", `{"Title":null,"Resources":null,"ProductFields":{"a":null},"Types":[null,"t"]}`, `Type=t`},
		{"wrong shapes", `{"Title":{"Title":"x"},"Types":"t","Resources":{"Type":"x"},"ProductFields":["x"],"Severity":"LOW","Note":[{"Text":"n"}]}`, ``},
		{"nested value in a map", `{"ProductFields":{"a":{"b":"c"},"d":[1],"e":2}}`, `ProductFields[e]=2`},
		{"other members", `{"Title2":"x","title":"x","Detection":{"Title":"x"},"Id":"1"}`, `Id=1`},
		{"two resources' tags", `{"Resources":[{"Tags":{"a":"1"}},{"Tags":{"a":"2"}}]}`, `ResourceTags[a]=1 ResourceTags[a]=2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(extracted(t, c.doc), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	doc := []byte(`{"a":"one","b":[{"c":"two\n"},"three"],"d":4}`)
	var got []string
	visit := func(value []byte) bool {
		got = append(got, string(value))
		return len(got) < 5
	}
	if err := Text(doc, visit); err != nil {
		t.Fatal(err)
	}
	if want := []string{"one", "two\n", "three"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = nil
	if err := Text(doc, func(value []byte) bool { got = append(got, string(value)); return len(got) < 2 }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"one", "two\n"}; !slices.Equal(got, want) {
		t.Errorf("stopped: got %q, want %q", got, want)
	}
}

var badJSON = []struct{ name, doc string }{
	{"nothing", ``}, {"space", `  `}, {"open", `{`}, {"open member", `{"a"`}, {"no colon", `{"a" 1}`}, {"no value", `{"a":}`},
	{"trailing comma", `{"a":1,}`}, {"no comma", `{"a":1 "b":2}`}, {"wrong bracket", `{"a":1]`}, {"array bracket", `{"a":[1}`},
	{"after", `{} x`}, {"name not string", `{a:1}`}, {"single quotes", `{'a':1}`}, {"bare word", `{"a":yes}`}, {"cut word", `{"a":tru`},
	{"leading zero", `{"a":01}`}, {"plus", `{"a":+1}`}, {"bare minus", `{"a":-}`}, {"no fraction", `{"a":1.}`}, {"no exponent", `{"a":1e}`},
	{"hex", `{"a":0x1}`}, {"NaN", `{"a":NaN}`}, {"open string", `{"a":"b`}, {"open escape", `{"a":"b\`}, {"bad escape", `{"a":"\x"}`},
	{"short u", `{"a":"\u12"}`}, {"bad u", `{"a":"\u12g4"}`}, {"control character", "{\"a\":\"b\nc\"}"}, {"NUL", "{\"a\":\"\x00\"}"},
	{"comment", `{/**/}`}, {"deep", strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100)},
	{"deep arrays", `{"Resources":` + strings.Repeat(`[`, 1<<20) + strings.Repeat(`]`, 1<<20) + `}`},
	{"deep in a known place", `{"Resources":[{"Details":` + strings.Repeat(`{"Other":`, 80) + `1` + strings.Repeat(`}`, 80) + `}]}`},
}

// TestBadJSON gives what is not JSON to every parser.
func TestBadJSON(t *testing.T) {
	for _, c := range badJSON {
		t.Run(c.name, func(t *testing.T) {
			doc := []byte(c.doc)
			if err := Extract(doc, func(Attribute, []byte, []byte) {}); err == nil {
				t.Error("Extract: no error")
			}
			if err := Text(doc, func([]byte) bool { return true }); err == nil {
				t.Error("Text: no error")
			}
			if _, err := ParseDocument(doc); err == nil {
				t.Error("ParseDocument: no error")
			}
			if Validate(doc, 0) == nil {
				t.Error("Validate: no error")
			}
			if err := new(Finding).UnmarshalJSON(doc); err == nil {
				t.Error("UnmarshalJSON: no error")
			}
			if _, err := ParseFilters(doc); err == nil && strings.TrimSpace(c.doc) != "" {
				t.Error("ParseFilters: no error")
			}
		})
	}
}

func TestExtractAllocates(t *testing.T) {
	doc := sample().AppendJSON(nil)
	n := 0
	visit := func(Attribute, []byte, []byte) { n++ }
	if got := testing.AllocsPerRun(100, func() {
		if err := Extract(doc, visit); err != nil {
			t.Fatal(err)
		}
	}); got > 1 {
		t.Errorf("Extract allocates %v times, at most 1 is allowed", got)
	}
}
