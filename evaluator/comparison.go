package evaluator

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// A test is a compiled comparison with everything precomputed: one small type
// per operator, all of which [holdsAlone] lists. It prints as what it asks.
type test interface {
	String() string
}

// holds reports whether t holds for v. s is the slot of v, or nil. A value of a
// type that a test isn't about fails it.
//
// The list has every type by name, for what an interface is called with has to
// be on the heap: a context would be.
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
		got, ok := versionOf(v, s)
		return ok && t.has(got)
	case constraint:
		got, ok := versionOf(v, s)
		return ok && t.has(got)
	case listSet:
		return v.kind == KindList && t.has(v.str)
	}
	return false
}

// holdsAlone reports whether t holds for v, whatever type of attribute t is about.
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

// holdsAddr is holds for tests of IP attributes.
func holdsAddr(t test, a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	switch t := t.(type) {
	case addrSet:
		return slices.Contains(t, a)
	case networks:
		return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(a) })
	case addresses:
		return t.lo.Compare(a) <= 0 && a.Compare(t.hi) <= 0
	}
	return false
}

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
	case AttrSemver:
		var vs versions
		for _, s := range c.Strings {
			v, ok := parseVersion(s)
			if !ok {
				return nil, fmt.Errorf("%q is not a semantic version such as 2.3.0; comparisons such as \">=2.3.0\" are for \"semver\"", s)
			}
			vs = append(vs, v)
		}
		return vs, nil
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
	ids := newIDSet(folded(c.Strings)) // without folding it is an instruction of its own
	return foldedSet{&ids}, nil
}

// foldedSet holds for text that is one of a list, whatever the letter case.
type foldedSet struct{ ids *idSet }

func (t foldedSet) has(s string) bool {
	var buf [64]byte
	return t.ids.has(view(appendFold(buf[:0], s)))
}

func (t foldedSet) String() string { return foldText("one of "+t.ids.String(), true) }

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

func (s intSet) has(n int64) bool {
	_, ok := slices.BinarySearch(s, n)
	return ok
}

func (s intSet) String() string { return "one of " + listPlain(s) }

// isBool holds for booleans.
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

// parseAddr parses an IP address. IPv4 in IPv6 form becomes IPv4.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", s)
	}
	return a.Unmap(), nil
}

// addrOf returns the IP address that v holds, one that is not valid if it holds
// none.
func addrOf(v Value) netip.Addr {
	if v.kind != KindString || len(v.str) > maxAddr {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(v.str)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a.Unmap()
}

// maxAddr is the longest an IP address can be, IPv4 in IPv6 form. Longer text
// isn't worth an error value, which allocates.
const maxAddr = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// An addrSet holds for IP addresses that are one of it.
type addrSet []netip.Addr

func (s addrSet) String() string { return "one of " + listPlain(s) }

// networks holds for IP addresses that lie in one of the networks.
type networks []netip.Prefix

func (c *Condition) networks(AttributeType) (test, error) {
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

func (ns networks) String() string { return "in a network of " + listPlain(ns) }

// addresses holds for IP addresses from lo to hi, of their family: netip orders
// all of IPv4 before IPv6.
type addresses struct{ lo, hi netip.Addr }

func (c *Condition) addresses(AttributeType) (test, error) {
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

func (t addresses) String() string { return fmt.Sprintf("from %v to %v", t.lo, t.hi) }

// versions holds for semantic versions of the same precedence as one of them.
type versions []version

func (vs versions) has(got version) bool {
	return slices.ContainsFunc(vs, func(want version) bool { return got.compare(want) == 0 })
}

func (vs versions) String() string { return "one of " + listPlain(vs) }

// versionOf returns the semantic version that v holds. s is the slot of v, or nil.
func versionOf(v Value, s *slot) (got version, ok bool) {
	if s != nil {
		return s.version, s.isVersion
	}
	if v.kind != KindString {
		return version{}, false
	}
	return parseVersion(v.str)
}

// constraint holds for semantic versions that satisfy all comparators.
type constraint struct {
	text        string
	comparators []comparator
}

func (c *Condition) constraint(AttributeType) (test, error) {
	if len(c.Strings) != 1 {
		return nil, errors.New("a version constraint is missing")
	}
	cs, err := parseConstraint(c.Strings[0])
	return constraint{c.Strings[0], cs}, err
}

func (t constraint) has(got version) bool {
	for _, c := range t.comparators {
		if !c.holds(got) {
			return false
		}
	}
	return true
}

func (t constraint) String() string { return "semver " + strconv.Quote(t.text) }

// text holds for text that starts with, ends with or contains one of a list.
type text struct {
	op   Op // Prefix, Suffix or Contains
	list []string
	fold bool
}

func (c *Condition) text(AttributeType) (test, error) {
	if len(c.Strings) == 0 || slices.Contains(c.Strings, "") {
		return nil, fmt.Errorf("%q takes one text or more, none of them empty", c.Op)
	}
	t := text{c.Op, slices.Clone(c.Strings), c.Fold}
	if c.Fold {
		t.list = folded(t.list)
	}
	return t, nil
}

func (t text) has(s string) bool {
	if t.fold {
		var buf [64]byte
		s = view(appendFold(buf[:0], s))
	}
	for _, operand := range t.list {
		switch t.op {
		case OpPrefix:
			if strings.HasPrefix(s, operand) {
				return true
			}
		case OpSuffix:
			if strings.HasSuffix(s, operand) {
				return true
			}
		case OpContains:
			if strings.Contains(s, operand) {
				return true
			}
		}
	}
	return false
}

func (t text) String() string {
	return foldText(t.op.String()+" "+listText(len(t.list), slices.Values(t.list)), t.fold)
}

// listSet holds for lists that have one of the texts or, for OpAllOf, all of them.
type listSet struct {
	op   Op
	want []string // ascending
}

func (c *Condition) listSet(AttributeType) (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("the list of values is empty")
	}
	list := slices.Clone(c.Strings)
	slices.Sort(list)
	return listSet{c.Op, slices.Compact(list)}, nil
}

// has reports whether it holds for what [ListValue] has written.
func (t listSet) has(list string) bool {
	if t.op == OpAnyOf {
		for rest := list; rest != ""; {
			var text string
			text, rest = cutText(rest)
			if _, ok := slices.BinarySearch(t.want, text); ok {
				return true
			}
		}
		return false
	}
	for _, want := range t.want {
		found := false
		for rest := list; rest != "" && !found; {
			var text string
			text, rest = cutText(rest)
			found = text == want
		}
		if !found {
			return false
		}
	}
	return true
}

func (t listSet) String() string {
	return t.op.String() + " " + listText(len(t.want), slices.Values(t.want))
}

// maxExpression is the longest regular expression that [OpMatches] accepts, in
// bytes.
const maxExpression = 1000

// maxExpressionSize is how large the regular expressions of one [OpMatches] may be
// together, repetitions such as {1000} written out. It bounds the memory that they
// take, and the time.
const maxExpressionSize = 10_000

// maxExpressionSizes is how large the regular expressions of a ruleset may be together.
const maxExpressionSizes = 1_000_000

// expressions holds for text in which one of the regular expressions matches.
type expressions []*regexp.Regexp

func (c *Condition) expressions(AttributeType) (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("\"matches\" takes one regular expression or more")
	}
	if n := expressionSizes(c.Strings); n > maxExpressionSize {
		return nil, fmt.Errorf("the regular expressions are too large: with repetitions written out, %d; the limit is %d", n, maxExpressionSize)
	}
	var es expressions
	for _, s := range c.Strings {
		if len(s) > maxExpression {
			return nil, fmt.Errorf("a regular expression of %d bytes is too long; the limit is %d", len(s), maxExpression)
		}
		re, err := regexp.Compile(s)
		if err == nil && c.Fold {
			re, err = regexp.Compile("(?i)" + s)
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not a regular expression (RE2): %w", s, err)
		}
		es = append(es, re)
	}
	return es, nil
}

// expressionSizes returns the sizes of regular expressions together; one that isn't
// valid has none.
func expressionSizes(list []string) int {
	n := 0
	for _, s := range list {
		if len(s) > maxExpression {
			continue
		}
		if re, err := syntax.Parse(s, syntax.Perl); err == nil {
			n = min(n+expressionSize(re), maxExpressionSizes+1)
		}
	}
	return n
}

// expressionSize returns about how many instructions an expression is compiled to.
// It is known before: Go's package accepts what takes a thousand times as long.
func expressionSize(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n += expressionSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat:
		return n
	case syntax.OpRepeat:
		if re.Max < 0 { // without end
			return max(re.Min, 1)*n + 1
		}
		return re.Max*n + re.Max - re.Min
	}
	return n + max(len(re.Sub), 1)
}

// has keeps s in the heap for a while: see Module.matches.
func (es expressions) has(s string) bool {
	return slices.ContainsFunc(es, func(re *regexp.Regexp) bool { return re.MatchString(s) })
}

func (es expressions) String() string {
	return "matches " + listText(len(es), func(yield func(string) bool) {
		for _, re := range es {
			if !yield(re.String()) {
				return
			}
		}
	})
}

// bucketTest holds for units whose position is from ≤ p < to.
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

// checkMembership reports whether c, which is OpInSegment, is well formed.
func (c *Condition) checkMembership() error {
	if len(c.Strings) != 1 {
		return fmt.Errorf("%q takes one name, not %d", c.Op, len(c.Strings))
	}
	return nil
}

// checkBetween reports whether c, which is OpBetween, is well formed.
func (c *Condition) checkBetween() error {
	if len(c.Ints) != 2 || c.Ints[0] > c.Ints[1] {
		return fmt.Errorf("the range %v is empty", c.Ints)
	}
	return nil
}

// checkServes reports whether c, which is OpServes, is well formed.
func (c *Condition) checkServes() error {
	if len(c.Strings) < 2 || len(c.Ints) > 0 {
		return fmt.Errorf("%q takes the key of a flag, and one variant or more", c.Op)
	}
	return nil
}

// listText prints texts in quotes: all if there are few, and otherwise the first
// and how many there are.
func listText(n int, list iter.Seq[string]) string {
	var b strings.Builder
	i := 0
	for s := range list {
		if i == mostListed {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(s))
		i++
	}
	if n > mostListed {
		fmt.Fprintf(&b, ", … (%d)", n)
	}
	return b.String()
}

// listPlain is listText without quotes.
func listPlain[T any](list []T) string {
	var b strings.Builder
	for i, v := range list[:min(len(list), mostListed)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, v)
	}
	if len(list) > mostListed {
		fmt.Fprintf(&b, ", … (%d)", len(list))
	}
	return b.String()
}

// mostListed is how many elements of a list are printed.
const mostListed = 5

func foldText(text string, fold bool) string {
	if fold {
		return text + ", whatever the letter case"
	}
	return text
}
