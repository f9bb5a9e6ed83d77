package ci

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A prerequisite is a place where a rule asks what another flag serves.
type prerequisite struct {
	checker  checker // of the rule; its source may be a shadow
	key      string
	at       *node
	variants []*node
}

// flagConditions reads what other flags have to serve.
func (c checker) flagConditions(f field) (cond evaluator.Condition, ok bool) {
	n := f.value
	switch {
	case c.prerequisites == nil:
		c.errorf(f.key, "a segment can't ask for flags; ask for them in the rules that ask for the segment")
		return cond, false
	case n.kind != mapping:
		c.errorf(n, "\"flag\" is a mapping of flags to variants such as {new-cart: on}, not %s", n.describe())
		return cond, false
	case len(n.fields) == 0:
		c.errorf(n, "\"flag\" names no flag")
		return cond, false
	}
	all := make([]evaluator.Condition, 0, len(n.fields))
	ok = true
	for _, f := range n.fields {
		one, fine := c.flagCondition(f)
		ok = ok && fine
		all = append(all, one)
	}
	return conjunction(all), ok
}

func (c checker) flagCondition(f field) (cond evaluator.Condition, ok bool) {
	key := f.key.text
	cond = evaluator.Condition{Op: evaluator.OpServes, Strings: []string{key}}
	if !c.known.flags[key] {
		hint := suggest.DidYouMean(key, slices.Values(c.known.flagKeys))
		if base := path.Base(key); c.known.flags[base] {
			hint = fmt.Sprintf(" (did you mean %q? A namespace is not part of a key)", base)
		}
		c.errorf(f.key, "flag %q doesn't exist%s", shorten(key), hint)
		return cond, false
	}
	values, ok := c.values(f.value)
	for _, value := range values {
		name, fine := c.name(value, "a variant")
		ok = ok && fine
		cond.Strings = append(cond.Strings, name)
	}
	if ok {
		*c.prerequisites = append(*c.prerequisites, prerequisite{c, key, f.key, values})
	}
	return cond, ok
}

// collect returns where the prerequisites go of the flag as it is in an
// environment, "" being none.
func (f *flag) collect(environment string) *[]prerequisite {
	if f.prerequisites == nil {
		f.prerequisites = make(map[string]*[]prerequisite)
	}
	f.prerequisites[environment] = new([]prerequisite)
	return f.prerequisites[environment]
}

// requires returns the prerequisites of the flag in an environment.
func (f *flag) requires(environment string) []prerequisite {
	if _, ok := f.overrides[environment]; !ok {
		environment = ""
	}
	if list := f.prerequisites[environment]; list != nil {
		return *list
	}
	return nil
}

// A prerequisiteCheck looks at the flags that refer to each other, in one
// environment after the other.
type prerequisiteCheck struct {
	estate      *estate
	environment string
	broken      map[*flag]bool // flags of which it isn't known what they serve
	reported    map[*node]bool // places at which something is wrong
	costs       map[*flag]int  // of this environment
	path        []*flag        // from the flag that is looked at to the one that is asked for
	inPath      map[*flag]bool
}

// checkPrerequisites records variants that prerequisites don't have, flags that
// refer to themselves, and those that take too many comparisons.
func (e *estate) checkPrerequisites() {
	p := prerequisiteCheck{
		estate:   e,
		broken:   make(map[*flag]bool),
		reported: make(map[*node]bool),
		inPath:   make(map[*flag]bool),
	}
	differ := map[string]bool{"": true} // environments in which flags do
	for _, f := range e.flags {
		p.broken[f] = len(f.source.problems) > 0
		for environment := range f.overrides {
			differ[environment] = true
		}
	}
	for _, environment := range append([]string{""}, e.known.environments...) {
		if !differ[environment] {
			continue
		}
		p.environment = environment
		p.costs = make(map[*flag]int, len(e.flags))
		for _, f := range e.flags {
			p.cost(f)
		}
	}
}

// unknownCost is that of flags of which something is said already.
const unknownCost = -1

// cost returns how many comparisons the evaluation of f takes, and looks at all
// that it refers to.
func (p *prerequisiteCheck) cost(f *flag) int {
	if cost, ok := p.costs[f]; ok {
		return cost
	}
	p.path, p.inPath[f] = append(p.path, f), true
	body := f.in(p.environment)
	cost, known := p.estate.known.flagCost(&body), true
	for _, r := range f.requires(p.environment) {
		next := p.estate.byKey[r.key]
		if next == nil {
			continue
		}
		p.variants(f, next, r)
		if p.inPath[next] {
			p.errorf(f, r, r.at, "flag %q refers to itself: %s", next.key, p.circle(next))
			known = false
			continue
		}
		switch required := p.cost(next); {
		case required == unknownCost:
			known = false
		case required > evaluator.MaxCost:
			p.errorf(f, r, r.at, "flag %q takes more than %d comparisons, those of the flags and segments it refers to included; that is too many for others to ask for it", next.key, evaluator.MaxCost)
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
func (p *prerequisiteCheck) tooCostly(f *flag) {
	if !p.reported[f.source.root] {
		p.reported[f.source.root] = true
		f.source.problem("%sthe flag takes more than %d comparisons, those of the flags and segments it refers to included", p.place(), evaluator.MaxFlagCost)
	}
}

// flagCost returns how many comparisons the evaluation of f takes without its
// prerequisites.
func (v *vocabulary) flagCost(f *evaluator.Flag) int {
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
func (v *vocabulary) comparisons(c *evaluator.Condition) int {
	cost := 0
	for leaf := range leaves(c) {
		cost++
		if leaf.Op == evaluator.OpInSegment {
			cost += v.segments[leaf.Strings[0]].cost
		}
	}
	return cost
}

// variants records the variants that f asks for and next doesn't have.
func (p *prerequisiteCheck) variants(f, next *flag, r prerequisite) {
	if p.broken[next] {
		return
	}
	body := next.in(p.environment)
	names := variantNames(&body)
	for _, n := range r.variants {
		if slices.Contains(names, n.text) {
			continue
		}
		hint := suggest.DidYouMean(n.text, slices.Values(names))
		if hint == "" {
			hint = (&variantSet{list: body.Variants}).byValue(n)
		}
		p.errorf(f, r, n, "flag %q has no variant %q%s; it has %s", next.key, n.text, hint, quotedList(slices.Values(names)))
	}
}

// errorf records a problem at n, which f has because of r, once for all
// environments.
func (p *prerequisiteCheck) errorf(f *flag, r prerequisite, n *node, format string, args ...any) {
	if p.reported[n] {
		return
	}
	p.reported[n] = true
	c := r.checker
	c.source = f.source
	c.place = p.place() + c.place
	c.errorf(n, format, args...)
}

// place says in which environment something is wrong.
func (p *prerequisiteCheck) place() string {
	if p.environment == "" {
		return ""
	}
	return fmt.Sprintf("environment %q: ", p.environment)
}

// circle returns the keys of the flags that lead from f back to f.
func (p *prerequisiteCheck) circle(f *flag) string {
	var keys []string
	for _, next := range p.path[slices.Index(p.path, f):] {
		keys = append(keys, next.key)
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
