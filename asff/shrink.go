package asff

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// rawMembers are the members kept as raw JSON, in the order in which shrink drops them.
func (f *Finding) rawMembers() []*json.RawMessage {
	return []*json.RawMessage{&f.Detection, &f.GeneratorDetails, &f.Action, &f.PatchSummary, &f.Vulnerabilities,
		&f.Threats, &f.NetworkPath}
}

// shrink drops parts of f in the order that Clamp states until its JSON fits MaxFindingBytes.
func (f *Finding) shrink() {
	s := shrinker{f: f}
	s.over = len(f.AppendJSON(nil)) - MaxFindingBytes
	s.extras(&f.Extra)
	for _, raw := range f.rawMembers() {
		s.drop(len(*raw), func() { *raw = nil })
	}
	s.cutFields(256)
	s.dropFields(f.ProductFields, 2)
	s.dropFields(f.ProductFields, 1)
	for rank := 2; rank >= 0; rank-- {
		s.dropFields(f.UserDefinedFields, rank)
	}
	s.resourceExtras()
	s.drop(1, func() { f.ThreatIntelIndicators = nil })
	s.drop(1, func() { f.Malware = nil })
	s.drop(1, func() { f.RelatedFindings = nil })
	if p := f.FindingProviderFields; p != nil {
		s.drop(1, func() { p.RelatedFindings = nil })
	}
	for len(f.Resources) > 1 && s.over > 0 {
		s.drop(1, func() { f.Resources = f.Resources[:len(f.Resources)-1] })
	}
	s.drop(1, func() { f.Compliance = nil })
	if len(f.Resources) > 0 {
		s.drop(1, func() { f.Resources[0].Details = nil })
	}
	s.dropFields(f.ProductFields, 0)
}

// shrinker knows by how many bytes the JSON of f is still too large; 0 or less means that it fits.
type shrinker struct {
	f    *Finding
	over int
}

// drop calls remove if f is still too large and there is something to remove, and measures again.
func (s *shrinker) drop(size int, remove func()) {
	if s.over > 0 && size > 0 {
		remove()
		s.over = len(s.f.AppendJSON(nil)) - MaxFindingBytes
	}
}

func (s *shrinker) extras(extra *[]Member) {
	for len(*extra) > 0 && s.over > 0 {
		s.drop(1, func() { *extra = (*extra)[:len(*extra)-1] })
	}
}

// cutFields cuts the values of "falco/" fields to limit characters, the longest first.
func (s *shrinker) cutFields(limit int) {
	keys := s.keys(s.f.ProductFields, 2)
	slices.SortStableFunc(keys, func(a, b string) int {
		return -cmp.Compare(len(s.f.ProductFields[a]), len(s.f.ProductFields[b]))
	})
	for _, k := range keys {
		if s.over <= 0 {
			return
		}
		old := s.f.ProductFields[k]
		cut := cleanText(old, limit, true)
		s.f.ProductFields[k] = cut
		s.over -= len(appendString(nil, old)) - len(appendString(nil, cut))
	}
}

// dropFields removes the pairs of a rank (see fieldRank) from the last key backwards.
func (s *shrinker) dropFields(m map[string]string, rank int) {
	if s.over <= 0 {
		return
	}
	keys := s.keys(m, rank)
	for _, k := range slices.Backward(keys) {
		if s.over <= 0 {
			return
		}
		s.over -= len(appendString(nil, k)) + len(appendString(nil, m[k])) + len(":")
		delete(m, k)
	}
}

// keys returns the keys of a rank in order.
func (s *shrinker) keys(m map[string]string, rank int) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(k string) bool { return fieldRank(k) != rank })
}

func (s *shrinker) resourceExtras() {
	for i := range slices.Backward(s.f.Resources) {
		r := &s.f.Resources[i]
		s.extras(&r.Extra)
		s.drop(len(r.DataClassification), func() { r.DataClassification = nil })
		if d := r.Details; d != nil {
			s.extras(&d.Extra)
			s.drop(len(d.Other), func() { d.Other = nil })
		}
		s.drop(len(r.Tags), func() { r.Tags = nil })
	}
}
