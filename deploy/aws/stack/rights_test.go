package stack

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/deploy/aws/awsfake"
)

// TestRights: the table in docs/aws.md lists the actions that deploy, status and destroy call by themselves.
func TestRights(t *testing.T) {
	fake := awsfake.New(t)
	fake.Do(func() {
		fake.In(frankfurt).EnableHub()
		fake.In(frankfurt).Aggregate("arn:aws:securityhub:eu-central-1:111122223333:finding-aggregator/theirs", "ALL_REGIONS")
	})
	o, s := options(t, fake, frankfurt, virginia)
	o.Organization, o.Settings.ReopenRule = Organization{ID: "o-a1b2c3d4e5", Units: []string{"ou-ab12-cdefghij"}}, true
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	if _, err := Status(t.Context(), o, true); err != nil {
		t.Fatal(err)
	}
	if err := Destroy(t.Context(), o, Remove{Alerts: true, SecurityHub: true}); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{
		"HEAD Bucket": "s3:ListBucket", "GET list-type": "s3:ListBucket", "PUT Bucket": "s3:CreateBucket", "DELETE Bucket": "s3:DeleteBucket",
		"PUT tagging": "s3:PutBucketTagging", "GET tagging": "s3:GetBucketTagging", "PUT policy": "s3:PutBucketPolicy",
		"HEAD Object": "s3:GetObject", "PUT Object": "s3:PutObject", "POST delete": "s3:DeleteObject",
		"GET accounts": "DescribeHub", "DELETE accounts": "DisableSecurityHub", "GET administrator": "GetAdministratorAccount", "GET tags": "ListTagsForResource",
		"GET findingAggregator": "ListFindingAggregators",
	}
	called := map[string]bool{"GetFindingAggregator": true} // the fake does not tell it from the list
	for _, c := range fake.Calls {
		if c.Service == "cloudformation" || c.Service == "sts" {
			continue
		}
		name := names[c.Action]
		if name == "" {
			name = c.Action
		}
		called[name] = true
	}
	text, err := os.ReadFile("../../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Rights that deploying needs")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]bool{}
	action := regexp.MustCompile("`((?:s3:)?[A-Z][A-Za-z]+|s3:[A-Z][A-Za-z]+)`")
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, m := range action.FindAllStringSubmatch(line, -1) {
			listed[m[1]] = true
		}
	}
	if diff := cmp.Diff(sorted(listed), sorted(called)); diff != "" {
		t.Errorf("-docs/aws.md +called:\n%s", diff)
	}
}

func sorted(set map[string]bool) (names []string) {
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
