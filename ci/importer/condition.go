package importer

import "slices"

// An op is what a condition tests.
type op uint8

const (
	opAlways op = iota
	opNever
	opAll
	opAny
	opNot
	opIn
	opIntegers
	opNumbers
	opNumber
	opNumberText
	opPrefix
	opSuffix
	opContains
	opMatches
	opCIDR
	opIPRange
	opRange
	opMod
	opSemver
	opSemverV
	opTime
	opExists
	opBucket
	opNow
	opFlag
	opSegment
	opHolds
	opIs
)

// A Condition is a condition of a rule. The zero value always holds. Use the functions that
// return one; they leave out what makes no difference.
type Condition struct {
	Op        op
	Attribute string // or the key of a flag
	Of        []Condition
	Texts     []string
	Ints      []int64
	Fold      bool
	Place     string // in the source, for conflicts between attributes' types
}

// Always holds, Never doesn't.
var (
	Always = Condition{}
	Never  = Condition{Op: opNever}
)

// IsAlways reports whether c always holds.
func (c Condition) IsAlways() bool { return c.Op == opAlways }

// IsNever reports whether c never holds.
func (c Condition) IsNever() bool { return c.Op == opNever }

// At returns c with its place in the source.
func (c Condition) At(place string) Condition {
	c.Place = place
	return c
}

// All holds if all of the conditions do.
func All(of ...Condition) Condition {
	var list []Condition
	for _, c := range of {
		switch c.Op {
		case opNever:
			return Never
		case opAlways:
		case opAll:
			list = append(list, c.Of...)
		default:
			list = append(list, c)
		}
	}
	switch len(list) {
	case 0:
		return Always
	case 1:
		return list[0]
	}
	return Condition{Op: opAll, Of: list}
}

// Any holds if one of the conditions does.
func Any(of ...Condition) Condition {
	var list []Condition
	for _, c := range of {
		switch c.Op {
		case opAlways:
			return Always
		case opNever:
		case opAny:
			list = append(list, c.Of...)
		default:
			list = append(list, c)
		}
	}
	switch len(list) {
	case 0:
		return Never
	case 1:
		return list[0]
	}
	return Condition{Op: opAny, Of: list}
}

// Not holds if c doesn't.
func Not(c Condition) Condition {
	switch {
	case c.Op == opAlways:
		return Never
	case c.Op == opNever:
		return Always
	case c.Op == opNot:
		return c.Of[0]
	case c.Op == opExists:
		return Condition{Op: opExists, Attribute: c.Attribute, Ints: []int64{1 - c.Ints[0]}, Place: c.Place}
	}
	return Condition{Op: opNot, Of: []Condition{c}}
}

// simplified returns c without what always or never holds.
func (c Condition) simplified() Condition {
	of := make([]Condition, len(c.Of))
	for i, o := range c.Of {
		of[i] = o.simplified()
	}
	switch c.Op {
	case opAll:
		return All(of...)
	case opAny:
		return Any(of...)
	case opNot:
		return Not(of[0])
	}
	return c
}

// each calls visit with c and every condition below it.
func (c Condition) each(visit func(Condition)) {
	visit(c)
	for _, o := range c.Of {
		o.each(visit)
	}
}

// Needs reports whether c holds only for contexts with at least one of the attributes. It may
// say no where that is so.
func (c Condition) Needs(attributes ...string) bool {
	switch c.Op {
	case opNever:
		return true
	case opAll:
		return slices.ContainsFunc(c.Of, func(o Condition) bool { return o.Needs(attributes...) })
	case opAny:
		return !slices.ContainsFunc(c.Of, func(o Condition) bool { return !o.Needs(attributes...) })
	case opBucket:
		return slices.Contains(attributes, c.Attribute)
	}
	return false
}

// change calls edit with c and every condition below it.
func (c *Condition) change(edit func(*Condition)) {
	edit(c)
	c.Of = slices.Clone(c.Of) // other rules may share it
	for i := range c.Of {
		c.Of[i].change(edit)
	}
}
