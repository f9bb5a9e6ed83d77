package evaluator

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Asked describes the comparison c in the words of [ConditionTrace], such as
// one of "shenzhen", "guangzhou". It abbreviates long lists. t is the type of c's
// attribute, if it has one. If c is a combination, or if [Condition.Check] refuses it,
// Asked returns the name of the operator.
//
// Unlike in a trace, the segment or flag that c refers to may not exist, and a long list
// keeps the order of c.
func (c Condition) Asked(t AttributeType) string {
	quoted := func(list []string) string { return listText(len(list), slices.Values(list)) }
	switch {
	case c.Op.Combines():
		return c.Op.String()
	case c.Op == OpOneOf && t == AttrString && !c.Fold:
		return "one of " + quoted(c.Strings) // don't build a set of what may be a million strings
	case c.Check(t) != nil:
		return c.Op.String()
	}
	switch c.Op {
	case OpExists:
		return "present"
	case OpInSegment:
		return "member of segment " + strconv.Quote(c.Strings[0])
	case OpBetween:
		if t == AttrTime {
			break
		}
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

// LevelAt returns the number of positions that r.Variant owns at a Unix time in seconds.
// r.Points must be in order.
func (r *Ramp) LevelAt(now int64) uint64 {
	compiled := ramp{points: r.Points, linear: r.Linear}
	return compiled.level(now)
}

// listText prints n quoted strings. If there are many, it prints the first few and the
// count.
func listText(n int, list iter.Seq[string]) string {
	var b strings.Builder
	i := 0
	for s := range list {
		if i == mostListed {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(s))
		i++
	}
	if n > mostListed {
		fmt.Fprintf(&b, ", … (%d)", n)
	}
	return b.String()
}

// listPlain is listText without quotes.
func listPlain[T any](list []T) string {
	var b strings.Builder
	for i, v := range list[:min(len(list), mostListed)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, v)
	}
	if len(list) > mostListed {
		fmt.Fprintf(&b, ", … (%d)", len(list))
	}
	return b.String()
}

// mostListed is the number of elements of a list that are printed.
const mostListed = 5

func foldText(text string, fold bool) string {
	if fold {
		return text + ", whatever the letter case"
	}
	return text
}
