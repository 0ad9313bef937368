package awsfake

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/eyrie-sec/eyrie/deploy/aws/cfntest"
)

// Stack is a stack.
type Stack struct {
	ID, Name, Status, Reason string
	Params, Outputs, Tags    map[string]string
	Resources                map[string]cfntest.Evaluated
	order                    []string
	events                   []event // oldest first
	todo                     []func()
	drift                    string
}

type event struct{ id, logical, physical, kind, status, reason string }

type changeSet struct {
	id, kind, status, reason string
	stack                    *Stack
	resources                map[string]cfntest.Evaluated
	outputs, params          map[string]string
	order                    []string
	changes                  []change
	onFailure                string
	asked                    int
}

type change struct{ action, logical, kind, replacement, detail string }

func (q *request) parseQuery() {
	form, err := url.ParseQuery(string(q.body))
	if err == nil {
		q.Form = form
	}
	q.call.Action, q.call.Target = q.Form.Get("Action"), q.Form.Get("StackName")
	if q.call.Target == "" {
		q.call.Target = q.Form.Get("ChangeSetName")
	}
}

// members reads Prefix.member.N.key and .value pairs.
func members(form url.Values, prefix, key, value string) map[string]string {
	m := map[string]string{}
	for i := 1; form.Has(fmt.Sprintf("%s.member.%d.%s", prefix, i, key)); i++ {
		m[form.Get(fmt.Sprintf("%s.member.%d.%s", prefix, i, key))] = form.Get(fmt.Sprintf("%s.member.%d.%s", prefix, i, value))
	}
	return m
}

// cloudFormation answers CloudFormation's, and STS's, query API.
func (s *Server) cloudFormation(q *request) (answer, *failure) {
	r := s.region(q.call.Region)
	switch q.call.Action {
	case "GetCallerIdentity":
		return result(q, "<Account>"+Account+"</Account><Arn>arn:aws:iam::"+Account+":user/jo</Arn><UserId>AIDA</UserId>")
	case "CreateChangeSet":
		return s.createChangeSet(q, r)
	case "DescribeChangeSet":
		return describeChangeSet(q, r)
	case "DeleteChangeSet":
		delete(r.changeSets, q.call.Target)
		return result(q, "")
	case "ExecuteChangeSet":
		return s.executeChangeSet(q, r)
	case "DescribeStackDriftDetectionStatus":
		for _, st := range r.stacks {
			if st.ID == q.Form.Get("StackDriftDetectionId") {
				return result(q, "<DetectionStatus>DETECTION_COMPLETE</DetectionStatus><StackDriftStatus>"+st.drift+"</StackDriftStatus>")
			}
		}
	}
	st := r.find(q.call.Target)
	if st == nil {
		if q.call.Action == "DeleteStack" {
			return result(q, "")
		}
		return answer{}, fail(400, "ValidationError", "Stack with id %s does not exist", q.call.Target)
	}
	switch q.call.Action {
	case "DescribeStacks":
		return result(q, "<Stacks><member>"+st.xml()+"</member></Stacks>")
	case "ListStackResources":
		var out strings.Builder
		for _, name := range st.order {
			res := st.Resources[name]
			fmt.Fprintf(&out, "<member><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType><PhysicalResourceId>%s</PhysicalResourceId><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>",
				name, res.Type, escape(res.Ref))
		}
		return result(q, "<StackResourceSummaries>"+out.String()+"</StackResourceSummaries>")
	case "DescribeStackEvents":
		st.advance(7)
		return result(q, "<StackEvents>"+st.eventsXML()+"</StackEvents>")
	case "DeleteStack":
		s.deleteStack(r, st, q.call.Region)
		return result(q, "")
	case "DetectStackDrift":
		st.drift = "IN_SYNC"
		if len(s.FailResource) > 0 && s.FailResource[q.call.Region+" drift"] != "" {
			st.drift = "DRIFTED"
		}
		return result(q, "<StackDriftDetectionId>"+st.ID+"</StackDriftDetectionId>")
	case "DescribeStackResourceDrifts":
		if st.drift != "DRIFTED" {
			return result(q, "<StackResourceDrifts></StackResourceDrifts>")
		}
		return result(q, "<StackResourceDrifts><member><LogicalResourceId>"+s.FailResource[q.call.Region+" drift"]+"</LogicalResourceId><StackResourceDriftStatus>MODIFIED</StackResourceDriftStatus></member></StackResourceDrifts>")
	}
	return answer{}, fail(400, "InvalidAction", "%s", q.call.Action)
}

func result(q *request, body string) (answer, *failure) {
	return answer{200, fmt.Sprintf("<%sResponse><%sResult>%s</%sResult></%sResponse>", q.call.Action, q.call.Action, body, q.call.Action, q.call.Action), nil}, nil
}

func (r *regionState) find(nameOrID string) *Stack {
	if st := r.stacks[nameOrID]; st != nil {
		return st
	}
	for _, st := range r.stacks {
		if st.ID == nameOrID {
			return st
		}
	}
	return r.dead[nameOrID]
}

func (st *Stack) xml() string {
	pairs := func(section, key, value string, m map[string]string) string {
		var out strings.Builder
		for _, k := range cfntest.Names(m) {
			fmt.Fprintf(&out, "<member><%s>%s</%s><%s>%s</%s></member>", key, k, key, value, escape(m[k]), value)
		}
		return "<" + section + ">" + out.String() + "</" + section + ">"
	}
	drift := ""
	if st.drift != "" {
		drift = "<DriftInformation><StackDriftStatus>" + st.drift + "</StackDriftStatus></DriftInformation>"
	}
	return fmt.Sprintf("<StackId>%s</StackId><StackName>%s</StackName><StackStatus>%s</StackStatus><StackStatusReason>%s</StackStatusReason>%s%s%s%s<CreationTime>2026-11-21T00:00:00Z</CreationTime>",
		st.ID, st.Name, st.Status, escape(st.Reason), drift, pairs("Parameters", "ParameterKey", "ParameterValue", st.Params),
		pairs("Outputs", "OutputKey", "OutputValue", st.Outputs), pairs("Tags", "Key", "Value", st.Tags))
}

func (st *Stack) eventsXML() string {
	var out strings.Builder
	for _, e := range slices.Backward(st.events) {
		fmt.Fprintf(&out, "<member><EventId>%s</EventId><StackId>%s</StackId><StackName>%s</StackName><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId><ResourceType>%s</ResourceType><ResourceStatus>%s</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason><Timestamp>2026-11-21T00:00:00Z</Timestamp></member>",
			e.id, st.ID, st.Name, e.logical, escape(e.physical), e.kind, e.status, escape(e.reason))
	}
	return out.String()
}

// advance does the next n steps of what is under way.
func (st *Stack) advance(n int) {
	for ; n > 0 && len(st.todo) > 0; n-- {
		step := st.todo[0]
		st.todo = st.todo[1:]
		step()
	}
}

func (st *Stack) say(logical, kind, physical, status, reason string) {
	st.events = append(st.events, event{fmt.Sprintf("%s-%d", st.Name, len(st.events)), logical, physical, kind, status, reason})
}

func (st *Stack) own(status, reason string) {
	st.Status, st.Reason = status, reason
	st.say(st.Name, "AWS::CloudFormation::Stack", st.ID, status, reason)
}

func (s *Server) createChangeSet(q *request, r *regionState) (answer, *failure) {
	f := q.Form
	name, kind := f.Get("StackName"), f.Get("ChangeSetType")
	st := r.stacks[name]
	if kind == "CREATE" && st != nil && st.Status != "REVIEW_IN_PROGRESS" {
		return answer{}, fail(400, "ValidationError", "Stack [%s] already exists and cannot be created again with the changeSet [x].", name)
	}
	if kind == "UPDATE" && (st == nil || st.Status == "REVIEW_IN_PROGRESS") {
		return answer{}, fail(400, "ValidationError", "Stack [%s] does not exist", name)
	}
	parsed, err := cfntest.Parse(f.Get("TemplateBody"))
	if err != nil {
		return answer{}, fail(400, "ValidationError", "Template format error: %v", err)
	}
	params := members(f, "Parameters", "ParameterKey", "ParameterValue")
	resources, outputs, err := parsed.Evaluate(params, cfntest.Pseudo(Account, q.call.Region, name))
	if err != nil {
		return answer{}, fail(400, "ValidationError", "%v", err)
	}
	for _, res := range resources {
		if res.Type == "AWS::IAM::Role" && f.Get("Capabilities.member.1") != "CAPABILITY_IAM" {
			return answer{}, fail(400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")
		}
	}
	if st == nil {
		s.serial++
		st = &Stack{Name: name, Status: "REVIEW_IN_PROGRESS", ID: fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%d", q.call.Region, Account, name, s.serial)}
		r.stacks[name] = st
	}
	st.Tags = members(f, "Tags", "Key", "Value")
	if st.Params == nil {
		st.Params = params
	}
	for p, v := range parsed.Parameters {
		if _, given := params[p]; !given {
			params[p] = fmt.Sprint(v.Default)
		}
	}
	cs := &changeSet{id: fmt.Sprintf("arn:aws:cloudformation:%s:%s:changeSet/%s/1", q.call.Region, Account, f.Get("ChangeSetName")), kind: kind, status: "CREATE_COMPLETE",
		stack: st, resources: resources, outputs: outputs, params: params, order: parsed.Order, onFailure: f.Get("OnStackFailure")}
	cs.compare()
	if len(cs.changes) == 0 {
		cs.status, cs.reason = "FAILED", "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	r.changeSets[cs.id] = cs
	return result(q, "<Id>"+cs.id+"</Id><StackId>"+st.ID+"</StackId>")
}

// compare fills in the changes from the stack as it is.
func (cs *changeSet) compare() {
	was := cs.stack.Resources
	for _, name := range cs.order {
		now, is := cs.resources[name]
		before, existed := was[name]
		switch {
		case is && !existed:
			cs.changes = append(cs.changes, change{"Add", name, now.Type, "", ""})
		case is && !reflect.DeepEqual(now.Properties, before.Properties):
			detail := ""
			for _, p := range cfntest.Names(now.Properties) {
				if detail == "" && !reflect.DeepEqual(now.Properties[p], before.Properties[p]) {
					detail = p
				}
			}
			replacement := "False"
			if now.Ref != before.Ref {
				replacement = "True"
			}
			cs.changes = append(cs.changes, change{"Modify", name, now.Type, replacement, detail})
		case !is && existed:
			cs.changes = append(cs.changes, change{"Remove", name, before.Type, "", ""})
		}
	}
}

func describeChangeSet(q *request, r *regionState) (answer, *failure) {
	cs := r.changeSets[q.call.Target]
	if cs == nil {
		return answer{}, fail(404, "ChangeSetNotFound", "ChangeSet [%s] does not exist", q.call.Target)
	}
	if cs.asked++; cs.asked == 1 { // the first question comes too early
		return result(q, "<Status>CREATE_IN_PROGRESS</Status>")
	}
	changes, next := cs.changes, ""
	if len(changes) > 20 { // in pages, as AWS does
		if q.Form.Get("NextToken") == "" {
			changes, next = changes[:20], "<NextToken>2</NextToken>"
		} else {
			changes = changes[20:]
		}
	}
	var out strings.Builder
	for _, c := range changes {
		details := ""
		if c.detail != "" {
			details = "<Details><member><Target><Attribute>Properties</Attribute><Name>" + c.detail + "</Name></Target></member></Details>"
		}
		fmt.Fprintf(&out, "<member><Type>Resource</Type><ResourceChange><Action>%s</Action><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType><Replacement>%s</Replacement>%s</ResourceChange></member>",
			c.action, c.logical, c.kind, c.replacement, details)
	}
	return result(q, fmt.Sprintf("<ChangeSetId>%s</ChangeSetId><Status>%s</Status><StatusReason>%s</StatusReason><Changes>%s</Changes>%s", cs.id, cs.status, escape(cs.reason), out.String(), next))
}
