package decide

import (
	"reflect"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// Where the variables of opaque conditions, of drawings and of ramps begin. Those of
// attributes are before them, so that what depends on positions alone stands at the
// bottom.
const (
	opaqueVariables  = 1 << 19
	drawingVariables = 1 << 20
	rampVariables    = 1 << 24
)

// A builder makes diagrams of flags, at a clock.
type builder struct {
	*problem
	*diagram
	clock clock
	flags [2]map[string]node // what other flags serve: the index of a variant
	parts [2]map[string]node // whether segments' conditions hold
}

func (p *problem) builder(c clock) *builder {
	b := &builder{problem: p, diagram: newDiagram(&p.room), clock: c}
	for side := range b.flags {
		b.flags[side], b.parts[side] = make(map[string]node), make(map[string]node)
	}
	return b
}

// A naming gives numbers to rules with what they serve.
type naming func(rule, variant int) int

// outcomes names what a side serves.
func (b *builder) outcomes(side int) naming {
	return func(_, variant int) int { return b.outcome(b.problem.flags[side], variant) }
}

// serves returns the code of what a side serves, and by which rule.
func (b *builder) serves(side int) node {
	outcome := b.outcomes(side)
	return b.flag(side, b.problem.flags[side], 0, func(rule, variant int) int {
		return b.code(served{rule, outcome(rule, variant)})
	})
}

// moved returns where the outcomes of both sides differ. The rules that both flags begin
// with give nobody a different value.
func (b *builder) moved() node {
	first, nodes := b.equalRules()
	n := b.differ(b.flag(0, b.problem.flags[0], first, b.outcomes(0)),
		b.flag(1, b.problem.flags[1], first, b.outcomes(1)))
	for _, when := range slices.Backward(nodes) {
		n = b.ifElse(when, never, n)
	}
	return n
}

// equalRules returns how many rules at the beginning of both flags match the same people
// and serve them the same, and when each matches.
func (b *builder) equalRules() (int, []node) {
	old, new := b.problem.flags[0], b.problem.flags[1]
	if old.Disabled || new.Disabled || b.isStale(old) || b.isStale(new) ||
		!reflect.DeepEqual(old.Reserved, new.Reserved) {
		return 0, nil
	}
	var nodes []node
	for i := range min(len(old.Rules), len(new.Rules)) {
		when, serves := b.rule(0, old, i, b.outcomes(0))
		same, also := b.rule(1, new, i, b.outcomes(1))
		outside := old.Reserved == nil || b.outcomes(0)(i, old.Default) == b.outcomes(1)(i, new.Default)
		if when != same || serves != also || !outside {
			break
		}
		nodes = append(nodes, when)
	}
	return len(nodes), nodes
}

// variant returns the index of the variant that a flag serves, which others refer to.
func (b *builder) variant(side int, f *evaluator.Flag) node {
	n, ok := b.flags[side][f.Key]
	if !ok {
		n = b.flag(side, f, 0, func(_, variant int) int { return variant })
		b.flags[side][f.Key] = n
	}
	return n
}

func (b *builder) isStale(f *evaluator.Flag) bool {
	return f.Stale != nil && b.clock.age > int64(f.Stale.After)
}

// rule returns when a rule matches, and what it serves then.
func (b *builder) rule(side int, f *evaluator.Flag, i int, name naming) (when, serves node) {
	r := &f.Rules[i]
	when, serves = always, constant(name(i, r.Variant))
	if r.When != nil {
		when = b.condition(side, r.When)
	}
	if s := r.Split; s != nil {
		d := b.drawing(s.Bucketing)
		when = b.and(when, b.hasPosition(d))
		serves = b.split(d, s, func(variant int) node { return constant(name(i, variant)) })
	}
	return when, serves
}

// flag returns what a flag serves if no rule before the first one matches.
func (b *builder) flag(side int, f *evaluator.Flag, first int, name naming) node {
	last := len(f.Rules)
	switch {
	case f.Disabled:
		return constant(name(last, f.Off))
	case b.isStale(f):
		return constant(name(last, f.Stale.Variant))
	}
	serves := constant(name(last, f.Default))
	outside := serves // by the rules that are for those outside of the reservation
	for i := last - 1; i >= first; i-- {
		when, one := b.rule(side, f, i, name)
		serves = b.ifElse(when, one, serves)
		if f.Reserved != nil {
			outside = b.ifElse(when, constant(name(i, f.Default)), outside)
		}
	}
	if r := f.Reserved; r != nil && last > 0 {
		within := b.position(b.drawing(r.Bucketing), func(from, _ uint64) node {
			return truth(slices.ContainsFunc(r.Spans,
				func(s evaluator.Span) bool { return s.From <= from && from < s.To }))
		})
		serves = b.ifElse(within, serves, outside)
	}
	return serves
}

func truth(b bool) node {
	if b {
		return always
	}
	return never
}

// condition returns whether a condition holds.
func (b *builder) condition(side int, c *evaluator.Condition) node {
	if n, ok := b.opaque(side, c); ok {
		return b.choose(opaqueVariables+n, []node{never, always})
	}
	switch c.Op {
	case evaluator.OpAll:
		n := always
		for i := len(c.Of) - 1; i >= 0; i-- {
			n = b.and(b.condition(side, &c.Of[i]), n)
		}
		return n
	case evaluator.OpAny:
		n := never
		for i := len(c.Of) - 1; i >= 0; i-- {
			n = b.ifElse(b.condition(side, &c.Of[i]), always, n)
		}
		return n
	case evaluator.OpNot:
		return b.not(b.condition(side, &c.Of[0]))
	case evaluator.OpPeriod:
		return truth(holdsAt(c, b.clock.now))
	case evaluator.OpWindow:
		i := slices.IndexFunc(b.windows, func(w window) bool { return w.conditionIn == conditionIn{b.sides[side], c} })
		return truth(i >= 0 && b.windows[i].holds(b.clock.now))
	case evaluator.OpServes:
		f := b.sides[side].Flags[c.Strings[0]]
		if f == nil {
			return never
		}
		return b.convert(b.variant(side, f), func(v int) int {
			if slices.Contains(c.Strings[1:], f.Variants[v].Name) {
				return 1
			}
			return 0
		})
	case evaluator.OpInSegment:
		return b.segment(side, c)
	case evaluator.OpBucket:
		return b.position(b.drawing(bucketing(c)), func(from, _ uint64) node {
			return truth(uint64(c.Ints[1]) <= from && from < uint64(c.Ints[2]))
		})
	}
	return b.atom(c.Attribute, b.atoms[conditionIn{b.sides[side], c}])
}

// segment returns whether an attribute's value is a member of a segment.
func (b *builder) segment(side int, c *evaluator.Condition) node {
	s := b.sides[side].Segments[c.Strings[0]]
	if s == nil {
		return never
	}
	when := never
	if s.When != nil {
		var ok bool
		if when, ok = b.parts[side][s.Name]; !ok {
			when = b.condition(side, s.When)
			b.parts[side][s.Name] = when
		}
	}
	atoms := b.c.segmentAtoms(s)
	could, included, excluded := b.atom(c.Attribute, atoms[0]), b.atom(c.Attribute, atoms[1]),
		b.atom(c.Attribute, atoms[2])
	return b.ifElse(excluded, never, b.ifElse(included, always, b.and(could, when)))
}

// atom returns whether a comparison of an attribute holds.
func (b *builder) atom(attribute string, a *atom) node {
	i := slices.IndexFunc(b.domains, func(d *domain) bool { return d.name == attribute })
	at := slices.Index(b.domains[i].atoms, a)
	return b.byCase(i, func(f *fixed) node { return truth(f.sig[at] == 1) })
}

// byCase returns the function that is what f says in each case of a domain.
func (b *builder) byCase(domain int, f func(*fixed) node) node {
	kids := make([]node, len(b.cases[domain]))
	for i := range kids {
		kids[i] = f(&b.cases[domain][i])
	}
	return b.choose(domain, kids)
}

// hasPosition returns whether there is a position in a drawing.
func (b *builder) hasPosition(drawing int) node {
	domain := b.drawings[drawing].domain
	if domain < 0 {
		return always
	}
	return b.byCase(domain, func(f *fixed) node { return truth(f.usable) })
}

// position returns what f says of the cell of a drawing, which has the positions from
// one to before another, and never where there is no position.
func (b *builder) position(drawing int, f func(from, to uint64) node) node {
	d := b.drawings[drawing]
	kids := make([]node, len(d.ends))
	for i := range kids {
		kids[i] = f(d.bounds(i))
	}
	free := b.choose(drawingVariables+drawing, kids)
	if d.domain < 0 {
		return free
	}
	at := 0 // of the drawing among those by its attribute
	for _, other := range b.drawings[:drawing] {
		if other.domain == d.domain {
			at++
		}
	}
	return b.byCase(d.domain, func(f *fixed) node {
		switch {
		case !f.usable:
			return never
		case f.cells != nil:
			return kids[f.cells[at]]
		}
		return free
	})
}

// split returns what a split serves to those who have a position.
func (b *builder) split(drawing int, s *evaluator.Split, serve func(variant int) node) node {
	if s.Ramp != nil {
		return b.ramp(drawing, s.Ramp, serve(s.Ramp.Variant), serve(s.Ramp.Rest))
	}
	return b.position(drawing, func(from, _ uint64) node {
		i, found := slices.BinarySearchFunc(s.Ranges, from, func(r evaluator.Range, position uint64) int {
			if r.To <= position {
				return -1
			}
			if r.From > position {
				return 1
			}
			return 0
		})
		if !found {
			return never
		}
		return serve(s.Ranges[i].Variant)
	})
}

// ramp returns what a ramp serves. Where it is at different levels for the clock's
// times, whether a position is below them is a variable of its own.
func (b *builder) ramp(drawing int, r *evaluator.Ramp, one, rest node) node {
	lo, hi := b.clock.levels(r)
	points := canonicalPoints(r)
	number := slices.IndexFunc(b.ramps, func(other *ramp) bool {
		return other.drawing == drawing && other.ramp.Linear == r.Linear && slices.Equal(other.points, points)
	})
	below := b.choose(rampVariables+number, []node{rest, one})
	return b.position(drawing, func(from, to uint64) node {
		switch {
		case to <= lo:
			return one
		case from >= hi:
			return rest
		}
		return below
	})
}
