package ec2

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/enrich"
)

func client(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(server.Close)
	return New(aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", "session")}, server.URL)
}

func TestInstances(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		want := map[string][]string{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}, "MaxResults": {"1000"},
			"Filter.1.Name": {"instance-id"}, "Filter.1.Value.1": {"i-1"}, "Filter.1.Value.2": {"i-2"}}
		if diff := cmp.Diff(want, map[string][]string(r.PostForm)); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "/eu-central-1/ec2/aws4_request") || r.Header.Get("X-Amz-Security-Token") != "session" {
			t.Errorf("signed %q", auth)
		}
		fmt.Fprint(w, `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item>
<instanceId>i-2</instanceId><imageId>ami-1</imageId><instanceType>t3.small</instanceType><keyName>k</keyName><launchTime>2026-11-20T10:11:12.000Z</launchTime>
<vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId><privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>198.51.100.7</ipAddress>
<iamInstanceProfile><arn>arn:aws:iam::1:instance-profile/p</arn></iamInstanceProfile>
<networkInterfaceSet><item><privateIpAddressesSet><item><privateIpAddress>10.0.0.1</privateIpAddress><association><publicIp>198.51.100.7</publicIp></association></item>
<item><privateIpAddress>10.0.0.2</privateIpAddress></item></privateIpAddressesSet><ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address></item></ipv6AddressesSet></item></networkInterfaceSet>
<tagSet><item><key>Name</key><value>a &lt; b</value></item></tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`)
	})
	got, err := c.Instances(t.Context(), []string{"i-1", "i-2"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]enrich.Instance{"i-2": {Details: asff.AwsEc2Instance{Type: "t3.small", ImageID: "ami-1", KeyName: "k", VpcID: "vpc-1", SubnetID: "subnet-1",
		LaunchedAt: "2026-11-20T10:11:12Z", IamInstanceProfileArn: "arn:aws:iam::1:instance-profile/p",
		IpV4Addresses: []string{"10.0.0.1", "198.51.100.7", "10.0.0.2"}, IpV6Addresses: []string{"2001:db8::1"}}, Tags: map[string]string{"Name": "a < b"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestErrors: EC2's own words are kept, and nothing that it may answer is taken for an answer.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, body, want string
		status           int
	}{
		{"refused", `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized.</Message></Error></Errors><RequestID>r-1</RequestID></Response>`,
			"describe 1 instances: UnauthorizedOperation: You are not authorized. (request r-1)", 403},
		{"a proxy's page", "<html>no", "describe 1 instances: 502 Bad Gateway: <html>no", 502},
		{"torn", "<DescribeInstancesResponse>", "XML syntax error", 200},
		{"pages without end", `<DescribeInstancesResponse><nextToken>again</nextToken></DescribeInstancesResponse>`, "more than 20 pages", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := client(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status); fmt.Fprint(w, c.body) }).Instances(t.Context(), []string{"i-1"})
			if err == nil || !strings.Contains(err.Error(), c.want) || len(got) != 0 {
				t.Errorf("got %v, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	for region, want := range map[string]string{"eu-central-1": "https://ec2.eu-central-1.amazonaws.com", "cn-north-1": "https://ec2.cn-north-1.amazonaws.com.cn",
		"us-gov-west-1": "https://ec2.us-gov-west-1.amazonaws.com", "us-iso-east-1": "https://ec2.us-iso-east-1.c2s.ic.gov", "us-isob-east-1": "https://ec2.us-isob-east-1.sc2s.sgov.gov",
		"eusc-de-east-1": "https://ec2.eusc-de-east-1.amazonaws.eu"} {
		if got := New(aws.Config{Region: region}, "").endpoint; got != want {
			t.Errorf("%s: got %s, want %s", region, got, want)
		}
	}
}
