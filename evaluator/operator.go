package evaluator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Op says what a [Condition] tests.
type Op uint8

// The operators, with the fields of [Condition] that they use and the types of
// attributes that they apply to.
const (
	// OpAll: all of Of hold. It is true if Of is empty.
	OpAll Op = iota + 1
	// OpAny: at least one of Of holds. It is false if Of is empty.
	OpAny
	// OpNot: Of[0], its only condition, doesn't hold.
	OpNot

	// OpExists: the context has Attribute, whatever the type of its value.
	OpExists
	// OpOneOf: Attribute is one of Strings or, if it is an integer or a boolean, of
	// Ints, where 0 is false and 1 is true. IP addresses and versions are compared by
	// value, not by spelling. Fold applies to string attributes. All types but lists.
	OpOneOf
	// OpInSegment: Attribute is a member of the segment Strings[0]. An integer is
	// looked up in its decimal form. String and integer attributes.
	OpInSegment

	// OpBetween: Ints[0] ≤ Attribute ≤ Ints[1]. Of a time, whole seconds of Unix time
	// count. Integer and time attributes.
	OpBetween
	// OpModulo: Attribute mod Ints[0] is one of Ints[1:]. The remainder is Euclidean:
	// 0 ≤ r < Ints[0], also for negative attributes. Integer attributes.
	OpModulo

	// OpCIDR: Attribute is in one of the networks Strings. An IPv4 address in IPv6
	// form (::ffff:a.b.c.d) counts as IPv4. IP attributes.
	OpCIDR
	// OpIPBetween: Strings[0] ≤ Attribute ≤ Strings[1]. Addresses of the other family,
	// IPv4 or IPv6, don't match. IP attributes.
	OpIPBetween

	// OpSemver: Attribute satisfies all comparisons in Strings[0], such as
	// ">=2.3.0 <3", by the precedence of Semantic Versioning 2.0. Semver attributes.
	OpSemver

	// OpPrefix: Attribute starts with one of Strings. String attributes. Fold applies
	// to this operator and the next three.
	OpPrefix
	// OpSuffix: Attribute ends with one of Strings. String attributes.
	OpSuffix
	// OpContains: Attribute contains one of Strings. String attributes.
	OpContains
	// OpMatches: Attribute contains a match of one of the regular expressions
	// Strings, in the syntax of RE2. String attributes.
	OpMatches

	// OpAnyOf: the list Attribute contains at least one of Strings. List attributes.
	OpAnyOf
	// OpAllOf: the list Attribute contains all of Strings. List attributes.
	OpAllOf

	// OpPeriod: Ints[0] ≤ [Context].Now < Ints[1]. No attribute.
	OpPeriod
	// OpWindow: local time in the zone Strings[0] is in a window that recurs weekly.
	// The window opens Ints[1] seconds after midnight on the weekdays whose bits are
	// set in Ints[0] (bit 0 is Sunday). It closes Ints[2] seconds after midnight, of
	// the next day if Ints[2] ≤ Ints[1]. Seconds are those that a clock shows: each
	// day has 86,400, even if the clock is changed. No attribute.
	OpWindow
	// OpServes: the flag Strings[0] serves one of the variants Strings[1:]. A flag
	// can't refer to itself, not even via other flags. No attribute.
	OpServes

	// OpBucket: Ints[1] ≤ p < Ints[2], where p is the position of Attribute in the
	// [Bucketing] with the hash Strings[0], the salt Strings[1] and Ints[0] positions.
	// It is false if Attribute has no position. String and integer attributes.
	OpBucket

	// OpNumber: Attribute satisfies all comparisons in Strings[0], such as ">=0.5 <2",
	// separated by single spaces. Number attributes.
	OpNumber
)

// An operator is what the compiler needs to know about an Op. To add an Op, add a row to
// operators and a type that implements [test].
type operator struct {
	name     string
	combines bool            // it combines other conditions
	types    []AttributeType // types of attributes that it applies to; nil if it has no attribute
	fold     bool            // it supports Fold for string attributes
	sets     setKind
	refers   refKind
	// test checks and compiles a comparison. Operators with an instruction of their
	// own have check instead, which only checks.
	test  func(*Condition, AttributeType) (test, error)
	check func(*Condition) error
}

// A setKind says which part of a condition's lists is a set, in which neither order nor
// repetition matters.
type setKind uint8

const (
	noSet    setKind = iota
	wholeSet         // all of Strings and Ints
	restSet          // all but their first elements
)

// A refKind says what Strings[0] of a condition is the name of.
type refKind uint8

const (
	refersToNothing refKind = iota
	refersToSegment
	refersToZone
	refersToFlag
)

var (
	anyType = []AttributeType{AttrString, AttrInteger, AttrBoolean, AttrSemver, AttrIP, AttrList, AttrSemverV,
		AttrTime, AttrNumber}
	scalarTypes = []AttributeType{AttrString, AttrInteger, AttrBoolean, AttrSemver, AttrIP, AttrSemverV, AttrNumber}
	unitTypes   = []AttributeType{AttrString, AttrInteger}
	numberType  = []AttributeType{AttrNumber}
	rangeTypes  = []AttributeType{AttrInteger, AttrTime}
	stringType  = []AttributeType{AttrString}
	integerType = []AttributeType{AttrInteger}
	ipType      = []AttributeType{AttrIP}
	semverType  = []AttributeType{AttrSemver, AttrSemverV}
	listType    = []AttributeType{AttrList}
)

var operators = [...]operator{
	OpAll:       {name: "all", combines: true},
	OpAny:       {name: "any", combines: true},
	OpNot:       {name: "not", combines: true},
	OpExists:    {name: "exists", types: anyType},
	OpOneOf:     {name: "one of", types: scalarTypes, fold: true, sets: wholeSet, test: (*Condition).oneOf},
	OpInSegment: {name: "segment", types: unitTypes, refers: refersToSegment, check: (*Condition).checkMembership},
	OpBetween:   {name: "range", types: rangeTypes, test: (*Condition).between},
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
	OpNumber:    {name: "number", types: numberType, test: (*Condition).number},
}

// operator returns the row of op, or nil.
func (op Op) operator() *operator {
	if int(op) >= len(operators) || operators[op].name == "" {
		return nil
	}
	return &operators[op]
}

// String returns the name of the operator as used in traces and errors.
func (op Op) String() string {
	if o := op.operator(); o != nil {
		return o.name
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

// MarshalText returns the same as String.
func (op Op) MarshalText() ([]byte, error) { return []byte(op.String()), nil }

// UnmarshalText sets op to the operator with the given name, one that String returns.
func (op *Op) UnmarshalText(name []byte) error {
	i := slices.IndexFunc(operators[:], func(o operator) bool { return o.name == string(name) })
	if i < 0 || len(name) == 0 {
		return fmt.Errorf("there is no operator %q", name)
	}
	*op = Op(i)
	return nil
}

// Combines reports whether op combines conditions: OpAll, OpAny or OpNot. All other
// operators are comparisons.
func (op Op) Combines() bool { return op == OpAll || op == OpAny || op == OpNot }

// Check returns an error unless c is a well-formed comparison whose operator applies to
// attributes of type t. It ignores t if the operator has no attribute. It doesn't check
// combinations, or whether the segment, flag or zone that c refers to exists; [Compile]
// does.
func (c Condition) Check(t AttributeType) error { return c.check(t) }

// check is Check without a copy of c, which would escape to the heap.
func (c *Condition) check(t AttributeType) error {
	_, err := c.test(t)
	return err
}

// test checks and compiles the comparison c. The test is nil if the operator has an
// instruction of its own.
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

// applies returns an error unless c is a comparison whose operator applies to attributes
// of type t.
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
		var names []string
		for _, t := range o.types {
			if t != AttrSemverV { // where it applies, AttrSemver does
				names = append(names, t.String())
			}
		}
		return fmt.Errorf("%q applies to %s attributes, %q is of type %v", c.Op, strings.Join(names, " and "),
			c.Attribute, t)
	case c.List != nil && c.Op != OpOneOf:
		return fmt.Errorf("%q takes no list", c.Op)
	case c.Fold && !o.fold:
		return fmt.Errorf("%q does not take \"fold\"", c.Op)
	case c.Fold && t != AttrString:
		return fmt.Errorf("\"fold\" applies to string attributes, %q is of type %v", c.Attribute, t)
	}
	return nil
}

// Holds returns a function that reports whether c holds for a value of its attribute,
// which is of type t. It returns an error if c depends on more than that value:
// combinations do, and comparisons with segments, flags and the time.
func (c Condition) Holds(t AttributeType) (func(Value) bool, error) {
	if c.Op == OpOneOf && t == AttrString && !c.Fold { // don't build a set of what may be a million strings
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
	case c.Op == OpBetween && test == nil:
		return func(v Value) bool {
			return v.kind == KindInt && c.Ints[0] <= int64(v.num) &&
				int64(v.num) <= c.Ints[1]
		}, nil
	case test == nil:
		return nil, fmt.Errorf("%q depends on more than one value", c.Op)
	}
	return func(v Value) bool { return holdsAlone(test, v) }, nil
}

// Canonical returns the comparison c with lists sorted and without duplicates wherever
// neither order nor repetition matters. Equal comparisons have equal canonical forms,
// unless they spell versions or addresses differently. The result shares lists with c.
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

// ascending returns a list sorted and without duplicates. It copies only if it must.
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
