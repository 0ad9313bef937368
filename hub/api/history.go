package api

import (
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

// historyRecord is AWS's FindingHistoryRecord. Absent values are left out: the model wants them not to be blank.
type historyRecord struct {
	FindingIdentifier key
	UpdateTime        string
	FindingCreated    bool
	UpdateSource      historySource
	Updates           []historyUpdate
}

type historySource struct{ Type, Identity string }

type historyUpdate struct {
	UpdatedField string
	OldValue     string `json:",omitempty"`
	NewValue     string `json:",omitempty"`
}

// wireTime is the format of the timestamps that the hub itself makes: ISO 8601 in milliseconds, as AWS writes it.
const wireTime = "2006-01-02T15:04:05.000Z"

func formatTime(t time.Time) string { return t.UTC().Format(wireTime) }

// findingHistory is GetFindingHistory.
func (s *Server) findingHistory(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err == nil {
		err = p.require("FindingIdentifier")
	}
	if err != nil {
		return nil, err
	}
	id, _, err := p.object("FindingIdentifier")
	if err != nil {
		return nil, err
	}
	k, err := parseKey(id)
	if err != nil {
		return nil, err
	}
	q, err := parseHistoryQuery(p)
	if err != nil {
		return nil, err
	}
	records, next, err := s.c.Hub.History(c, k, q)
	if err != nil {
		return nil, err
	}
	out := struct {
		Records   []historyRecord
		NextToken string `json:",omitempty"`
	}{[]historyRecord{}, next}
	for _, r := range records {
		updates := []historyUpdate{}
		for _, u := range r.Updates {
			updates = append(updates, historyUpdate{u.Field, u.Old, u.New})
		}
		out.Records = append(out.Records, historyRecord{keyOf(k), formatTime(r.At), r.Created,
			historySource{r.Source, string(r.Identity)}, updates})
	}
	return out, nil
}

func parseHistoryQuery(p params) (q hub.HistoryQuery, err error) {
	if q.Start, err = p.time("StartTime"); err != nil {
		return q, err
	}
	if q.End, err = p.time("EndTime"); err != nil {
		return q, err
	}
	if !q.End.IsZero() && q.End.Before(q.Start) {
		return q, invalidParameter("EndTime", "EndTime should not be before StartTime")
	}
	if q.Limit, err = p.maxResults(); err != nil {
		return q, err
	}
	q.Token, err = parseToken(p)
	return q, err
}
