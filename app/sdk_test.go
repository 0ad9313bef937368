package app

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"
)

// sdk is AWS's own client, with the key that is in dir, against an eyrie at url.
func sdk(t *testing.T, url, dir string) *securityhub.Client {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `\s*=\s*(\S+)`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("credentials has no %s", name)
		}
		return string(m[1])
	}
	return securityhub.New(securityhub.Options{
		Region:       DefaultRegion,
		BaseEndpoint: aws.String(url),
		Credentials:  credentials.NewStaticCredentialsProvider(value("aws_access_key_id"), value("aws_secret_access_key"), ""),
	})
}

// allFindings pages through everything that matches.
func allFindings(t *testing.T, c *securityhub.Client, filters *types.AwsSecurityFindingFilters) []types.AwsSecurityFinding {
	t.Helper()
	var all []types.AwsSecurityFinding
	pages := securityhub.NewGetFindingsPaginator(c, &securityhub.GetFindingsInput{Filters: filters, MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Findings...)
	}
	return all
}

func occurrences(t *testing.T, f types.AwsSecurityFinding) int {
	t.Helper()
	n, err := strconv.Atoi(f.ProductFields["eyrie/occurrences"])
	if err != nil {
		t.Fatalf("finding %s: eyrie/occurrences: %v", aws.ToString(f.Id), err)
	}
	return n
}

func countOccurrences(t *testing.T, url, dir string) (findings, sum int) {
	t.Helper()
	for _, f := range allFindings(t, sdk(t, url, dir), nil) {
		findings++
		sum += occurrences(t, f)
	}
	return findings, sum
}
