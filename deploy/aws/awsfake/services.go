package awsfake

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// securityHub answers Security Hub's REST API.
func (s *Server) securityHub(q *request) (answer, *failure) {
	r := s.region(q.call.Region)
	if !r.hub {
		return answer{}, fail(403, "InvalidAccessException", "Account %s is not subscribed to AWS Security Hub", Account)
	}
	hub := "arn:aws:securityhub:" + q.call.Region + ":" + Account + ":hub/default"
	switch q.call.Action {
	case "GET accounts":
		return asJSON(map[string]any{"HubArn": hub, "AutoEnableControls": true})
	case "DELETE accounts":
		r.hub, r.hubTags = false, nil
		return asJSON(map[string]any{})
	case "GET administrator":
		if s.Administrator == "" {
			return asJSON(map[string]any{})
		}
		return asJSON(map[string]any{"Administrator": map[string]string{"AccountId": s.Administrator}})
	case "GET tags":
		return asJSON(map[string]any{"Tags": r.hubTags})
	case "GET findingAggregator":
		list := []map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(s.regions)) { // any Region tells of the home Region's
			if a := s.regions[name].aggregator; a != nil {
				if q.URL.Path != "/findingAggregator/list" {
					return asJSON(map[string]any{"FindingAggregatorArn": a.arn, "RegionLinkingMode": a.mode, "Regions": a.regions, "FindingAggregationRegion": name})
				}
				list = append(list, map[string]string{"FindingAggregatorArn": a.arn})
			}
		}
		return asJSON(map[string]any{"FindingAggregators": list})
	}
	return answer{}, fail(501, "NotImplemented", "%s %s", q.Method, q.URL.Path)
}

func asJSON(v any) (answer, *failure) {
	text, err := json.Marshal(v)
	if err != nil {
		return answer{}, fail(500, "InternalFailure", "%v", err)
	}
	return answer{200, string(text), map[string]string{"Content-Type": "application/json"}}, nil
}

// jsonServices answers CloudWatch Logs and SQS.
func (s *Server) jsonServices(q *request) (answer, *failure) {
	r := s.region(q.call.Region)
	switch q.call.Action {
	case "DescribeLogGroups":
		groups := []map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(r.groups)) {
			if strings.HasPrefix(name, q.call.Target) {
				g := map[string]any{"logGroupName": name, "arn": "arn:aws:logs:" + q.call.Region + ":" + Account + ":log-group:" + name + ":*"}
				if n := r.groups[name].retention; n > 0 {
					g["retentionInDays"] = n
				}
				groups = append(groups, g)
			}
		}
		return asJSON(map[string]any{"logGroups": groups})
	case "ListTagsForResource":
		if strings.HasSuffix(q.call.Target, ":*") {
			return answer{}, fail(400, "InvalidParameterException", "the ARN ends with :*")
		}
		_, name, _ := strings.Cut(q.call.Target, ":log-group:")
		if g := r.groups[name]; g != nil {
			return asJSON(map[string]any{"tags": g.tags})
		}
		return answer{}, fail(400, "ResourceNotFoundException", "The specified log group does not exist.")
	case "DeleteLogGroup", "DescribeLogStreams":
		g := r.groups[q.call.Target]
		if g == nil {
			return answer{}, fail(400, "ResourceNotFoundException", "The specified log group does not exist.")
		}
		if q.call.Action == "DeleteLogGroup" {
			delete(r.groups, q.call.Target)
			return asJSON(map[string]any{})
		}
		if g.lastEvent == 0 {
			return asJSON(map[string]any{"logStreams": []any{}})
		}
		return asJSON(map[string]any{"logStreams": []any{map[string]any{"logStreamName": "node-1", "lastEventTimestamp": g.lastEvent}}})
	case "GetQueueAttributes":
		n, ok := r.queues[q.call.Target]
		if !ok {
			return answer{}, fail(400, "com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
		}
		return asJSON(map[string]any{"Attributes": map[string]string{"ApproximateNumberOfMessages": fmt.Sprint(n), "ApproximateNumberOfMessagesNotVisible": "0"}})
	}
	return answer{}, fail(400, "UnknownOperationException", "%s", q.call.Action)
}

type bucket struct {
	owner   string
	objects map[string][]byte
	tags    map[string]string
	policy  string
}

func (q *request) parseS3() {
	name, key, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
	what := "Bucket"
	if key != "" {
		what = "Object"
	}
	for _, sub := range []string{"tagging", "policy", "delete", "list-type"} {
		if q.URL.Query().Has(sub) {
			what = sub
		}
	}
	q.call.Action, q.call.Target = q.Method+" "+what, strings.TrimSuffix(name+"/"+key, "/")
}

// s3 answers S3, with the bucket's name in the path.
func (s *Server) s3(q *request) (answer, *failure) {
	name, key, _ := strings.Cut(q.call.Target, "/")
	r := s.region(q.call.Region)
	b := r.buckets[name]
	if owner := q.Header.Get("X-Amz-Expected-Bucket-Owner"); b != nil && owner != "" && owner != b.owner {
		return answer{}, fail(403, "AccessDenied", "Access Denied")
	}
	if q.call.Action == "PUT Bucket" {
		return s.createBucket(q, r, name)
	}
	if b == nil {
		return answer{}, fail(404, "NoSuchBucket", "The specified bucket does not exist")
	}
	switch q.call.Action {
	case "HEAD Bucket":
		return answer{}, nil
	case "DELETE Bucket":
		if len(b.objects) > 0 {
			return answer{}, fail(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
		}
		delete(r.buckets, name)
		return answer{status: 204}, nil
	case "PUT tagging":
		var t struct {
			TagSet struct{ Tag []struct{ Key, Value string } }
		}
		if err := xml.Unmarshal(q.body, &t); err != nil {
			return answer{}, fail(400, "MalformedXML", "%v", err)
		}
		for _, tag := range t.TagSet.Tag {
			b.tags[tag.Key] = tag.Value
		}
		return answer{status: 204}, nil
	case "GET tagging":
		if len(b.tags) == 0 {
			return answer{}, fail(404, "NoSuchTagSet", "The TagSet does not exist")
		}
		text := ""
		for k, v := range b.tags {
			text += "<Tag><Key>" + k + "</Key><Value>" + v + "</Value></Tag>"
		}
		return answer{200, "<Tagging><TagSet>" + text + "</TagSet></Tagging>", nil}, nil
	case "PUT policy":
		b.policy = string(q.body)
		return answer{status: 204}, nil
	case "GET list-type", "POST delete":
		return b.many(q)
	}
	return b.object(q, key)
}

func (s *Server) createBucket(q *request, r *regionState, name string) (answer, *failure) {
	for _, other := range s.regions {
		if b := other.buckets[name]; b != nil {
			if b.owner == Account {
				return answer{}, fail(409, "BucketAlreadyOwnedByYou", "you own it")
			}
			return answer{}, fail(409, "BucketAlreadyExists", "The requested bucket name is not available")
		}
	}
	if named := strings.Contains(string(q.body), "<LocationConstraint>"+q.call.Region+"<"); named == (q.call.Region == "us-east-1") {
		return answer{}, fail(400, "IllegalLocationConstraintException", "wrong location constraint for %s: %s", q.call.Region, q.body)
	}
	r.buckets[name] = &bucket{Account, map[string][]byte{}, map[string]string{}, ""}
	return answer{}, nil
}

func (b *bucket) many(q *request) (answer, *failure) {
	var out strings.Builder
	if q.call.Action == "GET list-type" {
		for _, key := range slices.Sorted(maps.Keys(b.objects)) {
			fmt.Fprintf(&out, "<Contents><Key>%s</Key><Size>%d</Size></Contents>", key, len(b.objects[key]))
		}
		return answer{200, "<ListBucketResult><IsTruncated>false</IsTruncated>" + out.String() + "</ListBucketResult>", nil}, nil
	}
	var in struct {
		Object []struct{ Key string }
	}
	if err := xml.Unmarshal(q.body, &in); err != nil {
		return answer{}, fail(400, "MalformedXML", "%v", err)
	}
	for _, o := range in.Object {
		delete(b.objects, o.Key)
		fmt.Fprintf(&out, "<Deleted><Key>%s</Key></Deleted>", o.Key)
	}
	return answer{200, "<DeleteResult>" + out.String() + "</DeleteResult>", nil}, nil
}

func (b *bucket) object(q *request, key string) (answer, *failure) {
	switch q.call.Action {
	case "HEAD Object":
		o, ok := b.objects[key]
		if !ok {
			return answer{}, fail(404, "NotFound", "Not Found")
		}
		return answer{200, "", map[string]string{"Content-Length": fmt.Sprint(len(o))}}, nil
	case "PUT Object":
		sum := sha256.Sum256(q.body)
		if q.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(sum[:]) {
			return answer{}, fail(400, "BadDigest", "the SHA-256 that was given is not that of the body")
		}
		b.objects[key] = q.body
		return answer{}, nil
	}
	return answer{}, fail(http.StatusNotImplemented, "NotImplemented", "%s", q.call.Action)
}
