package lang

import (
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// numberSigns are the signs that bounds of a range of numbers stand for.
var numberSigns = map[string]string{"from": ">=", "gte": ">=", "gt": ">", "to": "<=", "lte": "<=", "lt": "<"}

// numberRange reads the bounds of a number attribute, of which there is at most one for
// each end. Decimals are kept as they are written.
func (c Checker) numberRange(a *Attribute, n, first *source.Node) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpNumber, Attribute: a.Name, Strings: []string{""}}
	ok = true
	for _, keys := range [][]string{{"from", "gte", "gt"}, {"to", "lte", "lt"}} {
		key := firstOf(n, keys...)
		if key == "" {
			continue
		}
		var one evaluator.Condition
		one.Op = evaluator.OpOneOf
		if !c.operand(a, n.Get(key), &one) {
			ok = false
			continue
		}
		bound := numberSigns[key] + one.Strings[0]
		if cond.Strings[0] == "" {
			cond.Strings[0] = bound
			continue
		}
		both := cond.Strings[0] + " " + bound
		if ok && emptyRange(cond.Strings[0], one.Strings[0], key, n.Get(keysOfLower(n)).Text) {
			c.Errorf(first, "the range is empty: no number is %s and %s", cond.Strings[0], bound)
			return cond, false
		}
		cond.Strings[0] = both
	}
	return cond, ok && c.check(first, a, cond)
}

func keysOfLower(n *source.Node) string { return firstOf(n, "from", "gte", "gt") }

// emptyRange reports whether no number satisfies both a lower bound and the upper bound
// upper, whose key is key: one of the two bounds has to satisfy the other.
func emptyRange(lower, upper, key, lowest string) bool {
	within := func(constraint, number string) bool {
		holds, err := evaluator.Condition{Op: evaluator.OpNumber,
			Strings: []string{constraint}}.Holds(evaluator.AttrNumber)
		return err == nil && holds(evaluator.StringValue(number))
	}
	return !within(lower, upper) || !within(numberSigns[key]+upper, lowest)
}
