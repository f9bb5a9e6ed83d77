package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/internal/served"
)

// A flagView is a flag with all that is known of it.
type flagView struct {
	*flag
	Owner, Description string
	Variants           []variantView
	Variations         []variationView
	Warnings           []concern
	Covered, Coverable int
	Attributes         []string // that it reads, for the form of Why
	Refs               evaluator.Refs
	Users              []string // flags whose rules ask for it
	Reads              []string // places in code
	MoreReads          int      // that aren't listed
	Code               bool     // it is known which code reads flags
	States             []string
	Disabled           bool   // in every environment
	Picks              []pick // contexts that are offered
	// The rest is a question that came from the form, and its answer.
	Asked                 bool
	Contexts, Environment string
	Answer                *why
	Wrong                 string
}

type variantView struct {
	Name, Value string
	Kind        int
}

// A variationView is a flag in some environments.
type variationView struct {
	ID, Title string
	Where     []string
	Disabled  bool
	Off       string
	Layer     string
	Stale     string
	Rules     []ruleView
	Default   string
	Curves    []curveView
	Serves    string
	Bar       bar
}

// A ruleView is a rule as people read it.
type ruleView struct {
	Number     int
	ID, Name   string
	Words      sentence
	Bar        bar
	Warnings   []string
	Test       string // "" if nothing is known of tests
	Untested   bool
	Conditions bool
}

// A curveView is a ramp or a plan with its verdicts.
type curveView struct {
	*curve
	Rule    string
	Plan    bool
	State   string
	Why     string
	By      string
	Since   time.Time
	Records []*plans.Record
}

// flagView returns a flag, or nil if the viewer doesn't see it.
func (v *view) flagView(key string) *flagView {
	f := v.byKey[key]
	if f == nil || !v.sees(key) {
		return nil
	}
	w := &flagView{flag: f, Owner: display.Line(f.Owner), Description: display.Line(f.Description),
		States: f.states(v.lints, v.now.Unix())}
	for _, c := range f.coverage {
		w.Coverable++
		if c.Reached {
			w.Covered++
		}
	}
	for _, p := range v.lints.of[f.Key] {
		w.Warnings = append(w.Warnings,
			concern{What: p.Lint, Text: v.warning(p), File: fmt.Sprintf("%s:%d", p.File, p.Line)})
	}
	for i, variant := range f.variants[0].flag.Variants {
		w.Variants = append(w.Variants,
			variantView{display.Line(variant.Name), clip(display.Line(string(variant.Value.JSON()))), i % kinds})
	}
	w.Refs = f.refs()
	w.Refs.Flags = slices.DeleteFunc(w.Refs.Flags, func(key string) bool { return !v.sees(key) })
	w.Users = slices.DeleteFunc(slices.Clone(v.usage.flags[key]), func(key string) bool { return !v.sees(key) })
	w.Attributes = v.reads(f)
	w.Picks = []pick{v.blankPick(w.Attributes)}
	w.Disabled = !slices.ContainsFunc(f.variants, func(is *variation) bool { return !is.flag.Disabled })
	w.Code, w.Reads = v.source.Reads != nil, v.source.Reads[key]
	if n := len(w.Reads) - maxUsers; n > 0 {
		w.Reads, w.MoreReads = w.Reads[:maxUsers], n
	}
	for i, is := range f.variants {
		w.Variations = append(w.Variations, v.variation(f, is, i))
	}
	return w
}

// reads returns the names of the attributes that answers may depend on, in any environment. A
// viewer who doesn't see every flag is told those of the flag itself: others may be of flags
// that it asks for.
func (v *view) reads(f *flag) []string {
	if !v.all {
		return f.refs().Attributes
	}
	var names []string
	for _, is := range f.variants {
		program, err := v.program(is.environments[0])
		if err != nil || program == nil {
			continue
		}
		names = append(names, program.Flag(f.Key).Reads()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (v *view) variation(f *flag, is *variation, number int) variationView {
	c := is.flag
	w := variationView{
		ID: fmt.Sprintf("in-%d", number+1), Title: is.title(len(v.source.Environments)), Where: is.environments,
		Disabled: c.Disabled,
		Off:      display.Line(c.Variants[c.Off].Name), Default: display.Line(c.Variants[c.Default].Name),
		Serves: servesWords(c, v.now.Unix()),
	}
	_, shares := served.Now(c, v.now.Unix())
	w.Bar = shareBar(c, shares)
	if c.Reserved != nil {
		w.Layer = display.Line(c.Reserved.Layer)
	}
	if c.Stale != nil {
		w.Stale = fmt.Sprintf("If the flags are older than %s, it serves %s.", seconds(int64(c.Stale.After)),
			display.Line(c.Variants[c.Stale.Variant].Name))
	}
	for i := range c.Rules {
		w.Rules = append(w.Rules, v.rule(f, is, i, w.ID))
		if curve := v.curve(f, is, &c.Rules[i]); curve != nil {
			w.Curves = append(w.Curves, *curve)
		}
	}
	return w
}

func (v *view) rule(f *flag, is *variation, i int, id string) ruleView {
	r := &is.flag.Rules[i]
	w := ruleView{
		Number: i + 1, ID: fmt.Sprintf("%s-rule-%d", id, i+1), Name: display.Line(r.Name),
		Words: v.speaker().rule(is.flag, r, v.now.Unix()),
		Bar:   shareBar(is.flag, served.OfRule(is.flag, r, v.now.Unix())),
	}
	for _, p := range v.lints.of[f.Key] {
		if about(p.Message, r.Name, is.environments) {
			w.Warnings = append(w.Warnings, v.warning(p))
		}
	}
	// An environment may have rules of its own, which are covered for themselves.
	for _, c := range f.coverage {
		if c.Rule != r.Name || c.Environment != "" && !slices.Contains(is.environments, c.Environment) {
			continue
		}
		w.Test, w.Untested = "A test reaches this rule.", false
		if !c.Reached {
			w.Test, w.Untested = "No test reaches this rule.", true
		}
		if c.Environment != "" {
			break
		}
	}
	return w
}

// about reports whether a warning is about a rule in one of some environments. It names both
// at its start, the environment only if there is one.
func about(message, rule string, environments []string) bool {
	if place, rest, ok := strings.Cut(message, ": rule "); ok && strings.HasPrefix(place, "environment ") {
		if !slices.ContainsFunc(environments,
			func(e string) bool { return place == fmt.Sprintf("environment %q", e) }) {
			return false
		}
		message = "rule " + rest
	}
	return strings.HasPrefix(message, fmt.Sprintf("rule %q", rule))
}

// curve returns the ramp or the plan of a rule, nil if it has none.
func (v *view) curve(f *flag, is *variation, r *evaluator.Rule) *curveView {
	if p := is.plan; p != nil && p.Rule == r.Name {
		w := &curveView{
			curve: planCurve(p, is.line, v.now), Rule: display.Line(r.Name), Plan: true, State: string(is.line.State),
			Why: display.Line(is.line.Why), By: display.Line(is.line.By), Since: is.line.Since.UTC(),
		}
		for _, record := range f.records {
			if slices.Contains(is.environments, record.Environment) && len(w.Records) < maxVerdicts {
				w.Records = append(w.Records, record)
			}
		}
		return w
	}
	if r.Split == nil || r.Split.Ramp == nil || r.Split.Ramp.Points[0].At < 0 {
		return nil // it has no ramp, or one that a guard advances by a plan that isn't known
	}
	return &curveView{curve: rampCurve(r.Split.Ramp, r.Split.Total(), v.now), Rule: display.Line(r.Name)}
}

// maxVerdicts is how many decisions about a plan are shown.
const maxVerdicts = 10
