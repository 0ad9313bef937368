package asff

import (
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
		"time": {isTime[[]byte], `should match format "date-time" (such as 2024-01-04T15:25:10.123Z)`},
		"ip4":  {isIPv4[[]byte], `should match format "ipv4"`},
		"ip6":  {isIPv6[[]byte], `should match format "ipv6"`},
		"account": {isAccount[[]byte],
			`should match pattern "^[0-9]{12}$"`},
		"arn": {isProductArn[[]byte],
			`should be a product ARN such as arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default`},
		"class": {isFindingType[[]byte],
			`should match pattern "^([^/]+)(/[^/]+){0,2}$" (namespace/category/classifier)`},
	}
}

// isTime takes timestamps from the year 1970 on.
func isTime[T string | []byte](value T) bool {
	t, err := parseTime(value)
	return err == nil && t.Year() >= 1970
}

func isIPv4[T string | []byte](value T) bool {
	addr, err := netip.ParseAddr(string(value))
	return err == nil && addr.Is4()
}

// isIPv6 takes IPv4 addresses mapped into IPv6 too, and no zones.
func isIPv6[T string | []byte](value T) bool {
	addr, err := netip.ParseAddr(string(value))
	return err == nil && addr.Is6() && addr.Zone() == ""
}

func isAccount[T string | []byte](value T) bool {
	if len(value) != 12 {
		return false
	}
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
	}
	return true
}

// isProductArn takes arn:PARTITION:securityhub:REGION:[ACCOUNT]:product/COMPANY/PRODUCT of 12 to 2048 bytes. Partners'
// products have no account.
func isProductArn[T string | []byte](value T) bool {
	if len(value) < minProductArn || len(value) > maxProductArn {
		return false
	}
	arn, ok := strings.CutPrefix(string(value), "arn:")
	partition, arn, _ := strings.Cut(arn, ":")
	service, arn, _ := strings.Cut(arn, ":")
	region, arn, _ := strings.Cut(arn, ":")
	account, product, colons := strings.Cut(arn, ":")
	if !ok || !colons || partition == "" || service != "securityhub" || region == "" || account != "" && !isAccount(account) {
		return false
	}
	product, ok = strings.CutPrefix(product, "product/")
	company, name, _ := strings.Cut(product, "/")
	return ok && company != "" && name != ""
}

// isFindingType takes one to three parts between slashes, none empty. The namespaces that AWS documents (Software
// and Configuration Checks, TTPs, Effects, Unusual Behaviors, Sensitive Data Identifications) are not enforced,
// because Security Hub does not enforce them and scanners rely on that.
func isFindingType[T string | []byte](value T) bool {
	if blank(value) || value[len(value)-1] == '/' {
		return false
	}
	slashes := 0
	for i := range len(value) {
		if value[i] != '/' {
			continue
		}
		if slashes++; slashes > 2 || i == 0 || value[i-1] == '/' {
			return false
		}
	}
	return true
}

// blank reports whether there is nothing but white space, which AWS's pattern .*\S.* refuses.
func blank[T string | []byte](value T) bool {
	return len(value) == 0 || value[0] <= ' ' && strings.TrimSpace(string(value)) == ""
}
