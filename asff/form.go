package asff

import (
	"bytes"
	"net/netip"
	"strings"
)

// form is a kind of string with a test of its own. wants ends the sentence "data.X ..." in an error message.
type form struct {
	test  func(value []byte) bool
	wants string
}

func forms() map[string]*form {
	return map[string]*form{
		"time": {isTime, `should match format "date-time" (such as 2024-01-04T15:25:10.123Z)`},
		"ip4":  {isIPv4, `should match format "ipv4"`},
		"ip6":  {isIPv6, `should match format "ipv6"`},
		"account": {isAccount,
			`should match pattern "^[0-9]{12}$"`},
		"arn": {isProductArn,
			`should be a product ARN such as arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default`},
		"class": {isFindingType,
			`should match pattern "^([^/]+)(/[^/]+){0,2}$" (namespace/category/classifier)`},
	}
}

// isTime takes timestamps from the year 1970 on.
func isTime(value []byte) bool {
	t, err := parseTime(value)
	return err == nil && t.Year() >= 1970
}

func isIPv4(value []byte) bool {
	addr, err := netip.ParseAddr(string(value))
	return err == nil && addr.Is4()
}

// isIPv6 takes IPv4 addresses mapped into IPv6 too, and no zones.
func isIPv6(value []byte) bool {
	addr, err := netip.ParseAddr(string(value))
	return err == nil && addr.Is6() && addr.Zone() == ""
}

func isAccount(value []byte) bool {
	if len(value) != 12 {
		return false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isProductArn takes arn:PARTITION:securityhub:REGION:[ACCOUNT]:product/COMPANY/PRODUCT of 12 to 2048 bytes. Partners'
// products have no account.
func isProductArn(value []byte) bool {
	if len(value) < minProductArn || len(value) > maxProductArn {
		return false
	}
	parts := strings.SplitN(string(value), ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] != "securityhub" || parts[3] == "" {
		return false
	}
	if parts[4] != "" && !isAccount([]byte(parts[4])) {
		return false
	}
	product, ok := strings.CutPrefix(parts[5], "product/")
	company, name, _ := strings.Cut(product, "/")
	return ok && company != "" && name != ""
}

// isFindingType takes one to three parts between slashes, none empty. The namespaces that AWS documents (Software
// and Configuration Checks, TTPs, Effects, Unusual Behaviors, Sensitive Data Identifications) are not enforced,
// because Security Hub does not enforce them and scanners rely on that.
func isFindingType(value []byte) bool {
	if blank(value) || bytes.Count(value, []byte{'/'}) > 2 {
		return false
	}
	for part := range bytes.SplitSeq(value, []byte{'/'}) {
		if len(part) == 0 {
			return false
		}
	}
	return true
}

// blank reports whether there is nothing but white space, which AWS's pattern .*\S.* refuses.
func blank(value []byte) bool {
	return len(value) == 0 || value[0] <= ' ' && len(bytes.TrimSpace(value)) == 0
}
