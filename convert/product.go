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
	count := 0
	v.eachKept(func(string, *falco.Field) { count++ })
	m := make(map[string]string, min(13+count, maxFields))
	put := func(key, value string) {
		if value != "" && value != notAvailable {
			m[key] = value
		}
	}
	put("eyrie/rule", a.Rule)
	put("eyrie/priority", a.Priority.String())
	put("eyrie/source", a.Source)
	put("eyrie/tags", strings.Join(a.Tags, ","))
	put("eyrie/cluster", s.cluster)
	put("eyrie/namespace", w.namespace)
	put("eyrie/pod", w.pod)
	put("eyrie/workload", w.display())
	put("eyrie/image", s.image)
	put("eyrie/host", v.host())
	put("eyrie/process", s.process)
	put("eyrie/target", s.target)
	put("falco/uuid", a.UUID)

	room := maxFields - len(m)
	if count <= room {
		v.eachKept(func(key string, f *falco.Field) { m[key] = f.Value.Text })
		return m
	}
	room-- // for the count
	kept := make([]*falco.Field, 0, count)
	v.eachKept(func(_ string, f *falco.Field) { kept = append(kept, f) })
	slices.SortFunc(kept, func(a, b *falco.Field) int {
		return cmp.Or(cmp.Compare(rank(a.Name), rank(b.Name)), strings.Compare(a.Name, b.Name))
	})
	for _, f := range kept[:room] {
		m["falco/"+f.Name] = f.Value.Text
	}
	put("eyrie/omitted", strconv.Itoa(count-room))
	return m
}

// eachKept calls f with the key and value of every field that has a value and no other place in the finding.
func (v *view) eachKept(f func(key string, field *falco.Field)) {
	fields, extra := v.alert.Fields, v.alert.Extra
	names := map[string]bool{}
	if len(extra) > 0 {
		for i := range fields {
			names[fields[i].Name] = true
		}
	}
	for i, info := range v.info {
		var field *falco.Field
		if i < len(extra) {
			// Falco's "message" is the Description; of a name that stands in both the output field counts.
			if field = &extra[i]; names[field.Name] || field.Name == "message" && field.Value.Text == v.alert.Message() {
				continue
			}
		} else {
			field = &fields[i-len(extra)]
		}
		if field.Value.Text == "" || field.Value.IsNA() || field.Name == "" || v.used[info.slot] {
			continue
		}
		if info.key == "" {
			info.key = "falco/" + field.Name
		}
		f(info.key, field)
	}
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
