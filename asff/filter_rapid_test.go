package asff

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The naive evaluator below shares nothing with the package: it decodes the finding and the filters into generic
// JSON and follows AWS's sentences one by one.

type object = map[string]any

// naiveValues finds the values at a path: "a.b", "[]" for elements, "{}" for pairs, which it returns as {key, value}.
func naiveValues(doc any, path string) (found [][2]string) {
	step, rest, more := strings.Cut(path, ".")
	name := strings.TrimRight(step, "[]{}")
	o, ok := doc.(object)
	if !ok || o[name] == nil {
		return nil
	}
	places := []any{o[name]}
	for range strings.Count(step, "[]") {
		var inner []any
		for _, p := range places {
			list, _ := p.([]any)
			inner = append(inner, list...)
		}
		places = inner
	}
	for _, p := range places {
		switch {
		case more:
			found = append(found, naiveValues(p, rest)...)
		case strings.HasSuffix(step, "{}"):
			pairs, _ := p.(object)
			for k, v := range pairs {
				found = append(found, [2]string{k, fmt.Sprint(v)})
			}
		default:
			found = append(found, [2]string{"", fmt.Sprint(p)})
		}
	}
	return found
}

func naiveTest(kind Kind, c object, value [2]string) bool {
	want, _ := c["Value"].(string)
	switch kind {
	case KindNumber:
		var n float64
		fmt.Sscan(value[1], &n)
		ok := true
		for name, test := range map[string]func(x float64) bool{
			"Gte": func(x float64) bool { return n >= x }, "Lte": func(x float64) bool { return n <= x },
			"Gt": func(x float64) bool { return n > x }, "Lt": func(x float64) bool { return n < x },
			"Eq": func(x float64) bool { return n == x },
		} {
			if bound, there := c[name].(float64); there && !test(bound) {
				ok = false
			}
		}
		return ok
	case KindDate:
		t, err := time.Parse(time.RFC3339, value[1])
		if err != nil {
			return false
		}
		if r, there := c["DateRange"].(object); there {
			age := testNow.Sub(t).Hours() / 24
			if r["Comparison"] == "OLDER_THAN" {
				return age > r["Value"].(float64)
			}
			return age <= r["Value"].(float64)
		}
		start, errStart := time.Parse(time.RFC3339, fmt.Sprint(c["Start"]))
		end, errEnd := time.Parse(time.RFC3339, fmt.Sprint(c["End"]))
		return (errStart != nil || t.Compare(start) >= 0) && (errEnd != nil || t.Compare(end) <= 0)
	case KindIP:
		return netip.MustParsePrefix(c["Cidr"].(string)).Contains(netip.MustParseAddr(value[1]))
	case KindBoolean:
		return fmt.Sprint(c["Value"]) == value[1]
	case KindMap:
		if c["Key"] != value[0] {
			return false
		}
	}
	switch strings.Replace(strings.TrimPrefix(c["Comparison"].(string), "NOT_"), "PREFIX_NOT_EQUALS", "PREFIX", 1) {
	case "EQUALS":
		return value[1] == want
	case "PREFIX":
		return strings.HasPrefix(value[1], want)
	case "CONTAINS":
		return strings.Contains(value[1], want)
	}
	panic("unknown comparison")
}

// naiveMatch: different attributes AND; positive conditions of one OR; negative ones AND, none of the values excluded.
func naiveMatch(filters, doc object) bool {
	for name, list := range filters {
		a, _ := AttributeByName(name)
		values := naiveValues(doc, a.Path())
		positives, anyPositive := 0, false
		for _, item := range list.([]any) {
			c := item.(object)
			hit := false
			for _, v := range values {
				hit = hit || naiveTest(a.Kind(), c, v)
			}
			if comparison, _ := c["Comparison"].(string); strings.Contains(comparison, "NOT_") {
				if hit {
					return false
				}
			} else {
				positives++
				anyPositive = anyPositive || hit
			}
		}
		if positives > 0 && !anyPositive {
			return false
		}
	}
	return true
}

// drawFilters makes filters over few attributes and few values, so that they often match.
func drawFilters(t *rapid.T) object {
	words := rapid.SampledFrom([]string{"a", "ab", "abc", "b", "bc", "é", "x y"})
	dates := rapid.SampledFrom([]string{"2026-11-20T12:00:00Z", "2026-11-19T12:00:00+01:00", "2026-11-14T12:00:00Z"})
	mixes := rapid.SampledFrom([][]string{{"EQUALS", "PREFIX"}, {"CONTAINS"}, {"NOT_CONTAINS"}, {"NOT_EQUALS", "PREFIX_NOT_EQUALS", "PREFIX"}})
	filters := object{}
	names := rapid.SampledFrom([]string{"Title", "Type", "ResourceType", "ProductFields", "ResourceTags", "Criticality", "UpdatedAt",
		"NetworkSourceIpV4", "Sample", "FindingProviderFieldsTypes"})
	for range rapid.IntRange(0, 4).Draw(t, "attributes") {
		name := names.Draw(t, "attribute")
		a, _ := AttributeByName(name)
		mix := mixes.Draw(t, "mix")
		var list []any
		for range rapid.IntRange(1, 4).Draw(t, "conditions") {
			c := object{}
			switch a.Kind() {
			case KindString:
				c["Value"], c["Comparison"] = words.Draw(t, "value"), rapid.SampledFrom(mix).Draw(t, "comparison")
			case KindMap:
				comparison := strings.Replace(strings.Replace(rapid.SampledFrom(mix).Draw(t, "comparison"), "PREFIX_NOT_EQUALS", "NOT_EQUALS", 1), "PREFIX", mix[0], 1)
				c["Key"], c["Value"], c["Comparison"] = words.Draw(t, "key"), words.Draw(t, "value"), comparison
			case KindNumber:
				for _, bound := range []string{"Gte", "Lte", "Gt", "Lt", "Eq"} {
					if rapid.IntRange(0, 3).Draw(t, bound) == 0 {
						c[bound] = float64(rapid.IntRange(0, 4).Draw(t, "bound"))
					}
				}
				if len(c) == 0 {
					c["Gte"] = 2.0
				}
			case KindDate:
				if rapid.Bool().Draw(t, "range") {
					c["DateRange"] = object{"Value": float64(rapid.IntRange(0, 8).Draw(t, "days")), "Unit": "DAYS",
						"Comparison": rapid.SampledFrom([]string{"WITHIN", "OLDER_THAN"}).Draw(t, "comparison")}
				} else {
					c[rapid.SampledFrom([]string{"Start", "End"}).Draw(t, "end")] = dates.Draw(t, "date")
				}
			case KindIP:
				c["Cidr"] = rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0"}).Draw(t, "cidr")
			case KindBoolean:
				c["Value"] = rapid.Bool().Draw(t, "bool")
			}
			list = append(list, c)
		}
		filters[name] = list
	}
	return filters
}

func drawDoc(t *rapid.T) object {
	words := rapid.SampledFrom([]string{"a", "ab", "abc", "b", "bcd", "é", "x y z"})
	list := func(label string, item func() any) []any {
		out := []any{}
		for range rapid.IntRange(0, 3).Draw(t, label) {
			out = append(out, item())
		}
		return out
	}
	pairs := func() object {
		return mapOf(rapid.MapOfN(words, words, 0, 3).Draw(t, "pairs"))
	}
	doc := object{
		"Types":         list("types", func() any { return words.Draw(t, "type") }),
		"ProductFields": pairs(),
		"Resources": list("resources", func() any {
			return object{"Type": words.Draw(t, "type"), "Tags": pairs(), "Unknown": pairs()}
		}),
		"FindingProviderFields": object{"Types": list("provider types", func() any { return words.Draw(t, "type") })},
	}
	for name, value := range map[string]any{
		"Title": words.Draw(t, "title"), "Criticality": float64(rapid.IntRange(0, 5).Draw(t, "criticality")), "Sample": true,
		"UpdatedAt": FormatTime(testNow.Add(-time.Duration(rapid.IntRange(-2, 220).Draw(t, "hours")) * time.Hour)),
		"Network":   object{"SourceIpV4": rapid.SampledFrom([]string{"10.1.2.3", "10.2.0.1", "192.0.2.1"}).Draw(t, "ip")},
	} {
		if rapid.IntRange(0, 4).Draw(t, name) > 0 {
			doc[name] = value
		}
	}
	return doc
}

func mapOf(m map[string]string) object {
	o := object{}
	for k, v := range m {
		o[k] = v
	}
	return o
}

func TestMatchAgainstNaive(t *testing.T) {
	matched, missed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		filters, doc := drawFilters(t), drawDoc(t)
		rawFilters, _ := json.Marshal(filters)
		rawDoc, _ := json.Marshal(doc)
		f, err := ParseFilters(rawFilters)
		if err != nil {
			t.Fatalf("ParseFilters(%s): %v", rawFilters, err)
		}
		got, err := f.Match(rawDoc, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if want := naiveMatch(filters, doc); got != want {
			t.Fatalf("%s\non %s\ngot %v, want %v", rawFilters, rawDoc, got, want)
		}
		if got {
			matched++
		} else {
			missed++
		}
		again, err := ParseFilters(f.JSON())
		if err != nil {
			t.Fatalf("ParseFilters(%s): %v", f.JSON(), err)
		}
		if diff := cmp.Diff(f, again, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Fatalf("JSON does not read back (-first +second):\n%s", diff)
		}
	})
	if matched == 0 || missed == 0 {
		t.Errorf("the test is blind: %d matched, %d did not", matched, missed)
	}
}

func TestFiltersJSON(t *testing.T) {
	const raw = `{"Title":[{"Value":"a\"b","Comparison":"PREFIX"}],"UpdatedAt":[{"DateRange":{"Value":7,"Unit":"DAYS","Comparison":"OLDER_THAN"}},` +
		`{"Start":"2026-01-01T00:00:00+01:00"}],"Confidence":[{"Gte":1.5,"Lt":90}],"ProductFields":[{"Key":"k","Value":"v","Comparison":"EQUALS","Group":2}],` +
		`"NetworkSourceIpV4":[{"Cidr":"10.1.2.3/8"}],"Keyword":[{"Value":"w"}],"Sample":[{"Value":false}]}`
	const want = `{"UpdatedAt":[{"DateRange":{"Value":7,"Unit":"DAYS","Comparison":"OLDER_THAN"}},{"Start":"2025-12-31T23:00:00Z"}],` +
		`"Confidence":[{"Gte":1.5,"Lt":90}],"Title":[{"Value":"a\"b","Comparison":"PREFIX"}],` +
		`"ProductFields":[{"Key":"k","Value":"v","Comparison":"EQUALS","Group":2}],"NetworkSourceIpV4":[{"Cidr":"10.0.0.0/8"}],` +
		`"Keyword":[{"Value":"w"}],"Sample":[{"Value":false}]}`
	f, err := ParseFilters([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(f.JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
