package evaluator_test

import (
	"fmt"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestSharing compiles so many lists that many of them have the same hash, and
// differ at one place only: none may stand for another.
func TestSharing(t *testing.T) {
	const rules, base = 3000, 15
	set := evaluator.Ruleset{Unit: "user", Attributes: []evaluator.Attribute{
		{Name: "user", Type: evaluator.AttrString}, {Name: "city", Type: evaluator.AttrString}, {Name: "uid", Type: evaluator.AttrInteger},
	}}
	f := evaluator.Flag{Key: "f", Type: evaluator.KindInt}
	for i := range base {
		f.Variants = append(f.Variants, evaluator.Variant{Name: fmt.Sprint(i), Value: evaluator.IntValue(int64(i))})
	}
	digits := func(i int) [3]int { return [3]int{i % base, i / base % base, i / base / base} }
	for i := range rules {
		when := evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{
			{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{"everywhere", fmt.Sprint("c-", i)}},
			{Op: evaluator.OpBetween, Attribute: "uid", Ints: []int64{int64(i), rules}},
		}}
		if i%3 == 0 { // of another shape
			when.Of = append(when.Of,
				evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{fmt.Sprint("c-", i)}})
		}
		split := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "s", Hash: evaluator.HashMurmur3}}
		for j, variant := range digits(i) {
			const third = evaluator.Positions / 3
			split.Ranges = append(split.Ranges,
				evaluator.Range{From: uint64(j) * third, To: uint64(j+1) * third, Variant: variant})
		}
		split.Ranges[2].To = evaluator.Positions
		f.Rules = append(f.Rules, evaluator.Rule{Name: fmt.Sprint(i), When: &when, Split: split})
	}
	set.Flags = []evaluator.Flag{f}
	p, err := evaluator.Compile(set)
	if err != nil {
		t.Fatal(err)
	}
	var third [3]int // how many users are in each
	for user := range 12 {
		ctx := evaluator.Context{Key: fmt.Sprint("user-", user)}
		in := -1
		for i := rules - 1; i > rules-20; i-- {
			for _, uid := range []int{i - 1, i} {
				ctx.Attrs = []evaluator.Attr{evaluator.NewAttr("city", fmt.Sprint("c-", i)),
					evaluator.NewAttr("uid", int64(uid))}
				r := p.Flag("f").Evaluate(&ctx)
				if uid < i {
					if r.Rule() != "" {
						t.Fatalf("below rule %d: rule %q matches", i, r.Rule())
					}
					continue
				}
				value, _ := r.Value().Int()
				if in < 0 { // the digits of this one are different
					in = indexOf(digits(i), int(value))
					third[in]++
				}
				if r.Rule() != fmt.Sprint(i) || int(value) != digits(i)[in] {
					t.Fatalf("rule %d: got %d by rule %q, want %d", i, value, r.Rule(), digits(i)[in])
				}
				if user > 0 {
					continue
				}
				for j, rule := range p.Flag("f").Explain(&ctx).Rules[:i+1] {
					if n := len(rule.When.Of); n != 2 && j%3 != 0 || n != 3 && j%3 == 0 {
						t.Fatalf("rule %d: the condition is explained as one of %d", j, n)
					}
				}
			}
		}
	}
	for i, n := range third {
		if n == 0 {
			t.Errorf("none of the users is in third %d", i)
		}
	}
	// The same variants are checked for each type.
	set.Flags = []evaluator.Flag{boolean("a", evaluator.Condition{Op: evaluator.OpAll}),
		boolean("b", evaluator.Condition{Op: evaluator.OpAll})}
	set.Flags[1].Type = evaluator.KindString
	if _, err := evaluator.Compile(set); err == nil {
		t.Error("a flag of texts may serve booleans, after another that has the same")
	}
}

func indexOf(list [3]int, n int) int {
	for i := range list {
		if list[i] == n {
			return i
		}
	}
	return 0
}
