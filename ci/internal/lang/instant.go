package lang

import (
	"math"

	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// firstAttributeYear is the first year of times that attributes are compared with: they
// may be about people.
const firstAttributeYear = 1900

// timeOperators says how times are compared.
const timeOperators = "{after: 2026-12-01} for this time and later, or {before: 2026-12-01} for earlier"

// instants reads "after", "before" and "zone". An attribute is compared by the second that
// it is in, which is exact: the bounds are whole seconds.
func (c Checker) instants(a *Attribute, n, first *source.Node) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpBetween, Attribute: a.Name, Ints: []int64{math.MinInt64, math.MaxInt64}}
	after, before := n.Get("after"), n.Get("before")
	if a.Type != evaluator.AttrTime {
		c.Errorf(first, "%q applies to time attributes, %q is of type %v", first.Text, a.Name, a.Type)
		return cond, false
	}
	if after == nil && before == nil {
		c.Errorf(first, "\"zone\" goes with \"after\" and \"before\"")
		return cond, false
	}
	z, ok := c.ZoneOf(n)
	if !ok {
		return cond, false
	}
	if after != nil {
		cond.Ints[0], ok = c.TimeSince(firstAttributeYear, after, "\"after\"", z.Location)
	}
	if before != nil {
		end, fine := c.TimeSince(firstAttributeYear, before, "\"before\"", z.Location)
		cond.Ints[1], ok = end-1, ok && fine
	}
	if ok && cond.Ints[0] > cond.Ints[1] {
		c.Errorf(before, "\"before\" is not later than \"after\", so it is never between them")
		ok = false
	}
	return cond, ok
}
