// Package ec2 is enrich's way to Amazon EC2: in come ids of instances, out go their type, start, network, addresses,
// profile and tags, by one DescribeInstances call.
//
// It speaks EC2's Query protocol itself, with the SDK's credentials and signature: the SDK's own client for EC2 is 31 MB
// of source that takes a minute and a half to compile, for the one operation that is used here
// (docs/design/0007-lambda.md). It never retries: enrichment does without an answer that does not come at once.
package ec2

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/enrich"
)

const (
	service = "ec2"        // name in endpoints and signatures
	version = "2016-11-15" // of the API
	maxBody = 32 << 20     // bytes of an answer; that for 200 instances has some hundred KiB
	maxPage = 20           // pages of one answer
)

// Client looks up instances. It is safe for concurrent use.
type Client struct {
	endpoint    string
	region      string
	credentials aws.CredentialsProvider
	http        aws.HTTPClient
	signer      *v4.Signer
	now         func() time.Time
}

// New returns a Client with the Region, credentials and HTTP client of c. endpoint names another endpoint than that of the
// Region; "" is the Region's.
func New(c aws.Config, endpoint string) *Client {
	if endpoint == "" {
		endpoint = "https://" + service + "." + c.Region + "." + suffix(c.Region)
	}
	client := c.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	return &Client{endpoint, c.Region, c.Credentials, client, v4.NewSigner(), time.Now}
}

// suffix is the DNS suffix of a Region's partition (the SDK's partitions.json).
func suffix(region string) string {
	for _, p := range [...]struct{ prefix, suffix string }{
		{"cn-", "amazonaws.com.cn"}, {"us-isob-", "sc2s.sgov.gov"}, {"us-isof-", "csp.hci.ic.gov"}, {"eu-isoe-", "cloud.adc-e.uk"},
		{"us-iso-", "c2s.ic.gov"}, {"eusc-", "amazonaws.eu"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.suffix
		}
	}
	return "amazonaws.com"
}

// Instances asks for up to enrich.MaxInstances instances. It asks by filter, not by id: one id that does not exist would
// refuse the whole call.
func (c *Client) Instances(ctx context.Context, ids []string) (map[string]enrich.Instance, error) {
	form := url.Values{"Action": {"DescribeInstances"}, "Version": {version}, "Filter.1.Name": {"instance-id"}, "MaxResults": {"1000"}}
	for i, id := range ids {
		form.Set("Filter.1.Value."+strconv.Itoa(i+1), id)
	}
	all := make(map[string]enrich.Instance, len(ids))
	for range maxPage {
		var page response
		if err := c.call(ctx, form, &page); err != nil {
			return all, fmt.Errorf("describe %d instances: %w", len(ids), err)
		}
		for _, reservation := range page.Reservations {
			for i := range reservation.Instances {
				in := &reservation.Instances[i]
				all[in.ID] = in.convert()
			}
		}
		if page.NextToken == "" {
			return all, nil
		}
		form.Set("NextToken", page.NextToken)
	}
	return all, fmt.Errorf("describe %d instances: more than %d pages", len(ids), maxPage)
}

func (c *Client) call(ctx context.Context, form url.Values, out any) error {
	body := form.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	hash := sha256.Sum256([]byte(body))
	if err := c.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), service, c.region, c.now()); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		var e failure
		if xml.Unmarshal(text, &e) != nil || e.Code == "" {
			e.Code, e.Message = answer.Status, string(bytes.TrimSpace(text[:min(len(text), 200)]))
		}
		return fmt.Errorf("%s: %s (request %s)", e.Code, e.Message, e.RequestID)
	}
	return xml.Unmarshal(text, out)
}

// failure is EC2's answer to a call that it refuses.
type failure struct {
	Code      string `xml:"Errors>Error>Code"`
	Message   string `xml:"Errors>Error>Message"`
	RequestID string `xml:"RequestID"`
}

// response is DescribeInstancesResponse, as far as it is used (Amazon EC2 API Reference).
type response struct {
	Reservations []struct {
		Instances []instance `xml:"instancesSet>item"`
	} `xml:"reservationSet>item"`
	NextToken string `xml:"nextToken"`
}

type instance struct {
	ID         string `xml:"instanceId"`
	ImageID    string `xml:"imageId"`
	Type       string `xml:"instanceType"`
	KeyName    string `xml:"keyName"`
	LaunchTime string `xml:"launchTime"`
	VpcID      string `xml:"vpcId"`
	SubnetID   string `xml:"subnetId"`
	PrivateIP  string `xml:"privateIpAddress"`
	PublicIP   string `xml:"ipAddress"`
	ProfileARN string `xml:"iamInstanceProfile>arn"`
	Interfaces []struct {
		Private []struct {
			Address string `xml:"privateIpAddress"`
			Public  string `xml:"association>publicIp"`
		} `xml:"privateIpAddressesSet>item"`
		IPv6 []string `xml:"ipv6AddressesSet>item>ipv6Address"`
	} `xml:"networkInterfaceSet>item"`
	Tags []struct {
		Key   string `xml:"key"`
		Value string `xml:"value"`
	} `xml:"tagSet>item"`
}

func (in *instance) convert() enrich.Instance {
	d := asff.AwsEc2Instance{Type: in.Type, ImageID: in.ImageID, KeyName: in.KeyName, VpcID: in.VpcID, SubnetID: in.SubnetID,
		IamInstanceProfileArn: in.ProfileARN}
	if t, err := time.Parse(time.RFC3339Nano, in.LaunchTime); err == nil {
		d.LaunchedAt = asff.FormatTime(t)
	}
	seen := map[string]bool{"": true}
	add := func(list *[]string, address string) {
		if !seen[address] {
			seen[address] = true
			*list = append(*list, address)
		}
	}
	add(&d.IpV4Addresses, in.PrivateIP)
	add(&d.IpV4Addresses, in.PublicIP)
	for _, i := range in.Interfaces {
		for _, p := range i.Private {
			add(&d.IpV4Addresses, p.Address)
			add(&d.IpV4Addresses, p.Public)
		}
		for _, address := range i.IPv6 {
			add(&d.IpV6Addresses, address)
		}
	}
	out := enrich.Instance{Details: d}
	if len(in.Tags) > 0 {
		out.Tags = make(map[string]string, len(in.Tags))
		for _, t := range in.Tags {
			out.Tags[t.Key] = t.Value
		}
	}
	return out
}
