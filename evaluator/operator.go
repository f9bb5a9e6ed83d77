package evaluator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Op says what a [Condition] tests.
type Op uint8

// The conditions, with the fields of [Condition] that they use and the types
// of attribute that they apply to.
const (
	// All of Of hold. True if Of is empty.
	OpAll Op = iota + 1
	// Any of Of holds. False if Of is empty.
	OpAny
	// Not: Of[0] does not hold.
	OpNot

	// Exists: the context has Attribute, of the declared type or not.
	OpExists
	// OpOneOf: Attribute is one of Strings or, for an integer attribute, of
	// Ints. For boolean attributes Ints holds 0 for false and 1 for true;
	// IP addresses and versions are compared by value, not by spelling.
	// Fold applies to string attributes.
	OpOneOf
	// OpInSegment: Attribute's text (an integer in decimal form) is a member
	// of the segment Strings[0]. String and integer attributes.
	OpInSegment

	// Between: Ints[0] ≤ Attribute ≤ Ints[1]. Integer attributes.
	OpBetween
	// Modulo: Attribute mod Ints[0] is one of Ints[1:]; the remainder is
	// Euclidean, 0 ≤ r < Ints[0], for negative attributes too. Integer
	// attributes.
	OpModulo

	// CIDR: Attribute lies in one of the networks Strings. An IPv4 address
	// in IPv6 form (::ffff:a.b.c.d) counts as IPv4. IP attributes.
	OpCIDR
	// OpIPBetween: Strings[0] ≤ Attribute ≤ Strings[1], both of the same
	// family as Attribute. IP attributes.
	OpIPBetween

	// Semver: Attribute satisfies Strings[0], comparisons such as
	// ">=2.3.0 <3" that must all hold, ordered by Semantic Versioning 2.0
	// precedence. Semver attributes.
	OpSemver

	// Prefix: Attribute starts with one of Strings. String attributes, as
	// all that follow.
	OpPrefix
	// Suffix: Attribute ends with one of Strings.
	OpSuffix
	// Contains: Attribute contains one of Strings.
	OpContains
	// Matches: Attribute contains a match of one of the RE2 expressions
	// Strings.
	OpMatches

	// OpAnyOf: one of the texts in the list Attribute is one of Strings. List
	// attributes.
	OpAnyOf
	// OpAllOf: each of Strings is one of the texts in the list Attribute. List
	// attributes.
	OpAllOf

	// Period: Ints[0] ≤ [Context.Now] < Ints[1]. There is no Attribute, nor is
	// there for OpWindow and OpServes.
	OpPeriod
	// Window: local time in the zone Strings[0] is in a window that recurs
	// weekly: it opens at Ints[1] seconds after midnight of the weekdays
	// that Ints[0] has bits for (bit 0 is Sunday), and closes before Ints[2]
	// seconds after midnight of the same day or, if that is not more than
	// Ints[1], of the next. A day has 86,400 seconds on the clock, whatever
	// was skipped or repeated.
	OpWindow
	// Serves: the flag Strings[0] serves one of the variants Strings[1:].
	// Flags do not refer to themselves, directly or by way of others.
	OpServes

	// OpBucket: Ints[1] ≤ p < Ints[2] for the position p that Attribute has by
	// the hash Strings[0], the salt Strings[1] and Ints[0] positions (0: the
	// hash's own number), see [Bucketing]. False if Attribute has no position.
	// String and integer attributes.
	OpBucket
)

// An operator is everything about an Op but its meaning: to add one, add its row
// here, and its comparison in comparison.go.
type operator struct {
	name     string
	combines bool            // it combines conditions and compares nothing
	types    []AttributeType // of attributes that it applies to; nil: it has no attribute
	fold     bool            // it may ignore the letter case of string attributes
	sets     setKind
	refers   refKind
	// test checks and compiles a comparison. check is for operators that have an
	// instruction of their own: it only checks.
	test  func(*Condition, AttributeType) (test, error)
	check func(*Condition) error
}

// A setKind says in which lists of a condition order and repetition mean nothing.
type setKind uint8

const (
	noSet    setKind = iota
	wholeSet         // in Strings and Ints
	restSet          // in both, without their first elements
)

// A refKind says what the first of a condition's Strings is the name of.
type refKind uint8

const (
	refersToNothing refKind = iota
	refersToSegment
	refersToZone
	refersToFlag
)

var (
	anyType     = []AttributeType{AttrString, AttrInteger, AttrBoolean, AttrSemver, AttrIP, AttrList}
	scalarTypes = []AttributeType{AttrString, AttrInteger, AttrBoolean, AttrSemver, AttrIP}
	unitTypes   = []AttributeType{AttrString, AttrInteger}
	stringType  = []AttributeType{AttrString}
	integerType = []AttributeType{AttrInteger}
	ipType      = []AttributeType{AttrIP}
	semverType  = []AttributeType{AttrSemver}
	listType    = []AttributeType{AttrList}
)

var operators = [...]operator{
	OpAll:       {name: "all", combines: true},
	OpAny:       {name: "any", combines: true},
	OpNot:       {name: "not", combines: true},
	OpExists:    {name: "exists", types: anyType},
	OpOneOf:     {name: "one of", types: scalarTypes, fold: true, sets: wholeSet, test: (*Condition).oneOf},
	OpInSegment: {name: "segment", types: unitTypes, refers: refersToSegment, check: (*Condition).checkMembership},
	OpBetween:   {name: "range", types: integerType, check: (*Condition).checkBetween},
	OpModulo:    {name: "mod", types: integerType, sets: restSet, test: (*Condition).modulo},
	OpCIDR:      {name: "cidr", types: ipType, sets: wholeSet, test: (*Condition).networks},
	OpIPBetween: {name: "address range", types: ipType, test: (*Condition).addresses},
	OpSemver:    {name: "semver", types: semverType, test: (*Condition).constraint},
	OpPrefix:    {name: "prefix", types: stringType, fold: true, sets: wholeSet, test: (*Condition).text},
	OpSuffix:    {name: "suffix", types: stringType, fold: true, sets: wholeSet, test: (*Condition).text},
	OpContains:  {name: "contains", types: stringType, fold: true, sets: wholeSet, test: (*Condition).text},
	OpMatches:   {name: "matches", types: stringType, fold: true, sets: wholeSet, test: (*Condition).expressions},
	OpAnyOf:     {name: "any of", types: listType, sets: wholeSet, test: (*Condition).listSet},
	OpAllOf:     {name: "all of", types: listType, sets: wholeSet, test: (*Condition).listSet},
	OpPeriod:    {name: "period", check: (*Condition).checkPeriod},
	OpWindow:    {name: "window", refers: refersToZone, check: (*Condition).checkWindow},
	OpServes:    {name: "serves", sets: restSet, refers: refersToFlag, check: (*Condition).checkServes},
	OpBucket:    {name: "bucket", types: unitTypes, test: (*Condition).bucket},
}

// operator returns the row of op, or nil.
func (op Op) operator() *operator {
	if int(op) >= len(operators) || operators[op].name == "" {
		return nil
	}
	return &operators[op]
}

func (op Op) String() string {
	if o := op.operator(); o != nil {
		return o.name
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

// MarshalText returns what String does.
func (op Op) MarshalText() ([]byte, error) { return []byte(op.String()), nil }

// UnmarshalText sets op to the operator of that name.
func (op *Op) UnmarshalText(name []byte) error {
	i := slices.IndexFunc(operators[:], func(o operator) bool { return o.name == string(name) })
	if i < 0 || len(name) == 0 {
		return fmt.Errorf("there is no operator %q", name)
	}
	*op = Op(i)
	return nil
}

// Combines reports whether op combines conditions. All others compare.
func (op Op) Combines() bool { return op == OpAll || op == OpAny || op == OpNot }

// Check reports whether c, a comparison, is well formed and its operator
// applies to attributes of type t, which is ignored for operators without an
// attribute. [Compile] checks combinations (OpAll, OpAny, OpNot), and whether
// what c refers to exists.
func (c Condition) Check(t AttributeType) error { return c.check(t) }

// check is Check without a copy, which would move to the heap.
func (c *Condition) check(t AttributeType) error {
	_, err := c.test(t)
	return err
}

// test checks c, a comparison, and compiles it. The test is nil if the operator has
// an instruction of its own.
func (c *Condition) test(t AttributeType) (test, error) {
	if err := c.applies(t); err != nil {
		return nil, err
	}
	switch o := c.Op.operator(); {
	case o.test != nil:
		return o.test(c, t)
	case o.check != nil:
		return nil, o.check(c)
	}
	return nil, nil
}

// applies reports whether c is a comparison and its operator applies to
// attributes of type t.
func (c *Condition) applies(t AttributeType) error {
	o := c.Op.operator()
	switch {
	case o == nil || o.combines:
		return fmt.Errorf("%v is not a comparison", c.Op)
	case len(c.Of) > 0:
		return fmt.Errorf("%q is a comparison and takes no conditions", c.Op)
	case o.types == nil && (c.Attribute != "" || c.Fold):
		return fmt.Errorf("%q is not about an attribute", c.Op)
	case o.types != nil && !slices.Contains(o.types, t):
		names := make([]string, len(o.types))
		for i, t := range o.types {
			names[i] = t.String()
		}
		return fmt.Errorf("%q applies to %s attributes, %q is of type %v", c.Op, strings.Join(names, " and "), c.Attribute, t)
	case c.Fold && !o.fold:
		return fmt.Errorf("%q does not take \"fold\"", c.Op)
	case c.Fold && t != AttrString:
		return fmt.Errorf("\"fold\" applies to string attributes, %q is of type %v", c.Attribute, t)
	}
	return nil
}

// Holds returns a function that reports whether c holds for a value of its
// attribute, which is of type t. It exists for comparisons that look at nothing but
// that value: not for combinations, segments, other flags, and the time.
func (c Condition) Holds(t AttributeType) (func(Value) bool, error) {
	if c.Op == OpOneOf && t == AttrString && !c.Fold { // without making a set of what may be a million
		if err := c.applies(t); err != nil {
			return nil, err
		}
		return func(v Value) bool { return v.kind == KindString && slices.Contains(c.Strings, v.str) }, nil
	}
	test, err := c.test(t)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Op == OpExists:
		return func(v Value) bool { return v.kind != KindNone }, nil
	case c.Op == OpBetween:
		return func(v Value) bool { return v.kind == KindInt && c.Ints[0] <= int64(v.num) && int64(v.num) <= c.Ints[1] }, nil
	case test == nil:
		return nil, fmt.Errorf("%q depends on more than one value", c.Op)
	}
	return func(v Value) bool { return holdsAlone(test, v) }, nil
}

// Canonical returns c, a comparison, with lists in ascending order, each element
// once, wherever order and repetition mean nothing. It shares lists that are so
// already.
func (c Condition) Canonical() Condition {
	o := c.Op.operator()
	switch {
	case o == nil:
	case o.sets == wholeSet:
		c.Strings, c.Ints = ascending(c.Strings), ascending(c.Ints)
	case o.sets == restSet && len(c.Strings) > 2:
		c.Strings = append([]string{c.Strings[0]}, ascending(c.Strings[1:])...)
	case o.sets == restSet && len(c.Ints) > 2:
		c.Ints = append([]int64{c.Ints[0]}, ascending(c.Ints[1:])...)
	}
	return c
}

// ascending returns the elements of a list in ascending order, each once.
func ascending[T cmp.Ordered](list []T) []T {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			list = slices.Clone(list)
			slices.Sort(list)
			return slices.Compact(list)
		}
	}
	return list
}
