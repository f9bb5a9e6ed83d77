package ci

import (
	"math"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// The operators of a comparison, as in "uid: {from: 1, to: 9}".
var operators = []string{
	"in", "mod", "segment", "from", "to", "gt", "gte", "lt", "lte", "cidr", "semver",
	"prefix", "suffix", "contains", "matches", "fold", "exists",
}

// otherNames are what other systems call our operators.
var otherNames = map[string]string{
	"eq": "in", "equals": "in", "is": "in", "one_of": "in", "oneOf": "in",
	"min": "gte", "max": "lte", "starts_with": "prefix", "startsWith": "prefix",
	"ends_with": "suffix", "endsWith": "suffix", "regex": "matches", "regexp": "matches",
	"match": "matches", "version": "semver", "ignore_case": "fold",
}

// negations are what other systems call "not" around a condition.
var negations = []string{"not", "ne", "neq", "not_in", "notIn", "is_not"}

// combinations are the words that stand where an attribute could.
var combinations = []string{"all", "any", "not"}

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
	return evaluator.Condition{Op: evaluator.All, Of: list}
}

// conditionField reads one key of a condition.
func (c checker) conditionField(f field) (cond evaluator.Condition, ok bool) {
	switch f.key.text {
	case "all":
		cond.Op = evaluator.All
		cond.Of, ok = c.conditions(f)
		return cond, ok
	case "any":
		cond.Op = evaluator.Any
		cond.Of, ok = c.conditions(f)
		return cond, ok
	case "not":
		one, ok := c.condition(f.value)
		return evaluator.Condition{Op: evaluator.Not, Of: []evaluator.Condition{one}}, ok
	}
	if f.key.text == "segment" && c.known.attributes["segment"] == nil {
		c.errorf(f.key, "a segment is asked for about an attribute: write {%s: {segment: …}}", c.known.unit)
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

// values returns the nodes of a value or a list of values.
func (c checker) values(n *node) ([]*node, bool) {
	switch n.kind {
	case scalar:
		return []*node{n}, true
	case mapping:
		c.errorf(n, "expected a value or a list of values, not a mapping")
		return nil, false
	}
	return n.items, c.list(n, "the list of values")
}

// oneOf reads a value or a list of values that an attribute may have.
func (c checker) oneOf(a *attribute, n *node, fold bool) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OneOf, Attribute: a.name, Fold: fold}
	if fold && a.typ != evaluator.StringAttribute {
		// Check knows how to say it.
		cond.Strings = []string{""}
		return cond, c.check(n, a, cond)
	}
	values, ok := c.values(n)
	for _, value := range values {
		ok = c.value(a, value, &cond) && ok
	}
	return cond, ok
}

// value adds one value of a one-of to cond.
func (c checker) value(a *attribute, n *node, cond *evaluator.Condition) bool {
	what := "attribute \"" + a.name + "\""
	switch a.typ {
	case evaluator.IntegerAttribute:
		i, ok := c.integer(n, what)
		cond.Ints = append(cond.Ints, i)
		if ok && a.ints != nil && !slices.Contains(a.ints, i) {
			c.errorf(n, "%d is not a value that %q may have", i, a.name)
			return false
		}
		return ok
	case evaluator.BooleanAttribute:
		b, ok := c.boolean(n, what)
		i := int64(0)
		if b {
			i = 1
		}
		cond.Ints = append(cond.Ints, i)
		return ok
	case evaluator.StringAttribute:
		s, ok := c.text(n, what)
		cond.Strings = append(cond.Strings, s)
		return ok && c.inEnum(n, a, s, cond.Fold)
	}
	return c.operand(a, n, cond)
}

// inEnum reports whether text is a value that a string attribute may have.
func (c checker) inEnum(n *node, a *attribute, text string, fold bool) bool {
	same := func(s string) bool { return s == text || fold && strings.EqualFold(s, text) }
	if a.strings == nil || slices.ContainsFunc(a.strings, same) {
		return true
	}
	c.errorf(n, "%q is not a value that %q may have%s; %s lists %s",
		shorten(text), a.name, didYouMean(text, slices.Values(a.strings)), c.known.contextFile, quotedList(slices.Values(a.strings)))
	return false
}

// operand adds a text operand to cond and checks it at its own place. A version
// or an address may look like a number: the declared type decides.
func (c checker) operand(a *attribute, n *node, cond *evaluator.Condition) bool {
	if n.kind != scalar || n.scalarType() == nullScalar {
		c.errorf(n, "attribute %q is compared with text, not %s", a.name, n.describe())
		return false
	}
	if t := n.scalarType(); t != textScalar && a.typ == evaluator.StringAttribute || t == boolScalar {
		_, ok := c.text(n, "attribute \""+a.name+"\"")
		return ok
	}
	cond.Strings = append(cond.Strings, n.text)
	one := *cond
	one.Strings = []string{n.text}
	return c.check(n, a, one)
}

// check has the evaluator check a comparison.
func (c checker) check(n *node, a *attribute, cond evaluator.Condition) bool {
	if err := cond.Check(a.typ); err != nil {
		c.errorf(n, "%v", err)
		return false
	}
	return true
}

// comparisons reads a mapping of operators, all of which must hold.
func (c checker) comparisons(a *attribute, n *node) (cond evaluator.Condition, ok bool) {
	if len(n.fields) == 0 {
		c.errorf(n, "attribute %q is compared with nothing", a.name)
		return cond, false
	}
	var all []evaluator.Condition
	ok = true
	fold, foldable := c.fold(n)
	for _, f := range n.fields {
		var one evaluator.Condition
		var fine bool
		switch f.key.text {
		case "fold":
			if !foldable {
				c.errorf(f.key, "\"fold\" goes with in, prefix, suffix, contains or matches")
				ok = false
			}
			continue
		case "in", "mod":
			if f.key.text == "in" && n.get("mod") != nil {
				continue // part of "mod"
			}
			one, fine = c.membership(a, n, f, fold)
		case "from", "to", "gt", "gte", "lt", "lte":
			if f.key.text != firstBound(n) {
				continue // part of the first
			}
			one, fine = c.rangeOf(a, n, f.key)
		default:
			one, fine = c.operator(a, f, fold)
		}
		ok = ok && fine
		all = append(all, one)
	}
	if len(all) == 0 {
		return cond, false
	}
	return conjunction(all), ok
}

// fold returns whether a mapping of operators ignores letter case, and whether
// it has an operator that can.
func (c checker) fold(n *node) (fold, foldable bool) {
	if f := n.get("fold"); f != nil {
		fold, _ = c.boolean(f, "\"fold\"")
	}
	for _, op := range []string{"prefix", "suffix", "contains", "matches"} {
		foldable = foldable || n.get(op) != nil
	}
	return fold, foldable || n.get("in") != nil && n.get("mod") == nil
}

// membership reads "in" and "mod".
func (c checker) membership(a *attribute, n *node, f field, fold bool) (evaluator.Condition, bool) {
	if f.key.text == "in" {
		return c.oneOf(a, f.value, fold)
	}
	cond := evaluator.Condition{Op: evaluator.Modulo, Attribute: a.name}
	if a.typ != evaluator.IntegerAttribute {
		return cond, c.check(f.key, a, cond)
	}
	in := n.get("in")
	if in == nil {
		c.errorf(f.key, "\"mod\" needs \"in\", the remainders: {mod: 10, in: [1, 3]}")
		return cond, false
	}
	divisor, ok := c.integer(f.value, "\"mod\"")
	cond.Ints = append(cond.Ints, divisor)
	values, fine := c.values(in)
	ok = ok && fine
	for _, value := range values {
		i, fine := c.integer(value, "a remainder")
		ok = ok && fine
		cond.Ints = append(cond.Ints, i)
	}
	return cond, ok && c.check(f.value, a, cond)
}

// operator reads an operator that stands for itself.
func (c checker) operator(a *attribute, f field, fold bool) (cond evaluator.Condition, ok bool) {
	cond.Attribute = a.name
	switch f.key.text {
	case "segment":
		return c.segmentReference(a, f)
	case "exists":
		cond.Op = evaluator.Exists
		yes, ok := c.boolean(f.value, "\"exists\"")
		if ok && !yes {
			cond = evaluator.Condition{Op: evaluator.Not, Of: []evaluator.Condition{cond}}
		}
		return cond, ok
	case "semver":
		cond.Op = evaluator.Semver
		if a.typ != evaluator.SemverAttribute {
			return cond, c.check(f.key, a, cond)
		}
		ok = c.operand(a, f.value, &cond)
		return cond, ok
	case "cidr":
		cond.Op = evaluator.CIDR
	case "prefix":
		cond.Op, cond.Fold = evaluator.Prefix, fold
	case "suffix":
		cond.Op, cond.Fold = evaluator.Suffix, fold
	case "contains":
		cond.Op, cond.Fold = evaluator.Contains, fold
	case "matches":
		cond.Op, cond.Fold = evaluator.Matches, fold
	default:
		c.unknownOperator(a, f.key)
		return cond, false
	}
	if cond.Op == evaluator.CIDR && a.typ != evaluator.IPAttribute || cond.Op != evaluator.CIDR && a.typ != evaluator.StringAttribute {
		return cond, c.check(f.key, a, cond)
	}
	values, ok := c.values(f.value)
	for _, value := range values {
		ok = c.operand(a, value, &cond) && ok
	}
	return cond, ok
}

func (c checker) unknownOperator(a *attribute, n *node) {
	hint := didYouMean(n.text, slices.Values(operators))
	if ours, ok := otherNames[n.text]; ok {
		hint = " (did you mean \"" + ours + "\"?)"
	}
	switch {
	case slices.Contains(negations, n.text):
		hint = "; to negate, write {not: {" + a.name + ": …}}"
	case hint == "":
		hint = "; the operators are " + quotedList(slices.Values(operators))
	}
	c.errorf(n, "unknown operator %q for attribute %q%s", n.text, a.name, hint)
}

// segmentReference reads "segment".
func (c checker) segmentReference(a *attribute, f field) (cond evaluator.Condition, ok bool) {
	name, ok := c.name(f.value, "\"segment\"")
	cond = evaluator.Condition{Op: evaluator.InSegment, Attribute: a.name, Strings: []string{name}}
	if !ok || !c.check(f.key, a, cond) {
		return cond, false
	}
	if _, ok := c.known.segments[name]; !ok {
		c.errorf(f.value, "segment %q doesn't exist%s", name, didYouMean(name, slices.Values(c.known.segmentNames)))
		return cond, false
	}
	if c.references != nil {
		*c.references = append(*c.references, reference{name, f.value})
	}
	return cond, true
}

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
	if a.typ == evaluator.IPAttribute {
		return c.addressRange(a, n, first)
	}
	cond = evaluator.Condition{Op: evaluator.Between, Attribute: a.name, Ints: []int64{math.MinInt64, math.MaxInt64}}
	if a.typ != evaluator.IntegerAttribute {
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
	cond = evaluator.Condition{Op: evaluator.IPBetween, Attribute: a.name}
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
		if !ok || !c.check(bound, a, evaluator.Condition{Op: evaluator.OneOf, Attribute: a.name, Strings: []string{text}}) {
			return cond, false
		}
		cond.Strings = append(cond.Strings, text)
	}
	return cond, c.check(first, a, cond)
}
