// Package chart draws small charts as SVG. In come numbers and times; out goes markup that needs no script and no style
// of its own: horizontal positions are percentages, so that a chart fills its place at any width without its text being
// stretched, vertical ones are pixels, and every colour is a class of the style sheet.
//
// A chart is a picture: it is hidden from screen readers, and its links are out of the tab order. Whoever shows one
// stands a table of the same numbers beside it. Links and labels are escaped here. It never fails: no data gives an
// empty frame.
package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bar is one step of a bar chart.
type Bar struct {
	At     time.Time
	To     time.Time
	Values [5]int // drawn from the baseline up, last first: critical stands on the ground
	Href   string // where a click leads; "" for nowhere
	Title  string // tooltip, plain text
}

// Total is the height of the bar.
func (b Bar) Total() int {
	n := 0
	for _, v := range b.Values {
		n += v
	}
	return n
}

// Options say how bars are drawn.
type Options struct {
	Height int    // of the plot, pixels
	Axis   bool   // draw scale and time labels
	Brush  string // a link with {from} and {to} in it: makes the chart selectable by dragging; "" for not
	Single bool   // one colour: Values[0] alone counts
	Label  string // what it shows
}

const (
	axisHeight = 20  // pixels under the plot for time labels
	topRoom    = 16  // pixels above the plot for the highest label
	barShare   = 0.8 // of its step that a bar fills
	minSegment = 2.0 // pixels: what is there is seen
)

// classes of the values, in the order of Bar.Values.
var classes = [5]string{"i", "l", "m", "h", "c"}

// Bars draws a chart of stacked bars.
func Bars(bars []Bar, o Options) template.HTML {
	top := 0
	for _, b := range bars {
		top = max(top, b.Total())
	}
	ceiling := nice(top)
	head, foot := 0, 0
	if o.Axis {
		head, foot = topRoom, axisHeight
	}
	c := canvas{o: o, ceiling: ceiling, base: float64(head + o.Height), head: float64(head)}
	fmt.Fprintf(&c.b, `<svg class="chart" height="%d" width="100%%" aria-hidden="true" focusable="false"`, head+o.Height+foot)
	if o.Brush != "" && len(bars) > 0 {
		fmt.Fprintf(&c.b, ` data-brush="%s" data-n="%d"`, template.HTMLEscapeString(o.Brush), len(bars))
	}
	c.b.WriteString(">")
	if o.Axis {
		c.grid()
	}
	for i, b := range bars {
		c.bar(i, len(bars), b)
	}
	fmt.Fprintf(&c.b, `<line class="base" x1="0" x2="100%%" y1="%s" y2="%[1]s"/>`, px(c.base+.5))
	if o.Axis {
		c.times(bars)
	}
	c.b.WriteString("</svg>")
	return template.HTML(c.b.String()) //nolint:gosec // made of numbers and escaped text
}

type canvas struct {
	b       strings.Builder
	o       Options
	ceiling int
	base    float64 // y of the baseline
	head    float64 // y of the top of the plot
}

// grid draws the lines at the ceiling and at its half, with their values.
func (c *canvas) grid() {
	if c.ceiling == 0 {
		return
	}
	steps := []int{c.ceiling}
	if c.ceiling%2 == 0 {
		steps = append(steps, c.ceiling/2)
	}
	for _, v := range steps {
		y := c.base - float64(c.o.Height)*float64(v)/float64(c.ceiling)
		fmt.Fprintf(&c.b, `<line class="rule" x1="0" x2="100%%" y1="%s" y2="%[1]s"/><text class="scale" x="0" y="%s">%s</text>`, px(math.Floor(y)+.5), px(y-3), short(v))
	}
}

func (c *canvas) bar(i, n int, b Bar) {
	slot := 100 / float64(n)
	x, width := slot*(float64(i)+(1-barShare)/2), slot*barShare
	link := b.Href != ""
	if link {
		fmt.Fprintf(&c.b, `<a href="%s" tabindex="-1">`, template.HTMLEscapeString(b.Href))
	} else {
		c.b.WriteString("<g>")
	}
	fmt.Fprintf(&c.b, `<title>%s</title><rect class="hit" x="%s%%" y="%s" width="%s%%" height="%d" data-from="%s" data-to="%s"/>`,
		template.HTMLEscapeString(b.Title), pct(slot*float64(i)), px(c.head), pct(slot), c.o.Height, stamp(b.At), stamp(b.To))
	y := c.base
	for v := len(b.Values) - 1; v >= 0; v-- {
		if b.Values[v] == 0 || c.ceiling == 0 {
			continue
		}
		h := math.Max(minSegment, float64(c.o.Height)*float64(b.Values[v])/float64(c.ceiling))
		h = math.Min(h, y-c.head)
		if h <= 0 {
			break
		}
		class := classes[v]
		if c.o.Single {
			class = "one"
		}
		fmt.Fprintf(&c.b, `<rect class="s-%s" x="%s%%" y="%s" width="%s%%" height="%s"/>`, class, pct(x), px(y-h), pct(width), px(h))
		y -= h
	}
	if link {
		c.b.WriteString("</a>")
	} else {
		c.b.WriteString("</g>")
	}
}

// times writes some five labels under the bars. They are UTC; a script may rewrite them for the viewer's zone.
func (c *canvas) times(bars []Bar) {
	if len(bars) == 0 {
		return
	}
	format, kind := "15:04", "hm"
	every := max(1, (len(bars)+5)/6)
	if len(bars) > 1 && bars[len(bars)-1].At.Sub(bars[0].At) >= 24*time.Hour {
		format, kind = "Jan 2", "md"
		if bars[1].At.Sub(bars[0].At)*time.Duration(every) < 24*time.Hour { // or two labels would name one day
			format, kind, every = "Jan 2, 15:04", "dh", max(1, (len(bars)+3)/4)
		}
	}
	for i := 0; i < len(bars); i += every {
		anchor, x := "middle", 100*(float64(i)+.5)/float64(len(bars))
		if i == 0 {
			anchor, x = "start", 0
		}
		fmt.Fprintf(&c.b, `<text class="tick" x="%s%%" y="%s" text-anchor="%s" data-t="%s" data-f="%s">%s</text>`,
			pct(x), px(c.base+15), anchor, stamp(bars[i].At), kind, bars[i].At.UTC().Format(format))
	}
}

// Spark draws a line without axes, 80 by 20 pixels, the newest value last.
func Spark(values []int) template.HTML {
	const width, height = 80.0, 20.0
	top := 1
	for _, v := range values {
		top = max(top, v)
	}
	var points, area strings.Builder
	step := width / math.Max(1, float64(len(values)-1))
	for i, v := range values {
		fmt.Fprintf(&points, "%s,%s ", px(float64(i)*step), px(height-2-(height-4)*float64(v)/float64(top)))
	}
	fmt.Fprintf(&area, "0,%s %s%s,%[1]s", px(height), points.String(), px(width))
	return template.HTML(`<svg class="spark" width="80" height="20" viewBox="0 0 80 20" aria-hidden="true" focusable="false"><polygon class="area" points="` + //nolint:gosec // numbers
		area.String() + `"/><polyline class="line" points="` + strings.TrimSuffix(points.String(), " ") + `"/></svg>`)
}

// Share draws a bar that fills part of whole of its place.
func Share(part, whole int) template.HTML {
	share := 0.0
	if whole > 0 {
		share = math.Max(.5, 100*float64(part)/float64(whole))
	}
	return template.HTML(`<svg class="share" width="100%" height="4" aria-hidden="true" focusable="false"><rect class="track" width="100%" height="4" rx="2"/><rect class="fill" width="` + //nolint:gosec // numbers
		pct(math.Min(share, 100)) + `%" height="4" rx="2"/></svg>`)
}

// nice returns the smallest even-looking number that is not less than n.
func nice(n int) int {
	if n <= 0 {
		return 0
	}
	for scale := 1; ; scale *= 10 {
		for _, m := range []int{1, 2, 4, 5, 6, 8, 10} {
			if m*scale >= n {
				return m * scale
			}
		}
	}
}

// short writes a number of a scale: 950, 1.5k, 20k, 3M.
func short(n int) string {
	switch {
	case n >= 1_000_000:
		return strconv.FormatFloat(float64(n)/1e6, 'g', 3, 64) + "M"
	case n >= 1_000:
		return strconv.FormatFloat(float64(n)/1e3, 'g', 3, 64) + "k"
	}
	return strconv.Itoa(n)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func pct(v float64) string { return trim(strconv.FormatFloat(v, 'f', 3, 64)) }
func px(v float64) string  { return trim(strconv.FormatFloat(v, 'f', 1, 64)) }

func trim(s string) string {
	if strings.ContainsRune(s, '.') {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
