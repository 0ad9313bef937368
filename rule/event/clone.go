package event

import (
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// CopyTo makes dst a copy of e that owns all its strings and lists, so that e may be reset. Values that Resolve and
// ResolveArg have not been asked for yet are asked for first, all of them; dst has neither. It is for events that have to
// wait.
func (e *Event) CopyTo(dst *Event) {
	if e.Resolve != nil {
		for id := range field.ID(field.Count) {
			e.Has(id)
			e.HasList(id)
		}
	}
	for i := range e.Type.Info().Params {
		e.Arg(i)
	}
	*dst = *e
	dst.Resolve, dst.ResolveArg = nil, nil
	for id := range field.ID(field.Count) {
		if dst.set[id/64]&(1<<(id%64)) != 0 {
			dst.text[id] = strings.Clone(dst.text[id])
		} else {
			dst.text[id] = ""
		}
	}
	for slot := range dst.lists {
		if dst.lset&(1<<slot) == 0 {
			dst.lists[slot] = nil
			continue
		}
		dst.lists[slot] = slices.Clone(dst.lists[slot])
		for i, s := range dst.lists[slot] {
			dst.lists[slot][i] = strings.Clone(s)
		}
	}
	for i := range dst.args[:dst.nargs] {
		dst.args[i].Text = strings.Clone(dst.args[i].Text)
	}
	clear(dst.args[dst.nargs:])
}
