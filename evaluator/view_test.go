package evaluator_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// viewProgram returns flags of several modules, more than a view remembers. Each asks for
// a city and a plan out of lists.
func viewProgram(t testing.TB, flags int) *evaluator.Program {
	t.Helper()
	var sets []evaluator.Ruleset
	for i := range 5 {
		set := evaluator.Ruleset{Unit: "user", Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString}, {Name: "city", Type: evaluator.AttrString}, {Name: "plan", Type: evaluator.AttrString},
		}}
		for j := range flags {
			list := func(what string) *evaluator.Condition {
				c := &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: what}
				for k := range 10 {
					c.Strings = append(c.Strings, fmt.Sprintf("%s-%d", what, (3*k+i+j)%40))
				}
				return c
			}
			set.Flags = append(set.Flags, evaluator.Flag{Key: fmt.Sprintf("f-%d-%d", i, j), Type: evaluator.KindInt,
				Variants: []evaluator.Variant{{Name: "none", Value: evaluator.IntValue(0)},
					{Name: "city", Value: evaluator.IntValue(1)}, {Name: "plan", Value: evaluator.IntValue(2)}},
				Rules: []evaluator.Rule{{Name: "city", When: list("city"), Variant: 1},
					{Name: "plan", When: list("plan"), Variant: 2}}})
		}
		sets = append(sets, set)
	}
	program, err := evaluator.Compile(sets...)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func viewContext(i int) evaluator.Context {
	return evaluator.Context{Key: fmt.Sprint("u-", i), Attrs: []evaluator.Attr{
		evaluator.NewAttr("plan", fmt.Sprint("plan-", i%40)), evaluator.NewAttr("unused", true),
		evaluator.NewAttr("city", fmt.Sprint("city-", i/40%40)),
	}}
}

// TestConcurrentView holds that goroutines can share a view.
func TestConcurrentView(t *testing.T) {
	program := viewProgram(t, 4)
	for i := range 100 {
		ctx := viewContext(i)
		var view evaluator.View
		view.Set(&ctx)
		var goroutines sync.WaitGroup
		for range 4 {
			goroutines.Go(func() {
				for f := range program.Flags() {
					if got, want := view.Evaluate(f), f.Evaluate(&ctx); got != want {
						t.Errorf("%s: %v through the view, %v without", f.Key(), got.Value(), want.Value())
					}
				}
			})
		}
		goroutines.Wait()
	}
}

// TestViewCopies holds that a view doesn't depend on what happens to the slice of
// attributes that it was given.
func TestViewCopies(t *testing.T) {
	program := viewProgram(t, 4)
	for _, more := range []int{0, 3, 4, 20} {
		ctx := viewContext(1234)
		for i := range more {
			ctx.Attrs = append(ctx.Attrs, evaluator.NewAttr(fmt.Sprint("more-", i), i))
		}
		want := program.Flag("f-0-0").Evaluate(&ctx)
		var view evaluator.View
		view.Set(&ctx)
		clear(ctx.Attrs)
		if got := view.Evaluate(program.Flag("f-0-0")); got != want {
			t.Errorf("with %d attributes: %v, want %v", 3+more, got.Value(), want.Value())
		}
	}
}

// TestViewChance holds that a flag by chance can be drawn again in a view.
func TestViewChance(t *testing.T) {
	program, err := evaluator.Compile(evaluator.Ruleset{Unit: "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		Flags: []evaluator.Flag{{Key: "f", Type: evaluator.KindBool,
			Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
				{Name: "on", Value: evaluator.BoolValue(true)}},
			Rules: []evaluator.Rule{{Name: "half", Split: &evaluator.Split{Ranges: []evaluator.Range{
				{From: 0, To: evaluator.Positions / 2, Variant: 1},
				{From: evaluator.Positions / 2, To: evaluator.Positions, Variant: 0}}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var view evaluator.View
	view.Set(&evaluator.Context{Chance: 1 << 31})
	f := program.Flag("f")
	for want, got := range map[string]evaluator.Result{"off": view.Evaluate(f), "on": view.EvaluateChance(f, 0)} {
		if got.Variant() != want {
			t.Errorf("got %s, want %s", got.Variant(), want)
		}
	}
}

// BenchmarkView evaluates 20 flags of one module.
func BenchmarkView(b *testing.B) {
	program := viewProgram(b, 20)
	ctx := viewContext(1234)
	flags := slices.Collect(program.Flags())[:20]
	b.Run("without", func(b *testing.B) {
		for b.Loop() {
			for _, f := range flags {
				f.Evaluate(&ctx)
			}
		}
	})
	b.Run("through", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			view := new(evaluator.View)
			view.Set(&ctx)
			for _, f := range flags {
				view.Evaluate(f)
			}
		}
	})
}
