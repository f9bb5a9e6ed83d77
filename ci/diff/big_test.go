package diff_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// bigAttributes are the unit and twenty attributes of all types.
func bigAttributes() []evaluator.Attribute {
	list := []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}}
	types := []evaluator.AttributeType{
		evaluator.AttrString, evaluator.AttrInteger, evaluator.AttrString, evaluator.AttrSemver, evaluator.AttrString,
		evaluator.AttrIP, evaluator.AttrString, evaluator.AttrList, evaluator.AttrString, evaluator.AttrBoolean,
	}
	for i := range 20 {
		list = append(list, evaluator.Attribute{Name: fmt.Sprintf("a%d", i), Type: types[i%len(types)]})
	}
	return list
}

// bigCondition returns a comparison of one of twenty attributes. One in four is negated.
func (m *maker) bigCondition(attributes []evaluator.Attribute) evaluator.Condition {
	a := attributes[1+m.IntN(20)]
	c := evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.Name}
	switch a.Type {
	case evaluator.AttrString:
		c.Strings = some(m, 4, cityPool...)
		switch m.IntN(5) {
		case 0:
			c.Fold = true
		case 1:
			c.Op = choose(m, evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains)
		case 2:
			c.Attribute, c.Strings = "user", some(m, 3, userPool...)
		}
	case evaluator.AttrInteger:
		c.Ints = some(m, 4, intPool...)
		if m.IntN(2) == 0 {
			from := m.Int64N(100)
			c.Op, c.Ints = evaluator.OpBetween, []int64{from, from + m.Int64N(20)}
		}
	case evaluator.AttrSemver:
		c.Op, c.Strings = evaluator.OpSemver, []string{choose(m, rangePool...)}
	case evaluator.AttrIP:
		c.Op, c.Strings = evaluator.OpCIDR, some(m, 2, networkPool...)
	case evaluator.AttrList:
		c.Op, c.Strings = evaluator.OpAnyOf, some(m, 3, tagPool...)
	case evaluator.AttrBoolean:
		c.Ints = []int64{m.Int64N(2)}
	}
	if m.IntN(4) == 0 {
		return combine(evaluator.OpNot, c)
	}
	return c
}

// bigContext returns somebody with most of the attributes.
func (m *maker) bigContext(attributes []evaluator.Attribute) evaluator.Context {
	ctx := evaluator.Context{Key: "hidden-" + fmt.Sprint(m.IntN(1000)), Now: at}
	for _, a := range attributes[1:] {
		var v evaluator.Value
		switch a.Type {
		case evaluator.AttrString:
			v = evaluator.StringValue(choose(m, cityPool...))
		case evaluator.AttrInteger:
			v = evaluator.IntValue(m.Int64N(100))
		case evaluator.AttrSemver:
			v = evaluator.StringValue(choose(m, versionPool...))
		case evaluator.AttrIP:
			v = evaluator.StringValue(choose(m, addressPool...))
		case evaluator.AttrList:
			v = evaluator.ListValue(some(m, 2, tagPool...)...)
		case evaluator.AttrBoolean:
			v = evaluator.BoolValue(m.IntN(2) == 0)
		}
		if m.IntN(4) > 0 {
			ctx.Attrs = append(ctx.Attrs, evaluator.Attr{Name: a.Name, Value: v})
		}
	}
	return ctx
}

// A bigMaker makes flags of 200 rules in which somebody is hidden: no rule is for them
// unless it is made so.
type bigMaker struct {
	*maker
	t          *testing.T
	attributes []evaluator.Attribute
	hidden     evaluator.Context
}

func (m *bigMaker) payloads(f evaluator.Flag) []bundle.Payload {
	return payloadsOf(evaluator.Ruleset{Unit: "user", Attributes: m.attributes, Flags: []evaluator.Flag{f}})
}

// when returns a condition of three parts that holds for the hidden person, or doesn't.
func (m *bigMaker) when(holds bool) *evaluator.Condition {
	for {
		part := func() evaluator.Condition { return m.bigCondition(m.attributes) }
		when := combine(evaluator.OpAll, part(), part(), part())
		if !slices.ContainsFunc(when.Of, func(c evaluator.Condition) bool { return !m.holds(c) }) == holds {
			return &when
		}
	}
}

// holds reports whether a part of a condition holds for the hidden person.
func (m *bigMaker) holds(c evaluator.Condition) bool {
	if c.Op == evaluator.OpNot {
		return !m.holds(c.Of[0])
	}
	i := slices.IndexFunc(m.attributes, func(a evaluator.Attribute) bool { return a.Name == c.Attribute })
	test, err := c.Holds(m.attributes[i].Type)
	if err != nil {
		m.t.Fatal(err)
	}
	value := evaluator.StringValue(m.hidden.Key)
	if c.Attribute != "user" {
		value = evaluator.Value{}
		for _, a := range m.hidden.Attrs {
			if a.Name == c.Attribute {
				value = a.Value
			}
		}
	}
	return test(value)
}

// flag returns a flag of 200 rules, a third of which are splits.
func (m *bigMaker) flag() evaluator.Flag {
	f := evaluator.Flag{Key: "big", Type: evaluator.KindString, Default: 2}
	for i := range 4 {
		name := fmt.Sprintf("v%d", i)
		f.Variants = append(f.Variants, evaluator.Variant{Name: name, Value: evaluator.StringValue(name)})
	}
	for i := range 200 {
		r := evaluator.Rule{Name: fmt.Sprintf("r%d", i), When: m.when(false), Variant: m.IntN(4)}
		if m.IntN(3) == 0 {
			r.Split = share(20)
		}
		f.Rules = append(f.Rules, r)
	}
	return f
}

// share returns a split by user that serves v1 to so many percent, and otherwise v0.
func share(percent uint64) *evaluator.Split {
	to := evaluator.Positions / 100 * percent
	return &evaluator.Split{
		Bucketing: evaluator.Bucketing{By: "user", Salt: "big", Hash: evaluator.HashMurmur3},
		Ranges:    []evaluator.Range{{To: to, Variant: 1}, {From: to, To: evaluator.Positions}},
	}
}

// bigEdits edit the rule i, which the hidden person gets to before or after.
var bigEdits = map[string]func(m *bigMaker, old, new *evaluator.Flag, i int){
	"one list member": func(m *bigMaker, old, new *evaluator.Flag, i int) {
		m.hidden.Attrs = slices.DeleteFunc(m.hidden.Attrs, func(a evaluator.Attr) bool { return a.Name == "a4" })
		m.hidden.Attrs = append(m.hidden.Attrs, evaluator.Attr{Name: "a4", Value: evaluator.StringValue("Ürümqi")})
		*old = m.flag()
		two := m.when(true).Of[:2]
		list := func(member ...string) *evaluator.Condition {
			when := combine(evaluator.OpAll, append(slices.Clone(two),
				evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "a4", Strings: append(member, "BJ", "SH")})...)
			return &when
		}
		*new = clone(*old)
		old.Rules[i] = evaluator.Rule{Name: "edited", When: list(), Variant: 3}
		new.Rules[i] = evaluator.Rule{Name: "edited", When: list("Ürümqi"), Variant: 3}
	},
	"a share": func(m *bigMaker, old, new *evaluator.Flag, i int) {
		old.Rules[i] = evaluator.Rule{Name: "edited", When: m.when(true), Split: share(20)}
		*new = clone(*old)
		new.Rules[i].Split = share(30)
	},
	"a reordered rule": func(m *bigMaker, old, new *evaluator.Flag, i int) {
		old.Rules[i-7] = evaluator.Rule{Name: "first", When: m.when(true), Variant: 1}
		old.Rules[i] = evaluator.Rule{Name: "second", When: m.when(true), Variant: 3}
		*new = clone(*old)
		new.Rules[i], new.Rules[i-7] = new.Rules[i-7], new.Rules[i]
	},
	"a removed rule": func(m *bigMaker, old, new *evaluator.Flag, i int) {
		old.Rules[i] = evaluator.Rule{Name: "removed", When: m.when(true), Variant: 3}
		*new = clone(*old)
		new.Rules = slices.Delete(new.Rules, i, i+1)
	},
}

func clone(f evaluator.Flag) evaluator.Flag {
	f.Rules = slices.Clone(f.Rules)
	return f
}

// TestBigFlags: a flag of 200 rules over twenty attributes has far too many cases to look
// at all of them, but an edit of one rule has an example or a share nevertheless.
func TestBigFlags(t *testing.T) {
	for name, edit := range bigEdits {
		t.Run(name, func(t *testing.T) {
			count, unknown := uint64(soak.Times(3, 100)), uint64(0)
			for seed := *first; seed < *first+count; seed++ {
				if !bigEditShown(t, seed, edit) {
					unknown++
				}
			}
			if unknown > count/50 {
				t.Errorf("of %d edits, nothing is known of %d", count, unknown)
			}
		})
	}
}

// bigEditShown reports whether an edit has an example or a share.
func bigEditShown(t *testing.T, seed uint64, edit func(m *bigMaker, old, new *evaluator.Flag, i int)) bool {
	m := &bigMaker{maker: newMaker(seed), t: t, attributes: bigAttributes()}
	m.hidden = m.bigContext(m.attributes)
	old := m.flag()
	var new evaluator.Flag
	edit(m, &old, &new, 7+m.IntN(193))
	pair := diff.Pair{Old: m.payloads(old), New: m.payloads(new)}
	start := time.Now()
	flags := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{pair}}).Environments[0].Flags
	if len(flags) != 1 {
		t.Fatalf("seed %d: %d flags differ", seed, len(flags))
	}
	f := flags[0]
	t.Logf("seed %d: %s in %v: %v", seed, f.Verdict, time.Since(start).Round(time.Millisecond), f.Edits)
	for _, e := range f.Examples {
		from := compile(t, pair.Old).Flag("big").Evaluate(&e.Context)
		to := compile(t, pair.New).Flag("big").Evaluate(&e.Context)
		if from.Variant() != e.From || to.Variant() != e.To || e.From == e.To {
			t.Errorf("seed %d: the example %+v gets %s → %s", seed, e, from.Variant(), to.Variant())
		}
	}
	switch f.Verdict {
	case diff.VerdictNobody:
		t.Errorf("seed %d: nobody, after %v", seed, f.Edits)
	case diff.VerdictUnknown:
		t.Logf("seed %d: nothing is known after %v", seed, f.Edits)
		return false
	}
	return true
}
