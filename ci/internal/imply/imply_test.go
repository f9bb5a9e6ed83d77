package imply

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// A conditionMaker makes random conditions and contexts over few values, so that
// conditions often follow from others, and often nearly do.
type conditionMaker struct{ *rand.Rand }

// makerRuleset is what the conditions speak of.
func makerRuleset() evaluator.Ruleset {
	when := &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{"ab"}}
	return evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString}, {Name: "city", Type: evaluator.AttrString}, {Name: "uid", Type: evaluator.AttrInteger},
			{Name: "ip", Type: evaluator.AttrIP}, {Name: "version", Type: evaluator.AttrSemver}, {Name: "in", Type: evaluator.AttrBoolean},
			{Name: "tags", Type: evaluator.AttrList}, {Name: "since", Type: evaluator.AttrTime}, {Name: "price", Type: evaluator.AttrNumber},
		},
		Segments: []evaluator.Segment{
			{Name: "lists", Include: []string{"a", "ab", "3", "7"}, Exclude: []string{"ab", "b"}},
			{Name: "few", Include: []string{"a", "3"}},
			{Name: "some", Include: []string{"b", ""}, Exclude: []string{"c"}, When: when},
		},
	}
}

var (
	makerTexts     = []string{"", "a", "A", "b", "ab", "aB", "ba", "abc", "c", "\u017f", "s"} // the long s folds to s
	makerAddresses = []string{"10.0.0.1", "10.0.0.2", "10.0.1.0", "10.1.0.0", "11.0.0.0", "::1", "::ffff:10.0.0.1",
		"2001:db8::1"}
	makerNetworks = []string{"10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/31", "0.0.0.0/0", "::/0", "::/1",
		"2001:db8::/32", "10.0.0.1/32"}
	makerVersions = []string{"1", "1.0.0", "1.2", "1.2.0-rc.1", "1.2.1", "2", "2.0.0-1", "0.9", "1.2.1+b", "1.2.1-0",
		"2.0.0-0", "0.0.0-0"}
	makerTags = []string{"x", "y", "z"}
)

func pick[T any](m conditionMaker, list []T) T { return list[m.IntN(len(list))] }

// some returns one to three of a list.
func some[T any](m conditionMaker, list []T) []T {
	out := make([]T, 1+m.IntN(3))
	for i := range out {
		out[i] = pick(m, list)
	}
	return out
}

// condition makes a condition.
func (m conditionMaker) condition(depth int) evaluator.Condition {
	if depth > 0 && m.IntN(3) == 0 {
		c := evaluator.Condition{Op: pick(m, []evaluator.Op{evaluator.OpAll, evaluator.OpAny, evaluator.OpNot})}
		n := 1
		if c.Op != evaluator.OpNot {
			n += m.IntN(3)
		}
		for range n {
			c.Of = append(c.Of, m.condition(depth-1))
		}
		return c
	}
	return m.valid(m.IntN(comparisons))
}

// valid makes a comparison of a kind, of which there are this many.
func (m conditionMaker) valid(kind int) evaluator.Condition {
	for {
		if c, typ := m.comparison(kind); c.Check(typ) == nil {
			return c
		}
	}
}

const comparisons = 10

func (m conditionMaker) comparison(kind int) (evaluator.Condition, evaluator.AttributeType) {
	c := evaluator.Condition{Attribute: "uid"}
	ints := func() []int64 { return some(m, []int64{-3, 0, 1, 3, 7, 12, 13}) }
	switch kind {
	case 0:
		c.Op, c.Ints = evaluator.OpBetween, []int64{m.Int64N(12) - 4, m.Int64N(12)}
		return c, evaluator.AttrInteger
	case 1:
		c.Op, c.Ints = evaluator.OpOneOf, ints()
		return c, evaluator.AttrInteger
	case 2:
		c.Op, c.Ints = evaluator.OpModulo,
			append([]int64{pick(m, []int64{2, 3, 4, 6})}, some(m, []int64{0, 1, 2, 3})...)
		return c, evaluator.AttrInteger
	case 3:
		c.Op, c.Strings = evaluator.OpInSegment, []string{pick(m, []string{"lists", "few", "some"})}
		if c.Attribute = pick(m, []string{"uid", "user"}); c.Attribute == "user" {
			return c, evaluator.AttrString
		}
		return c, evaluator.AttrInteger
	case 4:
		c.Attribute = "ip"
		switch m.IntN(3) {
		case 0:
			c.Op, c.Strings = evaluator.OpCIDR, some(m, makerNetworks)
		case 1:
			c.Op, c.Strings = evaluator.OpIPBetween, []string{pick(m, makerAddresses), pick(m, makerAddresses)}
		default:
			c.Op, c.Strings = evaluator.OpOneOf, some(m, makerAddresses)
		}
		return c, evaluator.AttrIP
	case 5:
		c.Attribute, c.Op = "version", evaluator.OpSemver
		c.Strings = []string{pick(m,
			[]string{">=1", ">1.2", "<2", "<=1.2.1", "=1.2", ">=1 <2", ">1.0 <=2.0.0", "<1", ">=1.2.0-rc.1", "<0",
				"<1.2.1", "<=1.2", ">=1.2.1-0 <1.2.1", "<=1.2.1-0", ">1.2.1-0", "<1.2.1-0", "<2.0.0-0"})}
		if m.IntN(3) == 0 {
			c.Op, c.Strings = evaluator.OpOneOf, some(m, makerVersions)
		}
		return c, evaluator.AttrSemver
	case 6:
		switch m.IntN(4) {
		case 0:
			c.Op, c.Attribute, c.Strings = evaluator.OpNumber, "price",
				[]string{pick(m, []string{">=1", ">1", "<1.5", ">=1 <2", "<=1.0", ">0.9 <1.1"})}
			return c, evaluator.AttrNumber
		case 1:
			from := m.Int64N(6)
			c.Op, c.Attribute, c.Ints = evaluator.OpBetween, "since", []int64{from, from + m.Int64N(6)}
			return c, evaluator.AttrTime
		}
		c.Attribute, c.Strings = "tags", some(m, makerTags)
		c.Op = pick(m, []evaluator.Op{evaluator.OpAnyOf, evaluator.OpAllOf})
		return c, evaluator.AttrList
	case 7:
		switch m.IntN(3) {
		case 0:
			c.Attribute, c.Op = pick(m, []string{"user", "city", "uid", "tags"}), evaluator.OpExists
		case 1:
			c.Attribute, c.Op, c.Ints = "", evaluator.OpPeriod, []int64{m.Int64N(6), m.Int64N(6)}
		default:
			c.Attribute, c.Op, c.Ints = "in", evaluator.OpOneOf, []int64{m.Int64N(2)}
			return c, evaluator.AttrBoolean
		}
		return c, evaluator.AttrString
	}
	if kind == 8 {
		c.Attribute, c.Op, c.Strings = "user", evaluator.OpBucket, []string{"unleash", pick(m, []string{"s", "t"})}
		c.Ints = []int64{pick(m, []int64{0, 4}), m.Int64N(4), 1 + m.Int64N(4)}
		return c, evaluator.AttrString
	}
	c.Attribute = pick(m, []string{"user", "city"})
	c.Op = pick(m, []evaluator.Op{evaluator.OpOneOf, evaluator.OpOneOf, evaluator.OpOneOf, evaluator.OpPrefix,
		evaluator.OpSuffix, evaluator.OpContains, evaluator.OpMatches})
	c.Strings, c.Fold = some(m, makerTexts), m.IntN(3) == 0
	return c, evaluator.AttrString
}

// context makes a context, in which attributes may be missing or of another type.
func (m conditionMaker) context() evaluator.Context {
	ctx := evaluator.Context{Now: m.Int64N(7), Chance: m.Uint32()}
	add := func(a evaluator.Attr) {
		switch m.IntN(8) {
		case 0:
		case 1:
			ctx.Attrs = append(ctx.Attrs, evaluator.NewAttr(a.Name, 0.5))
		default:
			ctx.Attrs = append(ctx.Attrs, a)
		}
	}
	add(evaluator.NewAttr("user", pick(m, append(makerTexts, "3", "abab"))))
	add(evaluator.NewAttr("city", pick(m, makerTexts)))
	add(evaluator.NewAttr("uid", m.Int64N(20)-5))
	add(evaluator.NewAttr("ip", pick(m, append(makerAddresses, "10.0.255.255", "none"))))
	add(evaluator.NewAttr("version", pick(m, append(makerVersions, "1.1048576.0", "1.2.1-rc", "none"))))
	add(evaluator.NewAttr("in", m.IntN(2) == 0))
	add(pick(m, []evaluator.Attr{evaluator.NewAttr("since", m.Int64N(14)-1),
		evaluator.NewAttr("since", time.Unix(m.Int64N(14)-1, 5e8).UTC().Format(time.RFC3339Nano))}))
	add(pick(m, []evaluator.Attr{evaluator.NewAttr("price", "1.00"), evaluator.NewAttr("price", 1.5),
		evaluator.NewAttr("price", 2)}))
	add(evaluator.NewAttr("tags", some(m, makerTags)[1:]))
	return ctx
}

// rule makes a rule that serves a variant or splits.
func (m conditionMaker) rule(name string) evaluator.Rule {
	r := evaluator.Rule{Name: name}
	if m.IntN(10) > 0 {
		c := m.condition(m.IntN(3))
		r.When = &c
	}
	if m.IntN(3) == 0 {
		r.Split = &evaluator.Split{Bucketing: evaluator.Bucketing{By: pick(m, []string{"user", "uid", ""})},
			Ranges: []evaluator.Range{{From: 0, To: evaluator.Positions}}}
		if r.Split.By != "" {
			r.Split.Salt, r.Split.Hash = "s", evaluator.HashMurmur3
		}
	}
	return r
}

// relative makes a rule that often is narrower than another, and sometimes only
// nearly.
func (m conditionMaker) relative(name string, to evaluator.Rule) evaluator.Rule {
	r := m.rule(name)
	if to.When == nil || r.When == nil {
		return r
	}
	switch m.IntN(4) {
	case 0:
		r.When = &evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{*r.When, *to.When}}
	case 1:
		r.When = &evaluator.Condition{Op: evaluator.OpAny, Of: []evaluator.Condition{*r.When, *to.When}}
	}
	return r
}

// pair makes two rules: half of the pairs are comparisons of one kind, negated or
// not.
func (m conditionMaker) pair(seed uint64) (above, below evaluator.Rule) {
	if seed%2 == 0 {
		above = m.rule("above")
		return above, m.relative("below", above)
	}
	for i, r := range []*evaluator.Rule{&above, &below} {
		r.Name = []string{"above", "below"}[i]
		c := m.valid(int(seed) / 2 % comparisons)
		if m.IntN(3) == 0 {
			c = evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{c}}
		}
		r.When = &c
	}
	return above, below
}

// TestImplicationIsSound holds that a rule that is said to be covered is never
// reached: no random context of many gets it from the evaluator.
func TestImplicationIsSound(t *testing.T) {
	set := makerRuleset()
	about := NewFacts(&set)
	covered, reached := 0, 0
	made := make(map[evaluator.Op]bool)
	for seed := range uint64(soak.Times(20_000, 400_000)) {
		m := conditionMaker{rand.New(rand.NewPCG(seed, 1))}
		above, below := m.pair(seed)
		for c := range below.When.Walk() {
			made[c.Op] = true
		}
		im := New(about, 2_000_000)
		says := im.Covers(&above, &below)
		if !says && seed%4 > 0 {
			continue
		}
		set.Flags = []evaluator.Flag{{
			Key: "f", Type: evaluator.KindBool,
			Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}},
			Rules:    []evaluator.Rule{above, below},
		}}
		program, err := evaluator.Compile(set)
		if err != nil {
			t.Fatal(err)
		}
		f := program.Flag("f")
		found := false
		for range 100 {
			ctx := m.context()
			if f.Evaluate(&ctx).Rule() != "below" {
				continue
			}
			found = true
			if says {
				t.Fatalf("seed %d: the rule is reached all the same, by %v\nabove: %s\nbelow: %s", seed, ctx,
					describeRule(above), describeRule(below))
			}
		}
		if says {
			covered++
		} else if found {
			reached++
		}
	}
	t.Logf("%d rules covered, %d reached", covered, reached)
	for op := evaluator.OpAll; !strings.HasPrefix(op.String(), "Op("); op++ {
		// Windows and flags need a ruleset of their own; they are compared as a whole.
		if !made[op] && op != evaluator.OpWindow && op != evaluator.OpServes {
			t.Errorf("no rule has %q", op)
		}
	}
	if covered < 1000 || reached < 1000 {
		t.Errorf("%d rules are covered and %d reached: too few to say something", covered, reached)
	}
}

func describeRule(r evaluator.Rule) string {
	text := fmt.Sprintf("%+v", r.When)
	if r.Split != nil {
		text += fmt.Sprintf(" by %q", r.Split.By)
	}
	return text
}
