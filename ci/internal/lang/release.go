package lang

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

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
