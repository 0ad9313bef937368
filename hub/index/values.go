package index

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// Bounds of what gets a column.
const (
	maxMapColumns = 32 // keys of ResourceTags, UserDefinedFields and ResourceDetailsOther, each
	maxOwnColumns = 64 // keys of ProductFields that begin with ownPrefix
	ownPrefix     = "eyrie/"
)

// mapColumns is how many keys of a map attribute may have columns.
func mapColumns(a asff.Attribute) int {
	if a == asff.AttrProductFields {
		return maxOwnColumns
	}
	return maxMapColumns
}

// keyed reports whether a key of a map attribute may have a column at all. ProductFields of other products and Falco's
// own fields are too many: fifty a finding, each four bytes.
func keyed(a asff.Attribute, key string) bool {
	return a != asff.AttrProductFields || strings.HasPrefix(key, ownPrefix)
}

// hashedFirst are the attributes whose values are expected to differ in every finding.
func hashedFirst(a asff.Attribute) bool { return a == asff.AttrId || a == asff.AttrDescription }

// Values are the indexed values of one document.
type Values struct {
	arena   []byte
	items   []item
	first   [asff.NumAttributes]int32 // 1 + place in items of an attribute's first value; 0 if none
	last    [asff.NumAttributes]int32 // likewise of its last
	summary uint8
	touched uint32 // hours since 1970
}

type item struct {
	key, value span
	next       int32 // like Values.first
}

// span is a part of Values.arena.
type span struct{ from, to uint32 }

// Extract reads the indexed values of a document. touched is when the finding last changed, to the hour. visit, if not
// nil, is called with every value that asff.Extract finds, on its terms. The error is that of asff.Extract.
func Extract(doc []byte, touched time.Time, visit func(a asff.Attribute, key, value []byte)) (*Values, error) {
	v := new(Values)
	return v, v.Extract(doc, touched, visit)
}

// Extract is the function Extract, into v, whose memory it uses again.
func (v *Values) Extract(doc []byte, touched time.Time, visit func(a asff.Attribute, key, value []byte)) error {
	v.arena = slices.Grow(v.arena[:0], len(doc)/2)
	v.items = slices.Grow(v.items[:0], 80)
	clear(v.first[:])
	clear(v.last[:])
	severity, workflow, archived := uint8(0), uint8(0), uint8(0)
	err := asff.Extract(doc, func(a asff.Attribute, key, value []byte) {
		if visit != nil {
			visit(a, key, value)
		}
		switch a {
		case asff.AttrSeverityLabel:
			severity = place(Severities[:], value)
		case asff.AttrWorkflowStatus:
			workflow = place(Workflows[:], value)
		case asff.AttrRecordState:
			archived = place(recordStates[:], value)
		case asff.AttrProductFields:
			if !bytes.HasPrefix(key, []byte(ownPrefix)) {
				return
			}
		}
		v.add(a, key, value)
	})
	v.summary = severity | workflow<<workflowShift | archived*archivedBit
	v.touched = hours(touched)
	return err
}

func (v *Values) add(a asff.Attribute, key, value []byte) {
	v.items = append(v.items, item{key: v.keep(key), value: v.keep(value)})
	at := int32(len(v.items))
	if v.last[a] == 0 {
		v.first[a] = at
	} else {
		v.items[v.last[a]-1].next = at
	}
	v.last[a] = at
}

// place is where value stands in list, 0 if it does not.
func place(list []string, value []byte) uint8 {
	for i, s := range list {
		if s == string(value) {
			return uint8(i)
		}
	}
	return 0
}

func hours(t time.Time) uint32 { return uint32(max(t.Unix(), 0) / 3600) }

func (v *Values) keep(b []byte) span {
	from := len(v.arena)
	v.arena = append(v.arena, b...)
	return span{uint32(from), uint32(len(v.arena))}
}

func (v *Values) bytes(s span) []byte { return v.arena[s.from:s.to] }

// tuple appends the values of an attribute, for a map attribute of one key, to dst: each a length (uvarint) and the
// bytes, in their order. Nothing is appended if there are none.
func (v *Values) tuple(dst []byte, a asff.Attribute, key string) []byte {
	isMap := a.Kind() == asff.KindMap
	for at := v.first[a]; at != 0; at = v.items[at-1].next {
		it := &v.items[at-1]
		if isMap && string(v.bytes(it.key)) != key {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(it.value.to-it.value.from))
		dst = append(dst, v.bytes(it.value)...)
	}
	return dst
}

// appendTuple appends a tuple of one value.
func appendTuple(dst []byte, value string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(value))), value...)
}

// nextValue cuts the first value off a tuple.
func nextValue(tuple string) (value, rest string) {
	n, shift, i := uint64(0), 0, 0
	for {
		b := tuple[i]
		i++
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
		shift += 7
	}
	return tuple[i : i+int(n)], tuple[i+int(n):]
}

// appendValues appends the values of a tuple as asff.MatchValues takes them.
func appendValues(dst []asff.KV, key, tuple string) []asff.KV {
	for tuple != "" {
		var value string
		value, tuple = nextValue(tuple)
		dst = append(dst, asff.KV{Key: key, Value: value})
	}
	return dst
}

// The summary of a finding is a byte: bits 0-2 severity, bits 3-5 workflow, bit 6 archived. It serves the counts.
const (
	workflowShift = 3
	archivedBit   = 1 << 6
	summaries     = 128
)

// Workflows are the workflow statuses in the order of Counts.ByWorkflow; any other counts as NEW.
var Workflows = [4]string{"NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"}

var recordStates = [2]string{"ACTIVE", "ARCHIVED"}

// Severities are the severity labels in the order of Bucket.BySeverity; any other counts as INFORMATIONAL.
var Severities = [5]string{"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}

func severityOf(summary uint8) int { return int(summary & 7) }
func workflowOf(summary uint8) int { return int(summary >> workflowShift & 7) }

// isNew: workflow NEW and record state ACTIVE.
func isNew(summary uint8) bool { return summary>>workflowShift == 0 }
