package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/internal/served"
)

// A bar draws shares. It is 100 wide.
type bar struct {
	Label string
	Parts []part
}

// A part is a stretch of a bar. Kind, from 0 to 9, is the color.
type part struct {
	X, Width string
	Kind     int
	Name     string
	Share    string
}

// kinds is how many colors there are.
const kinds = 10

// shareBar draws what is served. The order of the flag's variants decides which has which color.
func shareBar(f *evaluator.Flag, shares []served.Share) bar {
	var b bar
	at := 0.0
	var words []string
	widths := widthsOf(shares)
	for j, s := range shares {
		kind := 0
		for i, v := range f.Variants {
			if v.Name == s.Variant {
				kind = i % kinds
			}
		}
		share := served.Percent(s.Share)
		b.Parts = append(b.Parts, part{
			fmt.Sprintf("%.3f", at), fmt.Sprintf("%.3f", widths[j]), kind, display.Line(s.Variant), share,
		})
		words = append(words, share+" "+display.Line(s.Variant))
		at += widths[j]
	}
	b.Label = strings.Join(words, ", ")
	return b
}

// narrowest is how wide a part of a bar is at least, of 100, so that people see it.
const narrowest = 1.0

// widthsOf returns how wide shares are drawn: the widest part makes room for what is too narrow.
func widthsOf(shares []served.Share) []float64 {
	widths := make([]float64, len(shares))
	widest, added := 0, 0.0
	for i, s := range shares {
		widths[i] = 100 * s.Share
		if widths[i] < narrowest {
			added += narrowest - widths[i]
			widths[i] = narrowest
		}
		if widths[i] > widths[widest] {
			widest = i
		}
	}
	if added > 0 && widths[widest]-added >= narrowest {
		widths[widest] -= added
	}
	return widths
}

// rowOf draws a row of a bar of package diff, in which each character stands for a column, by the
// kinds of the characters.
func rowOf(row string, kindOf map[string]int) []part {
	runes := []rune(row)
	var parts []part
	for from := 0; from < len(runes); {
		to := from
		for to < len(runes) && runes[to] == runes[from] {
			to++
		}
		width := 100 / float64(len(runes))
		parts = append(parts, part{X: fmt.Sprintf("%.3f", float64(from)*width),
			Width: fmt.Sprintf("%.3f", float64(to-from)*width), Kind: kindOf[string(runes[from])]})
		from = to
	}
	return parts
}

// A curve draws a share over time, in a square of 100 by 100 that is stretched.
type curve struct {
	Label       string
	Done, Next  string // paths
	Now         string // the x of now
	From, To    time.Time
	Back        bool // it was rolled back
	Steps       []step
	Current     string // the share now
	NextAt      time.Time
	NextShare   string
	Ended, Idle bool
}

// A step is a share that a ramp or a plan reaches.
type step struct {
	Share    string
	At       time.Time
	Known    bool // At is known
	Done     bool
	Approval bool
}

// A point is a share at a time.
type point struct {
	at    time.Time
	share float64
}

// drawing turns points into paths.
type drawing struct{ from, to time.Time }

func (d drawing) x(t time.Time) float64 {
	return 100 * float64(t.Sub(d.from)) / float64(d.to.Sub(d.from))
}

func (d drawing) path(points []point, linear bool) string {
	var b strings.Builder
	for i, p := range points {
		x, y := d.x(p.at), 100-100*p.share
		switch {
		case i == 0:
			fmt.Fprintf(&b, "M%.2f %.2f", x, y)
		case linear:
			fmt.Fprintf(&b, "L%.2f %.2f", x, y)
		default:
			fmt.Fprintf(&b, "H%.2fV%.2f", x, y)
		}
	}
	return b.String()
}

// frame returns the time that a curve shows.
func frame(from, to, now time.Time) drawing {
	if now.Before(from) {
		from = now
	}
	if to.Before(now) {
		to = now
	}
	span := max(to.Sub(from), time.Hour)
	return drawing{from.Add(-span / 20), from.Add(span + span/10)}
}

// rampCurve draws a ramp that goes by the clock.
func rampCurve(r *evaluator.Ramp, total uint64, now time.Time) *curve {
	share := func(level uint64) float64 { return float64(level) / float64(total) }
	unix := func(at int64) time.Time { return time.Unix(at, 0).UTC() }
	last := r.Points[len(r.Points)-1]
	d := frame(unix(r.Points[0].At), unix(last.At), now)
	current := share(r.LevelAt(now.Unix()))
	c := &curve{From: d.from, To: d.to, Now: fmt.Sprintf("%.2f", d.x(now)), Current: served.Percent(current),
		Ended: last.At <= now.Unix()}
	done, next := []point{{d.from, share(r.LevelAt(d.from.Unix()))}}, []point{{now, current}}
	for _, p := range r.Points {
		at := point{unix(p.At), share(p.Level)}
		past := p.At <= now.Unix()
		c.Steps = append(c.Steps, step{Share: served.Percent(at.share), At: at.at, Known: true, Done: past})
		if past {
			done = append(done, at)
			continue
		}
		if c.NextAt.IsZero() {
			c.NextAt, c.NextShare = at.at, served.Percent(at.share)
		}
		next = append(next, at)
	}
	c.Done = d.path(append(done, point{now, current}), r.Linear)
	c.Next = d.path(append(next, point{d.to, share(last.Level)}), r.Linear)
	c.Label = fmt.Sprintf("The share over time: %s now, %s in the end", c.Current, served.Percent(share(last.Level)))
	return c
}

// planCurve draws a plan that a guard advances.
func planCurve(p *ci.Plan, line ci.ReleaseLine, now time.Time) *curve {
	stages := plans.Stages(p, line, now)
	share := func(s ci.Share) float64 { return float64(s) / float64(ci.WholeShare) }
	from, to := plans.Span(stages, now)
	d := frame(from, to, now)
	c := &curve{From: d.from, To: d.to, Now: fmt.Sprintf("%.2f", d.x(now)), Current: line.Share.String(),
		Back: line.State == ci.ReleaseBack}
	c.Idle = line.State == ci.ReleaseHeld || c.Back
	since := line.Since
	if line.Count == 0 || since.IsZero() || since.Before(d.from) {
		since = d.from
	}
	done := []point{{d.from, 0}, {since, share(line.Share)}, {now, share(line.Share)}}
	next := []point{{now, share(line.Share)}}
	for _, s := range stages {
		c.Steps = append(c.Steps,
			step{Share: s.Share.String(), At: s.At, Known: s.Known, Done: s.Cleared, Approval: s.Approval})
		if s.Cleared || c.Idle {
			continue
		}
		if c.NextAt.IsZero() {
			c.NextAt, c.NextShare = s.At, s.Share.String()
		}
		next = append(next, point{s.At, share(s.Share)})
	}
	c.Done, c.Next = d.path(done, false), d.path(append(next, point{d.to, next[len(next)-1].share}), false)
	c.Ended = line.Share == ci.WholeShare
	c.Label = fmt.Sprintf("The share over time: %s now, %s in the end", c.Current, stages[len(stages)-1].Share)
	return c
}

// soon says in words how far away a time is.
func soon(at, now time.Time) string {
	d := at.Sub(now)
	past := d < 0
	if past {
		d = -d
	}
	var text string
	switch minutes := int(d / time.Minute); {
	case minutes < 1:
		text = "less than a minute"
	case minutes < 60:
		text = fmt.Sprintf("%d min", minutes)
	case minutes < 48*60 && minutes%60 == 0:
		text = fmt.Sprintf("%d h", minutes/60)
	case minutes < 48*60:
		text = fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	default:
		text = fmt.Sprintf("%d days", minutes/60/24)
	}
	if past {
		return text + " ago"
	}
	return "in " + text
}
