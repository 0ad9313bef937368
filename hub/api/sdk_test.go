package api

import (
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/aws/smithy-go"

	"github.com/eyrie-sec/eyrie/hub"
	"github.com/eyrie-sec/eyrie/hub/sqlite"
)

// serve starts a server on loopback for h, on the machine's clock, and returns its URL.
func serve(t *testing.T, h Hub) string {
	t.Helper()
	s := httptest.NewServer(New(Config{Hub: h, Keys: testKeys{}, Account: testAccount, Region: testRegion}))
	t.Cleanup(s.Close)
	return s.URL
}

// realHub opens a hub on SQLite.
func realHub(t *testing.T) *hub.Hub {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.Open(t.Context(), hub.Config{Account: testAccount, Region: testRegion}, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func client(url string) *securityhub.Client {
	return securityhub.New(securityhub.Options{Region: testRegion, BaseEndpoint: aws.String(url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, "")})
}

const productArn = "arn:aws:securityhub:local-1:000000000000:product/000000000000/default"

// sdkFinding is a finding with something for every kind of filter.
func sdkFinding(id, severity, address string, port int32, at time.Time) types.AwsSecurityFinding {
	stamp := aws.String(at.UTC().Format("2006-01-02T15:04:05.000Z"))
	return types.AwsSecurityFinding{
		SchemaVersion: aws.String("2018-10-08"), Id: aws.String(id), ProductArn: aws.String(productArn), AwsAccountId: aws.String(testAccount),
		GeneratorId: aws.String("scanner/" + id), CreatedAt: stamp, UpdatedAt: stamp, Title: aws.String("Title of " + id), Description: aws.String("d"),
		Severity: &types.Severity{Label: types.SeverityLabel(severity)}, Types: []string{"TTPs/Execution"}, Confidence: aws.Int32(port % 101),
		ProductFields: map[string]string{"team": id, "zone": "blue"}, Sample: aws.Bool(id == "a"),
		Network:   &types.Network{DestinationIpV4: aws.String(address), DestinationPort: aws.Int32(port)},
		Resources: []types.Resource{{Type: aws.String("Container"), Id: aws.String("res-" + id)}},
	}
}

func importThree(t *testing.T, c *securityhub.Client) {
	t.Helper()
	now := time.Now()
	out, err := c.BatchImportFindings(t.Context(), &securityhub.BatchImportFindingsInput{Findings: []types.AwsSecurityFinding{
		sdkFinding("a", "LOW", "10.1.2.3", 443, now.Add(-48*time.Hour)),
		sdkFinding("b", "HIGH", "10.9.9.9", 80, now.Add(-2*time.Hour)),
		sdkFinding("c", "CRITICAL", "192.0.2.7", 22, now.Add(-time.Hour)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if *out.SuccessCount != 3 || *out.FailedCount != 0 || len(out.FailedFindings) != 0 {
		t.Fatalf("import = %d successes, %d failures %+v", *out.SuccessCount, *out.FailedCount, out.FailedFindings)
	}
}

func ids(findings []types.AwsSecurityFinding) string {
	var all []string
	for _, f := range findings {
		all = append(all, *f.Id)
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// wantError checks the code that the SDK understood and that the request had an ID.
func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		t.Errorf("error = %v, want %s with %q", err, code, message)
		return
	}
	var response interface{ ServiceRequestID() string }
	if !errors.As(err, &response) || !uuid.MatchString(response.ServiceRequestID()) {
		t.Errorf("error = %v, want a request ID", err)
	}
}

func TestSDKFilters(t *testing.T) {
	c := client(serve(t, realHub(t)))
	importThree(t, c)
	text := func(comparison types.StringFilterComparison, values ...string) (all []types.StringFilter) {
		for _, v := range values {
			all = append(all, types.StringFilter{Comparison: comparison, Value: aws.String(v)})
		}
		return all
	}
	field := func(comparison types.MapFilterComparison, value string) []types.MapFilter {
		return []types.MapFilter{{Comparison: comparison, Key: aws.String("team"), Value: aws.String(value)}}
	}
	tests := []struct {
		name    string
		filters types.AwsSecurityFindingFilters
		want    string
	}{
		{"none", types.AwsSecurityFindingFilters{}, "abc"},
		{"string equals", types.AwsSecurityFindingFilters{SeverityLabel: text("EQUALS", "HIGH", "LOW")}, "ab"},
		{"string prefix", types.AwsSecurityFindingFilters{GeneratorId: text("PREFIX", "scanner/c", "other")}, "c"},
		{"string not equals", types.AwsSecurityFindingFilters{SeverityLabel: text("NOT_EQUALS", "HIGH", "LOW")}, "c"},
		{"string prefix not equals", types.AwsSecurityFindingFilters{ResourceId: text("PREFIX_NOT_EQUALS", "res-a")}, "bc"},
		{"string contains", types.AwsSecurityFindingFilters{Title: text("CONTAINS", "of b")}, "b"},
		{"string not contains", types.AwsSecurityFindingFilters{Title: text("NOT_CONTAINS", "of b")}, "ac"},
		{"number range", types.AwsSecurityFindingFilters{NetworkDestinationPort: []types.NumberFilter{{Gte: aws.Float64(80), Lte: aws.Float64(443)}}}, "ab"},
		{"number equal", types.AwsSecurityFindingFilters{NetworkDestinationPort: []types.NumberFilter{{Eq: aws.Float64(22)}, {Eq: aws.Float64(80)}}}, "bc"},
		{"number open range", types.AwsSecurityFindingFilters{NetworkDestinationPort: []types.NumberFilter{{Gt: aws.Float64(22), Lt: aws.Float64(443)}}}, "b"},
		{"date range of days", types.AwsSecurityFindingFilters{UpdatedAt: []types.DateFilter{{DateRange: &types.DateRange{Value: aws.Int32(1), Unit: "DAYS"}}}}, "bc"},
		{"date start and end", types.AwsSecurityFindingFilters{UpdatedAt: []types.DateFilter{{
			Start: aws.String(time.Now().Add(-72 * time.Hour).UTC().Format(time.RFC3339)), End: aws.String(time.Now().Add(-24 * time.Hour).UTC().Format(time.RFC3339))}}}, "a"},
		{"CIDR", types.AwsSecurityFindingFilters{NetworkDestinationIpV4: []types.IpFilter{{Cidr: aws.String("10.0.0.0/8")}}}, "ab"},
		{"map equals", types.AwsSecurityFindingFilters{ProductFields: field("EQUALS", "a")}, "a"},
		{"map not equals", types.AwsSecurityFindingFilters{ProductFields: field("NOT_EQUALS", "a")}, "bc"},
		{"map contains", types.AwsSecurityFindingFilters{ProductFields: []types.MapFilter{{Comparison: "CONTAINS", Key: aws.String("zone"), Value: aws.String("lu")}}}, "abc"},
		{"map not contains", types.AwsSecurityFindingFilters{ProductFields: []types.MapFilter{{Comparison: "NOT_CONTAINS", Key: aws.String("zone"), Value: aws.String("lu")}}}, ""},
		//lint:ignore SA1019 the hub has the deprecated filters too
		{"keyword", types.AwsSecurityFindingFilters{Keyword: []types.KeywordFilter{{Value: aws.String("res-c")}}}, "c"},
		{"boolean", types.AwsSecurityFindingFilters{Sample: []types.BooleanFilter{{Value: aws.Bool(true)}}}, "a"},
		{"several attributes", types.AwsSecurityFindingFilters{SeverityLabel: text("EQUALS", "HIGH", "LOW"), ResourceType: text("EQUALS", "Container"),
			NetworkDestinationPort: []types.NumberFilter{{Lt: aws.Float64(100)}}}, "b"},
		{"what the hub sets", types.AwsSecurityFindingFilters{WorkflowStatus: text("EQUALS", "NEW"), RecordState: text("EQUALS", "ACTIVE"), Region: text("EQUALS", testRegion)}, "abc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := c.GetFindings(t.Context(), &securityhub.GetFindingsInput{Filters: &tt.filters})
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(out.Findings); got != tt.want {
				t.Errorf("findings = %s, want %s", got, tt.want)
			}
		})
	}
	_, err := c.GetFindings(t.Context(), &securityhub.GetFindingsInput{Filters: &types.AwsSecurityFindingFilters{Title: append(text("EQUALS", "x"), text("NOT_EQUALS", "y")...)}})
	wantError(t, err, "InvalidInputException", "Filters")
	_, err = c.GetFindings(t.Context(), &securityhub.GetFindingsInput{NextToken: aws.String("forged")})
	wantError(t, err, "InvalidInputException", "NextToken")
}

func TestSDKPagesAndOrder(t *testing.T) {
	c := client(serve(t, realHub(t)))
	importThree(t, c)
	in := &securityhub.GetFindingsInput{MaxResults: aws.Int32(1), SortCriteria: []types.SortCriterion{{Field: aws.String("SeverityLabel"), SortOrder: "desc"}}}
	var got string
	for pages := securityhub.NewGetFindingsPaginator(c, in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Findings {
			got += *f.Id
		}
	}
	if got != "cba" {
		t.Errorf("findings by severity, descending = %s, want cba", got)
	}
	in = &securityhub.GetFindingsInput{MaxResults: aws.Int32(2)}
	first, err := c.GetFindings(t.Context(), in)
	if err != nil || first.NextToken == nil {
		t.Fatalf("first page = %+v, %v", first, err)
	}
	late := sdkFinding("d", "LOW", "10.0.0.1", 1, time.Now())
	if _, err := c.BatchImportFindings(t.Context(), &securityhub.BatchImportFindingsInput{Findings: []types.AwsSecurityFinding{late}}); err != nil {
		t.Fatal(err)
	}
	in.NextToken = first.NextToken
	second, err := c.GetFindings(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(first.Findings) + ids(second.Findings); got != "bca" {
		t.Errorf("two pages around an import = %s, want bca", got)
	}
	tampered := []byte(*first.NextToken)
	tampered[len(tampered)/2] ^= 1
	in.NextToken = aws.String(string(tampered))
	_, err = c.GetFindings(t.Context(), in)
	wantError(t, err, "InvalidInputException", "NextToken")
}

func TestSDKImportAndUpdate(t *testing.T) {
	c := client(serve(t, realHub(t)))
	importThree(t, c)
	ctx := t.Context()
	bad := sdkFinding("bad", "LOW", "10.1.2.3", 443, time.Now())
	bad.Title = aws.String(strings.Repeat("x", 257))
	out, err := c.BatchImportFindings(ctx, &securityhub.BatchImportFindingsInput{Findings: []types.AwsSecurityFinding{bad, sdkFinding("e", "LOW", "10.1.2.3", 1, time.Now())}})
	if err != nil {
		t.Fatal(err)
	}
	if *out.SuccessCount != 1 || *out.FailedCount != 1 || *out.FailedFindings[0].Id != "bad" || *out.FailedFindings[0].ErrorCode != "InvalidInput" ||
		!strings.Contains(*out.FailedFindings[0].ErrorMessage, "Title") {
		t.Errorf("import of a bad and a good finding = %+v", out)
	}
	foreign := sdkFinding("f", "LOW", "10.1.2.3", 1, time.Now())
	foreign.AwsAccountId = aws.String("111111111111")
	_, err = c.BatchImportFindings(ctx, &securityhub.BatchImportFindingsInput{Findings: []types.AwsSecurityFinding{foreign}})
	wantError(t, err, "AccessDeniedException", "not authorized to perform: securityhub:BatchImportFindings")

	id := func(s string) types.AwsSecurityFindingIdentifier {
		return types.AwsSecurityFindingIdentifier{Id: aws.String(s), ProductArn: aws.String(productArn)}
	}
	updated, err := c.BatchUpdateFindings(ctx, &securityhub.BatchUpdateFindingsInput{
		FindingIdentifiers: []types.AwsSecurityFindingIdentifier{id("a"), id("nobody")},
		Note:               &types.NoteUpdate{Text: aws.String("seen <é>"), UpdatedBy: aws.String("ada")}, Workflow: &types.WorkflowUpdate{Status: "RESOLVED"},
		Severity: &types.SeverityUpdate{Label: "MEDIUM"}, VerificationState: "TRUE_POSITIVE", Confidence: aws.Int32(0), Criticality: aws.Int32(99),
		Types: []string{"Effects/Data Exfiltration"}, UserDefinedFields: map[string]string{"ticket": "7"},
		RelatedFindings: []types.RelatedFinding{{Id: aws.String("b"), ProductArn: aws.String(productArn)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(updated.ProcessedFindings) != 1 || len(updated.UnprocessedFindings) != 1 || *updated.UnprocessedFindings[0].FindingIdentifier.Id != "nobody" ||
		*updated.UnprocessedFindings[0].ErrorCode == "" {
		t.Errorf("update = %+v", updated)
	}
	found, err := c.GetFindings(ctx, &securityhub.GetFindingsInput{Filters: &types.AwsSecurityFindingFilters{Id: []types.StringFilter{{Comparison: "EQUALS", Value: aws.String("a")}}}})
	if err != nil || len(found.Findings) != 1 {
		t.Fatalf("find a = %+v, %v", found, err)
	}
	f := found.Findings[0]
	if *f.Note.Text != "seen <é>" || f.Workflow.Status != "RESOLVED" || f.Severity.Label != "MEDIUM" || f.VerificationState != "TRUE_POSITIVE" || *f.Confidence != 0 ||
		*f.Criticality != 99 || f.Types[0] != "Effects/Data Exfiltration" || f.UserDefinedFields["ticket"] != "7" || *f.RelatedFindings[0].Id != "b" || *f.Network.DestinationPort != 443 {
		t.Errorf("finding after the update = %+v", f)
	}
	key := id("a")
	history, err := c.GetFindingHistory(ctx, &securityhub.GetFindingHistoryInput{FindingIdentifier: &key, StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Hour))})
	if err != nil {
		t.Fatal(err)
	}
	if len(history.Records) != 2 {
		t.Fatalf("history = %+v, want the creation and the update", history.Records)
	}
	r := history.Records[0]
	if *history.Records[1].FindingCreated != true || r.UpdateSource.Type != "BATCH_UPDATE_FINDINGS" || !strings.HasSuffix(*r.UpdateSource.Identity, ":user/eyrie") ||
		len(r.Updates) == 0 || time.Since(*r.UpdateTime) > time.Hour {
		t.Errorf("history = %+v", history.Records)
	}
}

func TestSDKInsights(t *testing.T) {
	c := client(serve(t, realHub(t)))
	importThree(t, c)
	ctx := t.Context()
	filters := &types.AwsSecurityFindingFilters{SeverityLabel: []types.StringFilter{{Comparison: "NOT_EQUALS", Value: aws.String("LOW")}}}
	created, err := c.CreateInsight(ctx, &securityhub.CreateInsightInput{Name: aws.String("Büro / <x>"), Filters: filters, GroupByAttribute: aws.String("ResourceId")})
	if err != nil {
		t.Fatal(err)
	}
	arn := created.InsightArn
	results, err := c.GetInsightResults(ctx, &securityhub.GetInsightResultsInput{InsightArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	r := results.InsightResults
	counts := map[string]int32{}
	for _, v := range r.ResultValues {
		counts[*v.GroupByAttributeValue] = *v.Count
	}
	if want := map[string]int32{"res-b": 1, "res-c": 1}; *r.InsightArn != *arn || *r.GroupByAttribute != "ResourceId" || !maps.Equal(counts, want) {
		t.Errorf("results = %s by %s, %v, want %v", *r.InsightArn, *r.GroupByAttribute, counts, want)
	}
	if _, err := c.UpdateInsight(ctx, &securityhub.UpdateInsightInput{InsightArn: arn, GroupByAttribute: aws.String("SeverityLabel")}); err != nil {
		t.Error(err)
	}
	got, err := c.GetInsights(ctx, &securityhub.GetInsightsInput{InsightArns: []string{*arn}})
	if err != nil || len(got.Insights) != 1 || *got.Insights[0].Name != "Büro / <x>" || *got.Insights[0].GroupByAttribute != "SeverityLabel" || *got.Insights[0].Filters.SeverityLabel[0].Value != "LOW" {
		t.Errorf("insights = %+v, %v", got, err)
	}
	for i := range 3 {
		if _, err := c.CreateInsight(ctx, &securityhub.CreateInsightInput{Name: aws.String(fmt.Sprint(i)), Filters: filters, GroupByAttribute: aws.String("ResourceId")}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for pages := securityhub.NewGetInsightsPaginator(c, &securityhub.GetInsightsInput{MaxResults: aws.Int32(3)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Insights {
			seen[*i.Name] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("insights over pages = %v, want 4", seen)
	}
	deleted, err := c.DeleteInsight(ctx, &securityhub.DeleteInsightInput{InsightArn: arn})
	if err != nil || *deleted.InsightArn != *arn {
		t.Errorf("delete = %+v, %v", deleted, err)
	}
	_, err = c.GetInsightResults(ctx, &securityhub.GetInsightResultsInput{InsightArn: arn})
	wantError(t, err, "ResourceNotFoundException", "")
	_, err = c.CreateInsight(ctx, &securityhub.CreateInsightInput{Name: aws.String("x"), Filters: filters, GroupByAttribute: aws.String("Colour")})
	wantError(t, err, "InvalidInputException", "")
}

func TestSDKAccountAndTags(t *testing.T) {
	c := client(serve(t, realHub(t)))
	ctx := t.Context()
	d, err := c.DescribeHub(ctx, &securityhub.DescribeHubInput{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(*d.HubArn, ":securityhub:local-1:000000000000:hub/default") || *d.SubscribedAt == "" {
		t.Errorf("hub = %+v", d)
	}
	if _, err := c.DescribeHub(ctx, &securityhub.DescribeHubInput{HubArn: d.HubArn}); err != nil {
		t.Error(err)
	}
	if _, err := c.TagResource(ctx, &securityhub.TagResourceInput{ResourceArn: d.HubArn, Tags: map[string]string{"team": "blue green", "a+b/é": "1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UntagResource(ctx, &securityhub.UntagResourceInput{ResourceArn: d.HubArn, TagKeys: []string{"a+b/é", "none"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := c.ListTagsForResource(ctx, &securityhub.ListTagsForResourceInput{ResourceArn: d.HubArn})
	if err != nil || len(tags.Tags) != 1 || tags.Tags["team"] != "blue green" {
		t.Errorf("tags = %+v, %v", tags, err)
	}
	_, err = c.ListTagsForResource(ctx, &securityhub.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:securityhub:local-1:000000000000:hub/other")})
	wantError(t, err, "ResourceNotFoundException", "")
	_, err = c.EnableSecurityHub(ctx, &securityhub.EnableSecurityHubInput{})
	wantError(t, err, "ResourceConflictException", "Account is already subscribed")
	if _, err := c.DisableSecurityHub(ctx, &securityhub.DisableSecurityHubInput{}); err != nil {
		t.Fatal(err)
	}
	_, err = c.GetFindings(ctx, &securityhub.GetFindingsInput{})
	wantError(t, err, "InvalidAccessException", "Account 000000000000 is not subscribed to AWS Security Hub")
	if _, err := c.EnableSecurityHub(ctx, &securityhub.EnableSecurityHubInput{Tags: map[string]string{"x": "y"}, EnableDefaultStandards: aws.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DescribeHub(ctx, &securityhub.DescribeHubInput{}); err != nil {
		t.Error(err)
	}
}

func TestSDKRefusals(t *testing.T) {
	url := serve(t, newFake())
	ctx := t.Context()
	try := func(change func(*securityhub.Options)) error {
		_, err := client(url).GetFindings(ctx, &securityhub.GetFindingsInput{}, change)
		return err
	}
	wantError(t, try(func(o *securityhub.Options) { o.Region = "us-east-1" }), "InvalidSignatureException", "Credential should be scoped to a valid region, not 'us-east-1'.")
	wantError(t, try(func(o *securityhub.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(testKey, "wrong", "")
	}), "InvalidSignatureException", "does not match")
	wantError(t, try(func(o *securityhub.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("EYRIEOTHERKEY0000000", testSecret, "")
	}), "UnrecognizedClientException", "invalid")
	wantError(t, try(func(o *securityhub.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(testKey, testSecret, "token")
	}), "UnrecognizedClientException", "invalid")
	_, err := client(url).CreateActionTarget(ctx, &securityhub.CreateActionTargetInput{Name: aws.String("n"), Description: aws.String("d"), Id: aws.String("i")})
	wantError(t, err, "UnsupportedOperationException", "CreateActionTarget")
	_, err = client(url).DeleteActionTarget(ctx, &securityhub.DeleteActionTargetInput{ActionTargetArn: aws.String("arn:aws:securityhub:x:y:action/custom/z")})
	wantError(t, err, "UnsupportedOperationException", "DeleteActionTarget")
}
