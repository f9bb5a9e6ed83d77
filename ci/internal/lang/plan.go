package lang

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// isPlan reports whether the steps of a ramp follow one another, and not the calendar.
func isPlan(n, steps *source.Node) bool {
	follows := func(item *source.Node) bool { return item.Get("after") != nil || item.Get("gate") != nil }
	return n.Get("start") != nil || slices.ContainsFunc(steps.Items, follows)
}

// plan reads steps that follow one another, from the ramp's start on.
func (c Checker) plan(n, steps *source.Node, ramp *Ramp) bool {
	start := n.Get("start")
	if start == nil {
		c.Errorf(n, "the ramp has no \"start\", when step 1 is reached; write beside the steps, for instance: start: 2026-12-01T10:00")
		return false
	}
	at, ok := c.Time(start, "\"start\"")
	ramp.Start = at
	for i, item := range steps.Items {
		step, fine := c.Within("step %d", i+1).planStep(item, i == 0, ramp)
		if !fine {
			ok = false
			continue
		}
		at += int64(time.Duration(step.After) / time.Second)
		ramp.To = int64(step.To)
		ramp.Steps = append(ramp.Steps, step)
		ramp.Points = append(ramp.Points, evaluator.Point{At: at, Level: uint64(step.To)})
	}
	if year := time.Unix(at, 0).UTC().Year(); ok && year > phrase.LastYear {
		c.Errorf(steps, "the steps would take until the year %d", year)
		return false
	}
	return ok
}

// planStep reads a step of a plan.
func (c Checker) planStep(n *source.Node, first bool, ramp *Ramp) (step plan.Step, ok bool) {
	if at := n.Get("at"); at != nil {
		c.Errorf(at, "\"at\" and \"after\" don't go together: the ramp has a start, and each further step comes \"after\" the one before")
		return step, false
	}
	if !c.Keys(n, "a step", "to", "after", "gate") || !c.Required(n, "the step", "to") {
		return step, false
	}
	after, gate := n.Get("after"), n.Get("gate")
	switch {
	case first && after != nil:
		c.Errorf(after, "the first step is reached at the ramp's \"start\"; move the time there")
		return step, false
	case !first && after == nil:
		c.Errorf(n, "the step doesn't say how long after the one before it is reached; write there, for instance: after: 24h")
		return step, false
	}
	portion, ok := c.PlainShare(n.Get("to"), "\"to\"")
	step.To = plan.Share(portion)
	switch {
	case !ok:
	case portion < ramp.To:
		c.shrinks(n.Get("to"), ramp.To, portion)
		ok = false
	case portion == ramp.To:
		c.Errorf(n.Get("to"), "the share is %s already; the share of each step is larger than that before",
			share.Format(portion))
		ok = false
	}
	if after != nil {
		seconds, fine := c.Duration(after, "\"after\"")
		step.After = plan.Duration(time.Duration(seconds) * time.Second)
		ok = ok && fine
	}
	if gate != nil {
		step.Approval = gate.Text == "approval"
		if !step.Approval {
			c.Errorf(gate, "a gate is approval, not %s", gate.Describe())
			ok = false
		} else if ramp.GuardAt == nil {
			c.Errorf(gate, "the gate has no effect: the ramp has no \"guard\", so it follows the clock")
			ok = false
		}
	}
	return step, ok
}

// guarded reads the guard of a ramp.
func (c Checker) guarded(n *source.Node, r *Rule) {
	ramp := r.Ramp
	name, ok := c.Name(ramp.GuardAt, "\"guard\"")
	if !ok {
		ramp.ok = false
		return
	}
	if ramp.Guard = c.Known.Guards[name]; ramp.Guard == nil {
		c.Errorf(ramp.GuardAt, "there is no guard %q%s; a guard is a file such as guards/%s.yaml", name,
			suggest.DidYouMean(name, maps.Keys(c.Known.Guards)), name)
		ramp.ok = false
	}
	for _, key := range []string{"linear", "pause"} {
		if at := n.Get(key); at != nil {
			c.Errorf(at, "%q and \"guard\" don't go together: a guard advances in steps, and 'serin release hold' pauses it", key)
			ramp.ok = false
		}
	}
	if r.split.By == "" {
		c.Errorf(ramp.GuardAt, "a guard compares two groups, and by chance nobody stays in one; split by a unit")
		ramp.ok = false
	}
	ramp.assigned = c.assigned(r.split.Bucketing)
}

// assigned returns how users are assigned as far as that isn't as usual: by the default unit and
// the flag's key.
func (c Checker) assigned(b evaluator.Bucketing) string {
	var words []string
	if b.By != c.Known.Unit {
		words = append(words, "by="+strconv.Quote(b.By))
	}
	if b.Salt != c.File.Stem() {
		words = append(words, "salt="+strconv.Quote(b.Salt))
	}
	if b.Hash != evaluator.HashMurmur3 {
		words = append(words, "hash="+b.Hash)
	}
	return strings.Join(words, " ")
}

// oneGuard refuses a second guarded ramp among the rules of a flag.
func (c Checker) oneGuard(rules []*Rule) {
	var first *Rule
	for _, r := range rules {
		switch {
		case r.Ramp == nil || r.Ramp.GuardAt == nil:
		case first == nil:
			first = r
		default:
			c.Errorf(r.Ramp.GuardAt,
				"rule %q: rule %q has a guarded ramp already, and a flag has one; make it two flags",
				r.Name, first.Name)
		}
	}
}
