package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

const (
	testKey     = "EYRIETESTKEY00000000"
	testSecret  = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"
	testAccount = "000000000000"
	testRegion  = "local-1"
)

var testNow = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

type testKeys struct{}

func (testKeys) Secret(id string) (secret, principal string, ok bool) {
	return testSecret, "eyrie", id == testKey
}

func newServer(h Hub) *Server {
	return New(Config{Hub: h, Keys: testKeys{}, Account: testAccount, Region: testRegion, Now: func() time.Time { return testNow }})
}

// signedRequest is a request signed by the SDK's own signer.
func signedRequest(t testing.TB, method, uri, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, uri, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	hash := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, r,
		hex.EncodeToString(hash[:]), Service, testRegion, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func do(s *Server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const (
	insightArn = "arn:aws:securityhub:local-1:000000000000:insight/000000000000/custom/1"
	docA       = `{ "Id" : "a", "X-Unknown": {"n": 1.50, "u": "\u00e9é"} , "AwsAccountId":"000000000000"}`
	docB       = `{"Id":"b"}`
	oneKey     = `"FindingIdentifiers":[{"Id":"a","ProductArn":"p"}]`
)

// scenarios are requests and what must come back. want is the whole body, or with an ellipsis at its end its beginning.
var scenarios = []struct {
	name, method, uri, body string
	status                  int
	errorType, want         string
}{
	{"import", "POST", "/findings/import", `{"Findings":[` + docA + `, ` + docB + `],"Other":1}`, 200, "", `{"FailedCount":0,"SuccessCount":2,"FailedFindings":[]}`},
	{"import without findings", "POST", "/findings/import", `{}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Findings'. The parameter is required","Code":"InvalidInputException"}`},
	{"import of null", "POST", "/findings/import", `{"Findings":null}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Findings'. The parameter is required…`},
	{"import of nothing", "POST", "/findings/import", `{"Findings":[]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Findings'. Findings should have from 1 to 100 elements…`},
	{"import of an object", "POST", "/findings/import", `{"Findings":{}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Findings'. Findings should be a list…`},
	{"import of 101", "POST", "/findings/import", `{"Findings":[1` + strings.Repeat(",1", 100) + `]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Findings'. Findings should have from 1 to 100 elements…`},
	{"import of 100", "POST", "/findings/import", `{"Findings":[{}` + strings.Repeat(",{}", 99) + `]}`, 200, "", `{"FailedCount":0,"SuccessCount":100,"FailedFindings":[]}`},
	{"import for another account", "POST", "/findings/import", `{"Findings":[{},{"AwsAccountId":"111111111111","ProductArn":"arn:x"}]}`, 403, "AccessDeniedException",
		`{"Message":"User: arn:aws:iam::000000000000:user/eyrie is not authorized to perform: securityhub:BatchImportFindings on resource: arn:x. AwsAccountId of finding 1 is 111111111111, the calling account is 000000000000","Code":"AccessDeniedException"}`},
	{"account with escapes", "POST", "/findings/import", `{"Findings":[{"AwsAccount\u0049d":"1\u003111111111111"}]}`, 403, "AccessDeniedException", `{"Message":"User: …`},
	{"import of no JSON", "POST", "/findings/import", `{"Findings":[}`, 400, "SerializationException", `{"Message":"The request body is not a JSON object in UTF-8","Code":"SerializationException"}`},
	{"import of a list", "POST", "/findings/import", `[]`, 400, "SerializationException", `{"Message":"The request body…`},
	{"import of bad UTF-8", "POST", "/findings/import", "{\"Findings\":[\"\xff\"]}", 400, "SerializationException", `{"Message":"The request body…`},

	{"get", "POST", "/findings", ``, 200, "", `{"Findings":[` + docA + `,` + docB + `,{"Id":"c"}]}`},
	{"get with everything", "POST", "/findings", `{"Filters":{"SeverityLabel":[{"Value":"HIGH","Comparison":"EQUALS"}]},"SortCriteria":[{"Field":"UpdatedAt","SortOrder":"desc"}],"MaxResults":1,"NextToken":null}`,
		200, "", `{"Findings":[` + docA + `],"NextToken":"1"}`},
	{"get the next page", "POST", "/findings", `{"MaxResults":2,"NextToken":"1"}`, 200, "", `{"Findings":[` + docB + `,{"Id":"c"}]}`},
	{"get with the empty token", "POST", "/findings", `{"MaxResults":1,"NextToken":""}`, 200, "", `{"Findings":[` + docA + `],"NextToken":"1"}`},
	{"get 0", "POST", "/findings", `{"MaxResults":0}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'MaxResults'. MaxResults should be from 1 to 100…`},
	{"get 101", "POST", "/findings", `{"MaxResults":101}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'MaxResults'. MaxResults should be from 1 to 100…`},
	{"get 1.5", "POST", "/findings", `{"MaxResults":1.5}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'MaxResults'. MaxResults should be an integer…`},
	{"get too many digits", "POST", "/findings", `{"MaxResults":1e400}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'MaxResults'. MaxResults should be an integer…`},
	{"get text", "POST", "/findings", `{"MaxResults":"5"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'MaxResults'. MaxResults should be an integer…`},
	{"get by unknown attribute", "POST", "/findings", `{"Filters":{"Colour":[]}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Filters'. …`},
	{"get by a list", "POST", "/findings", `{"Filters":[]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Filters'. Filters should be an object…`},
	{"sort by unknown attribute", "POST", "/findings", `{"SortCriteria":[{"Field":"Colour"}]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'SortCriteria'. SortCriteria.Field has an unknown attribute: 'Colour'…`},
	{"sort without attribute", "POST", "/findings", `{"SortCriteria":[{"SortOrder":"asc"}]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'SortCriteria.Field'. The parameter is required…`},
	{"sort upwards", "POST", "/findings", `{"SortCriteria":[{"Field":"Id","SortOrder":"up"}]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'SortCriteria.SortOrder'. SortCriteria.SortOrder should be one of asc, desc…`},
	{"sort by text", "POST", "/findings", `{"SortCriteria":["Id"]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'SortCriteria'. SortCriteria should be a list of objects…`},
	{"bad token", "POST", "/findings", `{"NextToken":"zzz"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'NextToken'. …`},
	{"blank token", "POST", "/findings", `{"NextToken":" "}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'NextToken'. NextToken should be a string that is not blank…`},

	{"update", "PATCH", "/findings/batchupdate", `{"FindingIdentifiers":[{"Id":"a","ProductArn":"p"},{"Id":"unknown","ProductArn":"p"}],"Workflow":{"Status":"RESOLVED"}}`, 200, "",
		`{"ProcessedFindings":[{"Id":"a","ProductArn":"p"}],"UnprocessedFindings":[{"FindingIdentifier":{"Id":"unknown","ProductArn":"p"},"ErrorCode":"FindingNotFound","ErrorMessage":"Finding Not Found"}]}`},
	{"update of nothing", "PATCH", "/findings/batchupdate", `{}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'FindingIdentifiers'. The parameter is required…`},
	{"update of 101", "PATCH", "/findings/batchupdate", `{"FindingIdentifiers":[{}` + strings.Repeat(",{}", 100) + `]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'FindingIdentifiers'. FindingIdentifiers should have from 1 to 100 elements…`},
	{"update without product", "PATCH", "/findings/batchupdate", `{"FindingIdentifiers":[{"Id":"a"}]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'FindingIdentifiers.ProductArn'. The parameter is required…`},
	{"note without author", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Note":{"Text":"x"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Note.UpdatedBy'. The parameter is required…`},
	{"long note", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Note":{"Text":"` + strings.Repeat("é", 513) + `","UpdatedBy":"a"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Note.Text'. Note.Text should have at most 512 characters, it has 513…`},
	{"workflow", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Workflow":{"Status":"DONE"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Workflow.Status'. Workflow.Status should be one of NEW, NOTIFIED, RESOLVED, SUPPRESSED…`},
	{"workflow as text", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Workflow":"NEW"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Workflow'. Workflow should be an object…`},
	{"verification", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"VerificationState":"MAYBE"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'VerificationState'. …`},
	{"severity label", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Severity":{"Label":"BAD"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Severity.Label'. …`},
	{"severity number", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Severity":{"Normalized":101}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Severity.Normalized'. Severity.Normalized should be from 0 to 100…`},
	{"severity product", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Severity":{"Product":"x"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Severity.Product'. Severity.Product should be a number…`},
	{"confidence", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Confidence":-1}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Confidence'. …`},
	{"types", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Types":["a/b/c/d"]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Types'. …`},
	{"null in types", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"Types":[null]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Types'. …`},
	{"user fields", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"UserDefinedFields":{"a":1}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'UserDefinedFields'. UserDefinedFields should be a map of strings to strings…`},
	{"user field null", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"UserDefinedFields":{"a":null}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'UserDefinedFields'. The value of 'a'…`},
	{"user field key", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"UserDefinedFields":{" ":"x"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'UserDefinedFields'. A key should have…`},
	{"related findings", "PATCH", "/findings/batchupdate", `{` + oneKey + `,"RelatedFindings":[]}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'RelatedFindings'. RelatedFindings should have from 1 to 10 elements…`},

	{"history", "POST", "/findingHistory/get", `{"FindingIdentifier":{"Id":"a","ProductArn":"p"},"StartTime":"2026-11-20T00:00:00Z","EndTime":"2026-11-21T10:00:00+01:00","MaxResults":7}`, 200, "",
		`{"Records":[{"FindingIdentifier":{"Id":"a","ProductArn":"p"},"UpdateTime":"2026-11-21T08:30:00.120Z","FindingCreated":false,"UpdateSource":{"Type":"BATCH_UPDATE_FINDINGS","Identity":"arn:aws:iam::000000000000:user/ada"},` +
			`"Updates":[{"UpdatedField":"Workflow","OldValue":"{\"Status\":\"NEW\"}","NewValue":"{\"Status\":\"RESOLVED\"}"},{"UpdatedField":"Note","NewValue":"x"}]},` +
			`{"FindingIdentifier":{"Id":"a","ProductArn":"p"},"UpdateTime":"2026-11-21T07:30:00.120Z","FindingCreated":true,"UpdateSource":{"Type":"BATCH_IMPORT_FINDINGS","Identity":"eyrie"},"Updates":[]}],"NextToken":"more"}`},
	{"history of nothing", "POST", "/findingHistory/get", `{}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'FindingIdentifier'. The parameter is required…`},
	{"history by text", "POST", "/findingHistory/get", `{"FindingIdentifier":"a"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'FindingIdentifier'. FindingIdentifier should be an object…`},
	{"history at a bad time", "POST", "/findingHistory/get", `{"FindingIdentifier":{"Id":"a","ProductArn":"p"},"StartTime":"yesterday"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'StartTime'. StartTime should be a timestamp…`},
	{"history backwards", "POST", "/findingHistory/get", `{"FindingIdentifier":{"Id":"a","ProductArn":"p"},"StartTime":"2026-11-20T00:00:00Z","EndTime":"2026-11-19T00:00:00Z"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'EndTime'. …`},

	{"create insight", "POST", "/insights", `{"Name":"n","Filters":{},"GroupByAttribute":"ResourceType"}`, 200, "", `{"InsightArn":"arn:aws:securityhub:local-1:000000000000:insight/000000000000/custom/2"}`},
	{"create half an insight", "POST", "/insights", `{"Name":"n","GroupByAttribute":"ResourceType"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Filters'. The parameter is required…`},
	{"create a nameless insight", "POST", "/insights", `{"Name":" ","Filters":{},"GroupByAttribute":"ResourceType"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Name'. Name should be a string that is not blank…`},
	{"update insight", "PATCH", "/insights/" + insightArn, `{"Name":"m"}`, 200, "", `{}`},
	{"update insight, encoded whole", "PATCH", "/insights/" + strings.NewReplacer(":", "%3A", "/", "%2F").Replace(insightArn), `{"Name":"m"}`, 200, "", `{}`},
	{"update unknown insight", "PATCH", "/insights/arn:x", `{}`, 404, "ResourceNotFoundException", `{"Message":"The resource does not exist in this hub","Code":"ResourceNotFoundException"}`},
	{"delete insight", "DELETE", "/insights/" + strings.ReplaceAll(insightArn, ":", "%3A"), ``, 200, "", `{"InsightArn":"` + insightArn + `"}`},
	{"get insights", "POST", "/insights/get", `{"InsightArns":["` + insightArn + `"]}`, 200, "",
		`{"Insights":[{"InsightArn":"` + insightArn + `","Name":"<b>","Filters":{"Title":[{"Value":"t","Comparison":"EQUALS"}]},"GroupByAttribute":"ResourceType"}]}`},
	{"get unknown insight", "POST", "/insights/get", `{"InsightArns":["arn:x"]}`, 404, "ResourceNotFoundException", `{"Message":"The resource…`},
	{"get insights at a bad token", "POST", "/insights/get", `{"NextToken":"x"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'NextToken'. …`},
	{"insight results", "GET", "/insights/results/" + insightArn, ``, 200, "",
		`{"InsightResults":{"InsightArn":"` + insightArn + `","GroupByAttribute":"ResourceType","ResultValues":[{"GroupByAttributeValue":"Container","Count":2}]}}`},
	{"results of unknown insight", "GET", "/insights/results/arn:x", ``, 404, "ResourceNotFoundException", `{"Message":"The resource…`},

	{"describe", "GET", "/accounts", ``, 200, "", `{"HubArn":"` + hubArn + `","SubscribedAt":"2026-11-21T08:30:00.000Z","AutoEnableControls":false,"ControlFindingGenerator":"SECURITY_CONTROL"}`},
	{"describe by ARN", "GET", "/accounts?HubArn=arn%3Aaws%3Asecurityhub%3Alocal-1%3A000000000000%3Ahub%2Fdefault", ``, 200, "", `{"HubArn":"` + hubArn + `"…`},
	{"describe another hub", "GET", "/accounts?HubArn=arn", ``, 404, "ResourceNotFoundException", `{"Message":"The resource…`},
	{"enable twice", "POST", "/accounts", `{}`, 409, "ResourceConflictException", `{"Message":"Account is already subscribed to Security Hub","Code":"ResourceConflictException"}`},
	{"enable with a bad generator", "POST", "/accounts", `{"ControlFindingGenerator":"X"}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'ControlFindingGenerator'. …`},
	{"enable with no boolean", "POST", "/accounts", `{"EnableDefaultStandards":1}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'EnableDefaultStandards'. …`},
	{"disable", "DELETE", "/accounts", ``, 200, "", `{}`},

	{"tag", "POST", "/tags/" + strings.ReplaceAll(hubArn, "/", "%2F"), `{"Tags":{"team":"","été":"a b"}}`, 200, "", `{}`},
	{"tag nothing", "POST", "/tags/arn", `{"Tags":{}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Tags'. Tags should be a map of at least one tag…`},
	{"tag reserved", "POST", "/tags/arn", `{"Tags":{"AWS:x":"y"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Tags'. The tag key 'AWS:x' begins with aws:…`},
	{"tag of control characters", "POST", "/tags/arn", `{"Tags":{"x":"\u0007"}}`, 400, "InvalidInputException", `{"Message":"Invalid parameter 'Tags'. The value of 'x'…`},
	{"tag unknown", "POST", "/tags/arn", `{"Tags":{"x":"y"}}`, 404, "ResourceNotFoundException", `{"Message":"The resource…`},
	{"tags", "GET", "/tags/" + strings.NewReplacer(":", "%3A", "/", "%2F").Replace(hubArn), ``, 200, "", `{"Tags":{}}`},
	{"untag", "DELETE", "/tags/" + strings.ReplaceAll(hubArn, "/", "%2F") + "?tagKeys=a&tagKeys=b%20c", ``, 200, "", `{}`},
	{"untag nothing", "DELETE", "/tags/arn", ``, 400, "InvalidInputException", `{"Message":"Invalid parameter 'tagKeys'. …`},

	{"operation to come", "POST", "/actionTargets", `{}`, 400, "UnsupportedOperationException", `{"Message":"Eyrie's hub does not have the operation CreateActionTarget yet","Code":"UnsupportedOperationException"}`},
	{"operation to come, with a label", "DELETE", "/hubv2/feature/x", ``, 400, "UnsupportedOperationException", `{"Message":"Eyrie's hub does not have the operation DisableSecurityHubFeatureV2 yet…`},
	{"unknown path", "GET", "/nothing", ``, 404, "UnknownOperationException", `{"Message":"Security Hub has no operation with the method GET and the path /nothing","Code":"UnknownOperationException"}`},
	{"known path, other method", "PUT", "/findings", ``, 404, "UnknownOperationException", `{"Message":"Security Hub has no operation…`},
}

func newFake() *fakeHub {
	return &fakeHub{
		findings: []hub.Finding{{Doc: []byte(docA)}, {Doc: []byte(docB)}, {Doc: []byte(`{"Id":"c"}`)}},
		insights: map[string]hub.Insight{insightArn: {Arn: insightArn, Name: "<b>", Filters: filterOf("Title", "t"), GroupByAttribute: "ResourceType"}},
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestScenarios(t *testing.T) {
	for _, tt := range scenarios {
		t.Run(tt.name, func(t *testing.T) {
			w := do(newServer(newFake()), signedRequest(t, tt.method, tt.uri, tt.body))
			got := w.Body.String()
			want, prefix := strings.CutSuffix(tt.want, "…")
			if w.Code != tt.status || got != want && !(prefix && strings.HasPrefix(got, want)) {
				t.Errorf("answer = %d %s\nwant %d %s", w.Code, got, tt.status, tt.want)
			}
			h := w.Header()
			if h.Get("x-amzn-ErrorType") != tt.errorType || !uuid.MatchString(h.Get("x-amzn-RequestId")) || h.Get("Content-Type") != "application/json" {
				t.Errorf("header = %v, want the error type %q, a request id, JSON", h, tt.errorType)
			}
			if n := h.Get("Content-Length"); n != fmt.Sprint(len(got)) {
				t.Errorf("Content-Length = %s, the body has %d bytes", n, len(got))
			}
		})
	}
}

func TestWhatTheHubIsAskedFor(t *testing.T) {
	f := newFake()
	s := newServer(f)
	f.failed = []hub.ImportFailure{{Index: 1, ID: "b", Code: "InvalidInput", Message: "bad"}}
	w := do(s, signedRequest(t, "POST", "/findings/import", `{"Findings":[`+docA+` , `+docB+`]}`))
	if want := `{"FailedCount":1,"SuccessCount":1,"FailedFindings":[{"Id":"b","ErrorCode":"InvalidInput","ErrorMessage":"bad"}]}`; w.Body.String() != want {
		t.Errorf("import = %s, want %s", w.Body, want)
	}
	if len(f.docs) != 2 || string(f.docs[0]) != docA || string(f.docs[1]) != docB || f.by != "arn:aws:iam::000000000000:user/eyrie" {
		t.Errorf("the hub got %q by %s, want the documents byte for byte", f.docs, f.by)
	}
	do(s, signedRequest(t, "PATCH", "/findings/batchupdate", `{`+oneKey+`,"Note":{"Text":"t","UpdatedBy":"u"},"Severity":{"Label":"LOW","Normalized":1,"Product":2.5},
		"Workflow":{"Status":"NOTIFIED"},"VerificationState":"TRUE_POSITIVE","Confidence":1,"Criticality":100,"Types":["a/b"],"UserDefinedFields":{"k":"v"},"RelatedFindings":[{"Id":"r","ProductArn":"q"}]}`))
	p := func(s string) *string { return &s }
	n := func(i int) *int { return &i }
	product := 2.5
	want := hub.Update{Note: &hub.NoteUpdate{Text: "t", UpdatedBy: "u"}, Severity: &hub.SeverityUpdate{Label: p("LOW"), Normalized: n(1), Product: &product},
		Workflow: p("NOTIFIED"), VerificationState: p("TRUE_POSITIVE"), Confidence: n(1), Criticality: n(100), Types: []string{"a/b"},
		UserDefinedFields: map[string]string{"k": "v"}, RelatedFindings: []hub.Key{{ID: "r", ProductArn: "q"}}}
	if !reflect.DeepEqual(f.update, want) || !reflect.DeepEqual(f.keys, []hub.Key{{ID: "a", ProductArn: "p"}}) {
		t.Errorf("update = %+v of %v, want %+v", f.update, f.keys, want)
	}
	do(s, signedRequest(t, "PATCH", "/findings/batchupdate", `{`+oneKey+`,"UserDefinedFields":{},"Types":[]}`))
	if f.update.UserDefinedFields == nil || f.update.Types == nil || f.update.Note != nil || f.update.Workflow != nil {
		t.Errorf("update = %+v, want empty, not absent, fields and types, and nothing else", f.update)
	}
	do(s, signedRequest(t, "POST", "/findings", `{"MaxResults":3,"SortCriteria":[{"Field":"UpdatedAt","SortOrder":"desc"},{"Field":"Id"}],"Filters":{"Title":[{"Value":"t","Comparison":"EQUALS"}]}}`))
	if q := f.query; q.Limit != 3 || len(q.Sort) != 2 || q.Sort[0].Attribute.Name() != "UpdatedAt" || !q.Sort[0].Desc || q.Sort[1].Desc || !reflect.DeepEqual(q.Filters, filterOf("Title", "t")) {
		t.Errorf("query = %+v", q)
	}
	do(s, signedRequest(t, "POST", "/findingHistory/get", `{"FindingIdentifier":{"Id":"a","ProductArn":"p"},"EndTime":"2026-11-21T10:00:00+01:00","NextToken":"n"}`))
	if q := f.history; !q.End.Equal(testNow) || !q.Start.IsZero() || q.Limit != 100 || q.Token != "n" {
		t.Errorf("history query = %+v", q)
	}
	do(s, signedRequest(t, "PATCH", "/insights/"+insightArn, `{"GroupByAttribute":"Type","Filters":{}}`))
	if u := f.insight; u.Name != nil || *u.GroupByAttribute != "Type" || u.Filters == nil || len(*u.Filters) != 0 {
		t.Errorf("insight update = %+v", u)
	}
}

func TestADisabledHub(t *testing.T) {
	f := newFake()
	f.off = true
	s := newServer(f)
	for name, r := range map[string]*http.Request{"DescribeHub": signedRequest(t, "GET", "/accounts", ""), "GetFindings": signedRequest(t, "POST", "/findings", "{}"),
		"DisableSecurityHub": signedRequest(t, "DELETE", "/accounts", "")} {
		w := do(s, r)
		if want := `{"Message":"Account 000000000000 is not subscribed to AWS Security Hub","Code":"InvalidAccessException"}`; w.Code != 401 || w.Body.String() != want {
			t.Errorf("%s = %d %s, want 401 %s", name, w.Code, w.Body, want)
		}
	}
	w := do(s, signedRequest(t, "POST", "/accounts", `{"EnableDefaultStandards":true,"ControlFindingGenerator":"SECURITY_CONTROL","Tags":{"a":"b"}}`))
	if w.Code != 200 || w.Body.String() != "{}" || f.enabled.Tags["a"] != "b" || f.enabled.ControlFindingGenerator != "SECURITY_CONTROL" {
		t.Errorf("enable = %d %s with %+v", w.Code, w.Body, f.enabled)
	}
	if w := do(s, signedRequest(t, "GET", "/accounts", "")); w.Code != 200 {
		t.Errorf("describe after enabling = %d %s", w.Code, w.Body)
	}
}

func TestFailuresOfTheHub(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		code   string
		logged bool
	}{
		{"full", fmt.Errorf("commit: %w: no space", hub.ErrFull), 503, "ServiceUnavailableException", true},
		{"read-only", hub.ErrReadOnly, 503, "ServiceUnavailableException", true},
		{"locked", hub.ErrLocked, 503, "ServiceUnavailableException", true},
		{"closed", hub.ErrClosed, 503, "ServiceUnavailableException", false},
		{"corrupt", hub.ErrCorrupt, 500, "InternalException", true},
		{"unknown", errors.New("table secrets of admin"), 500, "InternalException", true},
		{"canceled", context.Canceled, 500, "InternalException", false},
		{"limit", hub.ErrLimit, 429, "LimitExceededException", false},
		{"input", &hub.InvalidInput{Message: "no such attribute"}, 400, "InvalidInputException", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			f.err = tt.err
			var log bytes.Buffer
			s := newServer(f)
			s.c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			w := do(s, signedRequest(t, "POST", "/findings", "{}"))
			if w.Code != tt.status || w.Header().Get("x-amzn-ErrorType") != tt.code {
				t.Errorf("answer = %d %s, want %d %s", w.Code, w.Body, tt.status, tt.code)
			}
			if tt.status >= 500 && strings.Contains(w.Body.String(), tt.err.Error()) {
				t.Errorf("the answer shows the inner error: %s", w.Body)
			}
			if retry := w.Header().Get("Retry-After"); (retry != "") != (tt.status == 503) {
				t.Errorf("Retry-After = %q", retry)
			}
			if got := strings.Contains(log.String(), tt.err.Error()) && strings.Contains(log.String(), w.Header().Get("X-Amzn-Requestid")); got != tt.logged {
				t.Errorf("logged = %v, want %v:\n%s", got, tt.logged, &log)
			}
		})
	}
}

func TestAuthenticationComesFirst(t *testing.T) {
	f := newFake()
	s := newServer(f)
	sign := func(key, secret, region, service string, at time.Time) *http.Request {
		r := httptest.NewRequest("POST", "/findings", strings.NewReader("{}"))
		hash := sha256.Sum256([]byte("{}"))
		if err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, r, hex.EncodeToString(hash[:]), service, region, at); err != nil {
			t.Fatal(err)
		}
		return r
	}
	tampered := signedRequest(t, "POST", "/findings", "{}")
	tampered.Body = http.NoBody
	tests := []struct {
		name          string
		r             *http.Request
		code, message string
	}{
		{"unsigned", httptest.NewRequest("POST", "/findings", strings.NewReader("{}")), "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"unsigned, unknown path", httptest.NewRequest("POST", "/nothing", nil), "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"wrong secret", sign(testKey, "wrong", testRegion, Service, testNow), "InvalidSignatureException", "The request signature we calculated does not match"},
		{"unknown key", sign("EYRIEOTHERKEY0000000", testSecret, testRegion, Service, testNow), "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"wrong Region", sign(testKey, testSecret, "us-east-1", Service, testNow), "InvalidSignatureException", "Credential should be scoped to a valid region, not 'us-east-1'."},
		{"wrong service", sign(testKey, testSecret, testRegion, "logs", testNow), "InvalidSignatureException", "Credential should be scoped to correct service: 'securityhub'."},
		{"old", sign(testKey, testSecret, testRegion, Service, testNow.Add(-time.Hour)), "InvalidSignatureException", "Signature expired: 20261121T080000Z is now earlier than 20261121T085500Z (20261121T090000Z - 5 min.)"},
		{"future", sign(testKey, testSecret, testRegion, Service, testNow.Add(time.Hour)), "InvalidSignatureException", "Signature not yet current"},
		{"tampered body", tampered, "InvalidSignatureException", "does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := do(s, tt.r)
			if w.Code != 403 || w.Header().Get("x-amzn-ErrorType") != tt.code || !strings.Contains(w.Body.String(), tt.message) {
				t.Errorf("answer = %d %s, want 403 %s %s", w.Code, w.Body, tt.code, tt.message)
			}
		})
	}
	if f.query.Limit != 0 {
		t.Error("the hub was asked by a request that was refused")
	}
}

func TestPresignedQueriesOfTheSDK(t *testing.T) {
	r := httptest.NewRequest("GET", "/accounts?X-Amz-Expires=60", nil)
	empty := sha256.Sum256(nil)
	uri, _, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, r,
		hex.EncodeToString(empty[:]), Service, testRegion, testNow.Add(-30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if w := do(newServer(newFake()), httptest.NewRequest("GET", uri, nil)); w.Code != 200 {
		t.Errorf("answer = %d %s", w.Code, w.Body)
	}
	if w := do(newServer(newFake()), httptest.NewRequest("GET", uri+"&HubArn=x", nil)); w.Code != 403 {
		t.Errorf("answer to a query with more = %d %s, want 403", w.Code, w.Body)
	}
}

func TestLargeBodies(t *testing.T) {
	s := newServer(newFake())
	doc := `{"Findings":[{"x":"` + strings.Repeat("x", maxBody-len(`{"Findings":[{"x":""}]}`)) + `"}]}`
	if w := do(s, signedRequest(t, "POST", "/findings/import", doc)); w.Code != 200 {
		t.Errorf("6 MB = %d %.200s", w.Code, w.Body)
	}
	w := do(s, signedRequest(t, "POST", "/findings/import", doc+" "))
	if w.Code != 413 || w.Header().Get("x-amzn-ErrorType") != "RequestEntityTooLargeException" {
		t.Errorf("6 MB and a byte = %d %s, want 413", w.Code, w.Body)
	}
	r := signedRequest(t, "POST", "/findings/import", doc)
	r.Header.Set("Content-Encoding", "gzip")
	if w := do(s, r); w.Code != 415 {
		t.Errorf("Content-Encoding = %d %s, want 415", w.Code, w.Body)
	}
	unread := &countingBody{}
	stranger := httptest.NewRequest("POST", "/findings/import", unread)
	if w := do(s, stranger); w.Code != 403 || unread.read != 0 {
		t.Errorf("a stranger's request = %d after %d bytes of its body, want 403 after none", w.Code, unread.read)
	}
}

type countingBody struct{ read int }

func (c *countingBody) Read(p []byte) (int, error) {
	c.read += len(p)
	return len(p), nil
}

func TestIsRequest(t *testing.T) {
	tests := []struct {
		method, uri, auth string
		want              bool
	}{
		{"POST", "/findings", "", true},
		{"GET", "/findings", "", false}, // the portal's page
		{"GET", "/findings/12", "", false},
		{"GET", "/", "", false},
		{"POST", "/falco", "Bearer x", false},
		{"POST", "/portal/findings", "", false},
		{"GET", "/anything", "AWS4-HMAC-SHA256 Credential=x", true},
		{"GET", "/?X-Amz-Signature=x", "", true},
		{"GET", "/tags/a%2Fb", "", true},
		{"GET", "/tags/a/b", "", false},
		{"GET", "/insights/results/a/b", "", true},
		{"GET", "/insights/results/", "", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, tt.uri, nil)
		if tt.auth != "" {
			r.Header.Set("Authorization", tt.auth)
		}
		if got := IsRequest(r); got != tt.want {
			t.Errorf("IsRequest(%s %s %s) = %v, want %v", tt.method, tt.uri, tt.auth, got, tt.want)
		}
	}
}

// TestOperationsAreTheModels compares the table with the operations of botocore's service model.
func TestOperationsAreTheModels(t *testing.T) {
	line := regexp.MustCompile(`(?m)^([A-Z]\w+) +(GET|POST|PATCH|DELETE|PUT) +(/\S*) +(?:old|new) `)
	want := line.FindAllSubmatch(testshared.Read(t, "asff/asff-model.txt"), -1)
	if len(want) != 117 || len(operations) != 117 {
		t.Errorf("%d operations, the model has %d, want 117", len(operations), len(want))
	}
	for _, m := range want {
		uri := string(m[3])
		path := regexp.MustCompile(`\{.*`).ReplaceAllString(uri, "some%2Fthing")
		op, label, ok := match(string(m[2]), path)
		if !ok || op.name != string(m[1]) || op.uri != uri || (label != "") != strings.Contains(uri, "{") {
			t.Errorf("match(%s %s) = %+v %q, want %s %s", m[2], path, op, label, m[1], uri)
		}
	}
}

func TestHandlersAreOperations(t *testing.T) {
	s := newServer(newFake())
	for name := range s.handlers {
		known := false
		for _, o := range operations {
			known = known || o.name == name
		}
		if !known {
			t.Errorf("there is a handler for %s, which is no operation", name)
		}
	}
	if len(s.handlers) != 15 {
		t.Errorf("%d handlers, want 15", len(s.handlers))
	}
}
