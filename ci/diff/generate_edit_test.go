package diff_test

import (
	"math"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// edited returns a ruleset with an edit of a flag, a segment or a zone, or none that
// makes a difference.
func (m *maker) edited(set evaluator.Ruleset) evaluator.Ruleset {
	set.Flags, set.Segments = slices.Clone(set.Flags), slices.Clone(set.Segments)
	m.set = &set
	defer func() { m.set = nil }()
	if n := len(set.Segments); n > 0 && m.IntN(4) == 0 {
		i := m.IntN(n)
		s := &set.Segments[i]
		switch m.IntN(4) {
		case 0:
			s.Include = append(slices.Clone(s.Include), choose(m, userPool...))
		case 1:
			s.Exclude = append(slices.Clone(s.Exclude), choose(m, userPool...))
		case 2:
			s.Include = nil
		default:
			segments := set.Segments
			set.Segments = segments[:i] // conditions may refer to those before
			c := m.noServes(1)
			s.When = &c
			set.Segments = segments
		}
		return set
	}
	flags := set.Flags
	i := m.IntN(len(flags))
	set.Flags = flags[:i] // conditions may refer to those before
	flags[i] = m.edit(flags[i])
	set.Flags = flags
	return set
}

// edit changes a flag somewhere.
func (m *maker) edit(f evaluator.Flag) evaluator.Flag {
	f.Rules = slices.Clone(f.Rules)
	n := len(f.Variants)
	if len(f.Rules) > 0 && m.IntN(6) > 0 {
		i := m.IntN(len(f.Rules))
		r := &f.Rules[i]
		switch m.IntN(12) {
		case 0:
			r.Split = m.split(f.Key, n)
		case 1:
			c := m.condition(2)
			r.When = &c
		case 2:
			m.Shuffle(len(f.Rules), func(i, j int) { f.Rules[i], f.Rules[j] = f.Rules[j], f.Rules[i] })
		case 3:
			f.Rules = slices.Delete(f.Rules, i, i+1)
		case 4:
			r.Variant = m.IntN(n)
		case 5: // the same rule again
			again := *r
			again.Name = "again"
			f.Rules = slices.Insert(f.Rules, i+1, again)
		case 6, 7, 8:
			if r.When != nil {
				c := m.nudge(*r.When)
				r.When = &c
			}
		default:
			if r.When != nil {
				c := m.equivalent(*r.When)
				r.When = &c
			}
		}
		return f
	}
	switch m.IntN(7) {
	case 0:
		f.Default = m.IntN(n)
	case 1:
		f.Disabled = !f.Disabled
	case 2:
		f.Reserved = m.reserved()
	case 3:
		f.Variants = slices.Clone(f.Variants)
		f.Variants[0].Value = evaluator.StringValue("new")
	case 4:
		f.Off = m.IntN(n)
	case 5:
		f.Stale = &evaluator.Staleness{After: choose[uint32](m, 0, 60), Variant: m.IntN(n)}
	default:
		f.Rules = slices.Insert(f.Rules, m.IntN(len(f.Rules)+1), m.rule(f.Key, "new", n))
	}
	return f
}

// nudge changes a condition a little, deep inside.
func (m *maker) nudge(c evaluator.Condition) evaluator.Condition {
	if n := len(c.Of); n > 0 {
		c.Of = slices.Clone(c.Of)
		i := m.IntN(n)
		switch {
		case m.IntN(8) == 0 && c.Op != evaluator.OpNot:
			c.Op = evaluator.OpAll + evaluator.OpAny - c.Op
		case m.IntN(8) == 0 && n > 1:
			c.Of = slices.Delete(c.Of, i, i+1)
		default:
			c.Of[i] = m.nudge(c.Of[i])
		}
		return c
	}
	switch c.Op {
	case evaluator.OpOneOf, evaluator.OpAnyOf, evaluator.OpAllOf, evaluator.OpPrefix, evaluator.OpContains,
		evaluator.OpCIDR:
		pool := map[string][]string{"user": userPool, "city": cityPool, "mail": mailPool, "version": versionPool,
			"ip": addressPool, "tags": tagPool, "price": pricePool}[c.Attribute]
		switch {
		case c.Op == evaluator.OpCIDR:
			pool = networkPool
		case len(c.Ints) > 0 && c.Attribute == "uid":
			c.Ints = append(slices.Clone(c.Ints), choose(m, intPool...))
			return c
		}
		switch {
		case c.Attribute == "city" && c.Op != evaluator.OpCIDR && m.IntN(3) == 0:
			c.Fold = !c.Fold
		case len(c.Strings) > 1 && m.IntN(2) == 0:
			c.Strings = slices.Delete(slices.Clone(c.Strings), 0, 1)
		case len(c.Strings) > 0:
			c.Strings = append(slices.Clone(c.Strings), choose(m, pool...))
		}
	case evaluator.OpSuffix, evaluator.OpMatches:
		c.Fold = !c.Fold
	case evaluator.OpBetween, evaluator.OpPeriod:
		if c.Ints[1] < math.MaxInt64 {
			c.Ints = []int64{c.Ints[0], c.Ints[1] + 1}
		}
	case evaluator.OpModulo:
		c.Ints = append(slices.Clone(c.Ints), m.Int64N(c.Ints[0]))
	case evaluator.OpSemver:
		c.Strings = []string{choose(m, rangePool...)}
	case evaluator.OpBucket:
		c.Ints = []int64{c.Ints[0], 0, c.Ints[2]}
	}
	return c
}

// equivalent says the same in another way.
func (m *maker) equivalent(c evaluator.Condition) evaluator.Condition {
	op := func(op evaluator.Op, of ...evaluator.Condition) evaluator.Condition {
		return evaluator.Condition{Op: op, Of: of}
	}
	not := func(c evaluator.Condition) evaluator.Condition { return op(evaluator.OpNot, c) }
	if len(c.Of) > 0 && m.IntN(2) == 0 {
		c.Of = slices.Clone(c.Of)
		i := m.IntN(len(c.Of))
		c.Of[i] = m.equivalent(c.Of[i])
		return c
	}
	if len(c.Of) > 1 && m.IntN(2) == 0 { // De Morgan
		other := op(evaluator.OpAll + evaluator.OpAny - c.Op)
		for _, part := range c.Of {
			other.Of = append(other.Of, not(part))
		}
		return not(other)
	}
	several := func(list ...evaluator.Condition) evaluator.Condition { return op(evaluator.OpAny, list...) }
	switch c.Op {
	case evaluator.OpOneOf, evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains, evaluator.OpAnyOf,
		evaluator.OpCIDR, evaluator.OpMatches:
		if n := len(c.Strings); n > 1 {
			a, b := c, c
			a.Strings, b.Strings = c.Strings[:n/2], c.Strings[n/2:]
			return several(a, b)
		}
	case evaluator.OpModulo:
		n := c.Ints[0]
		double := evaluator.Condition{Op: c.Op, Attribute: c.Attribute, Ints: []int64{2 * n}}
		for _, r := range c.Ints[1:] {
			double.Ints = append(double.Ints, r, r+n)
		}
		return double
	case evaluator.OpBetween, evaluator.OpPeriod:
		if middle := choose(m, append(intPool, timePool...)...); c.Ints[0] < middle && middle < c.Ints[1] {
			a, b := c, c
			a.Ints, b.Ints = []int64{c.Ints[0], middle}, []int64{middle, c.Ints[1]}
			return several(a, b)
		}
	}
	other := m.condition(0)
	switch m.IntN(3) {
	case 0:
		return op(evaluator.OpAll, c, several(c, other))
	case 1:
		return several(op(evaluator.OpAll, c, other), op(evaluator.OpAll, c, not(other)))
	}
	return several(c, op(evaluator.OpAll, other, c))
}
