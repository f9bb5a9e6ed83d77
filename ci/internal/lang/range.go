package lang

import (
	"math"
	"slices"

	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// firstBound returns the first bound of a range that a mapping has.
func firstBound(n *source.Node) string { return firstOf(n, "from", "to", "gt", "gte", "lt", "lte") }

// firstOf returns the first of some keys that a mapping has, "" if it has none.
func firstOf(n *source.Node, keys ...string) string {
	for _, f := range n.Fields {
		if slices.Contains(keys, f.Key.Text) {
			return f.Key.Text
		}
	}
	return ""
}

// rangeOf reads the bounds that stand in a mapping: from and to, or gt, gte,
// lt and lte.
func (c Checker) rangeOf(a *Attribute, n, first *source.Node) (cond evaluator.Condition, ok bool) {
	from, to := n.Get("from"), n.Get("to")
	if a.Type == evaluator.AttrIP {
		return c.addressRange(a, n, first)
	}
	cond = evaluator.Condition{Op: evaluator.OpBetween, Attribute: a.Name, Ints: []int64{math.MinInt64, math.MaxInt64}}
	if a.Type != evaluator.AttrInteger && a.Type != evaluator.AttrNumber {
		c.Errorf(first, "%q applies to integer and number attributes, %q is of type %v", first.Text, a.Name, a.Type)
		return cond, false
	}
	if (from == nil) != (to == nil) {
		c.Errorf(first, "\"from\" and \"to\" go together; for one bound write gte or lte")
		return cond, false
	}
	if !c.oneBound(n, "from", "gt", "gte") || !c.oneBound(n, "to", "lt", "lte") {
		return cond, false
	}
	if a.Type == evaluator.AttrNumber {
		return c.numberRange(a, n, first)
	}
	lo, hi := &cond.Ints[0], &cond.Ints[1]
	ok = true
	for _, f := range n.Fields {
		bound, step := lo, int64(0)
		switch f.Key.Text {
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
		i, fine := c.Integer(f.Value, "\""+f.Key.Text+"\"")
		if fine && (step > 0 && i == math.MaxInt64 || step < 0 && i == math.MinInt64) {
			c.Errorf(f.Value, "no 64-bit integer is beyond %d", i)
			fine = false
		}
		ok = ok && fine
		*bound = i + step
	}
	if ok && *lo > *hi {
		c.Errorf(first, "the range is empty: no integer is at least %d and at most %d", *lo, *hi)
		ok = false
	}
	return cond, ok
}

// oneBound reports whether n has at most one of the keys.
func (c Checker) oneBound(n *source.Node, keys ...string) bool {
	before := ""
	for _, f := range n.Fields {
		if !slices.Contains(keys, f.Key.Text) {
			continue
		}
		if before != "" {
			c.Errorf(f.Key, "%q and %q bound the same end of the range", before, f.Key.Text)
			return false
		}
		before = f.Key.Text
	}
	return true
}

// addressRange reads from and to of an IP attribute.
func (c Checker) addressRange(a *Attribute, n, first *source.Node) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpIPBetween, Attribute: a.Name}
	for _, f := range n.Fields {
		switch f.Key.Text {
		case "gt", "gte", "lt", "lte":
			c.Errorf(f.Key, "a range of addresses is written {from: …, to: …}")
			return cond, false
		}
	}
	for _, bound := range []*source.Node{n.Get("from"), n.Get("to")} {
		if bound == nil {
			c.Errorf(first, "\"from\" and \"to\" go together")
			return cond, false
		}
		text, ok := c.Text(bound, "an address")
		if !ok || !c.check(bound, a,
			evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.Name, Strings: []string{text}}) {
			return cond, false
		}
		cond.Strings = append(cond.Strings, text)
	}
	return cond, c.check(first, a, cond)
}
