package guard

import (
	"fmt"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// Decide says what becomes of a plan, whose line [Lines.Get] returns. findings is what was
// measured since the line was written, and is nil if nothing was; [Measures] tells whether a
// decision needs them. Without them, no step but the first is ever cleared.
//
// Decide is a pure function. It takes at most one step, and rolling back comes before
// everything else.
func Decide(p *Plan, line Line, findings *Findings, now time.Time) Decision {
	d := decider{Decision{Plan: p, Time: now, line: line, From: line.Share, To: line.Share, Findings: findings}}
	if p.Guard == nil {
		return d.end(Nothing, "it has no guard, so it follows the clock")
	}
	if why := d.misfit(); why != "" {
		return d.end(Refuse, "%s", why)
	}
	switch d.line.State {
	case plan.Held:
		return d.end(Nothing, "it is held: %s", d.line.Why)
	case plan.Back:
		return d.end(Nothing, "it was rolled back: %s", d.line.Why)
	case plan.Finished:
		if d.Step < len(p.Steps) {
			return d.end(Nothing, `it was finished, and has more steps now: "serin release resume %s" goes on`, p.Flag)
		}
		return d.end(Nothing, "it is finished")
	}
	if d.Step == 0 {
		return d.first()
	}
	return d.sighted(d.later())
}

// Measures reports whether a decision needs findings: not before the first step, and not for
// a plan that isn't running.
func Measures(p *Plan, line Line, now time.Time) bool {
	d := Decide(p, line, nil, now)
	return d.Step > 0 && d.Action != Nothing && d.Action != Refuse
}

// A decider takes a decision.
type decider struct{ Decision }

// end returns the decision with an action.
func (d *decider) end(action Action, reason string, args ...any) Decision {
	d.Action, d.Reason = action, fmt.Sprintf(reason, args...)
	switch action {
	case Advance:
		d.To = d.Plan.Steps[d.Step].To
	case RollBack:
		d.To = 0
	}
	return d.Decision
}

// misfit says why no decision can be taken, or "". It sets which step is cleared.
func (d *decider) misfit() string {
	p := d.Plan
	if len(p.Steps) == 0 {
		return "the plan has no steps"
	}
	var before plan.Share
	for i, s := range p.Steps {
		if s.To <= before || s.To > plan.Whole || s.After < 0 {
			return fmt.Sprintf("step %d of the plan doesn't increase the share, ends above 100%% or begins before the step that precedes it", i+1)
		}
		before = s.To
	}
	if d.line.Key() != p.Key() {
		return fmt.Sprintf("its line is that of flag %q in environment %s", d.line.Flag, d.line.Environment)
	}
	if err := p.Fits(d.line); err != nil {
		return fmt.Sprintf(`%v: "serin release replan %s" writes its line again`, err, p.Flag)
	}
	d.Step, _ = p.Cleared(d.line.Share)
	switch d.line.State {
	case plan.Running, plan.Held, plan.Back, plan.Finished:
		return ""
	}
	return fmt.Sprintf("its line has the unknown state %q", d.line.State)
}

// first decides about the first step, for which there is no evidence yet.
func (d *decider) first() Decision {
	start := time.Unix(d.Plan.Start, 0).UTC()
	if !d.line.Start.IsZero() {
		start = d.line.Start
	}
	if now := d.Time; now.Before(start) {
		d.Until = start
		return d.end(Wait, "it starts at %s", clock(start))
	}
	if why := d.approval(); why != "" {
		d.unapproved = true
		return d.end(Wait, "%s", why)
	}
	return d.end(Advance, "it started at %s", clock(start))
}

// later decides about the steps after the first one.
func (d *decider) later() Decision {
	if len(d.Plan.Guard.Metrics) == 0 {
		return d.end(Refuse, "guard %q has no metrics", d.Plan.Guard.Name)
	}
	found := d.found()
	for _, back := range []bool{true, false} {
		for _, f := range found {
			if f.Verdict == Fail && f.back == back {
				action := Hold
				if back {
					action = RollBack
				}
				return d.end(action, "%s", f.text())
			}
		}
	}
	if decision, ok := d.unmeasured(found); ok {
		return decision
	}
	if m := d.mismatch(); m != nil && m.Verdict == Fail {
		return d.end(Hold, "sample ratio mismatch: %s", m.Reason)
	}
	if wait := d.early(found); wait != "" {
		return d.end(Wait, "%s", wait)
	}
	for _, f := range found {
		if f.Verdict != Pass {
			return d.end(Wait, "%s", f.text())
		}
	}
	if d.Step == len(d.Plan.Steps) {
		return d.end(Finish, "all metrics passed for %v after the last step", d.Plan.Guard.Watch)
	}
	if why := d.approval(); why != "" {
		d.unapproved = true
		return d.end(Wait, "%s", why)
	}
	return d.end(Advance, "%s", passed(found))
}

// A verdict is a finding, and what its failure leads to.
type verdict struct {
	Finding
	back bool
}

func (v verdict) text() string {
	if v.Verdict == Fail {
		return fmt.Sprintf("%s failed: %s", v.Metric, v.Reason)
	}
	return fmt.Sprintf("%s: %s (%s)", v.Metric, v.Verdict, v.Reason)
}

// found returns the findings that the plan calls for at its share, in the order of the guard.
// One that is missing is an error, and so is a step that was cleared in the future.
func (d *decider) found() []verdict {
	g, all := d.Plan.Guard, d.Findings
	if all == nil {
		all = new(Findings)
	}
	var list []verdict
	if g.Exposures != nil {
		list = append(list, verdict{Finding: whole("exposures", all.Exposures)})
	}
	for _, m := range g.Metrics {
		if !applies(m, d.From) {
			continue
		}
		var of *Finding
		for i := range all.Metrics {
			if all.Metrics[i].Metric == m.Name {
				of = &all.Metrics[i]
			}
		}
		list = append(list, verdict{whole(m.Name, of), m.Back})
	}
	if d.mismatches() && (all.Mismatch == nil || all.Mismatch.Verdict != Pass && all.Mismatch.Verdict != Fail) {
		list = append(list, verdict{Finding: whole("sample ratio", all.Mismatch)})
	}
	if since := d.line.Since; since.After(d.Time.Add(maxSkew)) {
		// No period would ever be complete, so that no fault would be seen.
		list = append(list, verdict{Finding: Finding{Metric: "clock", Verdict: Error, Reason: fmt.Sprintf(
			"the step was cleared at %s, which is in the future: the clock here or that of its writer is wrong",
			clock(since))}})
	}
	return list
}

// whole returns a finding that has a verdict, whatever there is.
func whole(name string, f *Finding) Finding {
	switch {
	case f == nil:
		return Finding{Metric: name, Verdict: Error, Reason: "it wasn't measured"}
	case f.Verdict == Pass || f.Verdict == Fail || f.Verdict == Inconclusive || f.Verdict == NoData ||
		f.Verdict == Error:
		named := *f
		named.Metric = name
		return named
	}
	return Finding{Metric: name, Verdict: Error, Reason: fmt.Sprintf("unknown verdict %q", f.Verdict)}
}

// applies reports whether a metric says something at a share: at 100%, there is no rest to
// compare with.
func applies(m plan.Metric, share plan.Share) bool {
	return share < plan.Whole || !m.Rest || m.Max != nil
}

// mismatches reports whether the ratio of the arms says something.
func (d *decider) mismatches() bool {
	e := d.Plan.Guard.Exposures
	return e != nil && e.Distinct && d.From > 0 && d.From < plan.Whole
}

func (d *decider) mismatch() *Finding {
	if d.Findings == nil || !d.mismatches() {
		return nil
	}
	return d.Findings.Mismatch
}

// early says what a step waits for before its evidence counts, or "".
func (d *decider) early(found []verdict) string {
	g, since := d.Plan.Guard, d.line.Since
	after, what := time.Duration(g.Watch), "the last step is watched"
	if d.Step < len(d.Plan.Steps) {
		after, what = time.Duration(d.Plan.Steps[d.Step].After),
			fmt.Sprintf("step %d of %d waits", d.Step+1, len(d.Plan.Steps))
	}
	if after = max(after, time.Duration(g.Min.Time)); d.Time.Before(since.Add(after)) {
		d.Until = since.Add(after)
		return fmt.Sprintf("%s until %s", what, clock(d.Until))
	}
	if g.Min.Exposures > 0 {
		fewest, counted := 0.0, false
		for _, f := range found {
			if f.New != nil && (!counted || f.New.Exposures < fewest) {
				fewest, counted = f.New.Exposures, true
			}
		}
		if !(fewest >= float64(g.Min.Exposures)) {
			return fmt.Sprintf("%.0f of %d exposures", fewest, g.Min.Exposures)
		}
	}
	for _, f := range found {
		if !f.At.After(since) {
			return fmt.Sprintf("%s: no evidence is newer than the step", f.Metric)
		}
	}
	return ""
}

// approval says that the next step isn't approved, or "".
func (d *decider) approval() string {
	next := d.Plan.Steps[d.Step]
	if !next.Approval || d.line.Approved >= next.To && d.line.Approved > 0 {
		return ""
	}
	return fmt.Sprintf(`step %d (%v) waits for approval: "serin release approve %s"`, d.Step+1, next.To, d.Plan.Flag)
}

// passed says in a few words what an advance rests on.
func passed(found []verdict) string {
	metrics, exposures := 0, ""
	for _, f := range found {
		if f.Metric == "exposures" && f.New != nil {
			exposures = fmt.Sprintf(" with %.0f exposures", f.New.Exposures)
			continue
		}
		metrics++
	}
	what := fmt.Sprintf("%d metrics", metrics)
	if metrics == 1 {
		what = "1 metric"
	}
	return what + " passed" + exposures
}

// clock returns a time as people read it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
