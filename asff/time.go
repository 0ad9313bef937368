package asff

import (
	"fmt"
	"time"
)

// FormatTime writes t as ASFF writes it: UTC, with as many digits of the second as it has, at most nine.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// maxOffset is the largest offset from UTC that a timestamp may have (API reference, "Timestamps").
const maxOffset = 18 * time.Hour

// ParseTime reads a timestamp in any of the forms Security Hub takes (API reference, "Timestamps"):
//
//	2019-01-31T23:00:00Z              2024-01-04T15:25:10+17:59
//	2019-01-31T23:00:00.123456789Z    2024-01-04T15:25:10-1759
//	2024-01-04T15:25:10.123456789+17:59
//
// The fraction has one to nine digits, the offset is at most 18 hours and may lack its minutes. The result is
// in UTC. A date that does not exist (30 February) or a leap second is an error.
func ParseTime(s string) (time.Time, error) { return parseTime(s) }

// parseTime takes strings and bytes alike, so that an index can parse without copying.
func parseTime[T string | []byte](s T) (time.Time, error) {
	bad := func() (time.Time, error) {
		return time.Time{}, fmt.Errorf("bad timestamp %q", clip(string(s), 64))
	}
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return bad()
	}
	year, ok1 := digits(s, 0, 4)
	month, ok2 := digits(s, 5, 2)
	day, ok3 := digits(s, 8, 2)
	hour, ok4 := digits(s, 11, 2)
	minute, ok5 := digits(s, 14, 2)
	second, ok6 := digits(s, 17, 2)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return bad()
	}
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return bad()
	}
	i, nanos := 19, 0
	if s[i] == '.' {
		start := i + 1
		for i = start; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
			nanos = nanos*10 + int(s[i]-'0')
			if i-start >= 9 {
				return bad()
			}
		}
		if i == start {
			return bad()
		}
		for n := i - start; n < 9; n++ {
			nanos *= 10
		}
	}
	offset, ok := parseOffset(s, i)
	if !ok {
		return bad()
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day {
		return bad()
	}
	return t.Add(-offset), nil
}

// parseOffset reads "Z" or an offset that fills s from i.
func parseOffset[T string | []byte](s T, i int) (time.Duration, bool) {
	if i >= len(s) {
		return 0, false
	}
	if s[i] == 'Z' {
		return 0, i+1 == len(s)
	}
	if s[i] != '+' && s[i] != '-' {
		return 0, false
	}
	hours, ok := digits(s, i+1, 2)
	minutes, rest := 0, len(s)-i-3
	switch {
	case !ok:
		return 0, false
	case rest == 0:
	case rest == 2:
		minutes, ok = digits(s, i+3, 2)
	case rest == 3 && s[i+3] == ':':
		minutes, ok = digits(s, i+4, 2)
	default:
		return 0, false
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if !ok || minutes > 59 || d > maxOffset {
		return 0, false
	}
	if s[i] == '-' {
		d = -d
	}
	return d, true
}

// digits reads n decimal digits at i.
func digits[T string | []byte](s T, i, n int) (int, bool) {
	if i+n > len(s) {
		return 0, false
	}
	v := 0
	for ; n > 0; n-- {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
		i++
	}
	return v, true
}

// clip shortens s for an error message to at most n bytes, on a rune boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
