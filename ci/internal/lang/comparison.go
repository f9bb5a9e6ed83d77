package lang

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// The operators of a comparison, as in "uid: {from: 1, to: 9}".
var operators = []string{
	"in", "mod", "segment", "list", "any", "all", "from", "to", "gt", "gte", "lt", "lte", "cidr", "semver",
	"prefix", "suffix", "contains", "matches", "fold", "exists", "bucket", "after", "before", "zone",
}

// otherNames are what other systems call our operators.
var otherNames = map[string]string{
	"eq": "in", "equals": "in", "is": "in", "one_of": "in", "oneOf": "in",
	"min": "gte", "max": "lte", "starts_with": "prefix", "startsWith": "prefix",
	"ends_with": "suffix", "endsWith": "suffix", "regex": "matches", "regexp": "matches",
	"match": "matches", "since": "after", "until": "before", "version": "semver", "ignore_case": "fold",
}

// negations are what other systems call "not" around a condition.
var negations = []string{"not", "ne", "neq", "not_in", "notIn", "is_not"}

// values returns the nodes of a value or a list of values.
func (c Checker) values(n *source.Node) ([]*source.Node, bool) {
	switch n.Kind {
	case source.Scalar:
		return []*source.Node{n}, true
	case source.Mapping:
		hint := ""
		if n.Get("not") != nil {
			hint = "; to negate, put \"not\" around the whole: {not: {…}}"
		}
		c.Errorf(n, "expected a value or a list of values, not a mapping%s", hint)
		return nil, false
	}
	return n.Items, c.List(n, "the list of values")
}

// oneOf reads a value or a list of values that an attribute may have.
func (c Checker) oneOf(a *Attribute, n *source.Node, fold bool) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.Name, Fold: fold}
	if fold && a.Type != evaluator.AttrString {
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
func (c Checker) value(a *Attribute, n *source.Node, cond *evaluator.Condition) bool {
	what := "attribute \"" + a.Name + "\""
	switch a.Type {
	case evaluator.AttrInteger:
		i, ok := c.Integer(n, what)
		cond.Ints = append(cond.Ints, i)
		if ok && a.Ints != nil && !slices.Contains(a.Ints, i) {
			c.Errorf(n, "%d is not a value that %q may have", i, a.Name)
			return false
		}
		return ok
	case evaluator.AttrBoolean:
		b, ok := c.Boolean(n, what)
		i := int64(0)
		if b {
			i = 1
		}
		cond.Ints = append(cond.Ints, i)
		return ok
	case evaluator.AttrList:
		s, ok := c.Text(n, "what \""+a.Name+"\" holds")
		cond.Strings = append(cond.Strings, s)
		return ok && c.InEnum(n, a, s, false)
	case evaluator.AttrString:
		s, ok := c.Text(n, what)
		cond.Strings = append(cond.Strings, s)
		return ok && c.InEnum(n, a, s, cond.Fold)
	}
	return c.operand(a, n, cond)
}

// InEnum reports whether text is a value that a string attribute may have.
func (c Checker) InEnum(n *source.Node, a *Attribute, text string, fold bool) bool {
	same := func(s string) bool { return s == text || fold && strings.EqualFold(s, text) }
	if a.Strings == nil || slices.ContainsFunc(a.Strings, same) {
		return true
	}
	c.Errorf(n, "%q is not a value that %q may have%s; %s lists %s",
		problem.Shorten(text), a.Name, suggest.DidYouMean(text, slices.Values(a.Strings)), c.Known.contextPath,
		problem.QuotedList(slices.Values(a.Strings)))
	return false
}

// operand adds a text operand to cond and checks it at its own place. A version
// or an address may look like a number: the declared type decides.
func (c Checker) operand(a *Attribute, n *source.Node, cond *evaluator.Condition) bool {
	if n.Kind != source.Scalar || n.Type() == source.NullScalar {
		c.Errorf(n, "attribute %q is compared with text, not %s", a.Name, n.Describe())
		return false
	}
	if t := n.Type(); t != source.TextScalar && a.Type == evaluator.AttrString || t == source.BoolScalar {
		_, ok := c.Text(n, "attribute \""+a.Name+"\"")
		return ok
	}
	text := n.Text
	if a.Type == evaluator.AttrSemverV {
		text = strings.TrimPrefix(text, "v")
	}
	cond.Strings = append(cond.Strings, text)
	one := *cond
	one.Strings = []string{text}
	return c.check(n, a, one)
}

// check has the evaluator check a comparison.
func (c Checker) check(n *source.Node, a *Attribute, cond evaluator.Condition) bool {
	if err := cond.Check(a.Type); err != nil {
		c.Errorf(n, "%v", err)
		return false
	}
	return true
}

// comparisons reads a mapping of operators, all of which must hold.
func (c Checker) comparisons(a *Attribute, n *source.Node) (cond evaluator.Condition, ok bool) {
	if len(n.Fields) == 0 {
		c.Errorf(n, "attribute %q is compared with nothing", a.Name)
		return cond, false
	}
	switch {
	case a.Type == evaluator.AttrList && !c.ownOperators(a, n, "list", listOperators, "any", "all", "exists", "fold"),
		a.Type == evaluator.AttrTime &&
			!c.ownOperators(a, n, "time", timeOperators, "after", "before", "zone", "exists"):
		return cond, false
	}
	var all []evaluator.Condition
	ok = true
	fold, foldable := c.fold(n)
	for _, f := range n.Fields {
		var one evaluator.Condition
		var fine bool
		switch f.Key.Text {
		case "fold":
			if !foldable {
				c.notFoldable(a, f.Key)
				ok = false
			}
			continue
		case "in", "mod":
			if f.Key.Text == "in" && n.Get("mod") != nil {
				continue // part of "mod"
			}
			one, fine = c.membership(a, n, f, fold)
		case "from", "to", "gt", "gte", "lt", "lte":
			if f.Key.Text != firstBound(n) {
				continue // part of the first
			}
			one, fine = c.rangeOf(a, n, f.Key)
		case "after", "before", "zone":
			if f.Key.Text != firstOf(n, "after", "before", "zone") {
				continue // part of the first
			}
			one, fine = c.instants(a, n, f.Key)
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
func (c Checker) fold(n *source.Node) (fold, foldable bool) {
	if f := n.Get("fold"); f != nil {
		fold, _ = c.Boolean(f, "\"fold\"")
	}
	for _, op := range []string{"prefix", "suffix", "contains", "matches", "list"} {
		foldable = foldable || n.Get(op) != nil
	}
	return fold, foldable || n.Get("in") != nil && n.Get("mod") == nil
}

func (c Checker) notFoldable(a *Attribute, n *source.Node) {
	if a.Type == evaluator.AttrList {
		c.Errorf(n, "\"fold\" doesn't go with lists, which are compared as they are")
		return
	}
	c.Errorf(n, "\"fold\" goes with in, list, prefix, suffix, contains or matches")
}

// membership reads "in" and "mod".
func (c Checker) membership(a *Attribute, n *source.Node, f source.Field, fold bool) (evaluator.Condition, bool) {
	if f.Key.Text == "in" {
		return c.oneOf(a, f.Value, fold)
	}
	cond := evaluator.Condition{Op: evaluator.OpModulo, Attribute: a.Name}
	if a.Type != evaluator.AttrInteger {
		return cond, c.check(f.Key, a, cond)
	}
	in := n.Get("in")
	if in == nil {
		c.Errorf(f.Key, "\"mod\" needs \"in\", the remainders: {mod: 10, in: [1, 3]}")
		return cond, false
	}
	divisor, ok := c.Integer(f.Value, "\"mod\"")
	cond.Ints = append(cond.Ints, divisor)
	values, fine := c.values(in)
	ok = ok && fine
	for _, value := range values {
		i, fine := c.Integer(value, "a remainder")
		ok = ok && fine
		cond.Ints = append(cond.Ints, i)
	}
	return cond, ok && c.check(f.Value, a, cond)
}

// operator reads an operator that stands for itself.
func (c Checker) operator(a *Attribute, f source.Field, fold bool) (cond evaluator.Condition, ok bool) {
	cond.Attribute = a.Name
	switch f.Key.Text {
	case "segment":
		return c.segmentReference(a, f)
	case "list":
		return c.listed(a, f, fold)
	case "any", "all":
		return c.listHas(a, f)
	case "exists":
		cond.Op = evaluator.OpExists
		yes, ok := c.Boolean(f.Value, "\"exists\"")
		if ok && !yes {
			cond = evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{cond}}
		}
		return cond, ok
	case "bucket":
		return c.bucket(a, f)
	case "semver":
		cond.Op = evaluator.OpSemver
		if a.Type != evaluator.AttrSemver && a.Type != evaluator.AttrSemverV {
			return cond, c.check(f.Key, a, cond)
		}
		ok = c.semver(a, f.Value, &cond)
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
		c.unknownOperator(a, f.Key)
		return cond, false
	}
	if cond.Op == evaluator.OpCIDR && a.Type != evaluator.AttrIP ||
		cond.Op != evaluator.OpCIDR && a.Type != evaluator.AttrString {
		return cond, c.check(f.Key, a, cond)
	}
	values, ok := c.values(f.Value)
	for _, value := range values {
		ok = c.operand(a, value, &cond) && ok
	}
	if ok && cond.Op == evaluator.OpCIDR && c.rule != nil {
		c.rule.Networks = append(c.rule.Networks, Networks{values, cond})
	}
	if ok && cond.Op == evaluator.OpMatches { // which has a limit for all together
		ok = c.check(f.Value, a, cond)
	}
	return cond, ok
}

// listOperators says how lists are compared.
const listOperators = "{any: [a, b]} for one of them, or {all: [a, b]} for all"

// ownOperators reports whether the operators that a mapping has are those of an attribute's
// type, and none of all other types. kind names the type, and write says how to compare it.
func (c Checker) ownOperators(a *Attribute, n *source.Node, kind, write string, own ...string) bool {
	for _, f := range n.Fields {
		if name := f.Key.Text; slices.Contains(operators, name) && !slices.Contains(own, name) {
			c.Errorf(f.Key, "%q doesn't apply to %q, which is a %s; write %s", name, a.Name, kind, write)
			return false
		}
	}
	return true
}

// listHas reads the operators of lists.
func (c Checker) listHas(a *Attribute, f source.Field) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpAnyOf, Attribute: a.Name}
	if f.Key.Text == "all" {
		cond.Op = evaluator.OpAllOf
	}
	if a.Type != evaluator.AttrList {
		c.Errorf(f.Key, "%q applies to list attributes, %q is of type %v; to combine conditions, write it beside %q",
			f.Key.Text, a.Name, a.Type, a.Name)
		return cond, false
	}
	values, ok := c.values(f.Value)
	for _, value := range values {
		ok = c.value(a, value, &cond) && ok
	}
	return cond, ok
}

func (c Checker) unknownOperator(a *Attribute, n *source.Node) {
	hint := suggest.DidYouMean(n.Text, slices.Values(operators))
	if ours, ok := otherNames[n.Text]; ok {
		hint = " (did you mean \"" + ours + "\"?)"
	}
	switch {
	case slices.Contains(negations, n.Text):
		hint = "; to negate, write {not: {" + a.Name + ": …}}"
	case a.Type == evaluator.AttrList:
		hint = "; write " + listOperators
	case a.Type == evaluator.AttrTime:
		hint = "; write " + timeOperators
	case hint == "":
		hint = "; the operators are " + strings.Join(operators, ", ")
	}
	c.Errorf(n, "unknown operator %q for attribute %q%s", n.Text, a.Name, hint)
}

// segmentReference reads "segment".
func (c Checker) segmentReference(a *Attribute, f source.Field) (cond evaluator.Condition, ok bool) {
	name, ok := c.Name(f.Value, "\"segment\"")
	cond = evaluator.Condition{Op: evaluator.OpInSegment, Attribute: a.Name, Strings: []string{name}}
	if !ok || !c.check(f.Key, a, cond) {
		return cond, false
	}
	if _, ok := c.Known.Segments[name]; !ok {
		c.Errorf(f.Value, "segment %q doesn't exist%s", name,
			suggest.DidYouMean(name, slices.Values(c.Known.SegmentNames)))
		return cond, false
	}
	if c.references != nil {
		*c.references = append(*c.references, reference{name, f.Value})
	}
	return cond, true
}
