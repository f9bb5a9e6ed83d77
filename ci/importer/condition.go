package importer

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/source"
)

// An op is what a condition tests.
type op uint8

const (
	opAlways op = iota
	opNever
	opAll
	opAny
	opNot
	opIn
	opIntegers
	opPrefix
	opSuffix
	opContains
	opMatches
	opCIDR
	opAddresses
	opIPRange
	opRange
	opMod
	opSemver
	opExists
	opBucket
	opNow
	opFlag
	opSegment
	opHolds
	opIs
)

// A Condition is a condition of a rule. The zero value always holds. Use the functions that
// return one; they leave out what makes no difference.
type Condition struct {
	Op        op
	Attribute string // or the key of a flag
	Of        []Condition
	Texts     []string
	Ints      []int64
	Fold      bool
	Place     string // in the source, for conflicts between attributes' types
}

// Always holds, Never doesn't.
var (
	Always = Condition{}
	Never  = Condition{Op: opNever}
)

// IsAlways reports whether c always holds.
func (c Condition) IsAlways() bool { return c.Op == opAlways }

// IsNever reports whether c never holds.
func (c Condition) IsNever() bool { return c.Op == opNever }

// At returns c with its place in the source.
func (c Condition) At(place string) Condition {
	c.Place = place
	return c
}

// All holds if all of the conditions do.
func All(of ...Condition) Condition {
	var list []Condition
	for _, c := range of {
		switch c.Op {
		case opNever:
			return Never
		case opAlways:
		case opAll:
			list = append(list, c.Of...)
		default:
			list = append(list, c)
		}
	}
	switch len(list) {
	case 0:
		return Always
	case 1:
		return list[0]
	}
	return Condition{Op: opAll, Of: list}
}

// Any holds if one of the conditions does.
func Any(of ...Condition) Condition {
	var list []Condition
	for _, c := range of {
		switch c.Op {
		case opAlways:
			return Always
		case opNever:
		case opAny:
			list = append(list, c.Of...)
		default:
			list = append(list, c)
		}
	}
	switch len(list) {
	case 0:
		return Never
	case 1:
		return list[0]
	}
	return Condition{Op: opAny, Of: list}
}

// Not holds if c doesn't.
func Not(c Condition) Condition {
	switch {
	case c.Op == opAlways:
		return Never
	case c.Op == opNever:
		return Always
	case c.Op == opNot:
		return c.Of[0]
	case c.Op == opExists:
		return Condition{Op: opExists, Attribute: c.Attribute, Ints: []int64{1 - c.Ints[0]}, Place: c.Place}
	}
	return Condition{Op: opNot, Of: []Condition{c}}
}

// unique returns texts without repetitions, in their order.
func unique(texts []string) []string {
	seen := make(map[string]bool, len(texts))
	list := make([]string, 0, len(texts))
	for _, t := range texts {
		if !seen[t] {
			seen[t] = true
			list = append(list, t)
		}
	}
	return list
}

func compare(o op, attribute string, fold bool, texts []string) Condition {
	if len(texts) == 0 {
		return Never
	}
	return Condition{Op: o, Attribute: attribute, Texts: unique(texts), Fold: fold}
}

// In holds if the attribute is one of the texts; with fold, ignoring case.
func In(attribute string, fold bool, texts ...string) Condition {
	return compare(opIn, attribute, fold, texts)
}

// Empty holds if the attribute is an empty text. It fits attributes of any type.
func Empty(attribute string) Condition { return In(attribute, false, "") }

func (c Condition) isEmpty() bool { return c.Op == opIn && len(c.Texts) == 1 && c.Texts[0] == "" }

// simplified returns c without what always or never holds.
func (c Condition) simplified() Condition {
	of := make([]Condition, len(c.Of))
	for i, o := range c.Of {
		of[i] = o.simplified()
	}
	switch c.Op {
	case opAll:
		return All(of...)
	case opAny:
		return Any(of...)
	case opNot:
		return Not(of[0])
	}
	return c
}

// Integers holds if the attribute is one of the integers.
func Integers(attribute string, ints ...int64) Condition {
	if len(ints) == 0 {
		return Never
	}
	return Condition{Op: opIntegers, Attribute: attribute, Ints: slices.Compact(slices.Sorted(slices.Values(ints)))}
}

// text is for comparisons that hold for any text if one of the texts is empty.
func text(o op, attribute string, fold bool, texts []string) Condition {
	if slices.Contains(texts, "") {
		return Condition{Op: opMatches, Attribute: attribute, Texts: []string{"^"}}
	}
	return compare(o, attribute, fold, texts)
}

// Prefix holds if the attribute starts with one of the texts; with fold, ignoring case.
func Prefix(attribute string, fold bool, texts ...string) Condition {
	return text(opPrefix, attribute, fold, texts)
}

// Suffix holds if the attribute ends with one of the texts; with fold, ignoring case.
func Suffix(attribute string, fold bool, texts ...string) Condition {
	return text(opSuffix, attribute, fold, texts)
}

// Contains holds if the attribute contains one of the texts; with fold, ignoring case.
func Contains(attribute string, fold bool, texts ...string) Condition {
	return text(opContains, attribute, fold, texts)
}

// Matches holds if one of the regular expressions matches somewhere in the attribute.
func Matches(attribute string, fold bool, expressions ...string) Condition {
	return compare(opMatches, attribute, fold, expressions)
}

// CIDR holds if the attribute is an address in one of the networks.
func CIDR(attribute string, networks ...string) Condition {
	return compare(opCIDR, attribute, false, networks)
}

// Addresses holds if the attribute is one of the addresses, however it is written.
func Addresses(attribute string, addresses ...string) Condition {
	return compare(opAddresses, attribute, false, addresses)
}

// IPRange holds if the attribute is an address from first to last, both included.
func IPRange(attribute, first, last string) Condition {
	return Condition{Op: opIPRange, Attribute: attribute, Texts: []string{first, last}}
}

// Range holds if the attribute is an integer from first to last, both included.
func Range(attribute string, first, last int64) Condition {
	return Condition{Op: opRange, Attribute: attribute, Ints: []int64{first, last}}
}

// Compare holds if the attribute is an integer that compares with number as op says: "<",
// "<=", ">" or ">=". The number is within 2^53 and may have a fraction.
func Compare(attribute, op string, number float64) Condition {
	first, last := int64(math.MinInt64), int64(math.MaxInt64)
	switch op {
	case "<":
		last = int64(math.Ceil(number)) - 1
	case "<=":
		last = int64(math.Floor(number))
	case ">":
		first = int64(math.Floor(number)) + 1
	default:
		first = int64(math.Ceil(number))
	}
	return Range(attribute, first, last)
}

// Mod holds if the attribute is an integer with one of the remainders.
func Mod(attribute string, divisor int64, remainders ...int64) Condition {
	return Condition{Op: opMod, Attribute: attribute, Ints: append([]int64{divisor}, remainders...)}
}

// Semver holds if the attribute is a version that satisfies the comparisons, such as ">=2.1.0 <3".
func Semver(attribute, comparisons string) Condition {
	return Condition{Op: opSemver, Attribute: attribute, Texts: []string{comparisons}}
}

// Exists holds if the context has the attribute.
func Exists(attribute string) Condition {
	return Condition{Op: opExists, Attribute: attribute, Ints: []int64{1}}
}

// Holds holds if the attribute is a list with one of the texts.
func Holds(attribute string, texts ...string) Condition {
	return compare(opHolds, attribute, false, texts)
}

// Is holds if the attribute is that boolean.
func Is(attribute string, value bool) Condition {
	return Condition{Op: opIs, Attribute: attribute, Texts: []string{strconv.FormatBool(value)}}
}

// InSegment holds if the attribute is a member of the segment.
func InSegment(attribute, segment string) Condition {
	return Condition{Op: opSegment, Attribute: attribute, Texts: []string{segment}}
}

// Bucket holds if the attribute's position is at least from and below to. Positions is 0 for
// the hash's own number.
func Bucket(attribute, hash, salt string, positions, from, to uint64) Condition {
	if from >= to {
		return Never
	}
	return Condition{Op: opBucket, Attribute: attribute, Texts: []string{hash, salt}, Ints: []int64{int64(positions), int64(from), int64(to)}}
}

// After holds from the time on, Before up to it; both are in RFC 3339 with whole seconds.
func After(time string) Condition { return Condition{Op: opNow, Texts: []string{"after", time}} }

// Before holds until just before the time.
func Before(time string) Condition { return Condition{Op: opNow, Texts: []string{"before", time}} }

// Serves holds if another flag serves one of the variants.
func Serves(flag string, variants ...string) Condition {
	if len(variants) == 0 {
		return Never
	}
	return Condition{Op: opFlag, Attribute: flag, Texts: unique(variants)}
}

// each calls visit with c and every condition below it.
func (c Condition) each(visit func(Condition)) {
	visit(c)
	for _, o := range c.Of {
		o.each(visit)
	}
}

// combined returns what stands below "when" for all, any and not.
func (c Condition) combined(lists *lists) *source.Node {
	switch c.Op {
	case opNot:
		return source.Map().With("not", c.Of[0].node(lists))
	case opAny:
		list := source.List()
		for _, o := range c.Of {
			list.Items = append(list.Items, o.node(lists))
		}
		return source.Map().With("any", list)
	}
	merged, list := source.Map(), source.List()
	clash := false
	for _, o := range c.Of {
		n := o.node(lists)
		list.Items = append(list.Items, n)
		for _, f := range n.Fields {
			clash = clash || merged.Get(f.Key.Text) != nil
			merged.Fields = append(merged.Fields, f)
		}
	}
	if clash || len(merged.Fields) > 900 {
		return source.Map().With("all", list)
	}
	return merged
}

// node returns the mapping that stands below "when".
func (c Condition) node(lists *lists) *source.Node {
	switch c.Op {
	case opAll, opAny, opNot:
		return c.combined(lists)
	case opNow:
		return source.Map().With("now", source.Map().With(c.Texts[0], source.Text(c.Texts[1])))
	case opFlag:
		return source.Map().With("flag", source.Map().With(c.Attribute, oneOrMore(c.Texts)))
	}
	return source.Map().With(c.Attribute, c.comparison(lists))
}

// oneOrMore returns a text, or a list of texts.
func oneOrMore(texts []string) *source.Node {
	if len(texts) == 1 {
		return source.Text(texts[0])
	}
	return source.Texts(texts...)
}

func integer(i int64) *source.Node { return source.Plain(strconv.FormatInt(i, 10)) }

func integers(list []int64) *source.Node {
	n := source.List()
	for _, i := range list {
		n.Items = append(n.Items, integer(i))
	}
	return n
}

var opWords = map[op]string{opPrefix: "prefix", opSuffix: "suffix", opContains: "contains", opMatches: "matches", opCIDR: "cidr",
	opSegment: "segment", opSemver: "semver"}

// comparison returns what a flag file has after the name of the attribute.
func (c Condition) comparison(lists *lists) *source.Node {
	m := source.Map()
	switch c.Op {
	case opIn:
		if name := lists.add(c.Texts, c.Fold); name != "" {
			return m.With("list", source.Text(name))
		}
		if !c.Fold {
			return oneOrMore(c.Texts)
		}
		m.With("in", source.Texts(c.Texts...))
	case opAddresses:
		return oneOrMore(c.Texts)
	case opIntegers:
		texts := make([]string, len(c.Ints))
		for i, n := range c.Ints {
			texts[i] = strconv.FormatInt(n, 10)
		}
		if name := lists.add(texts, false); name != "" {
			return m.With("list", source.Text(name))
		}
		return integers(c.Ints)
	case opHolds:
		return m.With("any", source.Texts(c.Texts...))
	case opIs:
		return source.Plain(c.Texts[0])
	case opIPRange:
		return m.With("from", source.Text(c.Texts[0])).With("to", source.Text(c.Texts[1]))
	case opRange:
		switch {
		case c.Ints[0] == math.MinInt64:
			return m.With("lte", integer(c.Ints[1]))
		case c.Ints[1] == math.MaxInt64:
			return m.With("gte", integer(c.Ints[0]))
		}
		return m.With("from", integer(c.Ints[0])).With("to", integer(c.Ints[1]))
	case opMod:
		return m.With("mod", integer(c.Ints[0])).With("in", integers(c.Ints[1:]))
	case opExists:
		return m.With("exists", source.Plain(strconv.FormatBool(c.Ints[0] == 1)))
	case opBucket:
		b := source.Map().With("hash", source.Text(c.Texts[0])).With("salt", source.Text(c.Texts[1]))
		if c.Ints[0] != 0 {
			b.With("positions", integer(c.Ints[0]))
		}
		return m.With("bucket", b.With("from", integer(c.Ints[1])).With("to", integer(c.Ints[2])))
	default:
		m.With(opWords[c.Op], oneOrMore(c.Texts))
	}
	if c.Fold {
		m.With("fold", source.Plain("true"))
	}
	return m
}

// longList is how many values stand in a file of their own.
const longList = 50

// lists are the files of IDs that conditions refer to.
type lists struct {
	stem  string // of the flag's file
	files map[string][]byte
}

// add writes the values of a long list to a file and returns its path as the flag's file
// names it, or "" if they belong in the flag's file itself.
func (l *lists) add(texts []string, fold bool) string {
	if len(texts) <= longList || fold || !listable(texts) {
		return ""
	}
	data := []byte(strings.Join(texts, "\n") + "\n")
	for name, other := range l.files {
		if string(other) == string(data) {
			return "../" + name
		}
	}
	name := "lists/" + l.stem + ".txt"
	for n := 2; l.files[name] != nil; n++ {
		name = "lists/" + l.stem + "-" + strconv.Itoa(n) + ".txt"
	}
	l.files[name] = data
	return "../" + name
}

// listable reports whether a list of IDs can hold the texts.
func listable(texts []string) bool {
	return !slices.ContainsFunc(texts, func(t string) bool {
		return t == "" || len(t) > 1000 || t[0] == '#' || strings.TrimSpace(t) != t || strings.ContainsAny(t, "\r\n\x00<>")
	})
}

// Needs reports whether c holds only for contexts with at least one of the attributes. It may
// say no where that is so.
func (c Condition) Needs(attributes ...string) bool {
	switch c.Op {
	case opNever:
		return true
	case opAll:
		return slices.ContainsFunc(c.Of, func(o Condition) bool { return o.Needs(attributes...) })
	case opAny:
		return !slices.ContainsFunc(c.Of, func(o Condition) bool { return !o.Needs(attributes...) })
	case opBucket:
		return slices.Contains(attributes, c.Attribute)
	}
	return false
}

// change calls edit with c and every condition below it.
func (c *Condition) change(edit func(*Condition)) {
	edit(c)
	for i := range c.Of {
		c.Of[i].change(edit)
	}
}
