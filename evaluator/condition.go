package evaluator

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxExpression is the longest regular expression that [OpMatches] accepts, in
// bytes.
const MaxExpression = 1000

// MaxExpressionSize is how large the regular expressions of one [OpMatches] may be
// together, repetitions such as {1000} written out. It bounds the memory that they
// take, and the time.
const MaxExpressionSize = 10_000

// Check reports whether c, a comparison, is well formed and its operator
// applies to attributes of type t, which is of no account to conditions without
// an attribute. Combinations (All, Any, Not), and whether what c refers to
// exists, are [Compile]'s to check.
func (c Condition) Check(t AttributeType) error {
	switch c.Op {
	case OpExists:
		return c.applies(t)
	case OpInSegment:
		return c.membership(t)
	case OpBetween:
		return c.between(t)
	case OpBucket:
		return c.bucket(t)
	case OpPeriod, OpWindow, OpServes:
		return c.circumstance()
	}
	_, err := c.test(t)
	return err
}

// circumstance reports whether c, which has no attribute, is well formed.
func (c *Condition) circumstance() error {
	if c.Attribute != "" || c.Fold || len(c.Of) > 0 {
		return fmt.Errorf("%q is not about an attribute and takes no conditions", c.Op)
	}
	switch c.Op {
	case OpPeriod:
		return c.checkPeriod()
	case OpWindow:
		return c.checkWindow()
	}
	if len(c.Strings) < 2 || len(c.Ints) > 0 {
		return fmt.Errorf("%q takes the key of a flag, and one variant or more", c.Op)
	}
	return nil
}

// applies reports whether c is a comparison and its operator applies to
// attributes of type t.
func (c *Condition) applies(t AttributeType) error {
	var types []AttributeType
	switch c.Op {
	case OpExists: // all
	case OpOneOf:
		types = []AttributeType{AttrString, AttrInteger, AttrBoolean, AttrSemver, AttrIP}
	case OpInSegment, OpBucket:
		types = []AttributeType{AttrString, AttrInteger}
	case OpBetween, OpModulo:
		types = []AttributeType{AttrInteger}
	case OpCIDR, OpIPBetween:
		types = []AttributeType{AttrIP}
	case OpSemver:
		types = []AttributeType{AttrSemver}
	case OpPrefix, OpSuffix, OpContains, OpMatches:
		types = []AttributeType{AttrString}
	case OpAnyOf, OpAllOf:
		types = []AttributeType{AttrList}
	default:
		return fmt.Errorf("%v is not a comparison", c.Op)
	}
	if len(c.Of) > 0 {
		return fmt.Errorf("%q is a comparison and takes no conditions", c.Op)
	}
	if types == nil || slices.Contains(types, t) {
		return nil
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return fmt.Errorf("%q applies to %s attributes, %q is of type %v", c.Op, strings.Join(names, " and "), c.Attribute, t)
}

// membership reports whether c, which is OpInSegment, is well formed and applies to
// attributes of type t.
func (c *Condition) membership(t AttributeType) error {
	if err := c.applies(t); err != nil {
		return err
	}
	if len(c.Strings) != 1 {
		return fmt.Errorf("%q takes one name, not %d", c.Op, len(c.Strings))
	}
	return nil
}

// between reports whether c, which is Between, is well formed and applies to
// attributes of type t.
func (c *Condition) between(t AttributeType) error {
	if err := c.applies(t); err != nil {
		return err
	}
	if len(c.Ints) != 2 || c.Ints[0] > c.Ints[1] {
		return fmt.Errorf("the range %v is empty", c.Ints)
	}
	return nil
}

// bucket reports whether c, which is OpBucket, is well formed and applies to
// attributes of type t.
func (c *Condition) bucket(t AttributeType) error {
	if err := c.applies(t); err != nil {
		return err
	}
	if len(c.Strings) != 2 || len(c.Ints) != 3 || c.Ints[0] < 0 || c.Fold {
		return fmt.Errorf("%q takes a hash, a salt, and three numbers: of positions, from and to", c.Op)
	}
	b := c.bucketing()
	if err := b.Check(); err != nil {
		return err
	}
	if from, to := c.Ints[1], c.Ints[2]; from < 0 || from >= to || uint64(to) > b.Total() {
		return fmt.Errorf("the positions from %d to before %d are none of 0 to %d", from, to, b.Total()-1)
	}
	return nil
}

// bucketing returns how a well-formed OpBucket finds positions.
func (c *Condition) bucketing() Bucketing {
	return Bucketing{By: c.Attribute, Hash: c.Strings[0], Salt: c.Strings[1], Positions: uint64(c.Ints[0])}
}

// checkValue reports whether v is a value of a flag of type t.
func checkValue(v Value, t Type) error {
	ok := false
	switch t {
	case TypeBoolean:
		ok = v.kind == KindBool
	case TypeString:
		ok = v.kind == KindString
	case TypeInteger:
		ok = v.kind == KindInt
	case TypeNumber:
		f, _ := v.Float()
		ok = v.kind == KindFloat && !math.IsInf(f, 0) && !math.IsNaN(f)
	case TypeObject:
		ok = v.kind == KindObject && validObject(v.str)
	}
	if !ok {
		return fmt.Errorf("the value %s is not of type %v", strconv.Quote(string(v.JSON())), t)
	}
	return nil
}
