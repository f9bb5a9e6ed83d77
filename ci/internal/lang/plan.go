package lang

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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
	if year := time.Unix(at, 0).UTC().Year(); ok && year > lastYear {
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

// Guarded returns the rule of an environment whose ramp a guard advances there, or nil.
func (f *Flag) Guarded(environment string) *Rule {
	rules, _ := f.Rules(environment)
	for _, r := range rules {
		if r.Ramp != nil && r.Ramp.Guard != nil && slices.Contains(r.Ramp.Guard.Environments, environment) {
			return r
		}
	}
	return nil
}

// AnyPlan returns the plan of the guarded ramp that an environment has, whether its guard
// counts there or not, or nil.
func (f *Flag) AnyPlan(environment string) *plan.Plan {
	rules, _ := f.Rules(environment)
	for _, r := range rules {
		if r.Ramp != nil && r.Ramp.Guard != nil {
			return r.plan(f, environment)
		}
	}
	return nil
}

// Plan returns the plan that a guard advances in an environment, or nil.
func (f *Flag) Plan(environment string) *plan.Plan {
	r := f.Guarded(environment)
	if r == nil {
		return nil
	}
	return r.plan(f, environment)
}

// plan returns the plan of a rule with a guarded ramp.
func (r *Rule) plan(f *Flag, environment string) *plan.Plan {
	return &plan.Plan{
		Environment: environment, Flag: f.Key, Namespace: f.Namespace, Rule: r.Name, Variant: r.Ramp.Variant.Text,
		Assigned: r.Ramp.assigned, Start: r.Ramp.Start, Steps: r.Ramp.Steps, Guard: &r.Ramp.Guard.Guard,
	}
}

// At returns a flag in an environment as it is when its guarded ramp has reached a share.
func (f *Flag) At(environment string, cleared plan.Share) evaluator.Flag {
	flag := f.body(environment).Flag
	rules, _ := f.Rules(environment)
	for i, r := range rules {
		if r.Ramp == nil || r.Ramp.Guard == nil {
			continue
		}
		flag.Rules = slices.Clone(flag.Rules)
		flag.Rules[i].Split = AtShare(flag.Rules[i].Split, cleared)
	}
	return flag
}

// AtShare returns the split of a guarded ramp at a share. The time doesn't matter: a client
// whose clock is slow must not fall back to the share before.
func AtShare(s *evaluator.Split, cleared plan.Share) *evaluator.Split {
	if s == nil || s.Ramp == nil {
		return s
	}
	split, ramp := *s, *s.Ramp
	ramp.Points = []evaluator.Point{{At: math.MinInt64, Level: cleared.Level(s.Total())}}
	split.Ramp = &ramp
	return &split
}

// Plans returns the plans of an environment, by flag.
func (e *Estate) Plans(environment string) []*plan.Plan {
	var list []*plan.Plan
	for _, key := range e.Keys() {
		if p := e.ByKey[key].Plan(environment); p != nil {
			list = append(list, p)
		}
	}
	return list
}

// readReleases reads how far releases have got, if there is a file.
func (l *loader) readReleases() {
	s := l.files.Single(source.ReleasesFile)
	l.known.Releases = make(plan.Lines)
	if s == nil || len(s.Problems) > 0 || !s.Normalise() {
		return
	}
	l.known.ReleasesFile = s
	lines, errs := plan.Parse(s.Data)
	for _, e := range errs {
		message := e.Err.Error()
		if !errors.Is(e.Err, plan.ErrKeep) {
			message += "; take the line of the published branch"
		}
		s.ProblemAt(e.Line, e.Column, message)
	}
	for _, line := range lines.Sorted() {
		if line.Count > plan.MaxCount {
			s.ProblemAt(line.Number(), 1,
				fmt.Sprintf("flag %q: its count is above %d, and no release moves so often; take the line of the published branch",
					line.Flag, int64(plan.MaxCount)))
		}
	}
	l.known.Releases = lines
}

// CheckReleases compares releases.lock with the plans, and records what doesn't fit.
func (e *Estate) CheckReleases() {
	s := e.Known.ReleasesFile
	if s == nil || len(s.Problems) > 0 {
		return
	}
	for _, line := range e.Known.Releases.Sorted() {
		if why := e.Misfit(line); why != "" {
			s.ProblemAt(line.Number(), 1, why)
		}
	}
}

// Misfit returns why a line of releases.lock doesn't fit the plans, with the way out, or "".
func (e *Estate) Misfit(line plan.Line) string {
	f := e.ByKey[line.Flag]
	if f == nil {
		return fmt.Sprintf("there is no flag %q%s; run 'serin lock' to remove the line", line.Flag,
			suggest.DidYouMean(line.Flag, slices.Values(e.Keys())))
	}
	p := f.Plan(line.Environment)
	if p == nil {
		return fmt.Sprintf("flag %q has no guarded ramp in environment %q; run 'serin lock' to remove the line",
			line.Flag, line.Environment)
	}
	if err := p.Fits(line); err != nil {
		return fmt.Sprintf("flag %q: %v; run 'serin release replan %s --env %s'", line.Flag, err, line.Flag,
			line.Environment)
	}
	return ""
}

// WithReleases returns the estate as it is if releases.lock has these lines.
func (e *Estate) WithReleases(lines plan.Lines) *Estate {
	known := *e.Known
	known.Releases = lines
	other := &Estate{Known: &known, ByKey: make(map[string]*Flag, len(e.ByKey)), Namespaces: e.Namespaces}
	for _, f := range e.Flags {
		flag := *f
		flag.releases = lines
		other.Flags = append(other.Flags, &flag)
		other.ByKey[flag.Key] = &flag
	}
	return other
}
