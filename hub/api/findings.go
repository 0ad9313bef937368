package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// Limits that stand in Security Hub's model or its API reference.
const (
	maxKeys          = 100 // findings of one BatchUpdateFindings (API reference: "up to 100 findings at a time")
	maxNote          = 512 // characters of a note, and of its author (API reference, Note)
	maxTypes         = 50
	maxRelated       = 10
	maxSortCriteria  = 10 // ours: AWS states none
	maxUserFields    = 50
	maxUserFieldKey  = 128  // characters
	maxUserFieldText = 1024 // characters
)

// importFindings is BatchImportFindings. The documents go to the hub as they stand in the body.
func (s *Server) importFindings(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err == nil {
		err = p.require("Findings")
	}
	if err != nil {
		return nil, err
	}
	docs, err := p.raw("Findings", 1, asff.MaxImportFindings)
	if err != nil {
		return nil, err
	}
	for i, doc := range docs {
		if err := s.checkAccount(c, i, doc); err != nil {
			return nil, err
		}
	}
	result, err := s.c.Hub.Import(c, c.by, docs)
	if err != nil {
		return nil, err
	}
	type failure struct{ Id, ErrorCode, ErrorMessage string }
	out := struct {
		FailedCount, SuccessCount int
		FailedFindings            []failure
	}{len(result.Failed), result.Imported, []failure{}}
	for _, f := range result.Failed {
		out.FailedFindings = append(out.FailedFindings, failure{f.ID, f.Code, f.Message})
	}
	return out, nil
}

// checkAccount refuses the whole call for a finding of another account, as AWS does
// (https://github.com/prowler-cloud/prowler/issues/867). What is no finding at all is for the hub to refuse by itself.
func (s *Server) checkAccount(c *call, index int, doc []byte) error {
	if doc[0] != '{' {
		return nil
	}
	var account, product string
	eachMember(doc, func(name string, value []byte) bool {
		switch name {
		case "AwsAccountId":
			_ = json.Unmarshal(value, &account) // not a string: refused by the hub's validation
		case "ProductArn":
			_ = json.Unmarshal(value, &product)
		}
		return true
	})
	if account == "" || account == s.c.Account {
		return nil
	}
	return &Error{"AccessDeniedException", http.StatusForbidden, "User: " + string(c.by) +
		" is not authorized to perform: securityhub:BatchImportFindings on resource: " + clip(product) +
		". AwsAccountId of finding " + strconv.Itoa(index) + " is " + clip(account) + ", the calling account is " + s.c.Account}
}

// getFindings is GetFindings.
func (s *Server) getFindings(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err != nil {
		return nil, err
	}
	var q hub.Query
	if q.Filters, err = parseFilters(p); err != nil {
		return nil, err
	}
	if q.Sort, err = parseSort(p); err != nil {
		return nil, err
	}
	if q.Limit, err = p.maxResults(); err != nil {
		return nil, err
	}
	if q.Token, err = parseToken(p); err != nil {
		return nil, err
	}
	page, err := s.c.Hub.Find(c, q)
	if err != nil {
		return nil, err
	}
	return findingsPage{page.Findings, nextToken(page.Next)}, nil
}

func parseFilters(p params) (asff.Filters, error) {
	if _, _, err := p.object("Filters"); err != nil {
		return nil, err
	}
	return asff.ParseFilters(p.members["Filters"])
}

func parseSort(p params) (all []hub.Sort, err error) {
	err = p.list("SortCriteria", 0, maxSortCriteria, func(e params) error {
		name, err := e.str("Field")
		if err == nil {
			err = e.require("Field")
		}
		if err != nil {
			return err
		}
		attribute, ok := asff.AttributeByName(name)
		if !ok {
			return invalidParameter("SortCriteria", "SortCriteria.Field has an unknown attribute: '%s'", clip(name))
		}
		order, err := e.enum("SortOrder", "asc", "desc")
		if err != nil {
			return err
		}
		all = append(all, hub.Sort{Attribute: attribute, Desc: order != nil && *order == "desc"})
		return nil
	})
	return all, err
}

// parseToken takes the empty token for none: the aws CLI sends one when it is told to start at the beginning.
func parseToken(p params) (string, error) {
	if string(p.members["NextToken"]) == `""` {
		return "", nil
	}
	return p.str("NextToken")
}

// nextToken is the last member of a page's object, "" if there is no next page.
func nextToken(token string) string {
	if token == "" {
		return ""
	}
	return `,"NextToken":` + string(marshal(token))
}

// findingsPage writes the documents of a page as the hub keeps them.
type findingsPage struct {
	findings []hub.Finding
	next     string
}

const (
	findingsHead = `{"Findings":[`
	findingsTail = `]`
)

func (f findingsPage) size() int {
	n := len(findingsHead) + len(findingsTail) + len(f.next) + len("}") + max(0, len(f.findings)-1)
	for i := range f.findings {
		n += len(f.findings[i].Doc)
	}
	return n
}

func (f findingsPage) writeTo(w io.Writer) error {
	comma := []byte(",")
	if _, err := io.WriteString(w, findingsHead); err != nil {
		return err
	}
	for i := range f.findings {
		if i > 0 {
			if _, err := w.Write(comma); err != nil {
				return err
			}
		}
		if _, err := w.Write(f.findings[i].Doc); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, findingsTail+f.next+"}")
	return err
}

// key is AWS's AwsSecurityFindingIdentifier.
type key struct{ Id, ProductArn string }

func keyOf(k hub.Key) key { return key{k.ID, k.ProductArn} }

func parseKey(p params) (hub.Key, error) {
	if err := p.require("Id", "ProductArn"); err != nil {
		return hub.Key{}, err
	}
	id, err := p.str("Id")
	if err != nil {
		return hub.Key{}, err
	}
	product, err := p.str("ProductArn")
	return hub.Key{ID: id, ProductArn: product}, err
}

// updateFindings is BatchUpdateFindings.
func (s *Server) updateFindings(c *call) (any, error) {
	p, err := parseParams(c.body)
	if err == nil {
		err = p.require("FindingIdentifiers")
	}
	if err != nil {
		return nil, err
	}
	var keys []hub.Key
	err = p.list("FindingIdentifiers", 1, maxKeys, func(e params) error {
		k, err := parseKey(e)
		keys = append(keys, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	u, err := parseUpdate(p)
	if err != nil {
		return nil, err
	}
	processed, unprocessed, err := s.c.Hub.Update(c, c.by, keys, u)
	if err != nil {
		return nil, err
	}
	type failure struct {
		FindingIdentifier       key
		ErrorCode, ErrorMessage string
	}
	out := struct {
		ProcessedFindings   []key
		UnprocessedFindings []failure
	}{[]key{}, []failure{}}
	for _, k := range processed {
		out.ProcessedFindings = append(out.ProcessedFindings, keyOf(k))
	}
	for _, f := range unprocessed {
		out.UnprocessedFindings = append(out.UnprocessedFindings, failure{keyOf(f.Key), f.Code, f.Message})
	}
	return out, nil
}

// parseUpdate reads what BatchUpdateFindings changes.
func parseUpdate(p params) (u hub.Update, err error) {
	if u.Note, err = parseNote(p); err != nil {
		return u, err
	}
	if u.Severity, err = parseSeverity(p); err != nil {
		return u, err
	}
	workflow, ok, err := p.object("Workflow")
	if err != nil {
		return u, err
	}
	if ok {
		if u.Workflow, err = workflow.enum("Status", "NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"); err != nil {
			return u, err
		}
	}
	if u.VerificationState, err = p.enum("VerificationState", "UNKNOWN", "TRUE_POSITIVE", "FALSE_POSITIVE", "BENIGN_POSITIVE"); err != nil {
		return u, err
	}
	if u.Confidence, err = p.integer("Confidence", 0, 100); err != nil {
		return u, err
	}
	if u.Criticality, err = p.integer("Criticality", 0, 100); err != nil {
		return u, err
	}
	if u.Types, err = p.strings("Types", 0, maxTypes); err != nil {
		return u, err
	}
	for _, t := range u.Types {
		if strings.Count(t, "/") > 2 {
			return u, p.wrong("Types", "a list of finding types of the form namespace/category/classifier")
		}
	}
	u.UserDefinedFields, err = p.stringMap("UserDefinedFields", mapLimits{entries: maxUserFields, key: maxUserFieldKey, value: maxUserFieldText})
	if err != nil {
		return u, err
	}
	err = p.list("RelatedFindings", 1, maxRelated, func(e params) error {
		k, err := parseKey(e)
		u.RelatedFindings = append(u.RelatedFindings, k)
		return err
	})
	return u, err
}

func parseNote(p params) (*hub.NoteUpdate, error) {
	note, ok, err := p.object("Note")
	if !ok || err != nil {
		return nil, err
	}
	if err := note.require("Text", "UpdatedBy"); err != nil {
		return nil, err
	}
	var u hub.NoteUpdate
	if u.Text, err = note.limited("Text", maxNote); err != nil {
		return nil, err
	}
	u.UpdatedBy, err = note.limited("UpdatedBy", maxNote)
	return &u, err
}

func parseSeverity(p params) (*hub.SeverityUpdate, error) {
	severity, ok, err := p.object("Severity")
	if !ok || err != nil {
		return nil, err
	}
	var u hub.SeverityUpdate
	if u.Label, err = severity.enum("Label", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"); err != nil {
		return nil, err
	}
	if u.Normalized, err = severity.integer("Normalized", 0, 100); err != nil {
		return nil, err
	}
	u.Product, err = severity.number("Product")
	return &u, err
}
