package evaluator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSymbolLists holds that lists of any length and density have the strings that they
// were given, for one flag, for all flags, and in explanations. The context has more
// attributes than are remembered, in any order, and some twice.
func TestSymbolLists(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const attributes = 3 * memoSize
	set := Ruleset{Unit: "user", Attributes: []Attribute{{Name: "user", Type: AttrString}}}
	for i := range attributes {
		set.Attributes = append(set.Attributes, Attribute{Name: fmt.Sprintf("a%d", i), Type: AttrString})
	}
	word := func(i int) string { return fmt.Sprintf("w%d", i) }
	var conditions []Condition
	for _, n := range []int{1, 2, fewIDs, fewIDs + 1, 8, 9, 63, 64, 65, 200, maxSymbols - 1, maxSymbols,
		maxSymbols + 1} {
		for _, spread := range []int{n, 3 * n, 50 * n} {
			list := make([]string, n)
			for i, j := range random.Perm(spread)[:n] {
				list[i] = word(j)
			}
			for range 2 {
				conditions = append(conditions,
					Condition{Op: OpOneOf, Attribute: fmt.Sprintf("a%d", random.IntN(attributes)), Strings: list})
				list = slices.Clone(list)
				slices.Reverse(list)
			}
		}
	}
	onOff := []Variant{{"off", BoolValue(false)}, {"on", BoolValue(true)}}
	for i := range conditions {
		// The first rule never matches, but looks for another attribute first.
		other := conditions[random.IntN(len(conditions))]
		never := Condition{Op: OpAll, Of: []Condition{other, {Op: OpNot, Of: []Condition{other}}}}
		set.Flags = append(set.Flags, Flag{Key: fmt.Sprintf("f%03d", i), Type: KindBool, Variants: onOff, Rules: []Rule{
			{Name: "never", When: &never, Variant: 0}, {Name: "listed", When: &conditions[i], Variant: 1},
		}})
	}
	program, err := Compile(set)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		ctx := Context{}
		has := map[string]string{}
		for _, i := range random.Perm(attributes)[:random.IntN(attributes)] {
			for range 1 + random.IntN(2) {
				a := NewAttr(fmt.Sprintf("a%d", i), word(random.IntN(1<<random.IntN(16))))
				ctx.Attrs = append(ctx.Attrs, a)
				has[a.Name] = a.Value.str
			}
		}
		var view View
		view.Set(&ctx)
		i := 0
		for f, all := range program.All(&ctx) {
			c := conditions[i]
			text, present := has[c.Attribute]
			want := present && slices.Contains(c.Strings, text)
			for how, got := range map[string]Result{"alone": f.Evaluate(&ctx), "among all": all,
				"through a view": view.Evaluate(f), "again": view.Evaluate(f)} {
				if got.Value() != BoolValue(want) {
					t.Fatalf("%s of %d strings for %q, %s: %v, want %v", c.Attribute, len(c.Strings), text, how,
						got.Value(), want)
				}
			}
			if trace := f.Explain(&ctx); trace.Rules[1].When.Holds != want {
				t.Fatalf("%s of %d strings for %q: the explanation has %v, want %v", c.Attribute, len(c.Strings),
					text, !want, want)
			}
			i++
		}
	}
}

// TestManyAttributes holds that attributes are found wherever they are in a context.
func TestManyAttributes(t *testing.T) {
	when := Condition{Op: OpOneOf, Attribute: "city", Strings: []string{"a", "b", "c", "d", "e"}}
	program, err := Compile(Ruleset{Unit: "user", Attributes: []Attribute{{Name: "user", Type: AttrString},
		{Name: "city", Type: AttrString}}, Flags: []Flag{{Key: "f", Type: KindBool,
		Variants: []Variant{{"off", BoolValue(false)}, {"on", BoolValue(true)}},
		Rules:    []Rule{{Name: "r", When: &when, Variant: 1}, {Name: "again", When: &when}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 1<<16 - 2, 1<<16 - 1, 1 << 16} {
		ctx := Context{Attrs: append(make([]Attr, n), NewAttr("city", "e"))}
		if got := program.Flag("f").Evaluate(&ctx).Variant(); got != "on" {
			t.Errorf("with %d other attributes the variant is %s", n, got)
		}
	}
}
