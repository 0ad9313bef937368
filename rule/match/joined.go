package match

import (
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// Joined is a field whose text is a list put together with blanks, and a word without blanks that is looked for in it.
type Joined struct {
	Field field.ID
	Word  string
}

// InJoined says whether the check looks for a word anywhere in the text of a list, so that looking at one item after the
// other gives the same answer.
func (t *Test) InJoined() (Joined, bool) {
	o := t.Left
	if t.Right != nil || t.Mod != NoMod || t.Op != Contains && t.Op != IContains || len(t.consts) != 1 ||
		o.kind != fieldOperand || len(o.steps) > 0 || o.list || o.index >= 0 || o.key != "" {
		return Joined{}, false
	}
	word := t.consts[0].text
	switch o.field {
	case field.ProcArgs, field.ProcEnv, field.ThreadCgroups:
		return Joined{o.field, word}, word != "" && !strings.Contains(word, " ")
	}
	return Joined{}, false
}
