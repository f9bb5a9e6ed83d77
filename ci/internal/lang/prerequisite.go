package lang

import (
	"fmt"
	"path"
	"slices"
	"strings"

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
	all := make([]evaluator.Condition, 0, len(n.Fields))
	ok = true
	for _, f := range n.Fields {
		one, fine := c.flagCondition(f)
		ok = ok && fine
		all = append(all, one)
	}
	return conjunction(all), ok
}

func (c Checker) flagCondition(f source.Field) (cond evaluator.Condition, ok bool) {
	key := f.Key.Text
	cond = evaluator.Condition{Op: evaluator.OpServes, Strings: []string{key}}
	if !c.Known.flags[key] {
		hint := suggest.DidYouMean(key, slices.Values(c.Known.flagKeys))
		if base := path.Base(key); c.Known.flags[base] {
			hint = fmt.Sprintf(" (did you mean %q? A namespace is not part of a key)", base)
		}
		c.Errorf(f.Key, "flag %q doesn't exist%s", source.Shorten(key), hint)
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

// requires returns the prerequisites of the flag in an environment.
func (f *Flag) requires(environment string) []Prerequisite {
	rules, _ := f.Rules(environment)
	var list []Prerequisite
	for _, r := range rules {
		list = append(list, r.Requires...)
	}
	return list
}

// A prerequisiteCheck looks at the flags that refer to each other, in one
// environment after the other.
type prerequisiteCheck struct {
	estate      *Estate
	environment string
	broken      map[*Flag]bool        // flags of which it isn't known what they serve
	reported    map[*source.Node]bool // places at which something is wrong
	costs       map[*Flag]int         // of this environment
	path        []*Flag               // from the flag that is looked at to the one that is asked for
	inPath      map[*Flag]bool
}

// checkPrerequisites records variants that prerequisites don't have, flags that
// refer to themselves, and those that take too many comparisons.
func (e *Estate) checkPrerequisites() {
	p := prerequisiteCheck{
		estate:   e,
		broken:   make(map[*Flag]bool),
		reported: make(map[*source.Node]bool),
		inPath:   make(map[*Flag]bool),
	}
	differ := map[string]bool{"": true} // environments in which flags do
	for _, f := range e.Flags {
		p.broken[f] = len(f.File.Problems) > 0
		for _, b := range f.Bodies {
			differ[b.Environment] = true
		}
	}
	for _, environment := range append([]string{""}, e.Known.Environments...) {
		if !differ[environment] {
			continue
		}
		p.environment = environment
		p.costs = make(map[*Flag]int, len(e.Flags))
		for _, f := range e.Flags {
			p.cost(f)
		}
	}
}

// unknownCost is that of flags of which something is said already.
const unknownCost = -1

// cost returns how many comparisons the evaluation of f takes, and looks at all
// that it refers to.
func (p *prerequisiteCheck) cost(f *Flag) int {
	if cost, ok := p.costs[f]; ok {
		return cost
	}
	p.path, p.inPath[f] = append(p.path, f), true
	body := f.In(p.environment)
	cost, known := p.estate.Known.flagCost(&body), true
	for _, r := range f.requires(p.environment) {
		next := p.estate.ByKey[r.Key]
		if next == nil {
			continue
		}
		p.variants(f, next, r)
		if p.inPath[next] {
			p.errorf(f, r, r.At, "flag %q refers to itself: %s", next.Key, p.circle(next))
			known = false
			continue
		}
		switch required := p.cost(next); {
		case required == unknownCost:
			known = false
		case required > evaluator.MaxCost:
			p.errorf(f, r, r.At, "flag %q takes more than %d comparisons, those of the flags and segments it refers to included; that is too many for others to ask for it", next.Key, evaluator.MaxCost)
			known = false
		default:
			cost += required
		}
	}
	p.path, p.inPath[f] = p.path[:len(p.path)-1], false
	if cost > evaluator.MaxFlagCost && known {
		p.tooCostly(f)
		known = false
	}
	if !known {
		cost = unknownCost
	}
	p.costs[f] = cost
	return cost
}

// tooCostly records that f takes too many comparisons.
func (p *prerequisiteCheck) tooCostly(f *Flag) {
	if !p.reported[f.File.Root] {
		p.reported[f.File.Root] = true
		f.File.Problem("%sthe flag takes more than %d comparisons, those of the flags and segments it refers to included",
			p.place(), evaluator.MaxFlagCost)
	}
}

// flagCost returns how many comparisons the evaluation of f takes without its
// prerequisites.
func (v *Vocabulary) flagCost(f *evaluator.Flag) int {
	cost := 1
	for i := range f.Rules {
		r := &f.Rules[i]
		if r.When != nil {
			cost += v.comparisons(r.When)
		}
		if r.Split != nil {
			cost++
		}
	}
	return cost
}

// comparisons returns how many comparisons a condition takes, those of the
// segments that it refers to included.
func (v *Vocabulary) comparisons(c *evaluator.Condition) int {
	cost := 0
	for leaf := range leaves(c) {
		cost++
		if leaf.Op == evaluator.OpInSegment {
			cost += v.Segments[leaf.Strings[0]].cost
		}
	}
	return cost
}

// variants records the variants that f asks for and next doesn't have.
func (p *prerequisiteCheck) variants(f, next *Flag, r Prerequisite) {
	if p.broken[next] {
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
			source.QuotedList(slices.Values(names)))
	}
}

// errorf records a problem at n, which f has because of r, once for all
// environments.
func (p *prerequisiteCheck) errorf(f *Flag, r Prerequisite, n *source.Node, format string, args ...any) {
	if p.reported[n] {
		return
	}
	p.reported[n] = true
	source.Reader{File: f.File, Place: p.place() + r.Rule.place}.Errorf(n, format, args...)
}

// place says in which environment something is wrong.
func (p *prerequisiteCheck) place() string {
	if p.environment == "" {
		return ""
	}
	return fmt.Sprintf("environment %q: ", p.environment)
}

// circle returns the keys of the flags that lead from f back to f.
func (p *prerequisiteCheck) circle(f *Flag) string {
	var keys []string
	for _, next := range p.path[slices.Index(p.path, f):] {
		keys = append(keys, next.Key)
	}
	return circle(keys)
}

// circle shows names that lead from the first back to the first.
func circle(names []string) string {
	first := names[0]
	if len(names) > 10 {
		names = append(names[:9:9], "…", names[len(names)-1])
	}
	return strings.Join(names, " → ") + " → " + first
}
