package evaluator

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxExpression is the longest regular expression that [Matches] accepts, in
// bytes.
const MaxExpression = 1000

// Check reports whether c, a comparison, is well formed and its operator
// applies to attributes of type t. Combinations (All, Any, Not) and the
// existence of a segment are [Compile]'s to check.
func (c Condition) Check(t AttributeType) error {
	switch c.Op {
	case Exists:
		return c.applies(t)
	case InSegment:
		return c.membership(t)
	}
	_, err := c.test(t)
	return err
}

// applies reports whether c is a comparison and its operator applies to
// attributes of type t.
func (c Condition) applies(t AttributeType) error {
	var types []AttributeType
	switch c.Op {
	case Exists, OneOf: // all
	case InSegment:
		types = []AttributeType{StringAttribute, IntegerAttribute}
	case Between, Modulo:
		types = []AttributeType{IntegerAttribute}
	case CIDR, IPBetween:
		types = []AttributeType{IPAttribute}
	case Semver:
		types = []AttributeType{SemverAttribute}
	case Prefix, Suffix, Contains, Matches:
		types = []AttributeType{StringAttribute}
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

// membership reports whether c, which is InSegment, is well formed and applies to
// attributes of type t.
func (c Condition) membership(t AttributeType) error {
	if err := c.applies(t); err != nil {
		return err
	}
	if len(c.Strings) != 1 {
		return fmt.Errorf("%q takes one name, not %d", c.Op, len(c.Strings))
	}
	return nil
}

// A test is a compiled comparison with everything precomputed. One small type
// per operator; a value of a type that it isn't about fails it.
type test interface {
	holds(v Value) bool
}

// test compiles c, a comparison other than Exists and InSegment, of an
// attribute of type t.
func (c Condition) test(t AttributeType) (test, error) {
	if err := c.applies(t); err != nil {
		return nil, err
	}
	switch c.Op {
	case OneOf:
		return c.oneOf(t)
	case Between:
		if len(c.Ints) != 2 || c.Ints[0] > c.Ints[1] {
			return nil, fmt.Errorf("the range %v is empty", c.Ints)
		}
		return between{c.Ints[0], c.Ints[1]}, nil
	case Modulo:
		return c.modulo()
	case CIDR:
		return c.networks()
	case IPBetween:
		return c.addresses()
	case Semver:
		if len(c.Strings) != 1 {
			return nil, errors.New("a version constraint is missing")
		}
		cs, err := parseConstraint(c.Strings[0])
		return constraint(cs), err
	case Matches:
		return c.expressions()
	}
	return c.text()
}

func (c Condition) oneOf(t AttributeType) (test, error) {
	if c.Fold && t != StringAttribute {
		return nil, fmt.Errorf("\"fold\" applies to string attributes, %q is of type %v", c.Attribute, t)
	}
	if len(c.Strings)+len(c.Ints) == 0 {
		return nil, errors.New("the list of values is empty")
	}
	ints := t == IntegerAttribute || t == BooleanAttribute
	if ints && len(c.Strings) > 0 || !ints && len(c.Ints) > 0 {
		return nil, fmt.Errorf("the values are not of type %v", t)
	}
	switch t {
	case IntegerAttribute:
		return newIntSet(c.Ints), nil
	case BooleanAttribute:
		for _, n := range c.Ints {
			if n != 0 && n != 1 {
				return nil, fmt.Errorf("%d is not a boolean", n)
			}
		}
		return isBool{slices.Contains(c.Ints, 0), slices.Contains(c.Ints, 1)}, nil
	case SemverAttribute:
		var vs versions
		for _, s := range c.Strings {
			v, ok := parseVersion(s)
			if !ok {
				return nil, fmt.Errorf("%q is not a semantic version such as 2.3.0; comparisons such as \">=2.3.0\" are for \"semver\"", s)
			}
			vs = append(vs, v)
		}
		return vs, nil
	case IPAttribute:
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
	return newStringSet(c.Strings, c.Fold), nil
}

// A stringSet holds for text that is one of a list.
type stringSet struct {
	few  []string // up to fewStrings are compared one by one,
	many map[string]struct{}
	fold bool
}

const fewStrings = 8

func newStringSet(list []string, fold bool) stringSet {
	s := stringSet{fold: fold}
	if fold {
		list = folded(list)
	}
	if len(list) <= fewStrings {
		s.few = slices.Clone(list)
		return s
	}
	s.many = make(map[string]struct{}, len(list))
	for _, v := range list {
		s.many[v] = struct{}{}
	}
	return s
}

func (s stringSet) holds(v Value) bool { return v.kind == StringKind && s.has(v.str) }

func (s stringSet) has(v string) bool {
	if s.fold {
		var buf [64]byte
		v = view(appendFold(buf[:0], v))
	}
	if s.many != nil {
		_, ok := s.many[v]
		return ok
	}
	return slices.Contains(s.few, v)
}

func folded(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(appendFold(nil, s))
	}
	return out
}

// An intSet, ascending, holds for integers that are one of it.
type intSet []int64

func newIntSet(list []int64) intSet {
	s := slices.Clone(list)
	slices.Sort(s)
	return slices.Compact(s)
}

func (s intSet) holds(v Value) bool { return v.kind == IntKind && s.has(int64(v.num)) }

func (s intSet) has(n int64) bool {
	_, ok := slices.BinarySearch(s, n)
	return ok
}

// isBool holds for booleans.
type isBool struct{ no, yes bool }

func (t isBool) holds(v Value) bool {
	return v.kind == BoolKind && (v.num == 1 && t.yes || v.num == 0 && t.no)
}

// between holds for integers from lo to hi.
type between struct{ lo, hi int64 }

func (t between) holds(v Value) bool {
	n := int64(v.num)
	return v.kind == IntKind && t.lo <= n && n <= t.hi
}

// modulo holds for integers whose Euclidean remainder is one of in.
type modulo struct {
	m  int64
	in intSet
}

func (c Condition) modulo() (test, error) {
	if len(c.Ints) < 2 || c.Ints[0] < 1 {
		return nil, errors.New("\"mod\" takes a divisor of at least 1 and, in \"in\", one remainder or more")
	}
	m, in := c.Ints[0], newIntSet(c.Ints[1:])
	if in[0] < 0 || in[len(in)-1] >= m {
		return nil, fmt.Errorf("the remainders of a division by %d are 0 to %d", m, m-1)
	}
	return modulo{m, in}, nil
}

func (t modulo) holds(v Value) bool {
	r := int64(v.num) % t.m
	if r < 0 {
		r += t.m
	}
	return v.kind == IntKind && t.in.has(r)
}

// parseAddr parses an IP address. IPv4 in IPv6 form becomes IPv4.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", s)
	}
	return a.Unmap(), nil
}

// addrOf returns the IP address that a context's value holds.
func addrOf(v Value) (netip.Addr, bool) {
	if v.kind != StringKind || len(v.str) > maxAddr {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(v.str)
	return a.Unmap(), err == nil && a.Zone() == ""
}

// maxAddr is the longest an IP address can be, IPv4 in IPv6 form. Longer text
// isn't worth an error value, which allocates.
const maxAddr = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// An addrSet holds for IP addresses that are one of it.
type addrSet []netip.Addr

func (s addrSet) holds(v Value) bool {
	a, ok := addrOf(v)
	return ok && slices.Contains(s, a)
}

// networks holds for IP addresses that lie in one of the networks.
type networks []netip.Prefix

func (c Condition) networks() (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("the list of networks is empty")
	}
	var ns networks
	for _, s := range c.Strings {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or 2001:db8::/32", s)
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is an IPv4 network in IPv6 form; write it as IPv4", s)
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("%q has bits set beyond its prefix; the network is %v", s, p.Masked())
		}
		ns = append(ns, p)
	}
	return ns, nil
}

func (ns networks) holds(v Value) bool {
	a, ok := addrOf(v)
	return ok && slices.ContainsFunc(ns, func(p netip.Prefix) bool { return p.Contains(a) })
}

// addresses holds for IP addresses from lo to hi, of their family: netip orders
// all of IPv4 before IPv6.
type addresses struct{ lo, hi netip.Addr }

func (c Condition) addresses() (test, error) {
	if len(c.Strings) != 2 {
		return nil, errors.New("an address range takes two addresses")
	}
	lo, err := parseAddr(c.Strings[0])
	if err != nil {
		return nil, err
	}
	hi, err := parseAddr(c.Strings[1])
	if err != nil {
		return nil, err
	}
	if lo.Is4() != hi.Is4() {
		return nil, fmt.Errorf("the range from %v to %v mixes IPv4 and IPv6", lo, hi)
	}
	if hi.Less(lo) {
		return nil, fmt.Errorf("the range from %v to %v is empty", lo, hi)
	}
	return addresses{lo, hi}, nil
}

func (t addresses) holds(v Value) bool {
	a, ok := addrOf(v)
	return ok && t.lo.Compare(a) <= 0 && a.Compare(t.hi) <= 0
}

// versions holds for semantic versions of the same precedence as one of them.
type versions []version

func (vs versions) holds(v Value) bool {
	if v.kind != StringKind {
		return false
	}
	got, ok := parseVersion(v.str)
	return ok && slices.ContainsFunc(vs, func(want version) bool { return got.compare(want) == 0 })
}

// constraint holds for semantic versions that satisfy all comparators.
type constraint []comparator

func (cs constraint) holds(v Value) bool {
	if v.kind != StringKind {
		return false
	}
	got, ok := parseVersion(v.str)
	for _, c := range cs {
		ok = ok && c.holds(got)
	}
	return ok
}

// text holds for text that starts with, ends with or contains one of a list.
type text struct {
	op   Op // Prefix, Suffix or Contains
	list []string
	fold bool
}

func (c Condition) text() (test, error) {
	if len(c.Strings) == 0 || slices.Contains(c.Strings, "") {
		return nil, fmt.Errorf("%q takes one text or more, none of them empty", c.Op)
	}
	t := text{c.Op, slices.Clone(c.Strings), c.Fold}
	if c.Fold {
		t.list = folded(t.list)
	}
	return t, nil
}

func (t text) holds(v Value) bool {
	if v.kind != StringKind {
		return false
	}
	s := v.str
	if t.fold {
		var buf [64]byte
		s = view(appendFold(buf[:0], s))
	}
	for _, operand := range t.list {
		switch t.op {
		case Prefix:
			if strings.HasPrefix(s, operand) {
				return true
			}
		case Suffix:
			if strings.HasSuffix(s, operand) {
				return true
			}
		case Contains:
			if strings.Contains(s, operand) {
				return true
			}
		}
	}
	return false
}

// expressions holds for text in which one of the regular expressions matches.
type expressions []*regexp.Regexp

func (c Condition) expressions() (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("\"matches\" takes one regular expression or more")
	}
	var es expressions
	for _, s := range c.Strings {
		if len(s) > MaxExpression {
			return nil, fmt.Errorf("a regular expression of %d bytes is too long; the limit is %d", len(s), MaxExpression)
		}
		if c.Fold {
			s = "(?i:" + s + ")"
		}
		re, err := regexp.Compile(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a regular expression (RE2): %w", s, err)
		}
		es = append(es, re)
	}
	return es, nil
}

func (es expressions) holds(v Value) bool {
	return v.kind == StringKind && slices.ContainsFunc(es, func(re *regexp.Regexp) bool { return re.MatchString(v.str) })
}

// checkValue reports whether v is a value of a flag of type t.
func checkValue(v Value, t Type) error {
	ok := false
	switch t {
	case Boolean:
		ok = v.kind == BoolKind
	case String:
		ok = v.kind == StringKind
	case Integer:
		ok = v.kind == IntKind
	case Number:
		f, _ := v.Float()
		ok = v.kind == FloatKind && !math.IsInf(f, 0) && !math.IsNaN(f)
	case Object:
		ok = v.kind == ObjectKind && validObject(v.str)
	}
	if !ok {
		return fmt.Errorf("the value %s is not of type %v", strconv.Quote(string(v.JSON())), t)
	}
	return nil
}
