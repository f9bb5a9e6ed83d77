package evaluator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// sieveAttributes are more than a View remembers.
var sieveAttributes = []Attribute{
	{Name: "user", Type: AttrString}, {Name: "city", Type: AttrString}, {Name: "plan", Type: AttrString},
	{Name: "age", Type: AttrInteger}, {Name: "floor", Type: AttrInteger}, {Name: "version", Type: AttrSemver},
	{Name: "client", Type: AttrSemverV}, {Name: "tags", Type: AttrList}, {Name: "ip", Type: AttrIP},
	{Name: "beta", Type: AttrBoolean}, {Name: "price", Type: AttrNumber},
}

var sieveBounds = []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 7, math.MaxInt64 - 1, math.MaxInt64}

// sieveCondition returns a condition, most of whose comparisons a sieve can make.
func sieveCondition(r *rand.Rand, depth int) Condition {
	if depth > 0 && r.IntN(3) == 0 {
		of := make([]Condition, r.IntN(4))
		for i := range of {
			of[i] = sieveCondition(r, depth-1)
		}
		switch r.IntN(3) {
		case 0:
			return Condition{Op: OpAll, Of: of}
		case 1:
			return Condition{Op: OpAny, Of: of}
		}
		return not(sieveCondition(r, depth-1))
	}
	word := func() string { return fmt.Sprint("w", r.IntN(12)) }
	switch r.IntN(9) {
	case 0:
		return is("user", word())
	case 1, 2:
		list := make([]string, 1+r.IntN(8))
		for i := range list {
			list[i] = word()
		}
		return is([]string{"city", "plan"}[r.IntN(2)], list...)
	case 3, 4:
		lo, hi := sieveBounds[r.IntN(len(sieveBounds))], sieveBounds[r.IntN(len(sieveBounds))]
		return numbers(OpBetween, []string{"age", "floor"}[r.IntN(2)], min(lo, hi), max(lo, hi))
	case 5, 6:
		constraint := []string{">=1.2", "<2", ">1 <1.5", ">2 <1", "=0", ">=0", "<0-0"}[r.IntN(7)]
		return texts(OpSemver, []string{"version", "client"}[r.IntN(2)], constraint)
	case 7:
		return texts(OpPrefix, "city", "w1")
	}
	return Condition{Op: OpExists, Attribute: sieveAttributes[r.IntN(len(sieveAttributes))].Name}
}

func sieveContext(r *rand.Rand) Context {
	var ctx Context
	if r.IntN(4) > 0 {
		ctx.Key = fmt.Sprint("w", r.IntN(14))
	}
	for range r.IntN(8) {
		name := sieveAttributes[r.IntN(len(sieveAttributes))].Name
		switch r.IntN(4) {
		case 0:
			ctx.Attrs = append(ctx.Attrs, NewAttr(name, fmt.Sprint("w", r.IntN(14))))
		case 1:
			ctx.Attrs = append(ctx.Attrs, NewAttr(name, sieveBounds[r.IntN(len(sieveBounds))]))
		case 2:
			ctx.Attrs = append(ctx.Attrs,
				NewAttr(name, []string{"1", "v1.2.0", "0.0.0-0", "3000000.0.0", "1.4.9-rc.1", ""}[r.IntN(6)]))
		case 3:
			ctx.Attrs = append(ctx.Attrs, NewAttr(name, 1.5))
		}
	}
	return ctx
}

// walked is the result of a walk from the first instruction on, without any shortcut.
func walked(f *CompiledFlag, ctx *Context) Result {
	var memos [memoSize]memo
	e := evaluation{ctx: ctx, memos: &memos}
	s, variant, missing := e.walk(f.module, f.entry)
	return Result{f, s, variant, missing}
}

// TestSieve holds that a flag, a View and All answer as a walk without a sieve does, and that most
// flags have one.
func TestSieve(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sifting, longer, listed := 0, 0, 0
	const rounds = 3000
	for round := range rounds {
		set := Ruleset{Unit: "user", Attributes: sieveAttributes, Flags: []Flag{{Key: "f", Type: KindInt}}}
		f := &set.Flags[0]
		for i := range 1 + r.IntN(20) {
			when := sieveCondition(r, 3)
			rule := Rule{Name: fmt.Sprint("r", i), When: &when, Variant: i}
			if r.IntN(8) == 0 { // needs another attribute, and leaves those without to the next rule
				rule.Split = &Split{
					Bucketing: Bucketing{By: "city", Salt: "s", Hash: HashMurmur3},
					Ranges:    []Range{{0, Positions, i}},
				}
			}
			if r.IntN(20) == 0 {
				rule.When = nil
			}
			if i == 0 && r.IntN(4) == 0 { // begins with a list of targeting keys
				ids := is("user", "w0", "w2", "w4", "w6", "w8", "w10")
				rule.When = &ids
			}
			f.Rules = append(f.Rules, rule)
			f.Variants = append(f.Variants, Variant{fmt.Sprint("v", i), IntValue(int64(i))})
		}
		if r.IntN(10) == 0 {
			f.Stale = &Staleness{After: 10}
		}
		program := compile(t, set)
		flag := program.Flag("f")
		if flag.sieve().start != noSieve && flag.list != nil {
			listed++
		}
		switch parts := len(flag.sieve().parts); {
		case parts > 1:
			longer++
			fallthrough
		case parts > 0:
			sifting++
		}
		for range 20 {
			ctx := sieveContext(r)
			var view View
			view.Set(&ctx)
			want := walked(flag, &ctx)
			answers := map[string]Result{"through a view": view.Evaluate(flag), "alone": flag.Evaluate(&ctx)}
			for _, answers["of all"] = range program.All(&ctx) {
			}
			for how, got := range answers {
				if got != want {
					t.Fatalf("round %d: %+v\n%v %s, %v by a walk", round, ctx, got.Variant(), how, want.Variant())
				}
			}
		}
	}
	if sifting < rounds/2 || longer < rounds/50 || listed < rounds/50 {
		t.Errorf("of %d flags, %d have a sieve, %d one of several parts, %d one behind a list; the test has lost sight "+
			"of them", rounds, sifting, longer, listed)
	}
}

// TestSieveOfManyComparisons holds that a rule may compare an attribute very often.
func TestSieveOfManyComparisons(t *testing.T) {
	for _, n := range []int64{255, 256, 257, 512} {
		all := Condition{Op: OpAll}
		for i := range n {
			all.Of = append(all.Of, numbers(OpBetween, "uid", i, math.MaxInt64))
		}
		flag := compile(t, gate(&all)).Flag("gate")
		if flag.sieve().start == noSieve {
			t.Fatalf("%d comparisons: the flag has no sieve", n)
		}
		for _, uid := range []int64{0, n - 2, n - 1} {
			ctx := Context{Attrs: []Attr{NewAttr("uid", uid)}}
			var view View
			view.Set(&ctx)
			want := walked(flag, &ctx)
			if got := view.Evaluate(flag); got != want {
				t.Errorf("%d comparisons, %d: %v in a view, %v by a walk", n, uid, got.Variant(), want.Variant())
			}
			if got := flag.Evaluate(&ctx); got != want {
				t.Errorf("%d comparisons, %d: %v, %v by a walk", n, uid, got.Variant(), want.Variant())
			}
		}
	}
}

// TestSieveOfWideLists holds that lists whose symbols are far apart take no mask for each
// symbol between them.
func TestSieveOfWideLists(t *testing.T) {
	words := make([]string, maxSymbols)
	for i := range words {
		words[i] = fmt.Sprint("w", i)
	}
	all, ends := is("city", words...), is("city", words[0], words[len(words)-1], "x", "y", "z")
	set := gate(&all)
	set.Flags = append(set.Flags, Flag{Key: "wide", Type: KindBool, Variants: set.Flags[0].Variants,
		Rules: []Rule{{Name: "r", When: &ends}}})
	set.Flags[0].Key = "all"
	program := compile(t, set)
	if s := program.Flag("all").sieve(); len(s.parts) != 1 || len(s.parts[0].masks) != maxSymbols+1 {
		t.Errorf("the sieve of a dense list is %+v", s)
	}
	if s := program.Flag("wide").sieve(); s.start != noSieve {
		t.Errorf("the sieve of a wide list is %+v", s)
	}
}

// TestRanks holds that Views remember the attributes with the most comparisons.
func TestRanks(t *testing.T) {
	set := Ruleset{Unit: "user", Attributes: []Attribute{{Name: "user", Type: AttrString}}, Flags: []Flag{{
		Key: "f", Type: KindBool, Variants: []Variant{{"on", BoolValue(true)}},
	}}}
	for i := range 20 {
		name := fmt.Sprint("a", i)
		set.Attributes = append(set.Attributes, Attribute{Name: name, Type: AttrString})
		for j := range i {
			when := is(name, "x")
			set.Flags[0].Rules = append(set.Flags[0].Rules, Rule{Name: fmt.Sprint(i, " ", j), When: &when})
		}
	}
	mod := compile(t, set).modules[0]
	var got []uint16
	for _, r := range mod.ranked {
		got = append(got, r.attribute)
	}
	if want := []uint16{20, 19, 18, 17, 16, 15, 14, 13}; !slices.Equal(got, want) {
		t.Errorf("ranked: %v, want %v", got, want)
	}
}
