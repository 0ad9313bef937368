package simulate

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/rule"
)

var update = flag.Bool("update", false, "write docs/sensor-rules.md")

const document = "../docs/sensor-rules.md"

// introduction is what stands above the tables.
const introduction = `# What fires

Made by ` + "`go test ./simulate -run TestSensor -update`" + ` (root, Linux with BTF): each action of ` + "`eyrie simulate`" + ` was done under the
embedded sensor, on the host and in a container, with every rule of Falco's three files and of etc/rules switched on, and the
alerts that arrived were written down. Containers are namespaces and a control group of their own; a Docker API that answers for
them says that they are privileged. The test fails when anything else fires than what stands here.

The last column compares with the alert that Falco 0.44.1 gave for the same rule, where one was recorded: priority, tags, names of
the output fields, and which of them have a value. The actions are those of other programs than in the recordings, so values are
not compared here; ` + "`TestSeeds`" + ` repeats the recorded actions with the recorded programs and compares all values. It leaves out times, ids,
ancestors above the container's first process (Falco does not know them, the sensor does), and on the host EXE_LOWER_LAYER, which
the overlay adds that actions are done on.

## Differences from Falco

| what | Falco 0.44.1 | here | why |
|---|---|---|---|
| ancestors of a container's processes (proc.aname[N], proc.acmdline[N]) | null above the shim that it did not see start | the whole chain to the host's first process | the process table is read from /proc at the start |
| names of users in a container that no runtime answers for | <NA>, but for root | those of the container's own /etc/passwd | the process's root directory is at hand; the rule "Non sudo setuid" sees such containers, too |
| user.shell of root in such a container | <NA> | as /etc/passwd says | likewise |
| first events of a Docker container | container.name and the like null until the API has answered | the events wait up to half a second for it | an alert without the image is of less use |
| k8s.pod.uid without a runtime that answers | null | from the cgroup path | it stands there |
`

// notProvoked says why no action makes a rule fire.
var notProvoked = map[string]string{
	"Contact K8S API Server From Container":                  "needs a name server that knows kubernetes.default.svc.cluster.local",
	"Network Connection outside Local Subnet":                "cannot fire as it ships: its list of namespaces is empty",
	"Launch Disallowed Container":                            "cannot fire as it ships: the macro allowed_containers allows all",
	"Detect outbound connections to common miner pool ports": "needs a name server that knows the pools",
	"Java Process Class File Download":                       "evt.buffer is compared as it is shown, with dots for bytes that are no ASCII, so bcontains does not find these",
}

// recordedAll reads what a real Falco reported.
func recordedAll(t *testing.T, names ...string) []*falco.Alert {
	t.Helper()
	var all []*falco.Alert
	for _, name := range names {
		lines := bufio.NewScanner(bytes.NewReader(testshared.Read(t, "falco/alerts/"+name)))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			a, err := falco.Parse(lines.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
	}
	return all
}

// distant says whether a field is about ancestors that Falco does not know of a container's process.
func distant(field string, place Place) bool {
	return place == Container && strings.HasPrefix(field, "proc.aname[") && field != "proc.aname[2]"
}

// compare says in what an alert differs from a recorded one of another process: priority, tags, names of the fields, and
// which of them have a value.
func compare(got, want *falco.Alert, place Place) string {
	diff := compareShape(got, want)
	for _, f := range want.Fields {
		if v, ok := got.Field(f.Name); ok && v.IsNA() != f.Value.IsNA() && !distant(f.Name, place) {
			diff = append(diff, fmt.Sprintf("%s is %s, not %s", f.Name, text(v), text(f.Value)))
		}
	}
	return strings.Join(diff, "; ")
}

func compareShape(got, want *falco.Alert) (diff []string) {
	if got.Rule != want.Rule || got.Priority != want.Priority || got.Source != want.Source {
		diff = append(diff, fmt.Sprintf("rule %q, priority %s, source %s, not %q, %s, %s", got.Rule, got.Priority, got.Source, want.Rule, want.Priority, want.Source))
	}
	if !slices.Equal(got.Tags, want.Tags) {
		diff = append(diff, fmt.Sprintf("tags %v, not %v", got.Tags, want.Tags))
	}
	for _, f := range want.Fields {
		if _, ok := got.Field(f.Name); !ok {
			diff = append(diff, "no "+f.Name)
		}
	}
	for _, f := range got.Fields {
		if _, ok := want.Field(f.Name); !ok {
			diff = append(diff, f.Name+" besides")
		}
	}
	return diff
}

// compareValues says in what an alert differs from a recorded one of the same program.
func compareValues(got, want *falco.Alert, place Place) string {
	diff := compareShape(got, want)
	for _, f := range want.Fields {
		v, _ := got.Field(f.Name)
		switch {
		case f.Name == "evt.time", f.Name == "container.id" && place == Container, distant(f.Name, place):
			continue
		case f.Name == "evt.arg.flags" && place == Host:
			v.Text = strings.ReplaceAll(v.Text, "|EXE_LOWER_LAYER", "")
		}
		if v != f.Value {
			diff = append(diff, fmt.Sprintf("%s is %s, not %s", f.Name, text(v), text(f.Value)))
		}
	}
	return strings.Join(diff, "; ")
}

func text(v falco.Value) string {
	if v.IsNA() {
		return "null"
	}
	return fmt.Sprintf("%q", v.Text)
}

var titles = []string{"Falco's rules", "Rules of etc/rules"}

// checkDocument writes the tables, and compares them with the document.
func checkDocument(t *testing.T, sets []*rule.Set, fired map[which]map[Place]*firing) {
	t.Helper()
	records := map[Place]map[string]*falco.Alert{Host: {}, Container: {}}
	for place, names := range map[Place][]string{Host: {"host-seed.jsonl"}, Container: {"docker-seed.jsonl", "docker-event-generator.jsonl"}} {
		for _, a := range recordedAll(t, names...) {
			if records[place][a.Rule] == nil {
				records[place][a.Rule] = a
			}
		}
	}
	var b strings.Builder
	b.WriteString(introduction)
	for i, set := range sets {
		fmt.Fprintf(&b, "\n## %s\n\n| rule | action | host | container | beside Falco's own alert |\n|---|---|---|---|---|\n", titles[i])
		for r := range set.Rules {
			name := set.Rules[r].Name
			row(&b, name, fired[which{i, name}], func(place Place) *falco.Alert {
				if i == 0 {
					return records[place][name]
				}
				return nil
			})
		}
	}
	if *update {
		if err := os.WriteFile(document, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s says something else than what fired (run with -update to write it):\n%s", document, difference(string(want), b.String()))
	}
}

func row(b *strings.Builder, name string, fired map[Place]*firing, record func(Place) *falco.Alert) {
	var actions, notes []string
	cell := map[Place]string{}
	for _, place := range []Place{Host, Container} {
		f := fired[place]
		if f == nil {
			continue
		}
		cell[place] = "fired"
		for _, a := range f.actions {
			if !slices.Contains(actions, a) {
				actions = append(actions, a)
			}
		}
		if want := record(place); want != nil {
			d := compare(f.alert, want, place)
			if d == "" {
				d = "same"
			}
			notes = append(notes, place.String()+": "+d)
		}
	}
	if len(actions) == 0 {
		notes = append(notes, "not fired: "+notProvoked[name])
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, strings.Join(actions, ", "), cell[Host], cell[Container], strings.Join(notes, "; "))
}

// readDocument lists, by ACTION/PLACE, the rules that the document says fire.
func readDocument(t *testing.T) map[string]map[which]bool {
	t.Helper()
	all := map[string]map[which]bool{}
	content, err := os.ReadFile(document)
	if err != nil {
		if *update {
			return all
		}
		t.Fatal(err)
	}
	set := -1
	for line := range strings.SplitSeq(string(content), "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			set = slices.Index(titles, title)
		}
		cells := strings.Split(line, " | ")
		if set < 0 || len(cells) != 5 {
			continue
		}
		for place, cell := range map[Place]string{Host: cells[2], Container: cells[3]} {
			if cell != "fired" {
				continue
			}
			for _, action := range strings.Split(cells[1], ", ") {
				key := action + "/" + place.String()
				if all[key] == nil {
					all[key] = map[which]bool{}
				}
				all[key][which{set, strings.TrimPrefix(cells[0], "| ")}] = true
			}
		}
	}
	return all
}
