// Package imply finds out which conditions follow from others, for lints.
//
// Start at [New] and [Implication.Covers]. What it says to follow does, for every
// context; what it doesn't find may follow all the same. It takes a bounded number
// of steps, and says no once they are spent.
package imply

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// An Implication finds out which conditions follow from others. What it says to
// follow does, for every context; what it doesn't find may follow all the same.
type Implication struct {
	*Facts
	steps int // how many more it may take
}

// Facts are what conditions are about.
type Facts struct {
	types    map[string]evaluator.AttributeType
	segments map[string]*evaluator.Segment
}

// NewFacts returns what conditions are about that refer to the attributes and
// segments of a ruleset.
func NewFacts(set *evaluator.Ruleset) *Facts {
	f := &Facts{
		types:    make(map[string]evaluator.AttributeType, len(set.Attributes)),
		segments: make(map[string]*evaluator.Segment, len(set.Segments)),
	}
	for _, a := range set.Attributes {
		f.types[a.Name] = a.Type
	}
	for i := range set.Segments {
		f.segments[set.Segments[i].Name] = &set.Segments[i]
	}
	return f
}

// New returns an implication that gives up after that many steps.
func New(about *Facts, steps int) *Implication { return &Implication{about, steps} }

// Spent reports whether it has given up.
func (im *Implication) Spent() bool { return im.steps < 0 }

// Spend takes steps that its caller makes.
func (im *Implication) Spend(steps int) { im.steps -= steps }

// Covers reports whether rule a serves everyone that rule b, which is below it,
// could serve.
func (im *Implication) Covers(a, b *evaluator.Rule) bool {
	always := a.When == nil || a.When.Op == evaluator.OpAll && len(a.When.Of) == 0
	if !always && (b.When == nil || !im.implies(b.When, a.When)) {
		return false
	}
	// A split doesn't match contexts that lack its unit.
	if a.Split == nil || a.Split.By == "" || b.Split != nil && b.Split.By == a.Split.By {
		return true
	}
	return b.When != nil && im.hasUnit(b.When, a.Split.By)
}

// hasUnit reports whether contexts that c holds for have the attribute, as a
// split wants it: of its type, and text that isn't empty.
func (im *Implication) hasUnit(c *evaluator.Condition, attribute string) bool {
	has := func(one *evaluator.Condition) bool { return im.hasUnit(one, attribute) }
	switch c.Op {
	case evaluator.OpAll:
		return anyOf(c.Of, has)
	case evaluator.OpAny:
		return len(c.Of) > 0 && every(c.Of, has)
	case evaluator.OpOneOf, evaluator.OpBetween, evaluator.OpModulo, evaluator.OpPrefix, evaluator.OpSuffix,
		evaluator.OpContains, evaluator.OpBucket:
		return c.Attribute == attribute && !slices.Contains(c.Strings, "")
	}
	return false
}

// anyOf reports whether f says yes to one of a list, and every whether it does to all. Conditions are
// large, and copies of them would be made on the heap.
func anyOf(list []evaluator.Condition, f func(*evaluator.Condition) bool) bool {
	for i := range list {
		if f(&list[i]) {
			return true
		}
	}
	return false
}

func every(list []evaluator.Condition, f func(*evaluator.Condition) bool) bool {
	return !anyOf(list, func(one *evaluator.Condition) bool { return !f(one) })
}

// implies reports whether b holds wherever a does.
func (im *Implication) implies(a, b *evaluator.Condition) bool {
	if im.steps--; im.steps < 0 {
		return false
	}
	switch b.Op {
	case evaluator.OpAll:
		return every(b.Of, func(one *evaluator.Condition) bool { return im.implies(a, one) })
	case evaluator.OpNot:
		if im.excludes(a, &b.Of[0]) {
			return true
		}
	}
	switch a.Op {
	case evaluator.OpAny:
		return every(a.Of, func(one *evaluator.Condition) bool { return im.implies(one, b) })
	case evaluator.OpAll:
		if anyOf(a.Of, func(one *evaluator.Condition) bool { return im.implies(one, b) }) {
			return true
		}
	}
	switch {
	case b.Op == evaluator.OpAny:
		return im.impliesAny(a, b.Of)
	case a.Op == evaluator.OpNot && b.Op == evaluator.OpNot:
		return im.implies(&b.Of[0], &a.Of[0])
	case a.Op == evaluator.OpNot, a.Op == evaluator.OpAll, b.Op == evaluator.OpNot:
		return false
	}
	return im.leafImplies(a, b)
}

// impliesAny reports whether one of a list holds wherever a does.
func (im *Implication) impliesAny(a *evaluator.Condition, list []evaluator.Condition) bool {
	if anyOf(list, func(one *evaluator.Condition) bool { return im.implies(a, one) }) {
		return true
	}
	// Each of a's values may be in another one.
	values := singles(a)
	if len(values) < 2 {
		return false
	}
	return every(values, func(v *evaluator.Condition) bool {
		return anyOf(list, func(one *evaluator.Condition) bool { return im.implies(v, one) })
	})
}

// maxSingles bounds the values of a list that are looked at one by one.
const maxSingles = 100

// singles splits a one-of into one condition for each value, unless they are
// many.
func singles(c *evaluator.Condition) []evaluator.Condition {
	if c.Op != evaluator.OpOneOf || len(c.Strings)+len(c.Ints) > maxSingles {
		return nil
	}
	var list []evaluator.Condition
	for i := range c.Strings {
		one := *c
		one.Strings = c.Strings[i : i+1]
		list = append(list, one)
	}
	for i := range c.Ints {
		one := *c
		one.Ints = c.Ints[i : i+1]
		list = append(list, one)
	}
	return list
}

// excludes reports whether a and b never hold both.
func (im *Implication) excludes(a, b *evaluator.Condition) bool {
	if im.steps--; im.steps < 0 {
		return false
	}
	with := func(other *evaluator.Condition) func(*evaluator.Condition) bool {
		return func(one *evaluator.Condition) bool { return im.excludes(one, other) }
	}
	switch {
	case a.Op == evaluator.OpAny:
		return every(a.Of, with(b))
	case b.Op == evaluator.OpAny:
		return every(b.Of, with(a))
	case a.Op == evaluator.OpAll && anyOf(a.Of, with(b)), b.Op == evaluator.OpAll && anyOf(b.Of, with(a)):
		return true
	case a.Op == evaluator.OpAll, b.Op == evaluator.OpAll:
		return false
	case a.Op == evaluator.OpNot:
		return im.implies(b, &a.Of[0])
	case b.Op == evaluator.OpNot:
		return im.implies(a, &b.Of[0])
	}
	return im.leafExcludes(a, b)
}

// leafExcludes is excludes of two comparisons: of one attribute by values that
// have none in common.
func (im *Implication) leafExcludes(a, b *evaluator.Condition) bool {
	if a.Attribute == "" || a.Attribute != b.Attribute {
		return a.Op == evaluator.OpPeriod && b.Op == evaluator.OpPeriod &&
			(a.Ints[1] <= b.Ints[0] || b.Ints[1] <= a.Ints[0])
	}
	if sameBuckets(a, b) {
		return a.Ints[2] <= b.Ints[1] || b.Ints[2] <= a.Ints[1]
	}
	if x, y := im.spansOf(a), im.spansOf(b); x != nil && y != nil {
		return Intersection(x, y) == ""
	}
	if a.Op == evaluator.OpOneOf && b.Op == evaluator.OpOneOf && im.typeOf(a) == evaluator.AttrString &&
		len(a.Strings) <= maxSingles && len(b.Strings) <= maxSingles {
		return !slices.ContainsFunc(a.Strings, func(s string) bool {
			return slices.ContainsFunc(b.Strings, func(t string) bool { return strings.EqualFold(s, t) })
		})
	}
	return false
}

func (im *Implication) typeOf(c *evaluator.Condition) evaluator.AttributeType {
	return im.types[c.Attribute]
}

// leafImplies is implies of two comparisons.
func (im *Implication) leafImplies(a, b *evaluator.Condition) bool {
	if im.steps -= len(a.Strings) + len(a.Ints) + len(b.Strings) + len(b.Ints); im.steps < 0 {
		return false
	}
	switch {
	case same(a, b):
		return true
	case a.Attribute != b.Attribute:
		return false
	case a.Attribute == "":
		return circumstanceImplies(a, b)
	case b.Op == evaluator.OpExists:
		return true // no comparison of a missing attribute holds
	case sameBuckets(a, b):
		return b.Ints[1] <= a.Ints[1] && a.Ints[2] <= b.Ints[2]
	}
	if x, y := im.spansOf(a), im.spansOf(b); x != nil && y != nil {
		return within(x, y)
	}
	switch im.typeOf(a) {
	case evaluator.AttrInteger, evaluator.AttrBoolean:
		return im.intsImply(a, b)
	case evaluator.AttrString:
		return im.textsImply(a, b)
	case evaluator.AttrSemver, evaluator.AttrSemverV:
		return versionsImply(a, b)
	case evaluator.AttrList:
		return listsImply(a, b)
	}
	return false
}

// sameBuckets reports whether two comparisons ask about the same positions.
func sameBuckets(a, b *evaluator.Condition) bool {
	return a.Op == evaluator.OpBucket && b.Op == evaluator.OpBucket && slices.Equal(a.Strings, b.Strings) &&
		a.Ints[0] == b.Ints[0]
}

// same reports whether two comparisons are written alike.
func same(a, b *evaluator.Condition) bool {
	return a.Op == b.Op && a.Attribute == b.Attribute && a.Fold == b.Fold && slices.Equal(a.Strings, b.Strings) &&
		slices.Equal(a.Ints, b.Ints)
}

// circumstanceImplies compares conditions that aren't about an attribute.
func circumstanceImplies(a, b *evaluator.Condition) bool {
	switch {
	case a.Op != b.Op:
		return false
	case a.Op == evaluator.OpPeriod:
		return b.Ints[0] <= a.Ints[0] && a.Ints[1] <= b.Ints[1]
	case a.Op == evaluator.OpWindow:
		days := a.Ints[0]&^b.Ints[0] == 0
		sameHours := a.Ints[1] == b.Ints[1] && a.Ints[2] == b.Ints[2]
		// Of those past midnight only equal ones are compared.
		inside := a.Ints[1] < a.Ints[2] && b.Ints[1] <= a.Ints[1] && a.Ints[2] <= b.Ints[2]
		return a.Strings[0] == b.Strings[0] && days && (sameHours || inside)
	case a.Op == evaluator.OpServes:
		return a.Strings[0] == b.Strings[0] && subset(a.Strings[1:], b.Strings[1:])
	}
	return false
}

func subset[T comparable](a, b []T) bool {
	has := make(map[T]bool, len(b))
	for _, x := range b {
		has[x] = true
	}
	for _, x := range a {
		if !has[x] {
			return false
		}
	}
	return true
}

// spansOf returns the values that a comparison holds for as ranges, nil if it
// isn't about integers or addresses or they are many.
func (im *Implication) spansOf(c *evaluator.Condition) []Span {
	if c.Op != evaluator.OpOneOf {
		return im.Spans(c)
	}
	if len(c.Strings)+len(c.Ints) > maxSingles {
		return nil
	}
	switch im.typeOf(c) {
	case evaluator.AttrInteger, evaluator.AttrBoolean:
		var list []Span
		for _, i := range c.Ints {
			list = append(list, Span{intPoint(i), intPoint(i)})
		}
		return list
	case evaluator.AttrIP:
		return im.addressSpans(c)
	}
	return nil
}

// addressSpans returns the addresses that a comparison holds for.
func (im *Implication) addressSpans(c *evaluator.Condition) []Span {
	if c.Op == evaluator.OpIPBetween {
		lo, ok := addressPoint(c.Strings[0])
		hi, fine := addressPoint(c.Strings[1])
		if !ok || !fine {
			return nil
		}
		return []Span{{lo, hi}}
	}
	var list []Span
	for _, text := range c.Strings {
		if c.Op == evaluator.OpCIDR {
			network, err := netip.ParsePrefix(text)
			if err != nil {
				return nil
			}
			list = append(list, networkSpan(network))
			continue
		}
		p, ok := addressPoint(text)
		if !ok {
			return nil
		}
		list = append(list, Span{p, p})
	}
	return list
}

// networkSpan returns the addresses of a network.
func networkSpan(network netip.Prefix) Span {
	lo := network.Masked().Addr()
	bytes := lo.AsSlice()
	for i := network.Bits(); i < len(bytes)*8; i++ {
		bytes[i/8] |= 1 << (7 - i%8)
	}
	hi, _ := netip.AddrFromSlice(bytes)
	return Span{pointOf(lo), pointOf(hi)}
}

func addressPoint(text string) (point, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return point{}, false
	}
	return pointOf(a.Unmap()), true
}

// pointOf orders all of IPv4 before IPv6.
func pointOf(a netip.Addr) point {
	family := "4"
	if a.Is6() {
		family = "6"
	}
	return point{family + string(a.AsSlice()), a.String()}
}

// intsImply compares comparisons of an integer.
func (im *Implication) intsImply(a, b *evaluator.Condition) bool {
	predicate := im.predicate(b, false)
	holds := func(i int64) bool {
		if im.typeOf(a) == evaluator.AttrBoolean {
			return predicate(evaluator.BoolValue(i == 1))
		}
		return predicate(evaluator.IntValue(i))
	}
	switch a.Op {
	case evaluator.OpOneOf:
		if b.Op == evaluator.OpOneOf {
			return subset(a.Ints, b.Ints)
		}
		return !slices.ContainsFunc(a.Ints, func(i int64) bool { return !holds(i) })
	case evaluator.OpBetween:
		lo, hi := a.Ints[0], a.Ints[1]
		if uint64(hi)-uint64(lo) >= maxSingles {
			return false
		}
		for i := lo; ; i++ {
			if !holds(i) {
				return false
			}
			if i == hi {
				return true
			}
		}
	case evaluator.OpModulo:
		if b.Op != evaluator.OpModulo || a.Ints[0]%b.Ints[0] != 0 {
			return false
		}
		return !slices.ContainsFunc(a.Ints[1:], func(r int64) bool { return !slices.Contains(b.Ints[1:], r%b.Ints[0]) })
	case evaluator.OpInSegment:
		members, ok := im.members(a.Strings[0])
		return ok && !slices.ContainsFunc(members, func(s string) bool {
			i, err := strconv.ParseInt(s, 10, 64)
			return err == nil && !holds(i)
		})
	}
	return false
}

// predicate returns a function that reports whether a comparison holds for a value
// and, if fold, for all texts that differ from it in letter case. The function is
// false where that isn't known.
func (im *Implication) predicate(c *evaluator.Condition, fold bool) func(evaluator.Value) bool {
	never := func(evaluator.Value) bool { return false }
	size := 1 + len(c.Strings) + len(c.Ints)
	switch {
	case c.Op == evaluator.OpInSegment && !fold:
		return func(v evaluator.Value) bool {
			id, ok := v.Text()
			if i, isInt := v.Int(); isInt {
				id, ok = strconv.FormatInt(i, 10), true
			}
			return ok && im.isMember(id, c.Strings[0])
		}
	case c.Op == evaluator.OpInSegment, c.Op == evaluator.OpMatches && (fold || c.Fold):
		return never
	case c.Op == evaluator.OpMatches:
		size += len(strings.Join(c.Strings, ""))
	}
	if im.steps -= size; im.steps < 0 {
		return never
	}
	holds, err := c.Holds(im.typeOf(c))
	if err != nil {
		return never
	}
	return func(v evaluator.Value) bool {
		im.steps -= size
		return im.steps >= 0 && holds(v)
	}
}

// members returns the members of a segment that has no condition, unless they are
// many.
func (im *Implication) members(segment string) ([]string, bool) {
	s := im.segments[segment]
	if s.When != nil || len(s.Include) > 10*maxSingles || len(s.Exclude) > 10*maxSingles {
		return nil, false
	}
	if im.steps -= len(s.Include) * (1 + len(s.Exclude)); im.steps < 0 {
		return nil, false
	}
	excluded := func(id string) bool { return slices.Contains(s.Exclude, id) }
	return slices.DeleteFunc(slices.Clone(s.Include), excluded), true
}

// isMember reports whether a value is a member of a segment whatever the context.
func (im *Implication) isMember(id, segment string) bool {
	s := im.segments[segment]
	if im.steps -= len(s.Include) + len(s.Exclude); im.steps < 0 {
		return false
	}
	return slices.Contains(s.Include, id) && !slices.Contains(s.Exclude, id)
}

// textsImply compares comparisons of text.
func (im *Implication) textsImply(a, b *evaluator.Condition) bool {
	if a.Fold && !b.Fold {
		return false
	}
	texts := a.Strings
	switch a.Op {
	case evaluator.OpOneOf:
		if b.Op == evaluator.OpOneOf && !b.Fold {
			return subset(a.Strings, b.Strings)
		}
	case evaluator.OpInSegment:
		var ok bool
		if texts, ok = im.members(a.Strings[0]); !ok {
			return false
		}
	case evaluator.OpPrefix:
		if b.Op != evaluator.OpPrefix && b.Op != evaluator.OpContains {
			return false
		}
	case evaluator.OpSuffix:
		if b.Op != evaluator.OpSuffix && b.Op != evaluator.OpContains {
			return false
		}
	case evaluator.OpContains:
		if b.Op != evaluator.OpContains {
			return false
		}
	default:
		return false
	}
	holds := im.predicate(b, a.Fold)
	return !slices.ContainsFunc(texts, func(s string) bool { return !holds(evaluator.StringValue(s)) })
}

// listsImply compares comparisons of a list.
func listsImply(a, b *evaluator.Condition) bool {
	switch {
	case a.Op == evaluator.OpAnyOf && b.Op == evaluator.OpAnyOf:
		return subset(a.Strings, b.Strings)
	case a.Op == evaluator.OpAllOf && b.Op == evaluator.OpAllOf:
		return subset(b.Strings, a.Strings)
	case a.Op == evaluator.OpAllOf && b.Op == evaluator.OpAnyOf:
		return slices.ContainsFunc(a.Strings, func(s string) bool { return slices.Contains(b.Strings, s) })
	}
	return false
}

// versionsImply compares comparisons of a version, as far as they are about
// releases.
func versionsImply(a, b *evaluator.Condition) bool {
	x, y := versionSpans(a), versionSpans(b)
	return x != nil && y != nil && within(x, y)
}

// versionSpans returns the versions that a comparison holds for, nil if that
// can't be said in ranges of releases. Each release is two points: its
// pre-releases, and itself.
func versionSpans(c *evaluator.Condition) []Span {
	if c.Op != evaluator.OpOneOf && c.Op != evaluator.OpSemver {
		return nil
	}
	var list []Span
	for _, text := range c.Strings {
		one := Span{intPoint(0), intPoint(1<<62 - 1)}
		for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
			op := field[:len(field)-len(strings.TrimLeft(field, "<>="))]
			text, first := strings.CutSuffix(field[len(op):], "-0")
			at, ok := release(text)
			if first { // the first pre-release of all: what is below it is below all of them
				at--
				ok = ok && (op == "<" || op == ">=")
			}
			if !ok {
				return nil
			}
			lo, hi := intPoint(0), intPoint(1<<62-1)
			switch op {
			case "<":
				hi = intPoint(at - 1)
			case "<=":
				hi = intPoint(at)
			case ">":
				lo = intPoint(at + 1)
			case ">=":
				lo = intPoint(at)
			default:
				lo, hi = intPoint(at), intPoint(at)
			}
			one.lo.key, one.hi.key = max(one.lo.key, lo.key), min(one.hi.key, hi.key)
		}
		list = append(list, one)
	}
	return list
}

// release returns the place of a release among versions, not ok if text is
// anything else or has parts that are large.
func release(text string) (int64, bool) {
	const bits = 20
	parts := strings.Split(text, ".")
	if len(parts) > 3 {
		return 0, false
	}
	var n int64
	for i := range 3 {
		part := uint64(0)
		if i < len(parts) {
			var err error
			if part, err = strconv.ParseUint(parts[i], 10, bits); err != nil {
				return 0, false
			}
		}
		n = n<<bits | int64(part)
	}
	return n<<1 | 1, true
}
