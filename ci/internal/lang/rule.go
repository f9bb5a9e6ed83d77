package lang

import (
	"cmp"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// A Rule is a rule as its file has it. It is read once, and compiled for each
// environment that it counts in, whose variants and default may be others.
type Rule struct {
	At       *source.Node // the mapping
	Name     string
	NameAt   *source.Node         // nil if the rule has no name, which is an error
	When     *evaluator.Condition // nil if there is none, or a wrong one
	WhenAt   *source.Node         // nil if there is none
	Any      []Alternatives       // every "any" below When
	Networks []Networks           // every list of networks below When
	Requires []Prerequisite       // the flags that When asks for
	Serve    *source.Node         // nil if there is none, which is an error
	SaltAt   *source.Node         // nil if no salt is written
	Ramp     *Ramp                // nil if the rule doesn't serve a ramp
	Division *lock.Division       // for the lock file, without the file; nil if that doesn't keep the rule's split
	listed   bool                 // When compares an attribute with a list of ids in a file
	metadata []evaluator.Attr
	place    string           // for messages
	split    *evaluator.Split // how positions are drawn; nil if the rule serves one variant
	portions []portion        // of a split that isn't a ramp
	owner    lock.ID          // what the lock file calls the split
}

// Alternatives are the conditions of an "any", and where they stand.
type Alternatives struct {
	At         []*source.Node
	Conditions []evaluator.Condition
}

// Networks is a comparison with a list of networks: At[i] is where Condition.Strings[i]
// is written.
type Networks struct {
	At        []*source.Node
	Condition evaluator.Condition
}

var ruleKeys = []string{"name", "when", "serve", "by", "salt", "hash", "positions", "metadata"}

// rules reads a list of rules, which may be empty, of the flag in an environment.
func (c Checker) rules(n *source.Node, environment string) []*Rule {
	rules := make([]*Rule, 0, len(n.Items))
	if !c.MaybeEmptyList(n, "\"rules\"") {
		return rules
	}
	lines := make(map[string]int, len(n.Items))
	for i, item := range n.Items {
		r := &Rule{At: item, NameAt: item.Get("name"), WhenAt: item.Get("when"), Serve: item.Get("serve"),
			SaltAt: item.Get("salt")}
		within := c.Within("rule %d", i+1)
		if r.NameAt != nil {
			if s, ok := within.Name(r.NameAt, "\"name\""); ok {
				r.Name = s
				within = c.Within("rule %q", s)
			}
			if line, dup := lines[r.Name]; dup {
				within.Errorf(r.NameAt, "another rule has this name, on line %d", line)
			} else if r.Name != "" {
				lines[r.Name] = r.NameAt.Line()
			}
		}
		if !within.Keys(item, "a rule", ruleKeys...) {
			continue
		}
		if r.NameAt == nil {
			within.Errorf(item, "the rule has no \"name\"; names are shown as reasons")
		}
		r.place = strings.TrimPrefix(within.Place, c.Place)
		r.owner = lock.ID{Owner: c.File.Stem(), Environment: environment, Rule: r.Name}
		within.rule = r
		within.readRule()
		rules = append(rules, r)
	}
	c.oneGuard(rules)
	return rules
}

// readRule reads what c.rule says below its name.
func (c Checker) readRule() {
	r := c.rule
	if r.WhenAt != nil {
		if cond, ok := c.condition(r.WhenAt); ok {
			r.When = &cond
		}
	}
	c.serve(r)
	r.metadata = c.metadata(r.At.Get("metadata"))
}

// serve reads what a rule serves, as far as it doesn't depend on the variants.
func (c Checker) serve(r *Rule) {
	n := r.Serve
	switch {
	case n == nil:
		c.Errorf(r.At, "the rule has no \"serve\"")
	case n.Kind == source.Scalar:
		for _, f := range r.At.Fields {
			if slices.Contains(splitKeys, f.Key.Text) {
				c.Errorf(f.Key, "%q has no effect: the rule serves one variant, not a split", f.Key.Text)
			}
		}
	case n.Kind == source.Sequence:
		c.Errorf(n, "\"serve\" is a variant, a mapping of variants to shares or a ramp, not a list")
	default:
		r.split = &evaluator.Split{Bucketing: evaluator.Bucketing{Salt: c.File.Stem()}}
		c.unit(r.At, r.split)
		if isRamp(n) {
			r.Ramp = c.ramp(n, r.split.Total())
			if r.Ramp.GuardAt != nil {
				c.guarded(n, r)
			}
		} else {
			r.portions = c.portions(n)
		}
		if y := c.layer; y != nil && y.Bucketing == r.split.Bucketing {
			c.Errorf(cmp.Or(r.SaltAt, n),
				"the split has the unit and the salt of the layer %q, so it can't divide the flag's share of that; give it another salt", y.Name)
		}
	}
}

// compile returns a rule with the variants of one environment.
func (c Checker) compile(r *Rule, set *variantSet) evaluator.Rule {
	c.Place += r.place
	out := evaluator.Rule{Name: r.Name, When: r.When, Metadata: r.metadata}
	switch {
	case r.split != nil:
		split := *r.split
		ok := false
		if r.Ramp != nil {
			ok = c.compileRamp(r.Ramp, set, &split)
		} else {
			ok = c.compileSplit(r, set, &split)
		}
		if ok {
			out.Split = &split
		}
	case r.Serve != nil && r.Serve.Kind == source.Scalar:
		out.Variant, _ = c.variant(r.Serve, set)
	}
	return out
}
