package load

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/match"
)

// verdict is what a real Falco said of one case of the corpus.
type verdict struct {
	Case, Area, Note string
	Files            []string
	OK               bool
	Errors, Warnings []struct{ Code, Message, File string }
	Fatal            string
	LoadExit         int `json:"load_exit"`
}

type loaded struct {
	Lists, Macros []struct{ Info struct{ Name string } }
	Rules         []struct {
		Info struct {
			Name, Condition, Output, Priority, Description string
			Enabled                                        bool
			Tags                                           []string
		}
		Details struct {
			Compiled string   `json:"condition_compiled"`
			Fields   []string `json:"condition_fields"`
			Ops      []string `json:"condition_operators"`
			Output   []string `json:"output_fields"`
			Events   []string
			Macros   []string
		}
	}
}

// known are the cases in which we differ on purpose; docs/rules-differences.md says why.
var known = map[string]string{}

type tally struct{ agree, all int }

func (t *tally) count(ok bool) {
	t.all++
	if ok {
		t.agree++
	}
}

// TestCorpus compares every case of the recorded corpus with what Falco said: accepted or not, the codes of errors and
// warnings, and for accepted cases what was loaded.
func TestCorpus(t *testing.T) {
	dir := filepath.Dir(testshared.Path(t, "falco/verdicts/verdicts.jsonl"))
	verdicts, codes, loads := map[string]*tally{}, tally{}, tally{}
	for line := range strings.Lines(string(testshared.Read(t, "falco/verdicts/verdicts.jsonl"))) {
		var v verdict
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if verdicts[v.Area] == nil {
			verdicts[v.Area] = &tally{}
		}
		set, report := Load(caseFiles(t, dir, v.Files), Options{})
		agree := report.OK() == v.OK
		verdicts[v.Area].count(agree)
		if !agree && known[v.Case] == "" {
			t.Errorf("%s (%s): accepted %t, Falco %t\n  ours: %v\n  Falco: %v %s", v.Case, v.Note, report.OK(), v.OK, report.Err(), v.Errors, v.Fatal)
		}
		if !agree || v.Fatal != "" {
			continue
		}
		diff := diffCodes(report, &v)
		codes.count(diff == "")
		if diff != "" && known[v.Case] == "" {
			t.Errorf("%s (%s): codes differ (-Falco +ours):\n%s", v.Case, v.Note, diff)
		}
		if v.OK && v.LoadExit == 0 {
			diff := diffLoaded(t, filepath.Join(dir, "loaded", v.Case+".json"), set)
			loads.count(diff == "")
			if diff != "" && known[v.Case] == "" {
				t.Errorf("%s (%s): loaded differs (-Falco +ours):\n%s", v.Case, v.Note, diff)
			}
		}
	}
	report(t, verdicts, codes, loads)
}

func report(t *testing.T, verdicts map[string]*tally, codes, loads tally) {
	var sum tally
	areas := []string{}
	for a, n := range verdicts {
		areas = append(areas, fmt.Sprintf("%s %d/%d", a, n.agree, n.all))
		sum.agree, sum.all = sum.agree+n.agree, sum.all+n.all
	}
	sort.Strings(areas)
	t.Logf("verdicts %d/%d, codes %d/%d, loaded %d/%d\n%s", sum.agree, sum.all, codes.agree, codes.all, loads.agree, loads.all, strings.Join(areas, "\n"))
	if sum.agree*100 < sum.all*98 {
		t.Errorf("verdicts agree in %d of %d cases, want 98 %%", sum.agree, sum.all)
	}
}

func caseFiles(t *testing.T, dir string, names []string) []File {
	t.Helper()
	var files []File
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, "cases", n))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: n, Content: b})
	}
	return files
}

func diffCodes(r *Report, v *verdict) string {
	var ours, theirs []string
	for _, f := range r.Files {
		for _, d := range slices.Concat(f.Errors, f.Warnings) {
			if !d.Code.IsOurs() {
				ours = append(ours, string(d.Code))
			}
		}
	}
	for _, d := range slices.Concat(v.Errors, v.Warnings) {
		theirs = append(theirs, d.Code)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	return cmp.Diff(theirs, ours)
}

func diffLoaded(t *testing.T, path string, set *Set) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want loaded
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	got := describe(set)
	theirs := []string{}
	for _, l := range want.Lists {
		theirs = append(theirs, "list "+l.Info.Name)
	}
	for _, m := range want.Macros {
		theirs = append(theirs, "macro "+m.Info.Name)
	}
	for _, r := range want.Rules {
		d := &r.Details
		theirs = append(theirs, fmt.Sprintln("rule", r.Info.Name, r.Info.Enabled, r.Info.Priority, r.Info.Tags),
			"condition "+r.Info.Condition, "desc "+r.Info.Description, "output "+r.Info.Output, "compiled "+d.Compiled,
			"fields "+sorted(d.Fields), "ops "+sorted(d.Ops), "events "+sorted(d.Events), "macros "+sorted(d.Macros), "out "+sorted(d.Output))
	}
	return cmp.Diff(theirs, got)
}

func sorted(words []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), " ")
}

func describe(set *Set) []string {
	out := []string{}
	for _, l := range set.Lists {
		out = append(out, "list "+l.Name)
	}
	for _, m := range set.Macros {
		out = append(out, "macro "+m.Name)
	}
	for _, r := range set.Rules {
		var fields, ops, output []string
		filter.Walk(r.Expr, func(e filter.Expr) bool {
			switch e := e.(type) {
			case *filter.Field:
				fields = append(fields, strings.TrimSuffix(e.String(), `[""]`))
			case *filter.Check:
				ops = append(ops, e.OpText())
			}
			return true
		})
		outputNames(&r, &output)
		if r.Tags == nil {
			r.Tags = []string{}
		}
		out = append(out, fmt.Sprintln("rule", r.Name, r.Enabled, r.Priority.String(), r.Tags),
			"condition "+r.Condition, "desc "+r.Desc, "output "+r.Output, "compiled "+filter.Print(r.Expr),
			"fields "+sorted(fields), "ops "+sorted(ops), "events "+sorted(append(r.Events.Names(), "asyncevent")), "macros "+sorted(r.Macros), "out "+sorted(output))
	}
	return out
}

// outputNames lists what an output shows: each operand as it is written, and the fields inside transformers.
func outputNames(r *Rule, out *[]string) {
	r.Template.Operands(func(name string, o *match.Operand) {
		*out = append(*out, name)
		o.Fields(func(f *match.Operand) { *out = append(*out, f.Name()) })
	})
}
