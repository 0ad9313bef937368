package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// world is an Index and what it should say: the documents themselves.
type world struct {
	x    *Index
	docs map[int64][]byte
	next int64
}

// small limits, so that conversions and compactions happen in every run.
func newWorld() *world {
	x := New()
	x.max = limits{tuples: 6, text: 2000, dead: 3}
	return &world{x: x, docs: map[int64][]byte{}}
}

func (w *world) apply(t *rapid.T, seqs map[int64][]byte) {
	var changes []Change
	for _, seq := range slices.Sorted(maps.Keys(seqs)) {
		doc := seqs[seq]
		if doc == nil {
			changes = append(changes, Change{Seq: seq})
			delete(w.docs, seq)
			continue
		}
		v, err := Extract(doc, now, nil)
		if err != nil {
			t.Fatalf("Extract(%s): %v", doc, err)
		}
		changes = append(changes, Change{seq, v})
		w.docs[seq] = doc
	}
	if err := w.x.Apply(changes); err != nil {
		t.Fatal(err)
	}
}

// change makes, changes and deletes some findings.
func (w *world) change(t *rapid.T) {
	batch := map[int64][]byte{}
	for range rapid.IntRange(0, 12).Draw(t, "new") {
		w.next += int64(rapid.IntRange(1, 3).Draw(t, "gap"))
		batch[w.next] = drawDoc(t)
	}
	for _, seq := range slices.Sorted(maps.Keys(w.docs)) {
		switch rapid.IntRange(0, 9).Draw(t, "fate") {
		case 0:
			batch[seq] = nil
		case 1, 2:
			batch[seq] = drawDoc(t)
		}
	}
	w.apply(t, batch)
}

var (
	words   = []string{"alpha", "beta", "alphabet", "Beta gamma", "", "é", "a"}
	stamps  = []string{"2026-11-20T11:59:59.5Z", "2026-11-01T00:00:00Z", "2026-11-19T12:00:00Z", "2026-11-19T12:00:00.000000001Z", "0001-02-03T04:05:06Z", "9999-01-01T00:00:00Z", "never"}
	numbers = []string{"0", "1", "40", "90", "16777217", "-3", "2.5", "1e300", `"7"`, `"x"`}
	labels  = []string{"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}
	addrs   = []string{"10.0.0.1", "10.0.1.1", "192.168.7.7", "::ffff:10.0.0.1", "2001:db8::1", "none"}
	keys    = []string{"eyrie/rule", "eyrie/pod", "falco/x", "team"}
)

func pickText(t *rapid.T, label string) string { return rapid.SampledFrom(words).Draw(t, label) }

// drawDoc makes a document with values that collide often and, sometimes, are missing, malformed or many.
func drawDoc(t *rapid.T) []byte {
	d := map[string]any{"Id": fmt.Sprintf("id-%d", rapid.IntRange(0, 9).Draw(t, "id"))}
	maybe := func(name string, value func() any) {
		if rapid.IntRange(0, 3).Draw(t, "has "+name) > 0 {
			d[name] = value()
		}
	}
	raw := func(from []string, label string) json.RawMessage {
		return json.RawMessage(rapid.SampledFrom(from).Draw(t, label))
	}
	fields := func(label string) any {
		m := map[string]string{}
		for range rapid.IntRange(0, 3).Draw(t, label) {
			m[rapid.SampledFrom(keys).Draw(t, "key")] = pickText(t, "field")
		}
		return m
	}
	maybe("Title", func() any { return pickText(t, "title") })
	maybe("Description", func() any { return pickText(t, "description") })
	maybe("GeneratorId", func() any { return "g" + strconv.Itoa(rapid.IntRange(0, 40).Draw(t, "generator")) })
	maybe("LastObservedAt", func() any { return rapid.SampledFrom(stamps).Draw(t, "last") })
	maybe("UpdatedAt", func() any { return rapid.SampledFrom(stamps).Draw(t, "updated") })
	maybe("Types", func() any { return rapid.SliceOfN(rapid.SampledFrom(words), 0, 3).Draw(t, "types") })
	maybe("Severity", func() any {
		return map[string]any{"Label": rapid.SampledFrom(labels).Draw(t, "label"), "Normalized": raw(numbers, "normalized")}
	})
	maybe("Confidence", func() any { return raw(numbers, "confidence") })
	maybe("Workflow", func() any { return map[string]string{"Status": rapid.SampledFrom(Workflows[:]).Draw(t, "workflow")} })
	maybe("RecordState", func() any { return rapid.SampledFrom([]string{"ACTIVE", "ARCHIVED"}).Draw(t, "record") })
	maybe("Network", func() any { return map[string]string{"SourceIpV4": rapid.SampledFrom(addrs).Draw(t, "source")} })
	maybe("Sample", func() any { return rapid.Bool().Draw(t, "sample") })
	maybe("ProductFields", func() any { return fields("fields") })
	maybe("Resources", func() any {
		var list []any
		for range rapid.IntRange(0, 3).Draw(t, "resources") {
			list = append(list, map[string]any{"Id": pickText(t, "resource"), "Tags": fields("tags"),
				"Details": map[string]any{"Container": map[string]string{"LaunchedAt": rapid.SampledFrom(stamps).Draw(t, "launched")}}})
		}
		return list
	})
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var filtered = []asff.Attribute{
	asff.AttrId, asff.AttrTitle, asff.AttrDescription, asff.AttrGeneratorId, asff.AttrLastObservedAt, asff.AttrUpdatedAt,
	asff.AttrType, asff.AttrSeverityLabel, asff.AttrSeverityNormalized, asff.AttrConfidence, asff.AttrWorkflowStatus, asff.AttrRecordState,
	asff.AttrNetworkSourceIpV4, asff.AttrSample, asff.AttrProductFields, asff.AttrResourceTags, asff.AttrResourceId,
	asff.AttrResourceContainerLaunchedAt, asff.AttrKeyword, asff.AttrMalwareName,
}

func drawFilters(t *rapid.T) asff.Filters {
	f := asff.Filters{}
	for range rapid.IntRange(0, 3).Draw(t, "attributes") {
		a := rapid.SampledFrom(filtered).Draw(t, "attribute")
		f[a] = nil
		for range rapid.IntRange(1, 3).Draw(t, "conditions") {
			c := drawCondition(t, a)
			c.Group = uint8(rapid.IntRange(0, 1).Draw(t, "group"))
			f[a] = append(f[a], c)
		}
	}
	return f
}

func drawCondition(t *rapid.T, a asff.Attribute) asff.Condition {
	var c asff.Condition
	texts := []asff.Comparison{asff.Equals, asff.Prefix, asff.NotEquals, asff.PrefixNotEquals, asff.Contains, asff.NotContains, asff.ContainsWord}
	switch a.Kind() {
	case asff.KindMap:
		c.Key = rapid.SampledFrom(keys).Draw(t, "key")
		texts = []asff.Comparison{asff.Equals, asff.NotEquals, asff.Contains, asff.NotContains}
		fallthrough
	case asff.KindString, asff.KindKeyword:
		c.Comparison = rapid.SampledFrom(texts).Draw(t, "comparison")
		c.Value = rapid.SampledFrom([]string{"alpha", "beta", "a", "é", "g1", "id-3", "NEW", "HIGH"}).Draw(t, "value")
	case asff.KindDate:
		if rapid.Bool().Draw(t, "range") {
			c.Range = &asff.DateRange{Days: rapid.IntRange(0, 30).Draw(t, "days"), Comparison: rapid.SampledFrom([]asff.DateComparison{asff.Within, asff.OlderThan}).Draw(t, "within")}
			break
		}
		c.Start = drawTime(t, "start")
		c.End = drawTime(t, "end")
	case asff.KindNumber:
		for _, bound := range []**float64{&c.Gte, &c.Lte, &c.Gt, &c.Lt, &c.Eq} {
			if rapid.IntRange(0, 2).Draw(t, "bound") == 0 {
				n := rapid.SampledFrom([]float64{0, 1, 40, 2.5, 16777217, 1e300, -3}).Draw(t, "n")
				*bound = &n
			}
		}
	case asff.KindIP:
		one, err := asff.ParseFilters([]byte(`{"NetworkSourceIpV4":[{"Cidr":"` + rapid.SampledFrom([]string{"10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0"}).Draw(t, "cidr") + `"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return one[asff.AttrNetworkSourceIpV4][0]
	case asff.KindBoolean:
		b := rapid.Bool().Draw(t, "bool")
		c.Bool = &b
	}
	return c
}

func drawTime(t *rapid.T, label string) time.Time {
	at, err := asff.ParseTime(rapid.SampledFrom(stamps[:6]).Draw(t, label))
	if err != nil || rapid.Bool().Draw(t, label+" open") {
		return time.Time{}
	}
	return at
}

// want returns the Seqs that match, newest first.
func (w *world) want(t *rapid.T, f asff.Filters) []int64 {
	var seqs []int64
	for seq, doc := range w.docs {
		ok, err := f.Match(doc, now)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	slices.Reverse(seqs)
	return seqs
}

// TestModel compares everything that an Index says with what the documents say.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			w.change(t)
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				w.restart(t)
			}
			w.checkSelect(t)
			w.checkSort(t)
			w.checkCounts(t)
		}
	})
}

// restart replaces the index by its snapshot.
func (w *world) restart(t *rapid.T) {
	var file bytes.Buffer
	mark := Mark{Store: [16]byte{1, 2}, Change: 77, ChangeAt: -5}
	if err := w.x.Write(&file, mark); err != nil {
		t.Fatal(err)
	}
	x, got, err := Read(&file)
	if err != nil || got != mark {
		t.Fatalf("Read: mark %v, error %v; want %v", got, err, mark)
	}
	x.max = w.x.max
	w.x = x
}

func (w *world) checkSelect(t *rapid.T) {
	f := drawFilters(t)
	want := w.want(t, f)
	var got []int64
	w.x.View(func(v View) {
		set := v.Select(f, now)
		for _, seq := range v.Newest(set, 0, 0, 1000) {
			if ok, err := set.Residual.Match(w.docs[seq], now); err != nil || ok {
				got = append(got, seq)
			}
		}
		if len(set.Residual) > 0 && set.Len() < len(want) || len(set.Residual) == 0 && set.Len() != len(want) {
			t.Fatalf("%s: set of %d, %d match", f.JSON(), set.Len(), len(want))
		}
		if len(set.Residual) == 0 && len(want) > 0 {
			skip, limit := rapid.IntRange(0, len(want)).Draw(t, "skip"), rapid.IntRange(0, 5).Draw(t, "limit")
			before := want[rapid.IntRange(0, len(want)-1).Draw(t, "before")]
			rest := want[slices.Index(want, before)+1:]
			rest = rest[min(skip, len(rest)):]
			check(t, "Newest", v.Newest(set, before, skip, limit), rest[:min(limit, len(rest))])
		}
	})
	check(t, string(f.JSON()), got, want)
}

func (w *world) checkSort(t *rapid.T) {
	var orders []Order
	for range rapid.IntRange(1, 3).Draw(t, "orders") {
		o := Order{Attribute: rapid.SampledFrom(filtered).Draw(t, "order"), Desc: rapid.Bool().Draw(t, "desc")}
		if o.Attribute.Kind() == asff.KindMap {
			o.Key = rapid.SampledFrom(keys).Draw(t, "order key")
		}
		if o.Attribute != asff.AttrKeyword {
			orders = append(orders, o)
		}
	}
	if len(orders) == 0 {
		return
	}
	want := w.want(t, nil)
	byDoc := map[int64]SortKeys{}
	for _, seq := range want {
		var err error
		if byDoc[seq], err = Key(w.docs[seq], orders); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortStableFunc(want, func(a, b int64) int { return CompareKeys(byDoc[a], byDoc[b], orders) })
	skip, limit := rapid.IntRange(0, 4).Draw(t, "skip"), rapid.IntRange(1, 9).Draw(t, "limit")
	w.x.View(func(v View) {
		for _, o := range orders {
			if !v.Sortable(o) {
				return
			}
		}
		set := v.Select(nil, now)
		rest := want[min(skip, len(want)):]
		check(t, fmt.Sprint("Sorted ", orders), v.Sorted(set, orders, skip, limit), rest[:min(limit, len(rest))])
		for _, f := range []*Frozen{v.Freeze(set, orders), NewFrozen(want)} {
			var all []int64
			for after := int64(0); ; after = all[len(all)-1] {
				page, ok := f.After(after, limit)
				if !ok {
					t.Fatalf("After(%d) says that it is not in the set", after)
				}
				if all = append(all, page...); len(page) < limit {
					break
				}
			}
			check(t, fmt.Sprint("Frozen ", orders), all, want)
		}
	})
}

func (w *world) checkCounts(t *rapid.T) {
	var want Counts
	a := rapid.SampledFrom(filtered[:len(filtered)-2]).Draw(t, "counted")
	key := ""
	if a.Kind() == asff.KindMap {
		key = rapid.SampledFrom(keys).Draw(t, "counted key")
	}
	tally := NewTally()
	for _, doc := range w.docs {
		v, err := Extract(doc, now, nil)
		if err != nil {
			t.Fatal(err)
		}
		want.Findings++
		if v.summary&archivedBit != 0 {
			want.Archived++
		} else {
			want.ByWorkflow[workflowOf(v.summary)]++
			if workflowOf(v.summary) == 0 {
				want.BySeverityNew[severityOf(v.summary)]++
			}
		}
		if err := tally.Add(doc, a, key); err != nil {
			t.Fatal(err)
		}
	}
	got := w.x.Counts()
	got.Bytes = 0
	check(t, "Counts", got, want)
	w.x.View(func(v View) {
		got, ok := v.Tally(v.Select(nil, now), a, key)
		if !ok || a.Kind() == asff.KindNumber || a.Kind() == asff.KindDate { // whose text may be written otherwise
			return
		}
		check(t, "Tally "+a.Name()+" "+key, got.Top(5), tally.Top(5))
	})
}

func check[T any](t *rapid.T, what string, got, want T) {
	if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s: got (-) want (+)\n%s", what, diff)
	}
}

func TestHistogram(t *testing.T) {
	x := New()
	var changes []Change
	for i := range 10 {
		at := now.Add(time.Duration(i) * time.Minute)
		v, err := Extract(fmt.Appendf(nil, `{"LastObservedAt":%q,"Severity":{"Label":%q}}`, asff.FormatTime(at), labels[i%5]), at, nil)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, Change{int64(i + 1), v})
	}
	if err := x.Apply(changes); err != nil {
		t.Fatal(err)
	}
	x.View(func(v View) {
		from := now.Add(time.Minute).UnixNano()
		got := v.Histogram(v.Select(nil, now), from, from+int64(7*time.Minute), int64(4*time.Minute), 2)
		want := [][5]int{{1: 1, 2: 1, 3: 1, 4: 1}, {0: 1, 1: 1, 2: 1}}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("Histogram: got (-) want (+)\n%s", diff)
		}
	})
}

func TestUntouched(t *testing.T) {
	x := New()
	var changes []Change
	for i := range 5 {
		v, err := Extract([]byte(`{}`), now.Add(time.Duration(i)*time.Hour), nil)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, Change{int64(i + 1), v})
	}
	if err := x.Apply(append(changes, Change{Seq: 2})); err != nil {
		t.Fatal(err)
	}
	if got, want := x.Untouched(now.Add(3*time.Hour), 9), []int64{1, 3}; !slices.Equal(got, want) {
		t.Errorf("Untouched = %v, want %v", got, want)
	}
	if got, want := x.Untouched(now.Add(3*time.Hour), 1), []int64{1}; !slices.Equal(got, want) {
		t.Errorf("Untouched, one = %v, want %v", got, want)
	}
}

// TestDamagedSnapshot flips each byte of a snapshot, and cuts it anywhere: Read must notice.
func TestDamagedSnapshot(t *testing.T) {
	x := New()
	v, err := Extract([]byte(`{"Id":"a","Title":"b","Confidence":3,"LastObservedAt":"2026-11-01T00:00:00Z","Types":["x","y"],"Severity":{"Normalized":1e300}}`), now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Apply([]Change{{1, v}}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := x.Write(&file, Mark{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	for i := range file.Len() {
		damaged := bytes.Clone(file.Bytes())
		damaged[i] ^= 0x10
		if _, _, err := Read(bytes.NewReader(damaged)); !errors.Is(err, ErrSnapshot) {
			t.Errorf("byte %d flipped: got error %v, want ErrSnapshot", i, err)
		}
		if _, _, err := Read(bytes.NewReader(file.Bytes()[:i])); !errors.Is(err, ErrSnapshot) {
			t.Errorf("cut at %d: got error %v, want ErrSnapshot", i, err)
		}
	}
}

func TestApplyOutOfOrder(t *testing.T) {
	x := New()
	v, err := Extract([]byte(`{}`), now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Apply([]Change{{5, v}}); err != nil {
		t.Fatal(err)
	}
	if err := x.Apply([]Change{{3, v}}); err == nil {
		t.Error("a new finding with a lower Seq was taken")
	}
	if err := x.Apply([]Change{{Seq: 3}}); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
}
