package plans

import (
	"bytes"
	"fmt"
	"html"
	"time"

	"github.com/serin-flags/serin/ci"
)

// A Stage is a step of a plan as it looks from now.
type Stage struct {
	Share    ci.Share
	Cleared  bool
	At       time.Time // when it was cleared or, of a later step, can be at the earliest
	Known    bool      // At is known: of the steps before the last cleared one it isn't
	Approval bool      // a person must approve it, and hasn't
}

// Stages returns the steps of a plan. Of those to come it says when each can be cleared at the
// earliest, if every one before it is cleared as soon as it can be.
func Stages(p *ci.Plan, line ci.ReleaseLine, now time.Time) []Stage {
	cleared, _ := p.Cleared(line.Share)
	stages := make([]Stage, len(p.Steps))
	at := time.Unix(p.Start, 0)
	if !line.Start.IsZero() {
		at = line.Start
	}
	for i, s := range p.Steps {
		stages[i] = Stage{Share: s.To, Cleared: i < cleared, Approval: s.Approval && line.Approved < s.To &&
			i >= cleared}
		switch {
		case i == cleared-1:
			at, stages[i].Known = line.Since, true
		case i < cleared:
			continue
		default:
			if at = at.Add(time.Duration(s.After)); at.Before(now) {
				at = now
			}
			stages[i].Known = true
		}
		stages[i].At = at.UTC()
	}
	return stages
}

// Span returns the earliest and the latest known time of stages and now.
func Span(stages []Stage, now time.Time) (from, to time.Time) {
	from, to = now, now
	for _, s := range stages {
		if s.Known && s.At.Before(from) {
			from = s.At
		}
		if s.Known && s.At.After(to) {
			to = s.At
		}
	}
	return from, to
}

// The size of a chart, in pixels.
const (
	chartWidth, chartHeight = 720, 260
	chartLeft, chartRight   = 56, 16
	chartTop, chartBottom   = 34, 34
)

// Chart draws a plan as SVG: the share over time, what is cleared solid, and what is to come
// dashed, at the earliest that it can be. It adapts to dark backgrounds.
func Chart(p *ci.Plan, line ci.ReleaseLine, now time.Time) []byte {
	stages := Stages(p, line, now)
	from, to := Span(stages, now)
	if span := to.Sub(from); span < time.Hour {
		to = from.Add(time.Hour)
	} else {
		to = to.Add(span / 12)
	}
	x := func(t time.Time) float64 {
		return chartLeft + float64(chartWidth-chartLeft-chartRight)*float64(t.Sub(from))/float64(to.Sub(from))
	}
	y := func(s ci.Share) float64 {
		return chartTop + float64(chartHeight-chartTop-chartBottom)*(1-float64(s)/float64(ci.WholeShare))
	}
	c := chart{x: x, y: y}
	c.open(p, line)
	c.axes(from, to)
	c.steps(stages, line, now, to)
	c.WriteString("</svg>\n")
	return c.Bytes()
}

// A chart is one that is being drawn.
type chart struct {
	bytes.Buffer
	x func(time.Time) float64
	y func(ci.Share) float64
}

func (c *chart) open(p *ci.Plan, line ci.ReleaseLine) {
	title := fmt.Sprintf("%s in %s: %v", p.Flag, p.Environment, line.Share)
	if line.State != ci.ReleaseRunning {
		title += fmt.Sprintf(" (%s)", line.State.Words())
	}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		chartWidth, chartHeight, chartWidth, chartHeight, html.EscapeString(title))
	fmt.Fprintf(c, `<style>
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600; font-size: 14px }
.grid { stroke: #ddd } .now { stroke: #888; stroke-dasharray: 2 3 }
.done { stroke: #0a7d4b; stroke-width: 3; fill: none } .next { stroke: #0a7d4b; stroke-width: 2; stroke-dasharray: 6 4; fill: none }
.back { stroke: #b3261e } .gate { fill: #fff; stroke: #0a7d4b; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #444 } .done, .next { stroke: #5ad19a } .back { stroke: #ff8a80 } .gate { fill: #222; stroke: #5ad19a } }
</style>
<text class="title" x="%d" y="20">%s</text>
`, chartLeft, html.EscapeString(title))
}

func (c *chart) axes(from, to time.Time) {
	for _, percent := range []ci.Share{0, 25, 50, 75, 100} {
		s := percent * ci.WholeShare / 100
		fmt.Fprintf(c, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%v</text>`+"\n",
			chartLeft, c.y(s), chartWidth-chartRight, c.y(s), chartLeft-8, c.y(s)+4, s)
	}
	const ticks = 4
	for i := range ticks {
		t := from.Add(to.Sub(from) * time.Duration(i) / ticks)
		fmt.Fprintf(c, `<text x="%.1f" y="%d">%s</text>`+"\n", c.x(t), chartHeight-12, t.UTC().Format("01-02 15:04"))
	}
}

// steps draws the stages, and where now is.
func (c *chart) steps(stages []Stage, line ci.ReleaseLine, now, end time.Time) {
	class := "done"
	if line.State == ci.ReleaseBack {
		class = "done back"
	}
	start := now
	if line.Count > 0 && !line.Since.IsZero() {
		start = line.Since
	}
	fmt.Fprintf(c, `<path class="%s" d="M%.1f %.1f H%.1f"/>`+"\n", class, c.x(start), c.y(line.Share), c.x(now))
	d := fmt.Sprintf("M%.1f %.1f", c.x(now), c.y(line.Share))
	var gates bytes.Buffer
	going := line.State == ci.ReleaseRunning
	for _, s := range stages {
		if s.Cleared || !going {
			continue
		}
		d += fmt.Sprintf(" H%.1f V%.1f", c.x(s.At), c.y(s.Share))
		if s.Approval {
			fmt.Fprintf(&gates, `<circle class="gate" cx="%.1f" cy="%.1f" r="5"><title>%v needs an approval</title></circle>`+"\n", c.x(s.At), c.y(s.Share), s.Share)
		}
	}
	fmt.Fprintf(c, `<path class="next" d="%s H%.1f"/>`+"\n", d, c.x(end))
	c.Write(gates.Bytes())
	fmt.Fprintf(c, `<line class="now" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text x="%.1f" y="%d">now</text>`+"\n",
		c.x(now), chartTop, c.x(now), chartHeight-chartBottom, c.x(now)+4, chartTop+10)
}
