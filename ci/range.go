package ci

import (
	"math"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// firstBound returns the first bound of a range that a mapping has.
func firstBound(n *node) string {
	for _, f := range n.fields {
		switch f.key.text {
		case "from", "to", "gt", "gte", "lt", "lte":
			return f.key.text
		}
	}
	return ""
}

// rangeOf reads the bounds that stand in a mapping: from and to, or gt, gte,
// lt and lte.
func (c checker) rangeOf(a *attribute, n, first *node) (cond evaluator.Condition, ok bool) {
	from, to := n.get("from"), n.get("to")
	if a.typ == evaluator.AttrIP {
		return c.addressRange(a, n, first)
	}
	cond = evaluator.Condition{Op: evaluator.OpBetween, Attribute: a.name, Ints: []int64{math.MinInt64, math.MaxInt64}}
	if a.typ != evaluator.AttrInteger {
		c.errorf(first, "%q applies to integer attributes, %q is of type %v", first.text, a.name, a.typ)
		return cond, false
	}
	if (from == nil) != (to == nil) {
		c.errorf(first, "\"from\" and \"to\" go together; for one bound write gte or lte")
		return cond, false
	}
	if !c.oneBound(n, "from", "gt", "gte") || !c.oneBound(n, "to", "lt", "lte") {
		return cond, false
	}
	lo, hi := &cond.Ints[0], &cond.Ints[1]
	ok = true
	for _, f := range n.fields {
		bound, step := lo, int64(0)
		switch f.key.text {
		case "from", "gte":
		case "to", "lte":
			bound = hi
		case "gt":
			step = 1
		case "lt":
			bound, step = hi, -1
		default:
			continue
		}
		i, fine := c.integer(f.value, "\""+f.key.text+"\"")
		if fine && (step > 0 && i == math.MaxInt64 || step < 0 && i == math.MinInt64) {
			c.errorf(f.value, "no integer of 64 bits is beyond %d", i)
			fine = false
		}
		ok = ok && fine
		*bound = i + step
	}
	if ok && *lo > *hi {
		c.errorf(first, "the range is empty: no integer is at least %d and at most %d", *lo, *hi)
		ok = false
	}
	return cond, ok
}

// oneBound reports whether n has at most one of the keys.
func (c checker) oneBound(n *node, keys ...string) bool {
	before := ""
	for _, f := range n.fields {
		if !slices.Contains(keys, f.key.text) {
			continue
		}
		if before != "" {
			c.errorf(f.key, "%q and %q bound the same end of the range", before, f.key.text)
			return false
		}
		before = f.key.text
	}
	return true
}

// addressRange reads from and to of an IP attribute.
func (c checker) addressRange(a *attribute, n, first *node) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpIPBetween, Attribute: a.name}
	for _, f := range n.fields {
		switch f.key.text {
		case "gt", "gte", "lt", "lte":
			c.errorf(f.key, "a range of addresses is written {from: …, to: …}")
			return cond, false
		}
	}
	for _, bound := range []*node{n.get("from"), n.get("to")} {
		if bound == nil {
			c.errorf(first, "\"from\" and \"to\" go together")
			return cond, false
		}
		text, ok := c.text(bound, "an address")
		if !ok || !c.check(bound, a, evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.name, Strings: []string{text}}) {
			return cond, false
		}
		cond.Strings = append(cond.Strings, text)
	}
	return cond, c.check(first, a, cond)
}
