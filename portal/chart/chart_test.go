package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Fatalf("attribute %s in %s", a.Name.Local, svg)
				}
			}
		}
	}
}

func TestBars(t *testing.T) {
	bars := []Bar{
		{At: noon, To: noon.Add(time.Hour), Values: [5]int{0, 0, 2, 0, 1}, Href: "/findings?a=1&b=2", Title: `12:00 "3" <findings>`},
		{At: noon.Add(time.Hour), To: noon.Add(2 * time.Hour)},
	}
	got := string(Bars(bars, Options{Height: 100, Axis: true, Brush: "/findings?last={from}/{to}"}))
	wellFormed(t, got)
	for _, want := range []string{
		`href="/findings?a=1&amp;b=2"`, `<title>12:00 &#34;3&#34; &lt;findings&gt;</title>`,
		`<rect class="s-c" x="5%" y="91" width="40%" height="25"/>`, // critical on the ground, a quarter of the scale of 4
		`<rect class="s-m" x="5%" y="41" width="40%" height="50"/>`,
		`data-t="2026-11-21T12:00:00Z" data-f="hm">12:00<`, `>4</text>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestBarsWithoutData(t *testing.T) {
	for _, bars := range [][]Bar{nil, {{At: noon}}} {
		got := string(Bars(bars, Options{Height: 40, Axis: true, Brush: "x"}))
		wellFormed(t, got)
		if strings.Contains(got, `class="s-`) || strings.Contains(got, "NaN") {
			t.Errorf("bars where there is no data: %s", got)
		}
	}
}

func TestSmallValuesAreSeen(t *testing.T) {
	got := string(Bars([]Bar{{At: noon, Values: [5]int{100000, 0, 0, 0, 1}}}, Options{Height: 100}))
	wellFormed(t, got)
	if want := `<rect class="s-c" x="10%" y="98" width="80%" height="2"/>`; !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
}

func TestSparkAndShare(t *testing.T) {
	for _, values := range [][]int{nil, {3}, {0, 5, 10}} {
		wellFormed(t, string(Spark(values)))
	}
	if got, want := string(Spark([]int{0, 5, 10})), `points="0,18 40,10 80,2"`; !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
	for _, tt := range []struct {
		part, whole int
		want        string
	}{{1, 4, `width="25%"`}, {0, 0, `width="0%"`}, {9, 3, `class="fill" width="100%"`}} {
		got := string(Share(tt.part, tt.whole))
		wellFormed(t, got)
		if !strings.Contains(got, tt.want) {
			t.Errorf("Share(%d, %d): no %s in %s", tt.part, tt.whole, tt.want, got)
		}
	}
}

func TestNiceAndShort(t *testing.T) {
	for in, want := range map[int]int{0: 0, 1: 1, 3: 4, 7: 8, 9: 10, 11: 20, 41: 50, 999: 1000, 1001: 2000} {
		if got := nice(in); got != want {
			t.Errorf("nice(%d): got %d, want %d", in, got, want)
		}
	}
	for in, want := range map[int]string{950: "950", 1500: "1.5k", 20000: "20k", 3000000: "3M"} {
		if got := short(in); got != want {
			t.Errorf("short(%d): got %s, want %s", in, got, want)
		}
	}
}

// TestLabelsDiffer: no two labels of an axis say the same.
func TestLabelsDiffer(t *testing.T) {
	label := regexp.MustCompile(`data-f="[a-z]+">([^<]+)<`)
	for _, step := range []time.Duration{time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 24 * time.Hour} {
		for _, n := range []int{1, 5, 24, 30, 60} {
			bars := make([]Bar, n)
			for i := range bars {
				bars[i].At = noon.Add(time.Duration(i) * step)
			}
			seen := map[string]bool{}
			for _, m := range label.FindAllStringSubmatch(string(Bars(bars, Options{Height: 10, Axis: true})), -1) {
				if seen[m[1]] {
					t.Errorf("%d bars of %s: %s twice", n, step, m[1])
				}
				seen[m[1]] = true
			}
		}
	}
}
