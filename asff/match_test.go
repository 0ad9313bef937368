package asff

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	const doc = `{"Title":"CloudFront and CloudWatch","Types":["TTPs/Persistence","Effects/Data"],"Criticality":50,
		"UpdatedAt":"2026-11-14T12:00:00Z","Sample":true,"ProductFields":{"dept":"Security team","env":"prod"},
		"Network":{"SourceIpV4":"10.1.2.3","SourceIpV6":"2001:db8::1"},
		"Resources":[{"Type":"AwsIamRole"},{"Type":"AwsEc2Instance"}]}`
	for _, c := range []struct {
		name, filters string
		want          bool
	}{
		{"nothing", ``, true}, {"null", `null`, true}, {"empty", `{}`, true}, {"null attribute", `{"Title":null}`, true},
		{"empty list", `{"Title":[]}`, true},
		{"equals", str("Title", "EQUALS", "CloudFront and CloudWatch"), true},
		{"equals is not contains", str("Title", "EQUALS", "CloudFront"), false},
		{"case", str("Title", "EQUALS", "cloudfront and cloudwatch"), false},
		{"equals or equals", str("Title", "EQUALS", "x", "EQUALS", "CloudFront and CloudWatch"), true},
		{"prefix", str("Title", "PREFIX", "Cloud"), true}, {"prefix misses", str("Title", "PREFIX", "Front"), false},
		{"equals or prefix", str("Title", "EQUALS", "x", "PREFIX", "Cloud"), true},
		{"contains", str("Title", "CONTAINS", "Front and"), true}, {"contains misses", str("Title", "CONTAINS", "front"), false},
		{"contains or contains", str("Title", "CONTAINS", "x", "CONTAINS", "Watch"), true},
		{"word", str("Title", "CONTAINS_WORD", "and"), true}, {"word misses", str("Title", "CONTAINS_WORD", "Cloud"), false},
		{"words", str("Title", "CONTAINS_WORD", "CloudFront and"), true}, {"word at the end", str("Title", "CONTAINS_WORD", "CloudWatch"), true},
		{"not equals", str("Title", "NOT_EQUALS", "x"), true},
		{"not equals misses", str("Title", "NOT_EQUALS", "CloudFront and CloudWatch"), false},
		{"not equals and not equals", str("Title", "NOT_EQUALS", "x", "NOT_EQUALS", "CloudFront and CloudWatch"), false},
		{"not prefix", str("Title", "PREFIX_NOT_EQUALS", "Front"), true}, {"not prefix misses", str("Title", "PREFIX_NOT_EQUALS", "Cloud"), false},
		{"not contains", str("Title", "NOT_CONTAINS", "x"), true}, {"not contains misses", str("Title", "NOT_CONTAINS", "and"), false},
		{"not contains and not contains", str("Title", "NOT_CONTAINS", "x", "NOT_CONTAINS", "and"), false},
		{"prefix and not equals", str("Title", "PREFIX", "Cloud", "NOT_EQUALS", "CloudFront"), true},
		{"prefix and not prefix", str("Title", "PREFIX", "Cloud", "PREFIX_NOT_EQUALS", "CloudFront"), false},
		{"AWS's example", str("ResourceType", "PREFIX", "AwsIam", "PREFIX", "AwsEc2", "NOT_EQUALS", "AwsIamPolicy", "NOT_EQUALS", "AwsEc2NetworkInterface"), true},
		{"AWS's example, excluded", str("ResourceType", "PREFIX", "AwsIam", "NOT_EQUALS", "AwsEc2Instance"), false},
		{"any of many values", str("Type", "EQUALS", "Effects/Data"), true},
		{"none of many values", str("Type", "NOT_EQUALS", "Effects/Data"), false},
		{"absent, positive", str("Region", "PREFIX", "e"), false}, {"absent, negative", str("Region", "NOT_EQUALS", "e"), true},
		{"absent, not contains", str("NoteText", "NOT_CONTAINS", "e"), true},
		{"attributes are joined by and", `{"Title":[{"Value":"Cloud","Comparison":"PREFIX"}],"Type":[{"Value":"x","Comparison":"EQUALS"}]}`, false},
		{"both attributes hold", `{"Title":[{"Value":"Cloud","Comparison":"PREFIX"}],"Type":[{"Value":"x","Comparison":"NOT_EQUALS"}]}`, true},
		{"number bounds are joined by and", `{"Criticality":[{"Gte":40,"Lte":60}]}`, true},
		{"number between", `{"Criticality":[{"Gt":50,"Lt":60}]}`, false},
		{"numbers are joined by or", `{"Criticality":[{"Gt":50},{"Eq":50.0}]}`, true},
		{"absent number", `{"Confidence":[{"Gte":-1e9}]}`, false},
		{"within", `{"UpdatedAt":[{"DateRange":{"Value":7,"Unit":"DAYS"}}]}`, true},
		{"within, spelled out", `{"UpdatedAt":[{"DateRange":{"Value":6,"Unit":"DAYS","Comparison":"WITHIN"}}]}`, false},
		{"older than", `{"UpdatedAt":[{"DateRange":{"Value":6,"Unit":"DAYS","Comparison":"OLDER_THAN"}}]}`, true},
		{"older than misses", `{"UpdatedAt":[{"DateRange":{"Value":7,"Unit":"DAYS","Comparison":"OLDER_THAN"}}]}`, false},
		{"start and end are inclusive", `{"UpdatedAt":[{"Start":"2026-11-14T12:00:00Z","End":"2026-11-14T12:00:00Z"}]}`, true},
		{"offset", `{"UpdatedAt":[{"Start":"2026-11-14T14:00:00+02:00","End":"2026-11-14T07:00:00-0500"}]}`, true},
		{"start misses", `{"UpdatedAt":[{"Start":"2026-11-14T12:00:00.000000001Z"}]}`, false},
		{"end only", `{"UpdatedAt":[{"End":"2026-11-14T12:00:01Z"}]}`, true},
		{"dates are joined by or", `{"UpdatedAt":[{"End":"2020-01-01T00:00:00Z"},{"Start":"2026-01-01T00:00:00Z"}]}`, true},
		{"single address", `{"NetworkSourceIpV4":[{"Cidr":"10.1.2.3"}]}`, true},
		{"host bits", `{"NetworkSourceIpV4":[{"Cidr":"10.1.2.99/24"}]}`, true},
		{"IPv6", `{"NetworkSourceIpV6":[{"Cidr":"2001:db8::/32"}]}`, true}, {"other IPv6", `{"NetworkSourceIpV6":[{"Cidr":"2001:db9::/32"}]}`, false},
		{"everything", `{"NetworkSourceIpV4":[{"Cidr":"0.0.0.0/0"}]}`, true}, {"other family", `{"NetworkSourceIpV4":[{"Cidr":"::/0"}]}`, false},
		{"map equals", kv("EQUALS", "env", "prod"), true}, {"map key", kv("EQUALS", "dept", "prod"), false},
		{"map contains", kv("CONTAINS", "dept", "Security"), true}, {"map not contains", kv("NOT_CONTAINS", "dept", "Security"), false},
		{"map keys are joined by or", `{"ProductFields":[{"Key":"env","Value":"prod","Comparison":"EQUALS"},{"Key":"dept","Value":"x","Comparison":"EQUALS"}]}`, true},
		{"groups are joined by and", `{"ProductFields":[{"Key":"env","Value":"prod","Comparison":"EQUALS"},{"Key":"dept","Value":"x","Comparison":"EQUALS","Group":1}]}`, false},
		{"both groups hold", `{"ProductFields":[{"Key":"env","Value":"prod","Comparison":"EQUALS"},{"Key":"dept","Value":"x","Comparison":"NOT_EQUALS","Group":1}]}`, true},
		{"absent map key, negative", kv("NOT_EQUALS", "none", "x"), true}, {"absent map key, positive", kv("CONTAINS", "none", "x"), false},
		{"map not equals", kv("NOT_EQUALS", "env", "prod"), false},
		{"keyword", `{"Keyword":[{"Value":"security TEAM"}]}`, true}, {"keyword misses", `{"Keyword":[{"Value":"env"}]}`, false},
		{"boolean", `{"Sample":[{"Value":true}]}`, true}, {"booleans", `{"Sample":[{"Value":false},{"Value":true}]}`, true},
		{"last of two", `{"Title":[{"Value":"x","Comparison":"EQUALS"}],"Title":[{"Value":"Cloud","Comparison":"PREFIX"}]}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := match(t, c.filters, doc); got != c.want {
				t.Errorf("%s: got %v, want %v", c.filters, got, c.want)
			}
		})
	}
}

// str writes a filter of one string attribute from pairs of a comparison and a value.
func str(attribute string, pairs ...string) string {
	var conds []string
	for i := 0; i < len(pairs); i += 2 {
		conds = append(conds, `{"Value":"`+pairs[i+1]+`","Comparison":"`+pairs[i]+`"}`)
	}
	return `{"` + attribute + `":[` + strings.Join(conds, ",") + `]}`
}

func kv(comparison, key, value string) string {
	return `{"ProductFields":[{"Key":"` + key + `","Value":"` + value + `","Comparison":"` + comparison + `"}]}`
}

func TestParseFiltersRefuses(t *testing.T) {
	many := func(n int) string { return str("Title", strings.Fields(strings.Repeat("EQUALS v ", n))...) }
	var names []string
	for _, a := range Attributes()[:5] {
		names = append(names, `"`+a.Name()+`":[{"Value":"v","Comparison":"EQUALS"}]`)
	}
	for _, s := range strings.Fields("Title Description ProductName CompanyName NoteText RecordState") {
		names = append(names, `"`+s+`":[{"Value":"v","Comparison":"EQUALS"}]`)
	}
	if _, err := ParseFilters([]byte(many(20))); err != nil {
		t.Errorf("20 values: %v", err)
	}
	if _, err := ParseFilters([]byte(`{` + strings.Join(names[:10], ",") + `}`)); err != nil {
		t.Errorf("10 attributes: %v", err)
	}
	for _, c := range []struct{ name, filters, want string }{
		{"unknown attribute", `{"Titel":[]}`, `Filters has no attribute "Titel"`},
		{"case", `{"title":[]}`, `Filters has no attribute "title"`},
		{"not an object", `[]`, `Filters: invalid JSON at offset 0: expected an object`},
		{"not a list", `{"Title":{}}`, `Filters.Title should be a list of StringFilter`},
		{"not a filter", `{"Title":["x"]}`, `Filters.Title[0] should be a StringFilter`},
		{"21 values", many(21), `Filters.Title has more than 20 values`},
		{"11 attributes", `{` + strings.Join(names, ",") + `}`, `Filters names 11 attributes; at most 10 are allowed`},
		{"no value", `{"Title":[{"Comparison":"EQUALS"}]}`, `Filters.Title[0].Value is missing`},
		{"blank value", `{"Title":[{"Value":" ","Comparison":"EQUALS"}]}`, `Filters.Title[0].Value should not be blank`},
		{"number value", `{"Title":[{"Value":1,"Comparison":"EQUALS"}]}`, `Filters.Title[0].Value should be a string`},
		{"no comparison", `{"Title":[{"Value":"x"}]}`, `Filters.Title[0].Comparison is missing`},
		{"unknown comparison", str("Title", "LIKE", "x"), `Filters.Title[0]: a StringFilter has no comparison "LIKE"`},
		{"second", str("Title", "EQUALS", "x", "equals", "x"), `Filters.Title[1]: a StringFilter has no comparison "equals"`},
		{"map comparison", kv("PREFIX", "a", "b"), `Filters.ProductFields[0]: a MapFilter has no comparison "PREFIX"`},
		{"no key", `{"ProductFields":[{"Value":"x","Comparison":"EQUALS"}]}`, `Filters.ProductFields[0].Key is missing`},
		{"key of a string", `{"Title":[{"Key":"k","Value":"x","Comparison":"EQUALS"}]}`, `Filters.Title[0]: a StringFilter has no member "Key"`},
		{"unknown member", `{"Title":[{"value":"x"}]}`, `Filters.Title[0]: a StringFilter has no member "value"`},
		{"contains and not contains", str("Title", "CONTAINS", "x", "NOT_CONTAINS", "y"), `Filters.Title combines CONTAINS with NOT_CONTAINS on the same field`},
		{"equals and not equals", str("Title", "EQUALS", "x", "NOT_EQUALS", "y"), `Filters.Title combines EQUALS with NOT_EQUALS on the same field`},
		{"not prefix and equals", str("Title", "PREFIX_NOT_EQUALS", "x", "EQUALS", "y"), `Filters.Title combines PREFIX_NOT_EQUALS with EQUALS on the same field`},
		{"contains and equals", str("Title", "CONTAINS", "x", "EQUALS", "y"), `Filters.Title combines CONTAINS with EQUALS on the same field`},
		{"contains and prefix", str("Title", "PREFIX", "x", "CONTAINS", "y"), `Filters.Title combines PREFIX with CONTAINS on the same field`},
		{"contains and not equals", str("Title", "CONTAINS", "x", "NOT_EQUALS", "y"), `Filters.Title combines CONTAINS with NOT_EQUALS on the same field`},
		{"not contains and not equals", str("Title", "NOT_CONTAINS", "x", "NOT_EQUALS", "y"), `Filters.Title combines NOT_CONTAINS with NOT_EQUALS on the same field`},
		{"word and not contains", str("Title", "CONTAINS_WORD", "x", "NOT_CONTAINS", "y"), `Filters.Title combines CONTAINS_WORD with NOT_CONTAINS on the same field`},
		{"map equals and not equals", `{"ProductFields":[{"Key":"a","Value":"x","Comparison":"EQUALS"},{"Key":"a","Value":"x","Comparison":"NOT_EQUALS"}]}`, `Filters.ProductFields combines EQUALS with NOT_EQUALS on the same field`},
		{"no bound", `{"Confidence":[{}]}`, `Filters.Confidence[0] needs one of Gte, Lte, Gt, Lt, Eq`},
		{"text bound", `{"Confidence":[{"Gte":"1"}]}`, `Filters.Confidence[0].Gte should be a number`},
		{"huge bound", `{"Confidence":[{"Gte":1e999}]}`, `Filters.Confidence[0].Gte should be a number`},
		{"unknown bound", `{"Confidence":[{"Ge":1}]}`, `Filters.Confidence[0]: a NumberFilter has no member "Ge"`},
		{"bad date", `{"UpdatedAt":[{"Start":"yesterday"}]}`, `Filters.UpdatedAt[0].Start should be a timestamp such as 2024-01-04T15:25:10Z, not "yesterday"`},
		{"end before start", `{"UpdatedAt":[{"Start":"2026-01-02T00:00:00Z","End":"2026-01-01T00:00:00Z"}]}`, `Filters.UpdatedAt[0].End is before Start`},
		{"no date", `{"UpdatedAt":[{}]}`, `Filters.UpdatedAt[0] needs either Start and End or DateRange`},
		{"both dates", `{"UpdatedAt":[{"Start":"2026-01-02T00:00:00Z","DateRange":{"Value":1,"Unit":"DAYS"}}]}`, `Filters.UpdatedAt[0] needs either Start and End or DateRange`},
		{"range unit", `{"UpdatedAt":[{"DateRange":{"Value":1,"Unit":"HOURS"}}]}`, `Filters.UpdatedAt[0].DateRange.Unit should be DAYS`},
		{"range value", `{"UpdatedAt":[{"DateRange":{"Value":-1,"Unit":"DAYS"}}]}`, `Filters.UpdatedAt[0].DateRange.Value should be a whole number from 0 to 36500`},
		{"range without unit", `{"UpdatedAt":[{"DateRange":{"Value":1}}]}`, `Filters.UpdatedAt[0].DateRange needs Value and Unit`},
		{"range comparison", `{"UpdatedAt":[{"DateRange":{"Value":1,"Unit":"DAYS","Comparison":"AFTER"}}]}`, `Filters.UpdatedAt[0].DateRange.Comparison should be WITHIN or OLDER_THAN`},
		{"bad CIDR", `{"NetworkSourceIpV4":[{"Cidr":"10.1.2.3/33"}]}`, `Filters.NetworkSourceIpV4[0].Cidr should be a CIDR block or an IP address, not "10.1.2.3/33"`},
		{"no CIDR", `{"NetworkSourceIpV4":[{}]}`, `Filters.NetworkSourceIpV4[0].Cidr is missing`},
		{"no boolean", `{"Sample":[{}]}`, `Filters.Sample[0].Value is missing`},
		{"text boolean", `{"Sample":[{"Value":"true"}]}`, `Filters.Sample[0].Value should be true or false`},
		{"keyword comparison", `{"Keyword":[{"Value":"x","Comparison":"EQUALS"}]}`, `Filters.Keyword[0]: a KeywordFilter has no member "Comparison"`},
		{"group", `{"Title":[{"Value":"x","Comparison":"EQUALS","Group":256}]}`, `Filters.Title[0].Group should be a number from 0 to 255`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := ParseFilters([]byte(c.filters))
			var bad *InvalidInput
			if !errors.As(err, &bad) {
				t.Fatalf("%s: got %v, %v, want an InvalidInput", c.filters, f, err)
			}
			if bad.Message != c.want {
				t.Errorf("got  %s\nwant %s", bad.Message, c.want)
			}
		})
	}
}

// TestTimeBounds checks that the bounds agree with MatchTime at and beside each of them.
func TestTimeBounds(t *testing.T) {
	at := func(s string) time.Time {
		v, err := ParseTime(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []Condition{
		{Start: at("2026-11-01T00:00:00Z")}, {End: at("2026-11-01T00:00:00.000000001Z")},
		{Start: at("2026-11-01T00:00:00Z"), End: at("2026-11-02T00:00:00Z")},
		{Range: &DateRange{Days: 3}}, {Range: &DateRange{Days: 3, Comparison: OlderThan}},
		{Start: at("0001-01-01T00:00:01Z"), End: at("9999-12-31T00:00:00Z")},
	} {
		first, last := c.TimeBounds(testNow)
		for _, edge := range []int64{first, last} {
			for d := int64(-1); d <= 1; d++ {
				n := edge + d
				if (d < 0) != (n < edge) && d != 0 || (d > 0) != (n > edge) && d != 0 {
					continue // beyond the ends of int64
				}
				if got, want := n >= first && n <= last, c.MatchTime(time.Unix(0, n), testNow); got != want {
					t.Errorf("%+v at %d: bounds say %v, MatchTime says %v", c, n, got, want)
				}
			}
		}
	}
}
