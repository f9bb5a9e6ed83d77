package ci

import (
	"fmt"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// maxReachSteps bounds what is spent on one flag, so that a file of thousands of rules
// takes no time to speak of. Beyond it nothing more is found.
const maxReachSteps = 2_000_000

// reach says which rules are never reached, and which ranges overlap.
func (l *linter) reach(f *flag, b body) {
	im := newImplication(l.facts, maxReachSteps)
	rules := b.flag.Rules
	ranges := make([][]ranged, len(rules))
	for j := range rules {
		if im.spent() {
			return
		}
		item := b.rules.items[j]
		at := item.get("name")
		if when := item.get("when"); when != nil {
			ranges[j] = im.ranges(rules[j].When)
			l.overlaps(f, b, im, rules[j].Name, when)
		}
		i := slices.IndexFunc(rules[:j], func(above evaluator.Rule) bool { return im.covers(&above, &rules[j]) })
		if i >= 0 {
			l.warn(lintUnreachableRule, f.source, at, "%srule %q is never reached: rule %q on line %d matches whoever it would",
				b.place(), rules[j].Name, rules[i].Name, b.rules.items[i].line())
			continue
		}
		for i := range rules[:j] {
			if attribute, common := im.hides(&rules[i], ranges[i], &rules[j], ranges[j]); common != "" {
				l.warn(lintOverlappingRanges, f.source, at, "%srule %q: its range of %q overlaps that of rule %q on line %d, which takes %s",
					b.place(), rules[j].Name, attribute, rules[i].Name, b.rules.items[i].line(), common)
				break
			}
		}
	}
}

// A ranged is a condition on a range, among others that must hold beside it.
type ranged struct {
	attribute string
	spans     []span
	others    []evaluator.Condition
}

// ranges returns the conditions on ranges that c takes.
func (im *implication) ranges(c *evaluator.Condition) []ranged {
	var list []ranged
	all := conjuncts(c)
	for k := range all {
		if spans := im.spans(&all[k]); spans != nil && len(spans) <= maxSingles && len(list) < 4 {
			list = append(list, ranged{all[k].Attribute, spans, slices.Delete(slices.Clone(all), k, k+1)})
		}
	}
	return list
}

// hides returns what rule a takes of a range that rule b, which stands below it,
// is for, and the attribute; "" if that is nothing. It is nothing too if one range
// holds the other: first the few and then the many is how exceptions are written.
func (im *implication) hides(a *evaluator.Rule, theirs []ranged, b *evaluator.Rule, ours []ranged) (attribute, common string) {
	for _, x := range theirs {
		for _, y := range ours {
			if im.steps -= 1 + len(x.spans)*len(y.spans); im.steps < 0 || x.attribute != y.attribute {
				continue
			}
			common := intersection(x.spans, y.spans)
			if common == "" || within(x.spans, y.spans) || within(y.spans, x.spans) {
				continue
			}
			rest := *a
			rest.When = &evaluator.Condition{Op: evaluator.OpAll, Of: x.others}
			if im.covers(&rest, b) {
				return x.attribute, common
			}
		}
	}
	return "", ""
}

// overlaps looks below "when" for ranges of which one will do and that overlap.
func (l *linter) overlaps(f *flag, b body, im *implication, rule string, n *node) {
	for _, field := range n.fields {
		switch field.key.text {
		case "not":
			l.overlaps(f, b, im, rule, field.value)
		case "all", "any":
			for _, item := range field.value.items {
				l.overlaps(f, b, im, rule, item)
			}
			if field.key.text == "any" {
				l.alternatives(f, b, im, rule, field.value.items)
			}
		case "now", "flag":
		default:
			if networks := field.value.get("cidr"); networks != nil && networks.kind == sequence {
				l.networks(f, b, im, rule, field.key.text, networks.items)
			}
		}
	}
}

// alternatives compares the ranges among the conditions of an "any".
func (l *linter) alternatives(f *flag, b body, im *implication, rule string, items []*node) {
	type alternative struct {
		attribute string
		spans     []span
		line      int
	}
	var before []alternative
	c := checker{reader: reader{source: &source{path: f.source.path, shown: f.source.shown}}, known: l.estate.known, prerequisites: new([]prerequisite)}
	for _, item := range items {
		cond, ok := c.condition(item)
		if !ok {
			continue
		}
		spans := im.spans(&cond)
		if im.spend(len(before) + len(spans)); spans == nil {
			continue
		} else if im.spent() {
			return
		}
		for _, other := range before {
			if common := intersection(other.spans, spans); common != "" && other.attribute == cond.Attribute {
				l.warn(lintOverlappingRanges, f.source, item, "%srule %q: the range of %q overlaps that on line %d: both have %s",
					b.place(), rule, cond.Attribute, other.line, common)
				break
			}
		}
		before = append(before, alternative{cond.Attribute, spans, item.line()})
	}
}

// networks compares the networks of one list.
func (l *linter) networks(f *flag, b body, im *implication, rule, attribute string, items []*node) {
	spans := make([][]span, len(items))
	for i, item := range items {
		spans[i] = im.spans(&evaluator.Condition{Op: evaluator.OpCIDR, Attribute: attribute, Strings: []string{item.text}})
		for j := range spans[:i] {
			if items[j].text != item.text && intersection(spans[j], spans[i]) != "" { // the same twice is duplicate-id's
				l.warn(lintOverlappingRanges, f.source, item, "%srule %q: the network %s overlaps %s", b.place(), rule, item.text, items[j].text)
				break
			}
		}
		if im.spend(i); im.spent() {
			return
		}
	}
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

// A span is a range of values, both ends included.
type span struct {
	lo, hi point
}

// A point is an integer or an IP address, as bytes that order as it does.
type point struct {
	key  string
	text string
}

// spans returns the values of a range, nil if c is none.
func (im *implication) spans(c *evaluator.Condition) []span {
	switch c.Op {
	case evaluator.OpBetween:
		return []span{{intPoint(c.Ints[0]), intPoint(c.Ints[1])}}
	case evaluator.OpCIDR, evaluator.OpIPBetween:
		return im.addressSpans(c)
	}
	return nil
}

func intPoint(i int64) point {
	u := uint64(i) ^ 1<<63
	return point{fmt.Sprintf("%016x", u), fmt.Sprint(i)}
}

// intersection describes the first values that both lists of ranges have, "" if
// there are none.
func intersection(a, b []span) string {
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
func within(a, b []span) bool {
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y span) bool { return y.lo.key <= x.lo.key && x.hi.key <= y.hi.key }) {
			return false
		}
	}
	return true
}
