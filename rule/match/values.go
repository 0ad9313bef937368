package match

import (
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/rule/field"
)

// maxValue is the longest literal that Falco's filter storage takes, in bytes: 256 with the closing NUL.
const maxValue = 255

// constant is one literal, read for the type it is compared with.
type constant struct {
	text   string // text and bytes
	num    int64
	addr   netip.Addr
	prefix netip.Prefix
}

// parseConstant reads text as a value of type t for operator op.
func parseConstant(text string, t field.Type, op Op) (constant, error) {
	if op == BContains || op == BStartsWith {
		b, err := hex.DecodeString(text)
		if err != nil {
			return constant{}, errorf("filter error: bcontains and bstartswith operator support hex strings only")
		}
		text = string(b)
	}
	switch t {
	case field.Bytes:
		if len(text) > maxValue {
			return constant{}, errorf("filter parameter too long (byte buf)")
		}
		return constant{text: text}, nil
	case field.Text, field.Path, field.RelPath, field.SockAddr:
		if text, _, _ = strings.Cut(text, "\x00"); len(text) > maxValue {
			return constant{}, errorf("filter parameter too long (used=%d, available=%d):%s", len(text)+1, maxValue+1, text)
		}
		return constant{text: text}, nil
	case field.Bool:
		switch text {
		case "true":
			return constant{num: 1}, nil
		case "false":
			return constant{}, nil
		}
		return constant{}, errorf("filter error: unrecognized boolean value %s", text)
	case field.Addr:
		a, err := parseAddr(text)
		return constant{addr: a}, err
	case field.Net:
		p, err := parseNet(text)
		return constant{prefix: p}, err
	case field.Port:
		n, err := parsePort(text)
		return constant{num: n}, err
	}
	n, err := parseNumber(text, t)
	return constant{num: n}, err
}

func parseNumber(text string, t field.Type) (int64, error) {
	var n int64
	var ok bool
	switch t {
	case field.Int8, field.Int16, field.Int32, field.Int64, field.Descriptor, field.Errno:
		n, ok = scanSigned(text)
	case field.Uint8, field.Uint16, field.Uint32, field.Uint64, field.Flags8, field.Flags16, field.Flags32, field.Enum8,
		field.Enum16, field.Enum32, field.Mode, field.Duration, field.Time:
		n, ok = scanUnsigned(text)
	default:
		// Falco has no reader for these: 10 is its number for a buffer, and so on.
		return 0, errorf("wrong parameter type %s", t)
	}
	if !ok {
		err := errorf("%s is not a valid number", text)
		if strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X") {
			err.Hint = "numbers are decimal"
		}
		return 0, err
	}
	return truncate(n, t), nil
}

// truncate cuts n to the width of t.
func truncate(n int64, t field.Type) int64 {
	bits := t.Bits()
	if bits == 64 {
		return n
	}
	if t.Signed() {
		return n << (64 - bits) >> (64 - bits)
	}
	return n & (1<<bits - 1)
}

// scanSigned reads a decimal number as scanf's %lld does: leading white space, a sign, values out of range clamped.
func scanSigned(s string) (int64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil || isRange(err)
}

// scanUnsigned reads a decimal number as scanf's %llu does: a minus wraps around.
func scanUnsigned(s string) (int64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	if !isDigits(digits) {
		return 0, false
	}
	u, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		u = math.MaxUint64
		negative = false
	}
	if negative {
		u = -u
	}
	return int64(u), true
}

func isRange(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}

func parseAddr(text string) (netip.Addr, error) {
	kind, dotted := "IPv6", strings.Contains(text, ".")
	if dotted {
		kind = "IPv4"
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is4() != dotted || a.Zone() != "" {
		return netip.Addr{}, errorf("unrecognized %s address %s", kind, text)
	}
	return a.Unmap(), nil
}

func parseNet(text string) (netip.Prefix, error) {
	ip, mask, ok := strings.Cut(text, "/")
	if !strings.Contains(text, ".") {
		if !ok {
			return netip.Prefix{}, errorf("invalid v6 netmask: %s", text)
		}
		a, err := netip.ParseAddr(ip)
		if err != nil || a.Is4() || a.Zone() != "" {
			return netip.Prefix{}, errorf("unrecognized IPv6 address %s", ip)
		}
		n, valid := scanUnsigned(mask)
		if !valid || n < 0 || n > 128 {
			return netip.Prefix{}, errorf("invalid v6 netmask %s", mask)
		}
		return netip.PrefixFrom(a, int(n)).Masked(), nil
	}
	if !ok {
		return netip.Prefix{}, errorf("unrecognized IP network %s", text)
	}
	a, err := netip.ParseAddr(ip)
	if err != nil || !a.Is4() {
		return netip.Prefix{}, errorf("unrecognized IP address %s", text)
	}
	n, valid := scanUnsigned(mask)
	if !valid {
		return netip.Prefix{}, errorf("%s is not a valid number", mask)
	}
	n &= 0xff // the mask is read into a byte
	if n > 32 {
		return netip.Prefix{}, errorf("invalid netmask %s", mask)
	}
	return netip.PrefixFrom(a, int(n)).Masked(), nil
}

func parsePort(text string) (int64, error) {
	switch {
	case text == "":
		return 0, nil
	case isDigits(text):
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return 0, errorf("port %s is out of range", text)
		}
		return n & 0xffff, nil
	}
	if n, ok := servicePort(text); ok {
		return int64(n), nil
	}
	return 0, errorf("unrecognized protocol %s", text)
}
