package lang

import (
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// combinations are the words that may be written instead of an attribute.
var combinations = []string{"all", "any", "not", "now", "flag"}

// otherCombinations are what other systems call ours.
var otherCombinations = map[string]string{"and": "all", "or": "any"}

// condition reads the value of "when". If the condition has problems, they are
// recorded, and ok is false.
func (c Checker) condition(n *source.Node) (cond evaluator.Condition, ok bool) {
	if n.Kind != source.Mapping {
		c.Errorf(n, "a condition is a mapping such as {city: [BJ, SH]}, not %s", n.Describe())
		return cond, false
	}
	if len(n.Fields) == 0 {
		c.Errorf(n, "the condition is empty; without \"when\" a rule always matches")
		return cond, false
	}
	return everyField(n, c.conditionField)
}

// everyField reads each field of a mapping as a condition, and returns that all of them hold.
func everyField(n *source.Node, read func(source.Field) (evaluator.Condition, bool)) (evaluator.Condition, bool) {
	all := make([]evaluator.Condition, 0, len(n.Fields))
	ok := true
	for _, f := range n.Fields {
		one, fine := read(f)
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
func (c Checker) conditionField(f source.Field) (cond evaluator.Condition, ok bool) {
	switch f.Key.Text {
	case "all":
		cond.Op = evaluator.OpAll
		cond.Of, ok = c.conditions(f)
		return cond, ok
	case "any":
		cond.Op = evaluator.OpAny
		cond.Of, ok = c.conditions(f)
		if ok && c.rule != nil {
			c.rule.Any = append(c.rule.Any, Alternatives{f.Value.Items, cond.Of})
		}
		return cond, ok
	case "not":
		one, ok := c.condition(f.Value)
		return evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{one}}, ok
	case "now":
		return c.now(f.Value)
	case "flag":
		return c.flagConditions(f)
	}
	if f.Key.Text == "segment" && c.Known.Attributes["segment"] == nil {
		c.Errorf(f.Key, "a segment is asked for about an attribute: write {%s: {segment: …}}", c.Known.Unit)
		return cond, false
	}
	if key := f.Key.Text; c.Known.flags[key] && c.Known.Attributes[key] == nil {
		c.Errorf(f.Key, "%q is a flag, not an attribute; write {flag: {%s: …}}", key, key)
		return cond, false
	}
	if ours, key := otherCombinations[f.Key.Text], f.Key.Text; ours != "" && c.Known.Attributes[key] == nil {
		c.Errorf(f.Key, "%q is called %q here: write {%s: [{…}, {…}]}", key, ours, ours)
		return cond, false
	}
	a := c.Lookup(f.Key, combinations...)
	if a == nil {
		return cond, false
	}
	if a.Type == 0 { // an error of context.yaml's
		return cond, false
	}
	if f.Value.Kind == source.Mapping {
		return c.comparisons(a, f.Value)
	}
	if a.Type == evaluator.AttrList {
		c.Errorf(f.Value, "attribute %q is a list; write %s", a.Name, listOperators)
		return cond, false
	}
	if a.Type == evaluator.AttrTime {
		c.Errorf(f.Value, "attribute %q is a time; write %s", a.Name, timeOperators)
		return cond, false
	}
	return c.oneOf(a, f.Value, false)
}

// conditions reads the list of an "all" or "any".
func (c Checker) conditions(f source.Field) (list []evaluator.Condition, ok bool) {
	if !c.List(f.Value, "\""+f.Key.Text+"\"") {
		return nil, false
	}
	ok = true
	for _, item := range f.Value.Items {
		one, fine := c.condition(item)
		ok = ok && fine
		list = append(list, one)
	}
	return list, ok
}
