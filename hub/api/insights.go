package api

import (
	"encoding/json"

	"github.com/eyrie-sec/eyrie/hub"
)

const (
	maxInsightName = 128 // characters; ours: AWS states none
	maxInsightArns = 100 // of one GetInsights; ours: as many as a hub has
)

// createInsight is CreateInsight.
func (s *Server) createInsight(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err == nil {
		err = p.require("Name", "Filters", "GroupByAttribute")
	}
	if err != nil {
		return nil, err
	}
	u, err := parseInsight(p)
	if err != nil {
		return nil, err
	}
	arn, err := s.c.Hub.CreateInsight(c, hub.Insight{Name: *u.Name, Filters: *u.Filters, GroupByAttribute: *u.GroupByAttribute})
	return struct{ InsightArn string }{arn}, err
}

// updateInsight is UpdateInsight.
func (s *Server) updateInsight(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err != nil {
		return nil, err
	}
	u, err := parseInsight(p)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.c.Hub.UpdateInsight(c, c.label, u)
}

// parseInsight reads the parameters that are there.
func parseInsight(p params) (u hub.InsightUpdate, err error) {
	if p.has("Name") {
		name, err := p.limited("Name", maxInsightName)
		if err != nil {
			return u, err
		}
		u.Name = &name
	}
	if p.has("GroupByAttribute") {
		group, err := p.str("GroupByAttribute")
		if err != nil {
			return u, err
		}
		u.GroupByAttribute = &group
	}
	if p.has("Filters") {
		filters, err := parseFilters(p)
		if err != nil {
			return u, err
		}
		u.Filters = &filters
	}
	return u, nil
}

// deleteInsight is DeleteInsight.
func (s *Server) deleteInsight(c *call) (any, error) {
	return struct{ InsightArn string }{c.label}, s.c.Hub.DeleteInsight(c, c.label)
}

// getInsights is GetInsights.
func (s *Server) getInsights(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err != nil {
		return nil, err
	}
	arns, err := p.strings("InsightArns", 0, maxInsightArns)
	if err != nil {
		return nil, err
	}
	limit, err := p.maxResults()
	if err != nil {
		return nil, err
	}
	token, err := parseToken(p)
	if err != nil {
		return nil, err
	}
	insights, next, err := s.c.Hub.Insights(c, arns, limit, token)
	if err != nil {
		return nil, err
	}
	type insight struct {
		InsightArn, Name string
		Filters          json.RawMessage
		GroupByAttribute string
	}
	out := struct {
		Insights  []insight
		NextToken string `json:",omitempty"`
	}{[]insight{}, next}
	for _, i := range insights {
		out.Insights = append(out.Insights, insight{i.Arn, i.Name, i.Filters.JSON(), i.GroupByAttribute})
	}
	return out, nil
}

// insightResults is GetInsightResults.
func (s *Server) insightResults(c *call) (any, error) {
	r, err := s.c.Hub.InsightResults(c, c.label)
	if err != nil {
		return nil, err
	}
	type value struct {
		GroupByAttributeValue string
		Count                 int
	}
	type results struct {
		InsightArn, GroupByAttribute string
		ResultValues                 []value
	}
	out := results{r.Arn, r.GroupByAttribute, []value{}}
	for _, b := range r.Values {
		out.ResultValues = append(out.ResultValues, value{b.Value, b.Count})
	}
	return struct{ InsightResults results }{out}, nil
}
