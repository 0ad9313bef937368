package awsfake

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/deploy/aws/cfntest"
)

// executeChangeSet lays out what CloudFormation does one after the other; events are made when they are asked for.
func (s *Server) executeChangeSet(q *request, r *regionState) (answer, *failure) {
	cs := r.changeSets[q.call.Target]
	if cs == nil || cs.status != "CREATE_COMPLETE" {
		return answer{}, fail(404, "ChangeSetNotFound", "ChangeSet [%s] does not exist", q.call.Target)
	}
	delete(r.changeSets, cs.id)
	st, region := cs.stack, q.call.Region
	verb := "UPDATE"
	if cs.kind == "CREATE" {
		verb = "CREATE"
	}
	before := *st
	st.Status = verb + "_IN_PROGRESS"
	do := func(f func()) { st.todo = append(st.todo, f) }
	do(func() { st.own(verb+"_IN_PROGRESS", "User Initiated") })
	for _, c := range cs.sorted() {
		do(func() {
			st.say(c.logical, c.kind, "", word(c.action)+"_IN_PROGRESS", "")
			why := s.FailResource[region+" "+c.logical+" "+map[string]string{"Add": "Create", "Modify": "Update", "Remove": "Delete"}[c.action]]
			if why == "" {
				why = s.effect(r, st, cs, c, region)
			}
			if why != "" {
				st.say(c.logical, c.kind, "", word(c.action)+"_FAILED", why)
				s.rollBack(r, st, cs, before, region)
				return
			}
			st.say(c.logical, c.kind, "", word(c.action)+"_COMPLETE", "")
		})
	}
	do(func() {
		st.Resources, st.Outputs, st.Params, st.order = cs.resources, cs.outputs, cs.params, present(cs.order, cs.resources)
		st.own(verb+"_COMPLETE", "")
	})
	return result(q, "")
}

// sorted are the changes in the order of dependencies.
func (cs *changeSet) sorted() []change {
	var out []change
	done := map[string]bool{}
	changes := map[string]change{}
	for _, c := range cs.changes {
		changes[c.logical] = c
	}
	var visit func(name string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, d := range cs.resources[name].DependsOn {
			visit(d)
		}
		if c, ok := changes[name]; ok {
			out = append(out, c)
		}
	}
	for _, name := range cs.order {
		visit(name)
	}
	return out
}

func word(action string) string {
	return map[string]string{"Add": "CREATE", "Modify": "UPDATE", "Remove": "DELETE"}[action]
}

func present(order []string, resources map[string]cfntest.Evaluated) []string {
	return slices.DeleteFunc(slices.Clone(order), func(n string) bool { _, ok := resources[n]; return !ok })
}

// effect does to the Region what the change does, and says why it cannot.
func (s *Server) effect(r *regionState, st *Stack, cs *changeSet, c change, region string) string {
	if c.action == "Remove" {
		if old := st.Resources[c.logical]; !strings.HasPrefix(old.DeletionPolicy, "Retain") {
			r.remove(old)
		}
		return ""
	}
	res := cs.resources[c.logical]
	p := res.Properties
	switch res.Type {
	case "AWS::Lambda::Function":
		code := p["Code"].(map[string]any)
		b := r.buckets[fmt.Sprint(code["S3Bucket"])]
		if b == nil {
			return "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"
		}
		if b.objects[fmt.Sprint(code["S3Key"])] == nil {
			return "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
		}
	case "AWS::SecurityHub::Hub":
		if r.hub && c.action == "Add" {
			return "Account is already subscribed to Security Hub"
		}
		r.hub, r.hubTags = true, maps.Clone(st.Tags)
	case "AWS::SecurityHub::FindingAggregator":
		if !r.hub {
			return "Account " + Account + " is not subscribed to AWS Security Hub"
		}
		for name, other := range s.regions {
			if other.aggregator != nil && (c.action == "Add" || name != region) {
				return "A finding aggregator already exists in " + name
			}
		}
		a := &aggregator{arn: "arn:aws:securityhub:" + region + ":" + Account + ":finding-aggregator/5e6e", mode: fmt.Sprint(p["RegionLinkingMode"])}
		for _, name := range p["Regions"].([]any) {
			a.regions = append(a.regions, fmt.Sprint(name))
		}
		r.aggregator = a
	case "AWS::SecurityHub::AutomationRule":
		if s.Administrator != "" {
			return "Account " + Account + " is not an administrator for this organization"
		}
		fallthrough
	case "AWS::SecurityHub::Insight":
		if !r.hub {
			return "Account " + Account + " is not subscribed to AWS Security Hub"
		}
	case "AWS::Logs::LogGroup":
		return r.makeLogGroup(res, c, st)
	case "AWS::SQS::Queue":
		r.queues[res.Ref] += 0
	}
	return ""
}

func (r *regionState) makeLogGroup(res cfntest.Evaluated, c change, st *Stack) string {
	if r.groups[res.Ref] != nil && c.action == "Add" {
		return "Resource handler returned message: \"The specified log group already exists\""
	}
	days, err := strconv.Atoi(fmt.Sprint(res.Properties["RetentionInDays"]))
	if err != nil {
		return err.Error()
	}
	r.groups[res.Ref] = &logGroup{retention: days, tags: maps.Clone(st.Tags)}
	return ""
}

// remove undoes effect.
func (r *regionState) remove(res cfntest.Evaluated) {
	switch res.Type {
	case "AWS::SecurityHub::Hub":
		r.hub, r.hubTags = false, nil
	case "AWS::SecurityHub::FindingAggregator":
		r.aggregator = nil
	case "AWS::Logs::LogGroup":
		delete(r.groups, res.Ref)
	case "AWS::SQS::Queue":
		delete(r.queues, res.Ref)
	}
}

// rollBack replaces what is left to do by going back.
func (s *Server) rollBack(r *regionState, st *Stack, cs *changeSet, before Stack, region string) {
	var made []string // what this change set has made so far, newest first
	for _, e := range slices.Backward(st.events) {
		if e.status == "CREATE_IN_PROGRESS" && e.reason == "User Initiated" || e.status == "UPDATE_IN_PROGRESS" && e.reason == "User Initiated" {
			break
		}
		if e.status == "CREATE_COMPLETE" {
			made = append(made, e.logical)
		}
	}
	st.todo = nil
	do := func(f func()) { st.todo = append(st.todo, f) }
	if len(cs.changes) > 1 {
		do(func() {
			st.say("Dashboard", "AWS::CloudWatch::Dashboard", "", "CREATE_FAILED", "Resource creation cancelled")
		})
	}
	ending := "UPDATE_ROLLBACK_COMPLETE"
	switch {
	case cs.kind == "CREATE" && cs.onFailure == "DELETE":
		ending = "DELETE_COMPLETE"
		do(func() { st.own("CREATE_FAILED", "The following resource(s) failed to create.") })
		do(func() { st.own("DELETE_IN_PROGRESS", "") })
	case cs.kind == "CREATE":
		ending = "ROLLBACK_COMPLETE"
		do(func() { st.own("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create.") })
	default:
		do(func() { st.own("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update.") })
	}
	for _, name := range made {
		do(func() {
			r.remove(cs.resources[name])
			st.say(name, cs.resources[name].Type, "", "DELETE_COMPLETE", "")
		})
	}
	do(func() {
		st.Params, st.Outputs, st.Resources, st.order = before.Params, before.Outputs, before.Resources, before.order
		st.own(ending, "")
		if ending == "DELETE_COMPLETE" {
			r.bury(st)
		}
	})
}

func (r *regionState) bury(st *Stack) {
	delete(r.stacks, st.Name)
	r.dead[st.ID] = st
}

func (s *Server) deleteStack(r *regionState, st *Stack, region string) {
	if st.Status == "REVIEW_IN_PROGRESS" {
		st.Status = "DELETE_COMPLETE"
		r.bury(st)
		return
	}
	if strings.HasPrefix(st.Status, "DELETE_") && st.Status != "DELETE_FAILED" {
		return
	}
	st.Status = "DELETE_IN_PROGRESS"
	do := func(f func()) { st.todo = append(st.todo, f) }
	do(func() { st.own("DELETE_IN_PROGRESS", "User Initiated") })
	for _, name := range slices.Backward(slices.Clone(st.order)) {
		res := st.Resources[name]
		do(func() {
			if why := s.FailResource[region+" "+name+" Delete"]; why != "" {
				st.say(name, res.Type, "", "DELETE_FAILED", why)
				return
			}
			st.order = slices.DeleteFunc(st.order, func(n string) bool { return n == name })
			if strings.HasPrefix(res.DeletionPolicy, "Retain") {
				st.say(name, res.Type, "", "DELETE_SKIPPED", "")
				return
			}
			r.remove(res)
			st.say(name, res.Type, "", "DELETE_COMPLETE", "")
		})
	}
	do(func() {
		if len(st.order) > 0 {
			st.own("DELETE_FAILED", "The following resource(s) failed to delete.")
			return
		}
		st.own("DELETE_COMPLETE", "")
		r.bury(st)
	})
}

// Inside is how tests look into a Region; call it in Do.
type Inside struct{ r *regionState }

// In returns the inside of a Region.
func (s *Server) In(region string) Inside { return Inside{s.region(region)} }

// Stack is the living stack of that name, or nil.
func (i Inside) Stack(name string) *Stack { return i.r.stacks[name] }

// HubEnabled reports whether Security Hub is enabled.
func (i Inside) HubEnabled() bool { return i.r.hub }

// EnableHub enables Security Hub as somebody else would.
func (i Inside) EnableHub() { i.r.hub = true }

// Aggregate makes an aggregator as somebody else would.
func (i Inside) Aggregate(arn, mode string, regions ...string) {
	i.r.aggregator = &aggregator{arn, mode, regions}
}

// Linked are the Regions that the aggregator shows, or nil.
func (i Inside) Linked() []string {
	if i.r.aggregator == nil {
		return nil
	}
	return i.r.aggregator.regions
}

// MakeLogGroup makes a log group as somebody else would.
func (i Inside) MakeLogGroup(name string, days int) { i.r.groups[name] = &logGroup{retention: days} }

// LogGroups are the names of the log groups.
func (i Inside) LogGroups() []string { return cfntest.Names(i.r.groups) }

// SetLastEvent says when a log group got its last event, in milliseconds since 1970.
func (i Inside) SetLastEvent(group string, ms int64) { i.r.groups[group].lastEvent = ms }

// SetMessages puts n messages into the queue whose URL ends in that name.
func (i Inside) SetMessages(name string, n int) {
	for url := range i.r.queues {
		if strings.HasSuffix(url, name) {
			i.r.queues[url] = n
		}
	}
}

// Objects are the bucket's keys and policy; ok is false if there is no such bucket.
func (i Inside) Objects(name string) (keys []string, policy string, ok bool) {
	b := i.r.buckets[name]
	if b == nil {
		return nil, "", false
	}
	return cfntest.Names(b.objects), b.policy, true
}

// MakeBucket makes a bucket of another account's, or untagged one of this account's, with one object in it.
func (i Inside) MakeBucket(name, owner string) {
	i.r.buckets[name] = &bucket{owner, map[string][]byte{"theirs": []byte("x")}, map[string]string{}, ""}
}

// SetStatus sets a stack's status.
func (st *Stack) SetStatus(status string) { st.Status = status }
