package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// TestViewURLs: what a URL says is read, asked of the hub, and written again in its readable form.
func TestViewURLs(t *testing.T) {
	active := `"RecordState":[{"Value":"ACTIVE","Comparison":"EQUALS"}]`
	open := `"WorkflowStatus":[{"Value":"NEW","Comparison":"EQUALS"},{"Value":"NOTIFIED","Comparison":"EQUALS"}]`
	tests := []struct{ name, in, out, filters string }{
		{"default", "", "", `{` + open + `,` + active + `}`},
		{"default spelled out", "workflow=NOTIFIED&workflow=NEW&record=ACTIVE&sort=last&severity=", "", `{` + open + `,` + active + `}`},
		{"severity in order", "severity=HIGH&severity=CRITICAL", "severity=CRITICAL&severity=HIGH", `{"SeverityLabel":[{"Value":"CRITICAL","Comparison":"EQUALS"},{"Value":"HIGH","Comparison":"EQUALS"}],` + open + `,` + active + `}`},
		{"any workflow", "workflow=ALL", "workflow=ALL", `{` + active + `}`},
		{"all four", "workflow=NEW&workflow=NOTIFIED&workflow=RESOLVED&workflow=SUPPRESSED", "workflow=ALL", `{` + active + `}`},
		{"archived too", "record=ALL", "record=ALL", `{` + open + `}`},
		{"rule", "rule=Write+below+etc", "rule=Write+below+etc", `{"Title":[{"Value":"Write below etc","Comparison":"EQUALS"}],` + open + `,` + active + `}`},
		{"places are joined by AND", "cluster=a&cluster=b&namespace=n", "cluster=a&cluster=b&namespace=n",
			`{"ProductFields":[{"Key":"eyrie/cluster","Value":"a","Comparison":"EQUALS","Group":1},{"Key":"eyrie/cluster","Value":"b","Comparison":"EQUALS","Group":1},{"Key":"eyrie/namespace","Value":"n","Comparison":"EQUALS","Group":2}],` + open + `,` + active + `}`},
		{"any attribute", "f=ProcessName:PREFIX:ba&f=ProductFields[eyrie/host]:NOT_EQUALS:vm:1", "f=ProcessName:PREFIX:ba&f=ProductFields%5Beyrie/host%5D:NOT_EQUALS:vm:1",
			`{"ProductFields":[{"Key":"eyrie/host","Value":"vm:1","Comparison":"NOT_EQUALS","Group":17}],"ProcessName":[{"Value":"ba","Comparison":"PREFIX","Group":16}],` + open + `,` + active + `}`},
		{"numbers are a range", "f=ProcessPid:GTE:1&f=ProcessPid:LT:100", "f=ProcessPid:GTE:1&f=ProcessPid:LT:100", `{"ProcessPid":[{"Gte":1,"Group":16},{"Lt":100,"Group":17}],` + open + `,` + active + `}`},
		{"dates, addresses, flags", "f=CreatedAt:WITHIN:3&f=NetworkSourceIpV4:CIDR:10.1.2.3/8&f=Sample:IS:true", "f=CreatedAt:WITHIN:3&f=NetworkSourceIpV4:CIDR:10.1.2.3/8&f=Sample:IS:true",
			`{"CreatedAt":[{"DateRange":{"Value":3,"Unit":"DAYS","Comparison":"WITHIN"},"Group":16}],"NetworkSourceIpV4":[{"Cidr":"10.0.0.0/8","Group":17}],` + open + `,` + active + `,"Sample":[{"Value":true,"Group":18}]}`},
		{"last hours", "last=24h", "last=24h", `{"LastObservedAt":[{"Start":"2026-11-20T14:30:00Z","Group":8}],` + open + `,` + active + `}`},
		{"between", "last=2026-11-20T00:00Z/2026-11-21T00:00Z", "last=2026-11-20T00:00Z/2026-11-21T00:00Z", `{"LastObservedAt":[{"Start":"2026-11-20T00:00:00Z","End":"2026-11-20T23:59:59.999999999Z","Group":8}],` + open + `,` + active + `}`},
		{"during", "during=2026-11-20T10:00Z/2026-11-20T11:00Z", "during=2026-11-20T10:00Z/2026-11-20T11:00Z",
			`{"FirstObservedAt":[{"End":"2026-11-20T10:59:59.999999999Z","Group":9}],"LastObservedAt":[{"Start":"2026-11-20T10:00:00Z","Group":9}],` + open + `,` + active + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := url.ParseQuery(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			v, err := parseView(q)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.query(); got != tt.out {
				t.Errorf("query: got %s, want %s", got, tt.out)
			}
			query, err := v.hubQuery(someday)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(query.Filters.JSON()), tt.filters); diff != "" {
				t.Errorf("filters (-got +want):\n%s", diff)
			}
			again, err := url.ParseQuery(v.query())
			if err != nil {
				t.Fatal(err)
			}
			w, err := parseView(again)
			if err != nil || w.query() != v.query() {
				t.Errorf("read again: %s, %v", w.query(), err)
			}
		})
	}
}

func TestViewRefuses(t *testing.T) {
	for _, in := range []string{
		"severity=BAD", "workflow=OPEN", "record=x", "last=soon", "last=0h", "last=99999999d", "last=2026-11-21T00:00Z/2026-11-20T00:00Z", "during=a/b", "sort=color", "f=ProcessName", "f=Nope:EQUALS:1",
		"f=ProcessName:GTE:1", "f=ProcessPid:EQ:x", "f=ProductFields:EQUALS:x", "f=ProductFields[x:EQUALS:x", "f=ProcessName[x]:EQUALS:y", "f=CreatedAt:WITHIN:-1", "f=NetworkSourceIpV4:CIDR:nowhere",
		"f=Sample:IS:maybe", "f=ProcessName:EQUALS:", "f=ProcessName:EQUALS:a&f=ProcessName:NOT_EQUALS:b", "q=" + strings.Repeat("x", 2000), "rule=" + strings.Repeat("x", 2000),
		strings.Repeat("f=ProcessName:EQUALS:a&", 30), "rule=" + strings.Join(strings.Split(strings.Repeat("x", 30), ""), "0&rule="),
	} {
		q, err := url.ParseQuery(in)
		if err != nil {
			t.Fatal(err)
		}
		v, err := parseView(q)
		if err == nil {
			_, err = v.hubQuery(someday)
		}
		var bad *hub.InvalidInput
		if !errors.As(err, &bad) && !strings.HasPrefix(in, "rule=x0") {
			t.Errorf("%.60s: got %v, want an error for people", in, err)
		}
	}
}

// TestBadViewsAreShown: a view that is not valid is a page that says why, and keeps the filters to mend.
func TestBadViewsAreShown(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	for target, want := range map[string]string{
		"/findings?f=Nope:EQUALS:1&rule=Write+below+etc": "There is no attribute",
		"/findings?fa=ProductFields&fv=x":                "is a map",
		"/findings?last=soon":                            "want a number of minutes",
	} {
		r := ana.get(target)
		if r.Code != http.StatusBadRequest || !strings.Contains(r.Body.String(), want) {
			t.Errorf("GET %s: %d without %q", target, r.Code, want)
		}
		checkPage(t, target, r.Body.String())
	}
}

// TestFormsBecomeReadableURLs: what a form without script sends leads to the address one would share.
func TestFormsBecomeReadableURLs(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	for in, want := range map[string]string{
		"severity=HIGH&rule=&cluster=&record=&last=&from=&to=&fa=&fk=&fc=&fv=":                        "/findings?severity=HIGH",
		"q=etc&fa=ProcessName&fk=&fc=PREFIX&fv=to":                                                    "/findings?q=etc&f=ProcessName:PREFIX:to",
		"f=ProcessName:PREFIX:to&fa=ProductFields&fk=eyrie/host&fc=&fv=vm":                            "/findings?f=ProcessName:PREFIX:to&f=ProductFields%5Beyrie/host%5D:EQUALS:vm",
		"from=2026-11-20T00:00&to=2026-11-21T06:30":                                                   "/findings?last=2026-11-20T00:00Z/2026-11-21T06:30Z",
		"workflow=NEW&workflow=NOTIFIED&workflow=RESOLVED&workflow=SUPPRESSED&record=ALL&rule=&last=": "/findings?workflow=ALL&record=ALL",
	} {
		r := ana.get("/findings?" + in)
		if got := r.Header().Get("Location"); r.Code != http.StatusSeeOther || got != want {
			t.Errorf("%s: %d to %s, want %s", in, r.Code, got, want)
		}
	}
	if r := ana.get("/findings?q=&severity=HIGH"); r.Code != http.StatusOK {
		t.Errorf("an empty search: %d", r.Code)
	}
}

// FuzzView: any query is a view that survives being written, or an error for people.
func FuzzView(f *testing.F) {
	for _, s := range []string{"", "severity=HIGH", "f=ProductFields[a]:EQUALS:b", "last=7d&during=2026-11-20T10:00Z/2026-11-20T11:00Z", "f=[:]:", "sort=-rule&q=%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		v, err := parseView(q)
		if err != nil {
			var bad *hub.InvalidInput
			if !errors.As(err, &bad) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		again, err := url.ParseQuery(v.query())
		if err != nil {
			t.Fatalf("%q: %v", v.query(), err)
		}
		w, err := parseView(again)
		if err != nil || w.query() != v.query() {
			t.Fatalf("%q: read again %q, %v", v.query(), w.query(), err)
		}
	})
}

func TestMenusAndSuggestions(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	w.fill(t)
	ana := w.ana(t)
	body := ana.page("/findings/values?pick=rule&contains=BELOW")
	if !strings.Contains(body, `<input type="checkbox" name="rule" value="Write below etc">`) || strings.Contains(body, "crypto miners") {
		t.Errorf("got %s", body)
	}
	body = ana.page("/findings/values?pick=cluster&cluster=eks-eu&severity=HIGH")
	if !strings.Contains(body, `value="eks-eu" checked`) || !strings.Contains(body, `value="eks-prod">`) {
		t.Errorf("a pick hides its own alternatives: %s", body)
	}
	r := ana.get("/findings/values?fa=ProcessName&fv=to")
	if got := r.Body.String(); !strings.Contains(got, `"touch"`) || !strings.Contains(got, `"Name":"PREFIX"`) {
		t.Errorf("got %s", got)
	}
	if body := ana.page("/findings?pick=namespace"); !strings.Contains(body, `name="namespace" value="payments"`) || !strings.Contains(body, `id="m-namespace" open`) {
		t.Error("without script a menu cannot be opened")
	}
}

// TestPagingWhileTheListChanges reads a list page by page while rows leave it and move to its top: every finding that
// stays where it was is seen, none twice.
func TestPagingWhileTheListChanges(t *testing.T) {
	for _, order := range []string{"", "-last", "severity", "rule", "-workload", "first"} {
		t.Run("sort="+order, func(t *testing.T) {
			w := newWorld(t, &clock{t: someday})
			for range 3 {
				w.fillMore(t)
			}
			ana := w.ana(t)
			target := "/findings"
			if order != "" {
				target += "?sort=" + order
			}
			seen := map[string]int{}
			all := []string{}
			for page := 0; target != ""; page++ {
				body := ana.page(target)
				rows := rowSeqs.FindAllStringSubmatch(body, -1)
				for _, m := range rows {
					seen[m[1]]++
					all = append(all, m[1])
				}
				if page > 30 {
					t.Fatal("no end")
				}
				// The whole page is resolved and leaves the list.
				form := url.Values{"workflow": {"RESOLVED"}}
				for _, m := range rows {
					form.Add("seq", m[1])
				}
				ana.send("/health", "/portal/triage", form)
				target = link(nextLink, body)
			}
			if len(all) < 4*pageSize {
				t.Fatalf("only %d findings: not several pages", len(all))
			}
			for seq, n := range seen {
				if n > 1 {
					t.Errorf("finding %s was on %d pages", seq, n)
				}
			}
			if left := w.hub.Stats().ByWorkflow["NEW"] + w.hub.Stats().ByWorkflow["NOTIFIED"]; left != 0 {
				t.Errorf("%d findings were never shown", left)
			}
		})
	}
}

// TestPagingBack: previous leads to the rows that were before.
func TestPagingBack(t *testing.T) {
	w := newWorld(t, &clock{t: someday})
	for range 3 {
		w.fillMore(t)
	}
	ana := w.ana(t)
	var pages [][]string
	target := "/findings?sort=severity"
	var last string
	for target != "" {
		last = ana.page(target)
		pages = append(pages, seqsOf(last))
		target = link(nextLink, last)
	}
	for i := len(pages) - 2; i >= 0; i-- {
		last = ana.page(link(prevLink, last))
		if diff := cmp.Diff(seqsOf(last), pages[i]); diff != "" {
			t.Fatalf("page %d (-got +want):\n%s", i+1, diff)
		}
	}
	if got := link(prevLink, last); got != "" {
		t.Errorf("the first page has one before it: %s", got)
	}
	if body := ana.page("/findings?page=2&after=garbage"); len(seqsOf(body)) == 0 {
		t.Error("a page by its number alone is empty")
	}
}

func seqsOf(body string) []string {
	var out []string
	for _, m := range rowSeqs.FindAllStringSubmatch(body, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestCompareIsTheHubsOrder(t *testing.T) {
	at := func(s int) time.Time { return someday.Add(time.Duration(s) * time.Second) }
	places := []anchor{{9, "", at(3)}, {8, "b", at(2)}, {7, "a", at(2)}, {6, "a", at(1)}, {5, "HIGH", at(1)}, {4, "CRITICAL", at(0)}}
	want := map[string][]int64{
		"": {9, 8, 7, 6, 5, 4}, "-last": {4, 6, 5, 8, 7, 9}, "severity": {4, 5, 9, 8, 7, 6}, "rule": {4, 5, 7, 6, 8, 9}, "-rule": {8, 7, 6, 5, 4, 9},
	}
	for order, seqs := range want {
		v := view{Sort: order}
		got := slices.Clone(places)
		slices.SortFunc(got, v.compare)
		var gotSeqs []int64
		for _, a := range got {
			gotSeqs = append(gotSeqs, a.Seq)
		}
		if diff := cmp.Diff(gotSeqs, seqs); diff != "" {
			t.Errorf("%s (-got +want):\n%s", order, diff)
		}
	}
	for _, a := range []anchor{{1, "", someday}, {2, "a@b@c", at(1).Add(1)}} {
		if got, ok := parseAnchor(a.String()); !ok || got != a {
			t.Errorf("got %v, want %v", got, a)
		}
	}
}

func TestEveryAttributeCanBeAskedFor(t *testing.T) {
	sample := map[asff.Kind][2]string{asff.KindString: {"EQUALS", "x"}, asff.KindMap: {"EQUALS", "x"}, asff.KindNumber: {"EQ", "1"}, asff.KindDate: {"WITHIN", "1"}, asff.KindIP: {"CIDR", "10.0.0.0/8"}, asff.KindKeyword: {"HAS", "x"}, asff.KindBoolean: {"IS", "true"}}
	for _, a := range asff.Attributes() {
		key := ""
		if a.Kind() == asff.KindMap {
			key = "k"
		}
		for _, c := range comparisons[a.Kind()] {
			value := sample[a.Kind()][1]
			if c.Name == "FROM" || c.Name == "TO" {
				value = "2026-11-21T00:00Z"
			}
			e, err := newExtra(a.Name(), key, c.Name, value)
			if err != nil {
				t.Errorf("%s %s: %v", a, c.Name, err)
				continue
			}
			again, err := parseExtra(e.String())
			if err != nil || again != e {
				t.Errorf("%s: read again as %v, %v", e, again, err)
			}
			if _, err := (view{Extra: []extra{e}}).hubQuery(someday); err != nil {
				t.Errorf("%s: %v", e, err)
			}
		}
	}
	if n := len(attributeNames()); n != 107 {
		t.Errorf("%d attributes, want 107", n)
	}
}
