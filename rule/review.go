package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/load"
	"github.com/eyrie-sec/eyrie/rule/match"
	"github.com/eyrie-sec/eyrie/rule/program"
)

// busyTypes are event types of which a busy host makes so many that a rule for them is felt: reading and writing,
// waiting, memory.
var busyTypes = []string{"read", "write", "pread", "pwrite", "readv", "writev", "preadv", "pwritev", "recv", "recvfrom",
	"recvmsg", "recvmmsg", "send", "sendto", "sendmsg", "sendmmsg", "close", "futex", "poll", "ppoll", "select",
	"epoll_wait", "epoll_pwait", "lseek", "mmap", "munmap", "mprotect", "brk", "nanosleep", "clock_nanosleep", "switch",
	"page_fault", "fstat", "stat", "newfstatat"}

// Review looks for what Falco does not warn of: rules that can never fire, rules that an earlier one always forestalls
// while only the first match counts, and rules for event types that cost much.
func Review(set *Set) []Diagnostic {
	conds := make([]program.Condition, len(set.Rules))
	for i := range set.Rules {
		conds[i] = program.Condition{Node: set.Rules[i].Node, Events: set.Rules[i].Events}
	}
	prog := program.Compile(conds)
	var out []Diagnostic
	first := map[string]*Rule{}
	for i := range set.Rules {
		r := &set.Rules[i]
		if !r.Enabled {
			continue
		}
		if !prog.CanHold(i) {
			out = append(out, about(r, load.WarnNeverFires, "no event can match the rule"))
			continue
		}
		key := filter.Print(r.Expr)
		if by := first[key]; by != nil {
			out = append(out, about(r, load.WarnShadowed, fmt.Sprintf("rule '%s' has the same condition and comes first: only with rule_matching all can this one fire", by.Name)))
		} else {
			first[key] = r
		}
		if busy := costly(r.Events); len(busy) > 0 {
			out = append(out, about(r, load.WarnCostlyEventType, "the rule is evaluated for event types that are very frequent: "+strings.Join(busy, ", ")))
		}
	}
	return out
}

func about(r *Rule, code load.Code, msg string) Diagnostic {
	return Diagnostic{Code: code, Message: msg, File: r.File, Line: r.Line, Column: 3, Item: "rule " + r.Name}
}

// costly lists the busy types of a set that names few types; sets of very many types are warned of elsewhere.
func costly(s field.EventSet) []string {
	if match.TooMany(s) {
		return nil
	}
	var out []string
	for _, name := range s.Names() {
		if slices.Contains(busyTypes, name) {
			out = append(out, name)
		}
	}
	return out
}
