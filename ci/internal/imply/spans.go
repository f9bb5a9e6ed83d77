package imply

import (
	"fmt"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// A Ranged is a condition on a range, with the others that must hold as well.
type Ranged struct {
	attribute string
	spans     []Span
	others    []evaluator.Condition
}

// Ranges returns the conditions on ranges that c takes.
func (im *Implication) Ranges(c *evaluator.Condition) []Ranged {
	var list []Ranged
	all := conjuncts(c)
	for k := range all {
		if spans := im.Spans(&all[k]); spans != nil && len(spans) <= maxSingles && len(list) < 4 {
			list = append(list, Ranged{all[k].Attribute, spans, slices.Delete(slices.Clone(all), k, k+1)})
		}
	}
	return list
}

// Hides returns which part of a range of rule b, which is below a, rule a takes, and
// the attribute; "" if it takes nothing. A range that contains the other doesn't count:
// exceptions are written that way.
func (im *Implication) Hides(a *evaluator.Rule, theirs []Ranged, b *evaluator.Rule,
	ours []Ranged) (attribute, common string) {
	for _, x := range theirs {
		for _, y := range ours {
			if im.steps -= 1 + len(x.spans)*len(y.spans); im.steps < 0 || x.attribute != y.attribute {
				continue
			}
			common := Intersection(x.spans, y.spans)
			if common == "" || within(x.spans, y.spans) || within(y.spans, x.spans) {
				continue
			}
			rest := *a
			rest.When = &evaluator.Condition{Op: evaluator.OpAll, Of: x.others}
			if im.Covers(&rest, b) {
				return x.attribute, common
			}
		}
	}
	return "", ""
}

// conjuncts returns the conditions that must all hold for c to.
func conjuncts(c *evaluator.Condition) []evaluator.Condition {
	if c.Op != evaluator.OpAll {
		return []evaluator.Condition{*c}
	}
	var list []evaluator.Condition
	for i := range c.Of {
		list = append(list, conjuncts(&c.Of[i])...)
	}
	return list
}

// A Span is a range of values, both ends included.
type Span struct {
	lo, hi point
}

// A point is an integer or an IP address, as bytes that order as it does.
type point struct {
	key  string
	text string
}

// Spans returns the values of a range, nil if c is none.
func (im *Implication) Spans(c *evaluator.Condition) []Span {
	switch c.Op {
	case evaluator.OpBetween:
		return []Span{{intPoint(c.Ints[0]), intPoint(c.Ints[1])}}
	case evaluator.OpCIDR, evaluator.OpIPBetween:
		return im.addressSpans(c)
	}
	return nil
}

func intPoint(i int64) point {
	u := uint64(i) ^ 1<<63
	return point{fmt.Sprintf("%016x", u), fmt.Sprint(i)}
}

// Intersection describes the first values that both lists of ranges have, "" if
// there are none.
func Intersection(a, b []Span) string {
	for _, x := range a {
		for _, y := range b {
			lo, hi := x.lo, x.hi
			if y.lo.key > lo.key {
				lo = y.lo
			}
			if y.hi.key < hi.key {
				hi = y.hi
			}
			switch {
			case lo.key < hi.key:
				return lo.text + " to " + hi.text
			case lo.key == hi.key:
				return lo.text
			}
		}
	}
	return ""
}

// within reports whether each range of a lies in one of b.
func within(a, b []Span) bool {
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y Span) bool { return y.lo.key <= x.lo.key && x.hi.key <= y.hi.key }) {
			return false
		}
	}
	return true
}
