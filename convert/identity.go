package convert

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/blake2b"

	"github.com/eyrie-sec/eyrie/falco"
)

// Identity says which fields tell two troubles of the same rule and workload apart. Beside the names of Falco fields
// ("user.name", "fd.sport") there are four of our own:
//
//	process  the executable: proc.exepath, else proc.exe, else proc.name
//	parent   the parent's executable: proc.pexepath, else proc.pname
//	target   the file or, for connections, the remote address and the service's port
//	image    the container image's repository
//
// Volatile parts of their values do not count: process ids, random suffixes, dates, UUIDs and the like.
type Identity struct {
	// Default holds for rules that Rules does not list. Nil means process and target; an empty list means that each
	// workload has one finding of a rule.
	Default []string `yaml:"default" json:"default"`
	// Rules are added to the built-in table (DefaultIdentity), by the rule's name.
	Rules map[string][]string `yaml:"rules" json:"rules"`
}

// DefaultIdentity is the built-in identity: process and target, and the fields of those of Falco's own rules that need
// others.
func DefaultIdentity() Identity {
	container := []string{"image"}
	spawned := []string{"process", "parent"}
	session := []string{"process", "user.name"}
	process := []string{"process"}
	return Identity{
		Default: []string{"process", "target"},
		Rules: map[string][]string{
			// The container is the trouble, whatever runs in it.
			"Launch Privileged Container":          container,
			"Launch Excessively Capable Container": container,
			"Launch Disallowed Container":          container,
			"Container Run as Root User":           container,
			"Launch Sensitive Mount Container":     {"image", "container.mounts"},
			// Who started it matters as much as what was started.
			"Run shell untrusted":                         spawned,
			"DB program spawned process":                  spawned,
			"Web Server Spawned Shell":                    spawned,
			"Web Server Spawned Suspicious Child Process": spawned,
			"Reverse Shell from Web Server":               spawned,
			"Search Private Keys or Passwords":            spawned,
			"Find AWS Credentials":                        spawned,
			"Basic Interactive Reconnaissance":            {"process", "parent", "user.name"},
			// A person is at work.
			"Terminal shell in container": session,
			"System user interactive":     session,
			"Non sudo setuid":             {"process", "evt.arg.uid"},
			// The endpoint is given by the rule, or changes with every attempt.
			"Contact K8S API Server From Container":                  process,
			"Contact EC2 Instance Metadata Service From Container":   process,
			"Contact cloud metadata service from container":          process,
			"Detect outbound connections to common miner pool ports": process,
			// What is loaded stands in the arguments.
			"Linux Kernel Module Injection Detected": {"process", "proc.args"},
			"BPF Program Not Profiled":               {"process", "evt.arg.cmd"},
		},
	}
}

// merged is the built-in identity with the changes of i.
func (i Identity) merged() (Identity, error) {
	m := DefaultIdentity()
	if i.Default != nil {
		m.Default = i.Default
	}
	for rule, fields := range i.Rules {
		m.Rules[rule] = fields
	}
	for rule, fields := range m.Rules {
		for _, f := range fields {
			if f == "" {
				return m, fmt.Errorf("identity of rule %q: empty field name", rule)
			}
		}
	}
	for _, f := range m.Default {
		if f == "" {
			return m, fmt.Errorf("default identity: empty field name")
		}
	}
	return m, nil
}

// idVersion is part of every hash. Raising it gives every finding a new Id, so it changes only with the layout below.
const idVersion = "1"

// id makes the finding's Id:
//
//	falco/PARTITION/REGION/ACCOUNT/CLUSTER/RULE/CLASS/[NAMESPACE/]WORKLOAD/HASH
//
// All but the hash is for people: characters other than letters, digits and "._-" are dashes, long names are cut, "-"
// stands for what is unknown. HASH is the first half of BLAKE2b-256 in hexadecimal digits, over idVersion and then
// partition, Region, account, cluster, rule, class, namespace, workload and image as they are, and for each
// distinguishing field that is known its name and its stable value, each with its length before it (4 bytes,
// big-endian). It must be a cryptographic hash: file names are chosen by attackers, and one who could make a harmless
// finding with the Id of a harmful one would have it suppressed beforehand.
func (s *subject) id(v *view) string {
	var stack [1024]byte
	h := append(stack[:0], s.hashed...)
	for _, part := range [...]string{v.alert.Rule, s.workload.class, s.workload.namespace, s.workload.name, s.workload.image} {
		h = appendSized(h, part)
	}
	for _, name := range s.rule.identity {
		value := s.distinguishing(v, name)
		if value == "" {
			continue
		}
		h = appendSized(h, name)
		at := len(h)
		h = append(h, 0, 0, 0, 0)
		h = appendStable(h, value)
		binary.BigEndian.PutUint32(h[at:], uint32(len(h)-at-4))
	}
	sum := blake2b.Sum256(h)

	var text [512]byte
	id := append(append(append(text[:0], s.originFacts.id...), s.rule.slug...), '/')
	id = append(append(id, s.workload.class...), '/')
	if s.workload.class == "k8s" {
		id = append(appendReadable(id, s.workload.namespace, 63), '/')
	}
	id = append(appendReadable(id, s.workload.name, 80), '/')
	return s.text.of(hex.AppendEncode(id, sum[:16]))
}

// distinguishing returns the value of a field that an Identity names.
func (s *subject) distinguishing(v *view, name string) string {
	switch name {
	case "process":
		return strings.TrimSuffix(v.first(procExePath, procExe, procName), " (deleted)")
	case "parent":
		return v.first(procParentExePath, procParent)
	case "target":
		return strings.TrimSuffix(s.target, " (deleted)")
	case "image":
		return imageRepository(v)
	}
	return v.field(name)
}

func appendSized(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// appendReadable appends at most limit bytes of s as one element of an Id.
func appendReadable(dst []byte, s string, limit int) []byte {
	if s == "" {
		return append(dst, '-')
	}
	for i := range min(len(s), limit) {
		c := s[i]
		if !isWordByte(c) && c != '.' && c != '_' && c != '-' {
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendSlug appends at most limit bytes of s in lower case, with single dashes between its words.
func appendSlug(dst []byte, s string, limit int) []byte {
	start := len(dst)
	for i := 0; i < len(s) && len(dst)-start < limit; i++ {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c|0x20)
		case isWordByte(c):
			dst = append(dst, c)
		case len(dst) > start && dst[len(dst)-1] != '-':
			dst = append(dst, '-')
		}
	}
	if len(dst) > start && dst[len(dst)-1] == '-' {
		dst = dst[:len(dst)-1]
	}
	if len(dst) == start {
		dst = append(dst, '-')
	}
	return dst
}

// subject is what conversion found out about an alert before it writes the finding.
type subject struct {
	*originFacts
	rule *ruleFacts
	text composer

	container  bool
	workload   workload
	display    string // the workload as people call it: "deployment/payments-api"
	connection connection
	target     string // the file, or the remote endpoint, as it was
	process    string
	image      string // repository:tag
}

// find fills a subject that has its rule.
func (s *subject) find(c *Converter, v *view, o falco.Origin) {
	if o.Cluster == "" || o.Cluster == notAvailable {
		o.Cluster = v.get(clusterName)
	}
	s.originFacts = c.origin(o)
	s.container = v.inContainer()
	s.workload = workloadOf(v)
	s.display = s.text.join(s.workload.kind, "/", s.workload.name)
	s.connection = connectionOf(v)
	if s.target = s.connection.endpoint(); s.target == "" {
		s.target = fileOf(v)
	}
	s.process = v.first(procExePath, procExe, procName)
	s.image = s.imageName(v)
}

// isRegion reports whether s can be a Region's name, which stands in ARNs.
func isRegion(s string) bool {
	return s != "" && allBytes(s, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' || c == '-' })
}

func (s *subject) place() place {
	switch {
	case s.container:
		return inContainers
	case s.workload.class == "host":
		return onHost
	}
	return elsewhere
}

// eks returns the cluster's name, and its ARN if it is known to run on EKS.
func (c *Converter) eks(s *originFacts) (name, arn string) {
	if strings.HasPrefix(s.cluster, "arn:") {
		if _, name, ok := strings.Cut(s.cluster, ":cluster/"); ok && strings.Contains(s.cluster, ":eks:") {
			return name, s.cluster
		}
		return s.cluster, ""
	}
	for _, pattern := range c.eksClusters {
		if s.cluster != "" && matchGlob(pattern, s.cluster) {
			return s.cluster, "arn:" + s.partition + ":eks:" + s.region + ":" + s.account + ":cluster/" + s.cluster
		}
	}
	return s.cluster, ""
}
