package ci

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// The operators of a comparison, as in "uid: {from: 1, to: 9}".
var operators = []string{
	"in", "mod", "segment", "list", "any", "all", "from", "to", "gt", "gte", "lt", "lte", "cidr", "semver",
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

// values returns the nodes of a value or a list of values.
func (c checker) values(n *node) ([]*node, bool) {
	switch n.kind {
	case scalar:
		return []*node{n}, true
	case mapping:
		hint := ""
		if n.get("not") != nil {
			hint = "; to negate, put \"not\" around the whole: {not: {…}}"
		}
		c.errorf(n, "expected a value or a list of values, not a mapping%s", hint)
		return nil, false
	}
	return n.items, c.list(n, "the list of values")
}

// oneOf reads a value or a list of values that an attribute may have.
func (c checker) oneOf(a *attribute, n *node, fold bool) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.name, Fold: fold}
	if fold && a.typ != evaluator.AttrString {
		// Check knows how to say it.
		cond.Strings = []string{""}
		return cond, c.check(n, a, cond)
	}
	values, ok := c.values(n)
	for _, value := range values {
		ok = c.value(a, value, &cond) && ok
	}
	if len(cond.Strings) > longList {
		slices.Sort(cond.Strings)
	}
	return cond, ok
}

// longList is the number of texts above which a one-of is sorted: the same list
// in another order is then the same payload, and evaluators keep it once. Up to
// that, traces show it as it was written.
const longList = 4

// value adds one value of a one-of to cond.
func (c checker) value(a *attribute, n *node, cond *evaluator.Condition) bool {
	what := "attribute \"" + a.name + "\""
	switch a.typ {
	case evaluator.AttrInteger:
		i, ok := c.integer(n, what)
		cond.Ints = append(cond.Ints, i)
		if ok && a.ints != nil && !slices.Contains(a.ints, i) {
			c.errorf(n, "%d is not a value that %q may have", i, a.name)
			return false
		}
		return ok
	case evaluator.AttrBoolean:
		b, ok := c.boolean(n, what)
		i := int64(0)
		if b {
			i = 1
		}
		cond.Ints = append(cond.Ints, i)
		return ok
	case evaluator.AttrList:
		s, ok := c.text(n, "what \""+a.name+"\" holds")
		cond.Strings = append(cond.Strings, s)
		return ok && c.inEnum(n, a, s, false)
	case evaluator.AttrString:
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
		shorten(text), a.name, suggest.DidYouMean(text, slices.Values(a.strings)), c.known.contextFile, quotedList(slices.Values(a.strings)))
	return false
}

// operand adds a text operand to cond and checks it at its own place. A version
// or an address may look like a number: the declared type decides.
func (c checker) operand(a *attribute, n *node, cond *evaluator.Condition) bool {
	if n.kind != scalar || n.scalarType() == nullScalar {
		c.errorf(n, "attribute %q is compared with text, not %s", a.name, n.describe())
		return false
	}
	if t := n.scalarType(); t != textScalar && a.typ == evaluator.AttrString || t == boolScalar {
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
	if a.typ == evaluator.AttrList && !c.listOperators(a, n) {
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
				c.notFoldable(a, f.key)
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
	for _, op := range []string{"prefix", "suffix", "contains", "matches", "list"} {
		foldable = foldable || n.get(op) != nil
	}
	return fold, foldable || n.get("in") != nil && n.get("mod") == nil
}

func (c checker) notFoldable(a *attribute, n *node) {
	if a.typ == evaluator.AttrList {
		c.errorf(n, "\"fold\" doesn't go with lists, which are compared as they are")
		return
	}
	c.errorf(n, "\"fold\" goes with in, list, prefix, suffix, contains or matches")
}

// membership reads "in" and "mod".
func (c checker) membership(a *attribute, n *node, f field, fold bool) (evaluator.Condition, bool) {
	if f.key.text == "in" {
		return c.oneOf(a, f.value, fold)
	}
	cond := evaluator.Condition{Op: evaluator.OpModulo, Attribute: a.name}
	if a.typ != evaluator.AttrInteger {
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
	case "list":
		return c.listed(a, f, fold)
	case "any", "all":
		return c.listHas(a, f)
	case "exists":
		cond.Op = evaluator.OpExists
		yes, ok := c.boolean(f.value, "\"exists\"")
		if ok && !yes {
			cond = evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{cond}}
		}
		return cond, ok
	case "semver":
		cond.Op = evaluator.OpSemver
		if a.typ != evaluator.AttrSemver {
			return cond, c.check(f.key, a, cond)
		}
		ok = c.operand(a, f.value, &cond)
		return cond, ok
	case "cidr":
		cond.Op = evaluator.OpCIDR
	case "prefix":
		cond.Op, cond.Fold = evaluator.OpPrefix, fold
	case "suffix":
		cond.Op, cond.Fold = evaluator.OpSuffix, fold
	case "contains":
		cond.Op, cond.Fold = evaluator.OpContains, fold
	case "matches":
		cond.Op, cond.Fold = evaluator.OpMatches, fold
	default:
		c.unknownOperator(a, f.key)
		return cond, false
	}
	if cond.Op == evaluator.OpCIDR && a.typ != evaluator.AttrIP || cond.Op != evaluator.OpCIDR && a.typ != evaluator.AttrString {
		return cond, c.check(f.key, a, cond)
	}
	values, ok := c.values(f.value)
	for _, value := range values {
		ok = c.operand(a, value, &cond) && ok
	}
	if ok && cond.Op == evaluator.OpMatches { // which has a limit for all together
		ok = c.check(f.value, a, cond)
	}
	return cond, ok
}

// listOperators says how lists are compared.
const listOperators = "{any: [a, b]} for one of them, or {all: [a, b]} for all"

// listOperators reports whether the operators that a mapping has are for lists.
func (c checker) listOperators(a *attribute, n *node) bool {
	for _, f := range n.fields {
		switch name := f.key.text; {
		case name == "any", name == "all", name == "exists", name == "fold":
		case slices.Contains(operators, name):
			c.errorf(f.key, "%q doesn't apply to %q, which is a list; write %s", name, a.name, listOperators)
			return false
		}
	}
	return true
}

// listHas reads the operators of lists.
func (c checker) listHas(a *attribute, f field) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpAnyOf, Attribute: a.name}
	if f.key.text == "all" {
		cond.Op = evaluator.OpAllOf
	}
	if a.typ != evaluator.AttrList {
		c.errorf(f.key, "%q applies to list attributes, %q is of type %v; to combine conditions, write it beside %q", f.key.text, a.name, a.typ, a.name)
		return cond, false
	}
	values, ok := c.values(f.value)
	for _, value := range values {
		ok = c.value(a, value, &cond) && ok
	}
	return cond, ok
}

func (c checker) unknownOperator(a *attribute, n *node) {
	hint := suggest.DidYouMean(n.text, slices.Values(operators))
	if ours, ok := otherNames[n.text]; ok {
		hint = " (did you mean \"" + ours + "\"?)"
	}
	switch {
	case slices.Contains(negations, n.text):
		hint = "; to negate, write {not: {" + a.name + ": …}}"
	case a.typ == evaluator.AttrList:
		hint = "; write " + listOperators
	case hint == "":
		hint = "; the operators are " + strings.Join(operators, ", ")
	}
	c.errorf(n, "unknown operator %q for attribute %q%s", n.text, a.name, hint)
}

// segmentReference reads "segment".
func (c checker) segmentReference(a *attribute, f field) (cond evaluator.Condition, ok bool) {
	name, ok := c.name(f.value, "\"segment\"")
	cond = evaluator.Condition{Op: evaluator.OpInSegment, Attribute: a.name, Strings: []string{name}}
	if !ok || !c.check(f.key, a, cond) {
		return cond, false
	}
	if _, ok := c.known.segments[name]; !ok {
		c.errorf(f.value, "segment %q doesn't exist%s", name, suggest.DidYouMean(name, slices.Values(c.known.segmentNames)))
		return cond, false
	}
	if c.references != nil {
		*c.references = append(*c.references, reference{name, f.value})
	}
	return cond, true
}
