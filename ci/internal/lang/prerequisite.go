package lang

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/serin-flags/serin/ci/internal/parallel"
	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A Prerequisite is a place where a rule asks what another flag serves.
type Prerequisite struct {
	Rule     *Rule
	Key      string       // of the other flag
	At       *source.Node // the key
	variants []*source.Node
}

// flagConditions reads what other flags have to serve.
func (c Checker) flagConditions(f source.Field) (cond evaluator.Condition, ok bool) {
	n := f.Value
	switch {
	case c.rule == nil:
		c.Errorf(f.Key, "a segment can't ask for flags; ask for them in the rules that ask for the segment")
		return cond, false
	case n.Kind != source.Mapping:
		c.Errorf(n, "\"flag\" is a mapping of flags to variants such as {new-cart: on}, not %s", n.Describe())
		return cond, false
	case len(n.Fields) == 0:
		c.Errorf(n, "\"flag\" names no flag")
		return cond, false
	}
	return everyField(n, c.flagCondition)
}

func (c Checker) flagCondition(f source.Field) (cond evaluator.Condition, ok bool) {
	key := f.Key.Text
	cond = evaluator.Condition{Op: evaluator.OpServes, Strings: []string{key}}
	if !c.Known.flags[key] {
		hint := suggest.DidYouMean(key, slices.Values(c.Known.flagKeys))
		if base := path.Base(key); c.Known.flags[base] {
			hint = fmt.Sprintf(" (did you mean %q? A namespace is not part of a key)", base)
		}
		c.Errorf(f.Key, "flag %q doesn't exist%s", problem.Shorten(key), hint)
		return cond, false
	}
	values, ok := c.values(f.Value)
	for _, value := range values {
		name, fine := c.Name(value, "a variant")
		ok = ok && fine
		cond.Strings = append(cond.Strings, name)
	}
	if ok {
		c.rule.Requires = append(c.rule.Requires, Prerequisite{c.rule, key, f.Key, values})
	}
	return cond, ok
}

// A referenceCheck looks at the flags and segments that refer to each other, in one
// environment after the other.
type referenceCheck struct {
	estate      *Estate
	environment string
	costly      map[string]bool       // the flags whose costs are checked; nil: all
	broken      map[*Flag]bool        // flags whose variants aren't known
	reported    map[*source.Node]bool // places with a problem
}

// checkReferences records references to variants that don't exist, and what the
// evaluator refuses once all flags and segments are known: those that refer to
// themselves or take too many comparisons. costly has the flags whose costs may exceed a limit,
// with all that they refer to; nil: all flags.
func (e *Estate) checkReferences(costly map[string]bool) {
	p := referenceCheck{estate: e, costly: costly, broken: make(map[*Flag]bool, len(e.Flags)), reported: make(map[*source.Node]bool)}
	differ := map[string]bool{"": true} // environments that replace something
	for _, f := range e.Flags {
		p.broken[f] = len(f.File.Problems) > 0
		for _, b := range f.Bodies {
			differ[b.Environment] = true
		}
	}
	environments := slices.DeleteFunc(append([]string{""}, e.Known.Environments...),
		func(name string) bool { return !differ[name] })
	costs := p.costs(environments)
	for i, environment := range environments {
		p.environment = environment
		for _, f := range e.Flags {
			rules, _ := f.Rules(environment)
			for _, r := range rules {
				for _, required := range r.Requires {
					p.variants(f, required)
				}
			}
		}
		p.record(costs[i])
	}
}

// costs returns the errors of compiling each environment, which say what takes too long to
// evaluate.
func (p *referenceCheck) costs(environments []string) []error {
	errs, all := make([]error, len(environments)), make([]int, len(environments))
	for i := range all {
		all[i] = i
	}
	parallel.Do(all, func(i int) {
		set := p.estate.Known.Ruleset()
		set.Unit = p.estate.Known.Unit
		set.Zones = p.estate.Known.zones.All()
		for _, f := range p.estate.Flags {
			if p.costly == nil || p.costly[f.Key] {
				set.Flags = append(set.Flags, f.In(environments[i]))
			}
		}
		_, errs[i] = evaluator.CompileModule(*set)
	})
	return errs
}

// record records what takes too long to evaluate, by the error of compiling an environment. It
// ignores all other errors: files with problems may not compile, and the problems have been recorded.
func (p *referenceCheck) record(err error) {
	list, _ := err.(interface{ Unwrap() []error })
	if list == nil {
		return
	}
	for _, err := range list.Unwrap() {
		var at *evaluator.CompileError
		switch {
		case !errors.As(err, &at) || !errors.Is(err, evaluator.ErrCost):
		case at.Flag != "":
			p.flagCost(at)
		case p.environment == "": // segments are the same in all environments
			p.segmentCost(at)
		}
	}
}

// flagCost records an error about a flag.
func (p *referenceCheck) flagCost(at *evaluator.CompileError) {
	f := p.estate.ByKey[at.Flag]
	if at.Reference == "" {
		if !p.reported[f.File.Root] {
			p.reported[f.File.Root] = true
			f.File.Problem("%s%v", p.place(), at.Err)
		}
		return
	}
	rules, _ := f.Rules(p.environment)
	for _, r := range rules {
		for _, required := range r.Requires {
			if r.Name == at.Rule && required.Key == at.Reference {
				p.errorf(f, required, required.At, "%v", at.Err)
			}
		}
	}
}

// segmentCost records an error about a segment.
func (p *referenceCheck) segmentCost(at *evaluator.CompileError) {
	s := p.estate.Known.Segments[at.Segment]
	if at.Reference == "" {
		s.File.Problem("%v", at.Err)
		return
	}
	for _, r := range s.references {
		if r.segment == at.Reference && !p.reported[r.at] {
			p.reported[r.at] = true
			phrase.Reader{File: s.File}.Errorf(r.at, "%v", at.Err)
		}
	}
}

// variants records the variants that f refers to because of r and that don't exist.
func (p *referenceCheck) variants(f *Flag, r Prerequisite) {
	next := p.estate.ByKey[r.Key]
	if next == nil || p.broken[next] {
		return
	}
	body := next.In(p.environment)
	names := VariantNames(&body)
	for _, n := range r.variants {
		if slices.Contains(names, n.Text) {
			continue
		}
		hint := suggest.DidYouMean(n.Text, slices.Values(names))
		if hint == "" {
			hint = (&variantSet{list: body.Variants}).byValue(n)
		}
		p.errorf(f, r, n, "flag %q has no variant %q%s; it has %s", next.Key, n.Text, hint,
			problem.QuotedList(slices.Values(names)))
	}
}

// errorf records a problem at n, which f has because of r, once for all
// environments.
func (p *referenceCheck) errorf(f *Flag, r Prerequisite, n *source.Node, format string, args ...any) {
	if p.reported[n] {
		return
	}
	p.reported[n] = true
	phrase.Reader{File: f.File, Place: p.place() + r.Rule.place}.Errorf(n, format, args...)
}

// place says in which environment something is wrong.
func (p *referenceCheck) place() string {
	if p.environment == "" {
		return ""
	}
	return fmt.Sprintf("environment %q: ", p.environment)
}
