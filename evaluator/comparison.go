package evaluator

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// A test is a compiled comparison: one small type for each operator, with everything
// precomputed. String describes it for traces. The functions holds, holdsAlone and holdsAddr
// evaluate it.
type test interface {
	String() string
}

// holds reports whether t holds for v. s is the slot of v, or nil. No test holds for a value
// of a type that it isn't about.
//
// This is a type switch because calling through an interface would make the context escape
// to the heap.
func holds(t test, v Value, s *slot) bool {
	switch t := t.(type) {
	case foldedSet:
		return v.kind == KindString && t.has(v.str)
	case intSet:
		return v.kind == KindInt && t.has(int64(v.num))
	case isBool:
		return v.kind == KindBool && (v.num == 1 && t.yes || v.num == 0 && t.no)
	case modulo:
		return v.kind == KindInt && t.has(int64(v.num))
	case text:
		return v.kind == KindString && t.has(v.str)
	case versions:
		if s != nil {
			return s.isVersion && t.has(s.version)
		}
		got, ok := versionOf(v, t.v)
		return ok && t.has(got)
	case constraint:
		if s != nil {
			return s.isVersion && t.has(s.version)
		}
		got, ok := versionOf(v, t.v)
		return ok && t.has(got)
	case listSet:
		return v.kind == KindList && t.has(v.str)
	case timeRange:
		return t.has(v)
	case numberSet:
		return t.has(v)
	case numberRange:
		return t.has(v)
	}
	return false
}

// holdsAlone reports whether t, a test of any type, holds for v.
func holdsAlone(t test, v Value) bool {
	switch t := t.(type) {
	case addrSet, networks, addresses:
		return holdsAddr(t, addrOf(v))
	case expressions:
		return v.kind == KindString && t.has(v.str)
	case bucketTest:
		return t.has(v)
	}
	return holds(t, v, nil)
}

// oneOf compiles an OpOneOf whose list isn't compared by symbols or as a set of IDs: see
// [compiler.oneOf].
func (c *Condition) oneOf(t AttributeType) (test, error) {
	if len(c.Strings)+len(c.Ints) == 0 {
		return nil, errors.New("the list of values is empty")
	}
	ints := t == AttrInteger || t == AttrBoolean
	if ints && len(c.Strings) > 0 || !ints && len(c.Ints) > 0 {
		return nil, fmt.Errorf("the values are not of type %v", t)
	}
	switch t {
	case AttrInteger:
		return newIntSet(c.Ints), nil
	case AttrBoolean:
		for _, n := range c.Ints {
			if n != 0 && n != 1 {
				return nil, fmt.Errorf("%d is not a boolean", n)
			}
		}
		return isBool{slices.Contains(c.Ints, 0), slices.Contains(c.Ints, 1)}, nil
	case AttrSemver, AttrSemverV:
		vs := versions{v: t == AttrSemverV}
		for _, s := range c.Strings {
			v, ok := parseVersion(s)
			if !ok {
				return nil, fmt.Errorf("%q is not a semantic version such as 2.3.0; "+
					"comparisons such as \">=2.3.0\" are for \"semver\"", s)
			}
			vs.list = append(vs.list, v)
		}
		return vs, nil
	case AttrNumber:
		return newNumberSet(c.Strings)
	case AttrIP:
		var as addrSet
		for _, s := range c.Strings {
			a, err := parseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("%w; networks such as 10.0.0.0/8 are for \"cidr\"", err)
			}
			as = append(as, a)
		}
		return as, nil
	}
	ids := newIDSet(folded(c.Strings)) // without Fold it is an instruction of its own
	return foldedSet{&ids}, nil
}

// foldedSet holds for strings that are one of a list, ignoring case.
type foldedSet struct{ ids *idSet }

func (t foldedSet) has(s string) bool {
	var buf [64]byte
	return t.ids.has(view(appendFold(buf[:0], s)))
}

func (t foldedSet) String() string { return foldText("one of "+t.ids.String(), true) }

// folded returns the texts in the letter case in which appendFold writes them.
func folded(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(appendFold(nil, s))
	}
	return out
}

// An intSet holds for the integers that it contains. It is sorted.
type intSet []int64

// newIntSet returns the set of a list in any order.
func newIntSet(list []int64) intSet {
	s := slices.Clone(list)
	slices.Sort(s)
	return slices.Compact(s)
}

func (s intSet) has(n int64) bool {
	_, ok := slices.BinarySearch(s, n)
	return ok
}

func (s intSet) String() string { return "one of " + listPlain(s) }

// isBool holds for false, for true or for both.
type isBool struct{ no, yes bool }

func (t isBool) String() string {
	switch t {
	case isBool{no: true, yes: true}:
		return "true or false"
	case isBool{yes: true}:
		return "true"
	}
	return "false"
}

// modulo holds for integers whose Euclidean remainder is one of in.
type modulo struct {
	m  int64
	in intSet
}

// modulo compiles an OpModulo: a divisor and the remainders that it holds for.
func (c *Condition) modulo(AttributeType) (test, error) {
	if len(c.Ints) < 2 || c.Ints[0] < 1 {
		return nil, errors.New("\"mod\" takes a divisor of at least 1 and, in \"in\", one remainder or more")
	}
	m, in := c.Ints[0], newIntSet(c.Ints[1:])
	if in[0] < 0 || in[len(in)-1] >= m {
		return nil, fmt.Errorf("the remainders of a division by %d are 0 to %d", m, m-1)
	}
	return modulo{m, in}, nil
}

func (t modulo) has(n int64) bool {
	r := n % t.m
	if r < 0 {
		r += t.m
	}
	return t.in.has(r)
}

func (t modulo) String() string { return fmt.Sprintf("mod %d %v", t.m, t.in) }

// versions holds for semantic versions with the same precedence as one of a list.
type versions struct {
	list []version
	v    bool // a "v" before the attribute's version is ignored
}

func (vs versions) has(got version) bool {
	return slices.ContainsFunc(vs.list, func(want version) bool { return got.compare(want) == 0 })
}

func (vs versions) String() string { return "one of " + listPlain(vs.list) }

// versionOf returns the semantic version that value holds, and whether it holds one. If v is
// true, a "v" may stand before it.
func versionOf(value Value, v bool) (got version, ok bool) {
	if value.kind != KindString {
		return version{}, false
	}
	text := value.str
	if v {
		text = withoutV(text)
	}
	return parseVersion(text)
}

// withoutV returns text without the "v" that it begins with, if it does.
func withoutV(text string) string {
	if text != "" && text[0] == 'v' {
		return text[1:]
	}
	return text
}

// constraint holds for semantic versions that satisfy all comparators.
type constraint struct {
	text        string
	comparators []comparator
	v           bool // a "v" before the attribute's version is ignored
}

// constraint compiles an OpSemver whose constraint isn't an interval: see [compiler.interval].
func (c *Condition) constraint(t AttributeType) (test, error) {
	if len(c.Strings) != 1 {
		return nil, errors.New("a version constraint is missing")
	}
	cs, err := parseConstraint(c.Strings[0])
	return constraint{c.Strings[0], cs, t == AttrSemverV}, err
}

// has reports whether a version satisfies all comparators. As in the specification of Semantic
// Versioning, a pre-release comes before its release.
func (t constraint) has(got version) bool {
	for _, c := range t.comparators {
		if !c.holds(got) {
			return false
		}
	}
	return true
}

func (t constraint) String() string { return "semver " + strconv.Quote(t.text) }

// bucketTest holds for units with a position from ≤ p < to.
type bucketTest struct {
	bucketing *bucketing
	from, to  uint64
}

func (c *Condition) bucket(AttributeType) (test, error) {
	if len(c.Strings) != 2 || len(c.Ints) != 3 || c.Ints[0] < 0 {
		return nil, fmt.Errorf("%q takes a hash, a salt, and three numbers: of positions, from and to", c.Op)
	}
	b := Bucketing{Hash: c.Strings[0], Salt: c.Strings[1], Positions: uint64(c.Ints[0])}
	if err := b.Check(); err != nil {
		return nil, err
	}
	if from, to := c.Ints[1], c.Ints[2]; from < 0 || from >= to || uint64(to) > b.Total() {
		return nil, fmt.Errorf("positions %d to %d: expected 0 ≤ from < to ≤ %d", from, to, b.Total())
	}
	compiled := newBucketing(b)
	return bucketTest{&compiled, uint64(c.Ints[1]), uint64(c.Ints[2])}, nil
}

func (t bucketTest) has(v Value) bool {
	position, ok := t.bucketing.of(v)
	return ok && t.from <= position && position < t.to
}

func (t bucketTest) String() string {
	b := t.bucketing
	return fmt.Sprintf("bucket by %s, salt %q: from %d to before %d of %d", b.Hash, b.Salt, t.from, t.to, b.Total())
}

// checkMembership returns an error unless c, an OpInSegment, is well formed.
func (c *Condition) checkMembership() error {
	if len(c.Strings) != 1 {
		return fmt.Errorf("%q takes one name, not %d", c.Op, len(c.Strings))
	}
	return nil
}

// checkBetween returns an error unless c, an OpBetween, is well formed.
func (c *Condition) checkBetween() error {
	if len(c.Ints) != 2 || c.Ints[0] > c.Ints[1] {
		return fmt.Errorf("the range %v is empty", c.Ints)
	}
	return nil
}

// checkServes returns an error unless c, an OpServes, is well formed.
func (c *Condition) checkServes() error {
	if len(c.Strings) < 2 || len(c.Ints) > 0 {
		return fmt.Errorf("%q takes the key of a flag, and one variant or more", c.Op)
	}
	return nil
}
