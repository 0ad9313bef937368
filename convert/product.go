package convert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/falco"
)

// maxFields is the number of pairs that ProductFields, and Details.Other of a resource, may have (AwsSecurityFinding).
const maxFields = 50

// productFields writes what people and pages look for under "eyrie/", and every field that the finding has no other
// member for under "falco/". If there are too many, those are left out that come last by rank and then by name, and
// "eyrie/omitted" counts them.
func productFields(v *view, s *subject) map[string]string {
	a, w := v.alert, &s.workload
	own := [...]struct{ key, value string }{
		{"eyrie/rule", a.Rule}, {"eyrie/priority", a.Priority.String()}, {"eyrie/source", a.Source},
		{"eyrie/tags", s.rule.tagList}, {"eyrie/cluster", s.cluster}, {"eyrie/namespace", w.namespace}, {"eyrie/pod", w.pod},
		{"eyrie/workload", s.display}, {"eyrie/image", s.image}, {"eyrie/host", v.host()}, {"eyrie/process", s.process},
		{"eyrie/target", s.target}, {"falco/uuid", a.UUID},
	}
	size := 0
	for i := range own {
		if own[i].value == notAvailable {
			own[i].value = ""
		}
		if own[i].value != "" {
			size++
		}
	}
	var room [64]keptField
	kept := v.appendKept(room[:0])
	m := make(map[string]string, min(size+len(kept), maxFields)) // no larger than needed: that would cost more than all else here
	for i := range own {
		if own[i].value != "" {
			m[own[i].key] = own[i].value
		}
	}
	if free := maxFields - len(m); len(kept) > free {
		free-- // for the count
		slices.SortFunc(kept, func(a, b keptField) int {
			return cmp.Or(cmp.Compare(rank(a.field.Name), rank(b.field.Name)), strings.Compare(a.field.Name, b.field.Name))
		})
		m["eyrie/omitted"] = strconv.Itoa(len(kept) - free)
		kept = kept[:free]
	}
	for i := range kept {
		m[kept[i].key] = kept[i].field.Value.Text
	}
	return m
}

// keptField is a field that goes to ProductFields, and its key there.
type keptField struct {
	key   string
	field *falco.Field
}

// appendKept appends every field that has a value and no other place in the finding.
func (v *view) appendKept(kept []keptField) []keptField {
	fields, extra := v.alert.Fields, v.alert.Extra
	var names map[string]bool
	if len(extra) > 0 {
		names = make(map[string]bool, len(fields))
		for i := range fields {
			names[fields[i].Name] = true
		}
	}
	for i := range len(extra) + len(fields) {
		var field *falco.Field
		if i < len(extra) {
			// Falco's "message" is the Description; of a name that stands in both the output field counts.
			if field = &extra[i]; names[field.Name] || field.Name == "message" && field.Value.Text == v.alert.Message() {
				continue
			}
		} else {
			field = &fields[i-len(extra)]
		}
		info := v.infoOf(i, field)
		if v.used[info.slot] || field.Value.Text == "" || field.Value.IsNA() || field.Name == "" {
			continue
		}
		key := info.key
		if key == "" {
			key = "falco/" + field.Name
		}
		kept = append(kept, keptField{key, field})
	}
	return kept
}

// rank orders fields by how much they tell when there are too many: lineage, process and user, file and arguments,
// network, Kubernetes and container, the rest.
func rank(name string) int {
	group, field, _ := strings.Cut(name, ".")
	switch group {
	case "proc":
		for _, lineage := range [...]string{"aname", "pname", "pcmdline", "acmdline", "pexe", "aexe", "sname", "ppid", "apid", "cmdline"} {
			if strings.HasPrefix(field, lineage) {
				return 0
			}
		}
		if field == "env" || field == "aenv" {
			return 5 // long, and rarely what one looks for
		}
		return 1
	case "user", "group", "thread":
		return 1
	case "fd":
		if field == "name" || field == "nameraw" || field == "directory" || field == "filename" {
			return 2
		}
		return 3
	case "fs", "evt":
		return 2
	case "k8s", "container", "ka", "ct":
		return 4
	}
	return 5
}
