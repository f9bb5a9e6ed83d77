package evaluator

import (
	"slices"
	"strconv"
)

// Asked returns what c, a comparison, asks, in the words of [ConditionTrace]:
// one of "shenzhen", "guangzhou". Of long lists it has the beginning. t is the
// type of the attribute, and of no account to conditions that have none. If c is
// a combination, or [Condition.Check] refuses it, the words are those of c.Op.
//
// Contrary to what a trace shows, a segment or flag that c refers to needn't
// exist, and the list of a long one-of condition is in the order of c.
func (c Condition) Asked(t AttributeType) string {
	quoted := func(list []string) string { return listText(len(list), slices.Values(list)) }
	switch {
	case c.Op.Combines():
		return c.Op.String()
	case c.Op == OpOneOf && t == AttrString && !c.Fold:
		return "one of " + quoted(c.Strings) // without making a set of what may be a million
	case c.Check(t) != nil:
		return c.Op.String()
	}
	switch c.Op {
	case OpExists:
		return "present"
	case OpInSegment:
		return "member of segment " + strconv.Quote(c.Strings[0])
	case OpBetween:
		return betweenText(c.Ints[0], c.Ints[1])
	case OpServes:
		return "flag " + strconv.Quote(c.Strings[0]) + " serves " + quoted(c.Strings[1:])
	case OpPeriod:
		return periodText(c.Ints[0], c.Ints[1])
	case OpWindow:
		w := window{name: c.Strings[0], days: uint8(c.Ints[0]), open: c.Ints[1], close: c.Ints[2]}
		return w.String()
	}
	test, err := c.test(t)
	if err != nil || test == nil {
		return c.Op.String()
	}
	return test.String()
}

// LevelAt returns how many positions the ramp's variant owns at a time, in
// seconds since 1970. The points of r must be as they have to be.
func (r *Ramp) LevelAt(now int64) uint64 {
	compiled := ramp{points: r.Points, linear: r.Linear}
	return compiled.level(now)
}
