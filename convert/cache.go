package convert

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
)

// Limits of what a Converter remembers. What does not fit is made anew for each alert, with the same result.
const (
	maxRemembered      = 256     // rules, and origins; Falco's own rules are about 90
	maxRememberedBytes = 8 << 10 // of text for one rule
)

// cache remembers what was made for a key. Reading takes no lock: writers, which are few, replace the map.
type cache[K comparable, V any] struct {
	writing sync.Mutex // held while all is replaced
	all     atomic.Pointer[map[K]*V]
}

// get returns what was put for a key, nil if nothing was.
func (c *cache[K, V]) get(key K) *V {
	if all := c.all.Load(); all != nil {
		return (*all)[key]
	}
	return nil
}

// put remembers v, unless there is no room.
func (c *cache[K, V]) put(key K, v *V) {
	c.writing.Lock()
	defer c.writing.Unlock()
	next := map[K]*V{}
	if all := c.all.Load(); all != nil {
		if len(*all) >= maxRemembered {
			return
		}
		next = maps.Clone(*all)
	}
	next[key] = v
	c.all.Store(&next)
}

// ruleFacts is what a finding says that only depends on the rule, its priority and its tags. It is never changed, and
// shares no text with an alert.
type ruleFacts struct {
	priority falco.Priority
	tags     []string

	generator  string // GeneratorId
	tagList    string // the tags with commas between
	slug       string // the rule in an Id
	label      string // severity
	normalized int
	types      [places][]string
	advice     asff.Recommendation
	identity   []string // the distinguishing fields
	// fields are those of the alert that this was made for, in its order: a rule's alerts all have the same.
	fields []namedInfo
}

// rule returns the facts of an alert's rule.
func (c *Converter) rule(a *falco.Alert) *ruleFacts {
	known := c.rules.get(a.Rule)
	if known != nil && known.priority == a.Priority && slices.Equal(known.tags, a.Tags) {
		return known
	}
	size := len(a.Rule) + len(a.Tags) + len(a.Fields)
	for _, tag := range a.Tags {
		size += len(tag)
	}
	for i := range a.Fields {
		size += len(a.Fields[i].Name)
	}
	if known != nil || size > maxRememberedBytes {
		return c.makeRule(a.Rule, a.Priority, a.Tags)
	}
	tags := slices.Clone(a.Tags)
	for i, tag := range tags {
		tags[i] = strings.Clone(tag)
	}
	rule := strings.Clone(a.Rule)
	r := c.makeRule(rule, a.Priority, tags)
	for i := range a.Fields {
		name := strings.Clone(a.Fields[i].Name)
		info := c.fields[name]
		if info == nil {
			info = &fieldInfo{noSlot, "falco/" + name}
		}
		r.fields = append(r.fields, namedInfo{name, info})
	}
	c.rules.put(rule, r)
	return r
}

func (c *Converter) makeRule(rule string, priority falco.Priority, tags []string) *ruleFacts {
	r := &ruleFacts{
		priority: priority, tags: tags,
		generator: "falco/" + rule,
		tagList:   strings.Join(tags, ","),
		slug:      string(appendSlug(nil, rule, 80)),
		label:     c.severity.Label(rule, priority),
		advice:    c.remediation.recommend(rule, tags),
	}
	r.normalized, _ = asff.SeverityNormalized(r.label) // every map's labels are ASFF's
	for where := range r.types {
		r.types[where] = c.types.of(tags, place(where))
	}
	var ok bool
	if r.identity, ok = c.identity.Rules[rule]; !ok {
		r.identity = c.identity.Default
	}
	return r
}

// originFacts is what a finding says that only depends on the origin, its cluster being that of the alert if the origin
// has none. It is never changed.
type originFacts struct {
	partition, region, account, cluster string

	eksARN     string // of the cluster, "" if it is not known to be an EKS cluster
	productArn string
	id, hashed string // the beginnings of an Id and of what it is the hash of
}

// origin returns the facts of an origin.
func (c *Converter) origin(o falco.Origin) *originFacts {
	if known := c.origins.get(o); known != nil {
		return known
	}
	if len(o.Account)+len(o.Region)+len(o.Cluster) > maxRememberedBytes {
		return c.makeOrigin(o)
	}
	o = falco.Origin{Account: strings.Clone(o.Account), Region: strings.Clone(o.Region), Cluster: strings.Clone(o.Cluster)}
	facts := c.makeOrigin(o)
	c.origins.put(o, facts)
	return facts
}

func (c *Converter) makeOrigin(o falco.Origin) *originFacts {
	f := &originFacts{partition: o.Partition(), region: o.Region, account: o.Account, cluster: o.Cluster, productArn: c.productArn}
	if !isRegion(f.region) {
		f.region = DefaultRegion
	}
	if len(f.account) != 12 || !isDigits(f.account) {
		f.account = DefaultAccount
	}
	f.cluster, f.eksARN = c.eks(f)
	if f.productArn == "" {
		f.productArn = "arn:" + f.partition + ":securityhub:" + f.region + ":" + f.account + ":product/" + f.account + "/default"
	}
	id, hashed := []byte("falco/"), appendSized(nil, idVersion)
	for _, part := range [...]string{f.partition, f.region, f.account, f.cluster} {
		id = append(appendReadable(id, part, 40), '/')
		hashed = appendSized(hashed, part)
	}
	f.id, f.hashed = string(id), string(hashed)
	return f
}
