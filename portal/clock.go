package portal

import (
	"fmt"
	"html/template"
	"strconv"
	"time"
)

// ago writes a time as "4 min ago" in a <time> element with the exact time. now is the page's.
func ago(t, now time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="none">never</span>`
	}
	return timeElement(t, relative(t, now), "r")
}

// until is ago without the word: "4 min", for narrow columns.
func until(t, now time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="none">never</span>`
	}
	return timeElement(t, span(now.Sub(t)), "s")
}

// exact writes a time in full, UTC; the script turns it into the viewer's zone.
func exact(t time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="none">unknown</span>`
	}
	return timeElement(t, t.UTC().Format("2006-01-02 15:04:05 UTC"), "x")
}

// timeElement writes <time>. data-k says how the script is to write it again: r relative, s short relative, x exact.
func timeElement(t time.Time, words, kind string) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s" data-k="%s">%s</time>`, //nolint:gosec // numbers and our words
		t.Format("2006-01-02T15:04:05.000Z"), t.Format("2006-01-02 15:04:05.000 UTC"), kind, words))
}

func relative(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < -time.Minute:
		return "in " + span(-d)
	case d < time.Second:
		return "now"
	}
	return span(d) + " ago"
}

// span writes a duration in its greatest unit, rounded down.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + " d"
}

// duration writes how long something is kept: "90 days", "36 hours".
func duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "for ever"
	case d%(24*time.Hour) == 0:
		return count(int(d/(24*time.Hour)), "day", "days")
	case d >= time.Hour:
		return count(int(d/time.Hour), "hour", "hours")
	case d >= time.Minute:
		return count(int(d/time.Minute), "minute", "minutes")
	}
	if d >= time.Second {
		return strconv.Itoa(int(d/time.Second)) + " s"
	}
	return strconv.Itoa(int(d/time.Millisecond)) + " ms"
}

// byteSize writes a size in binary units with one decimal: "14.2 MiB".
func byteSize(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, units := float64(n)/1024, "KMGTP"
	for f >= 1024 && len(units) > 1 {
		f, units = f/1024, units[1:]
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + units[:1] + "iB"
}
