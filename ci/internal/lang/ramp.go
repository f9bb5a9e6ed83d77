package lang

import (
	"slices"
	"time"

	"github.com/serin-flags/serin/ci/internal/guardfile"
	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// rampKeys are the keys of a ramp. Of the schedules it has one.
var rampKeys = append([]string{"ramp", "pause", "at", "start", "guard"}, schedules...)

var schedules = []string{"steps", "double", "linear"}

// maxSteps bounds the steps of one ramp.
const maxSteps = 1000

// isRamp reports whether the mapping that a rule serves is a ramp, and not a
// split.
func isRamp(n *source.Node) bool {
	if n.Get("ramp") != nil {
		return true
	}
	return slices.ContainsFunc(schedules, func(key string) bool {
		s := n.Get(key)
		return s != nil && s.Kind != source.Scalar
	})
}

// A Ramp is a ramp as its rule has it.
type Ramp struct {
	Variant *source.Node // names the one whose share grows; nil is an error
	Points  []evaluator.Point
	Linear  bool
	To      int64 // the share it grows to, in billionths
	Paused  bool
	Since   int64 // since when it is paused
	// Of a plan: when step 1 is reached, the steps, and what guards them.
	Start   int64
	Steps   []plan.Step
	GuardAt *source.Node     // nil if it has no guard
	Guard   *guardfile.Guard // nil also if there is none of that name
	// assigned is [plan.Plan.Assigned].
	assigned string
	at       *source.Node
	ok       bool // everything but the variant is right
	// unclear says that there is no schedule, and that the variant looks like a
	// share: which of the two is wrong depends on the variants.
	unclear bool
}

// ramp reads a ramp of so many positions.
func (c Checker) ramp(n *source.Node, total uint64) *Ramp {
	r := &Ramp{Variant: n.Get("ramp"), GuardAt: n.Get("guard"), at: n, ok: true}
	known := slices.Clone(rampKeys)
	for _, f := range n.Fields {
		if isMisplaced(f) {
			c.misplaced(f.Key)
			known, r.ok = append(known, f.Key.Text), false
		}
	}
	switch {
	case !c.Keys(n, "a ramp", known...):
		r.ok = false
	case r.Variant == nil:
		c.Errorf(n, "the ramp doesn't say which variant grows; write there, for instance: ramp: on")
		r.ok = false
	case !c.schedule(n, r):
		r.ok = false
	default:
		var ok bool
		r.Paused, r.Since, ok = c.pause(n)
		r.ok = r.ok && ok
	}
	for i := range r.Points { // which have shares up to here
		r.Points[i].Level = share.Boundary(int64(r.Points[i].Level), total)
	}
	return r
}

// compileRamp reads which variant of a set grows into split.
func (c Checker) compileRamp(r *Ramp, set *variantSet, split *evaluator.Split) bool {
	if r.Variant == nil {
		return false
	}
	variant, ok := c.rampVariant(r.Variant, set)
	if ok && r.unclear {
		c.noSchedule(r.at)
	}
	if !ok || !r.ok {
		return false
	}
	ramp := &evaluator.Ramp{Variant: variant, Rest: set.fallback, Points: r.Points, Linear: r.Linear,
		Guarded: r.Guard != nil}
	if r.Paused {
		split.Ranges = halves(ramp, ramp.LevelAt(r.Since), split.Total())
	} else {
		split.Ramp = ramp
	}
	return true
}

// rampVariant reads which variant grows.
func (c Checker) rampVariant(name *source.Node, set *variantSet) (int, bool) {
	if _, err := share.Parse(name.Text); err == nil && !set.has(name.Text) {
		c.Errorf(name, "\"ramp\" names the variant whose share grows, and %s is a share; a split can't have a variant called \"ramp\"", name.Text)
		return 0, false
	}
	i, ok := c.Within("ramp").variant(name, set)
	if ok && i == set.fallback && !set.inherited {
		c.Errorf(name, "the ramp has no effect: %q is the flag's default, which all others get", name.Text)
	}
	return i, ok
}

// schedule reads how the share grows.
func (c Checker) schedule(n *source.Node, ramp *Ramp) bool {
	var key *source.Node
	for _, f := range n.Fields {
		switch {
		case !slices.Contains(schedules, f.Key.Text):
		case key != nil:
			c.Errorf(f.Key, "a ramp grows by %q or %q, not both", key.Text, f.Key.Text)
			return false
		default:
			key = f.Key
		}
	}
	if key == nil {
		if _, err := share.Parse(ramp.Variant.Text); err == nil {
			ramp.unclear = true
		} else {
			c.noSchedule(n)
		}
		return false
	}
	if start := n.Get("start"); start != nil && key.Text != "steps" {
		c.Errorf(start, "\"start\" has no effect beside %q, which has its own", key.Text)
		return false
	}
	var ok bool
	switch value := n.Get(key.Text); key.Text {
	case "steps":
		switch {
		case !c.List(value, "\"steps\""):
		case ramp.GuardAt != nil || isPlan(n, value):
			ok = c.plan(n, value, ramp)
		default:
			ok = c.steps(value, ramp)
		}
	case "double":
		ok = c.double(value, ramp)
	case "linear":
		ok = c.linear(value, ramp)
	}
	return ok
}

func (c Checker) noSchedule(n *source.Node) {
	c.Errorf(n, "the ramp doesn't say how it grows: by \"steps\", \"double\" or \"linear\"")
}

// steps reads times and the shares that are reached there at once.
func (c Checker) steps(n *source.Node, ramp *Ramp) bool {
	if len(n.Items) > maxSteps {
		c.Errorf(n, "the ramp has more than %d steps", maxSteps)
		return false
	}
	ramp.Points = make([]evaluator.Point, 0, len(n.Items))
	ok := true
	for i, item := range n.Items {
		c := c.Within("step %d", i+1)
		if !c.Keys(item, "a step", "at", "to") || !c.Required(item, "the step", "at", "to") {
			ok = false
			continue
		}
		at, fine := c.Time(item.Get("at"), "\"at\"")
		portion, good := c.PlainShare(item.Get("to"), "\"to\"")
		if !fine || !good {
			ok = false
			continue
		}
		if len(ramp.Points) > 0 && at <= ramp.Points[len(ramp.Points)-1].At {
			c.Errorf(item.Get("at"), "its time is not after that of the step before")
			ok = false
		}
		if portion < ramp.To {
			c.shrinks(item.Get("to"), ramp.To, portion)
			ok = false
		}
		ramp.To = portion
		ramp.Points = append(ramp.Points, evaluator.Point{At: at, Level: uint64(portion)})
	}
	return ok
}

// double reads a share that doubles in even intervals, the last time to what is
// left up to "to".
func (c Checker) double(n *source.Node, ramp *Ramp) bool {
	if !c.Keys(n, "\"double\"", "from", "every", "start", "to") ||
		!c.Required(n, "\"double\"", "from", "every", "start") {
		return false
	}
	c = c.Within("double")
	from, to, ok := c.fromTo(n)
	every, fine := c.Duration(n.Get("every"), "\"every\"")
	at, good := c.Time(n.Get("start"), "\"start\"")
	switch {
	case !ok || !fine || !good:
		return false
	case from == 0:
		c.Errorf(n.Get("from"), "\"from\" is 0%%, and twice nothing is nothing")
		return false
	}
	ramp.Start = at
	for portion := from; portion < to; portion *= 2 {
		ramp.Points = append(ramp.Points, evaluator.Point{At: at, Level: uint64(portion)})
		at += every
	}
	if year := time.Unix(at, 0).UTC().Year(); year > phrase.LastYear {
		c.Errorf(n.Get("every"), "doubling from %s to %s would take until the year %d", share.Format(from),
			share.Format(to), year)
		return false
	}
	ramp.Points, ramp.To = append(ramp.Points, evaluator.Point{At: at, Level: uint64(to)}), to
	for i, p := range ramp.Points {
		step := plan.Step{To: plan.Share(p.Level)}
		if i > 0 {
			step.After = plan.Duration(time.Duration(every) * time.Second)
		}
		ramp.Steps = append(ramp.Steps, step)
	}
	return true
}

// linear reads a share that grows all the time between two.
func (c Checker) linear(n *source.Node, ramp *Ramp) bool {
	if !c.Keys(n, "\"linear\"", "start", "end", "from", "to") || !c.Required(n, "\"linear\"", "start", "end") {
		return false
	}
	c = c.Within("linear")
	from, to, ok := c.fromTo(n)
	start, fine := c.Time(n.Get("start"), "\"start\"")
	end, good := c.Time(n.Get("end"), "\"end\"")
	switch {
	case !ok || !fine || !good:
		return false
	case end <= start:
		c.Errorf(n.Get("end"), "\"end\" is not after \"start\"")
		return false
	}
	ramp.Points = []evaluator.Point{{At: start, Level: uint64(from)}, {At: end, Level: uint64(to)}}
	ramp.Linear, ramp.To = true, to
	return true
}

// fromTo reads the shares between which a ramp grows: 0% and 100% by default.
func (c Checker) fromTo(n *source.Node) (from, to int64, ok bool) {
	to, ok = share.Whole, true
	if f := n.Get("from"); f != nil {
		from, ok = c.PlainShare(f, "\"from\"")
	}
	t := n.Get("to")
	if t != nil {
		var fine bool
		to, fine = c.PlainShare(t, "\"to\"")
		ok = ok && fine
	}
	if ok && from > to {
		c.shrinks(t, from, to)
		ok = false
	}
	return from, to, ok
}

func (c Checker) shrinks(n *source.Node, from, to int64) {
	c.Errorf(n, "the share shrinks from %s to %s; a ramp only grows", share.Format(from), share.Format(to))
}

// pause reads whether the ramp is paused, and since when.
func (c Checker) pause(n *source.Node) (paused bool, at int64, ok bool) {
	p, t := n.Get("pause"), n.Get("at")
	ok = true
	if p != nil {
		paused, ok = c.Boolean(p, "\"pause\"")
	}
	if t != nil {
		var fine bool
		at, fine = c.Time(t, "\"at\"")
		ok = ok && fine
	}
	switch {
	case p == nil && t != nil:
		c.Errorf(t, "\"at\" has no effect without \"pause\"; steps have times of their own")
		return false, 0, false
	case paused && t == nil:
		c.Errorf(p, "the pause doesn't say since when; write beside it, for instance: at: 2026-12-01T02:00:00Z")
		return false, 0, false
	}
	return paused, at, ok
}

// halves gives the positions below a level to the variant of a ramp, and the
// others to the rest.
func halves(r *evaluator.Ramp, level, total uint64) []evaluator.Range {
	var list []evaluator.Range
	if level > 0 {
		list = append(list, evaluator.Range{From: 0, To: level, Variant: r.Variant})
	}
	if level < total {
		list = append(list, evaluator.Range{From: level, To: total, Variant: r.Rest})
	}
	return list
}
