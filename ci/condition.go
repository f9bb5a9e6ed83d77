package ci

import (
	"github.com/serin-flags/serin/evaluator"
)

// combinations are the words that stand where an attribute could.
var combinations = []string{"all", "any", "not", "now", "flag"}

// otherCombinations are what other systems call ours.
var otherCombinations = map[string]string{"and": "all", "or": "any"}

// condition reads what stands below "when". A condition with problems, which
// are recorded, is false in ok.
func (c checker) condition(n *node) (cond evaluator.Condition, ok bool) {
	if n.kind != mapping {
		c.errorf(n, "a condition is a mapping such as {city: [BJ, SH]}, not %s", n.describe())
		return cond, false
	}
	if len(n.fields) == 0 {
		c.errorf(n, "the condition is empty; without \"when\" a rule always matches")
		return cond, false
	}
	all := make([]evaluator.Condition, 0, len(n.fields))
	ok = true
	for _, f := range n.fields {
		one, fine := c.conditionField(f)
		ok = ok && fine
		all = append(all, one)
	}
	return conjunction(all), ok
}

// conjunction returns the condition that all of the list hold.
func conjunction(list []evaluator.Condition) evaluator.Condition {
	if len(list) == 1 {
		return list[0]
	}
	return evaluator.Condition{Op: evaluator.OpAll, Of: list}
}

// conditionField reads one key of a condition.
func (c checker) conditionField(f field) (cond evaluator.Condition, ok bool) {
	switch f.key.text {
	case "all":
		cond.Op = evaluator.OpAll
		cond.Of, ok = c.conditions(f)
		return cond, ok
	case "any":
		cond.Op = evaluator.OpAny
		cond.Of, ok = c.conditions(f)
		return cond, ok
	case "not":
		one, ok := c.condition(f.value)
		return evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{one}}, ok
	case "now":
		return c.now(f.value)
	case "flag":
		return c.flagConditions(f)
	}
	if f.key.text == "segment" && c.known.attributes["segment"] == nil {
		c.errorf(f.key, "a segment is asked for about an attribute: write {%s: {segment: …}}", c.known.unit)
		return cond, false
	}
	if key := f.key.text; c.known.flags[key] && c.known.attributes[key] == nil {
		c.errorf(f.key, "%q is a flag, not an attribute; write {flag: {%s: …}}", key, key)
		return cond, false
	}
	if ours, key := otherCombinations[f.key.text], f.key.text; ours != "" && c.known.attributes[key] == nil {
		c.errorf(f.key, "%q is called %q here: write {%s: [{…}, {…}]}", key, ours, ours)
		return cond, false
	}
	a := c.lookup(f.key, combinations...)
	if a == nil {
		return cond, false
	}
	if a.typ == 0 { // an error of context.yaml's
		return cond, false
	}
	if f.value.kind == mapping {
		return c.comparisons(a, f.value)
	}
	if a.typ == evaluator.AttrList {
		c.errorf(f.value, "attribute %q is a list; write %s", a.name, listOperators)
		return cond, false
	}
	return c.oneOf(a, f.value, false)
}

// conditions reads the list of an "all" or "any".
func (c checker) conditions(f field) (list []evaluator.Condition, ok bool) {
	if !c.list(f.value, "\""+f.key.text+"\"") {
		return nil, false
	}
	ok = true
	for _, item := range f.value.items {
		one, fine := c.condition(item)
		ok = ok && fine
		list = append(list, one)
	}
	return list, ok
}
