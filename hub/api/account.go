package api

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/hub"
)

// Limits of tags: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html.
const (
	maxTags     = 50
	maxTagKey   = 128 // characters
	maxTagValue = 256 // characters
)

// enable is EnableSecurityHub. EnableDefaultStandards is checked and otherwise without effect: the hub has no standards.
func (s *Server) enable(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err != nil {
		return nil, err
	}
	if _, err := p.boolean("EnableDefaultStandards"); err != nil {
		return nil, err
	}
	generator, err := p.enum("ControlFindingGenerator", "STANDARD_CONTROL", "SECURITY_CONTROL")
	if err != nil {
		return nil, err
	}
	var o hub.EnableOptions
	if generator != nil {
		o.ControlFindingGenerator = *generator
	}
	if p.has("Tags") {
		if o.Tags, err = parseTags(p); err != nil {
			return nil, err
		}
	}
	return struct{}{}, s.c.Hub.Enable(c, o)
}

// disable is DisableSecurityHub.
func (s *Server) disable(c *call) (any, error) {
	return struct{}{}, s.c.Hub.Disable(c)
}

// describe is DescribeHub.
func (s *Server) describe(c *call) (any, error) {
	d, err := s.c.Hub.Describe(c)
	if err != nil {
		return nil, err
	}
	if arn := c.query.Get("HubArn"); arn != "" && arn != d.HubArn {
		return nil, hub.ErrNotFound
	}
	return struct {
		HubArn, SubscribedAt    string
		AutoEnableControls      bool
		ControlFindingGenerator string
	}{d.HubArn, formatTime(d.SubscribedAt), d.AutoEnableControls, d.ControlFindingGenerator}, nil
}

// tag is TagResource.
func (s *Server) tag(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err == nil {
		err = p.require("Tags")
	}
	if err != nil {
		return nil, err
	}
	tags, err := parseTags(p)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.c.Hub.Tag(c, c.label, tags)
}

func parseTags(p params) (map[string]string, error) {
	tags, err := p.stringMap("Tags", mapLimits{entries: maxTags, key: maxTagKey, value: maxTagValue, emptyValue: true})
	if err != nil {
		return nil, err
	}
	if len(tags) == 0 {
		return nil, p.wrong("Tags", "a map of at least one tag")
	}
	for key, value := range tags {
		if err := checkTagKey(key); err != nil {
			return nil, err
		}
		if !isTagText(value) {
			return nil, invalidParameter("Tags", "The value of '%s' has a character that tags do not allow", clip(key))
		}
	}
	return tags, nil
}

func checkTagKey(key string) error {
	switch {
	case key == "" || utf8.RuneCountInString(key) > maxTagKey:
		return invalidParameter("Tags", "A tag key should have from 1 to %d characters", maxTagKey)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return invalidParameter("Tags", "The tag key '%s' begins with aws:, which is reserved", clip(key))
	case !isTagText(key):
		return invalidParameter("Tags", "The tag key '%s' has a character that tags do not allow", clip(key))
	}
	return nil
}

// isTagText allows letters, numbers, spaces and _ . : / = + - @.
func isTagText(s string) bool {
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.In(c, unicode.Z) && !strings.ContainsRune("_.:/=+-@", c) {
			return false
		}
	}
	return true
}

// untag is UntagResource; the keys stand in the query.
func (s *Server) untag(c *call) (any, error) {
	keys := c.query["tagKeys"]
	if len(keys) < 1 || len(keys) > maxTags {
		return nil, invalidParameter("tagKeys", "tagKeys should have from 1 to %d elements", maxTags)
	}
	for _, key := range keys {
		if err := checkTagKey(key); err != nil {
			return nil, err
		}
	}
	return struct{}{}, s.c.Hub.Untag(c, c.label, keys)
}

// tags is ListTagsForResource.
func (s *Server) tags(c *call) (any, error) {
	tags, err := s.c.Hub.Tags(c, c.label)
	if tags == nil {
		tags = map[string]string{}
	}
	return struct{ Tags map[string]string }{tags}, err
}
