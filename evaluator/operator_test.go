package evaluator_test

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/evaluator"
)

// operators returns all operators.
func operators() []evaluator.Op {
	var list []evaluator.Op
	for op := evaluator.OpAll; !strings.HasPrefix(op.String(), "Op("); op++ {
		list = append(list, op)
	}
	return list
}

// TestNames holds that enums are read as they are written.
func TestNames(t *testing.T) {
	check := func(v fmt.Stringer, read encoding.TextUnmarshaler) {
		t.Helper()
		if err := read.UnmarshalText([]byte(v.String())); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(read); got != v.String() {
			t.Errorf("%q was read as %q", v, got)
		}
		for _, wrong := range []string{"", "x", "comparison", v.String() + " "} {
			if err := read.UnmarshalText([]byte(wrong)); err == nil {
				t.Errorf("%T has a value %q", v, wrong)
			}
		}
	}
	for _, op := range operators() {
		check(op, new(evaluator.Op))
	}
	for typ := evaluator.AttrString; typ <= evaluator.AttrNumber; typ++ {
		check(typ, new(evaluator.AttributeType))
	}
	for typ := evaluator.KindBool; typ <= evaluator.KindObject; typ++ {
		check(typ, new(evaluator.Kind))
	}
}

// TestHolds holds Condition.Holds to what flags serve, for random conditions and
// values.
func TestHolds(t *testing.T) {
	pools := newPools()
	compared := make(map[evaluator.Op]int)
	for i := range 1000 {
		g := &generator{next: byRandom(11, uint64(i)), pools: pools}
		op := operators()[i%len(operators())]
		c := evaluator.Condition{Op: op}
		if !op.Combines() && op != evaluator.OpInSegment && op != evaluator.OpPeriod && op != evaluator.OpWindow &&
			op != evaluator.OpServes {
			c = g.comparison(op)
		}
		typ := typeOf(c.Attribute)
		holds, err := c.Holds(typ)
		if err != nil {
			if c.Check(typ) == nil && c.Attribute != "" {
				t.Fatalf("%v: %v", c, err)
			}
			continue
		}
		compared[op]++
		unit, declared := evaluator.Attribute{Name: "id", Type: evaluator.AttrString},
			evaluator.Attribute{Name: c.Attribute, Type: typ}
		program, err := evaluator.Compile(evaluator.Ruleset{Unit: "id",
			Attributes: []evaluator.Attribute{unit, declared}, Flags: []evaluator.Flag{{
				Key: "f", Type: evaluator.KindBool, Variants: []evaluator.Variant{
					{Name: "no", Value: evaluator.BoolValue(false)}, {Name: "yes", Value: evaluator.BoolValue(true)},
				}, Rules: []evaluator.Rule{{Name: "r", When: &c, Variant: 1}},
			}}})
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		for range 10 {
			v := g.value(typ)
			ctx := evaluator.Context{Attrs: []evaluator.Attr{{Name: c.Attribute, Value: v}}}
			want, _ := program.Flag("f").Evaluate(&ctx).Value().Bool()
			if got := holds(v); got != want {
				t.Fatalf("%+v holds for %s: got %v, want %v", c, v.JSON(), got, want)
			}
		}
	}
	for _, op := range operators() {
		alone := !op.Combines() && !slices.Contains([]evaluator.Op{evaluator.OpInSegment, evaluator.OpPeriod,
			evaluator.OpWindow, evaluator.OpServes}, op)
		if alone != (compared[op] > 0) {
			t.Errorf("%v was compared %d times", op, compared[op])
		}
	}
}

func typeOf(attribute string) evaluator.AttributeType {
	for _, a := range declared() {
		if a.Name == attribute {
			return a.Type
		}
	}
	return 0
}

// TestCanonical holds that conditions whose lists were shuffled and repeated become
// the same where that means nothing, and only there.
func TestCanonical(t *testing.T) {
	texts := func(op evaluator.Op, list ...string) evaluator.Condition {
		return evaluator.Condition{Op: op, Attribute: "x", Strings: list}
	}
	ints := func(op evaluator.Op, list ...int64) evaluator.Condition {
		return evaluator.Condition{Op: op, Attribute: "x", Ints: list}
	}
	for _, tt := range []struct{ c, want evaluator.Condition }{
		{texts(evaluator.OpOneOf, "b", "a", "b"), texts(evaluator.OpOneOf, "a", "b")},
		{ints(evaluator.OpOneOf, 2, 1, 2), ints(evaluator.OpOneOf, 1, 2)},
		{ints(evaluator.OpModulo, 9, 3, 1, 3), ints(evaluator.OpModulo, 9, 1, 3)},
		{ints(evaluator.OpModulo, 9, 3), ints(evaluator.OpModulo, 9, 3)},
		{texts(evaluator.OpCIDR, "b", "a"), texts(evaluator.OpCIDR, "a", "b")},
		{texts(evaluator.OpAllOf, "b", "a", "a"), texts(evaluator.OpAllOf, "a", "b")},
		{texts(evaluator.OpMatches, "b", "a"), texts(evaluator.OpMatches, "a", "b")},
		{texts(evaluator.OpServes, "f", "b", "a"), texts(evaluator.OpServes, "f", "a", "b")},
		{texts(evaluator.OpIPBetween, "b", "a"), texts(evaluator.OpIPBetween, "b", "a")},
		{texts(evaluator.OpBucket, "unleash", "a"), texts(evaluator.OpBucket, "unleash", "a")},
		{ints(evaluator.OpBucket, 100, 9, 7), ints(evaluator.OpBucket, 100, 9, 7)},
		{texts(200, "b", "a"), texts(200, "b", "a")},
	} {
		list := slices.Clone(tt.c.Strings)
		if diff := cmp.Diff(tt.want, tt.c.Canonical()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.c, diff)
		}
		if !slices.Equal(list, tt.c.Strings) {
			t.Errorf("%v was changed to %v", list, tt.c.Strings)
		}
	}
}

// TestOnly holds that parts of random rulesets give the same answers as the whole,
// and have nothing that nobody needs.
func TestOnly(t *testing.T) {
	pools := newPools()
	for i := range 200 {
		g := &generator{next: byRandom(12, uint64(i)), pools: pools}
		for _, set := range g.rulesets() {
			if len(set.Flags) == 0 {
				continue
			}
			key := pick(g, set.Flags).Key
			part := set.Only(key, "no such flag")
			whole, err := evaluator.Compile(set)
			if err != nil {
				t.Fatal(err)
			}
			small, err := evaluator.Compile(part)
			if err != nil {
				t.Fatalf("a part doesn't compile: %v", err)
			}
			if keys := small.Keys(); len(keys) != 1 || keys[0] != key {
				t.Fatalf("a part of %q has the flags %q", key, keys)
			}
			ctx := g.context()
			want, got := whole.Flag(key).Explain(&ctx), small.Flag(key).Explain(&ctx)
			if want.String() != got.String() {
				t.Fatalf("alone, the flag answers\n%swith others\n%s", got, want)
			}
			if again := part.Only(key); !reflect.DeepEqual(part, again) {
				t.Fatal("a part of a part is smaller")
			}
			minimal(t, part)
		}
	}
}

// minimal holds that a ruleset of one flag doesn't compile without any of the things
// that the flag refers to.
func minimal(t *testing.T, part evaluator.Ruleset) {
	t.Helper()
	refuses := func(what string, change func(*evaluator.Ruleset)) {
		t.Helper()
		less := part
		change(&less)
		if _, err := evaluator.Compile(less); err == nil {
			t.Fatalf("a part of %q has %s that it does without", part.Flags[0].Key, what)
		}
	}
	for i := range part.Attributes {
		refuses("an attribute",
			func(r *evaluator.Ruleset) { r.Attributes = slices.Delete(slices.Clone(r.Attributes), i, i+1) })
	}
	for i := range part.Zones {
		refuses("a zone", func(r *evaluator.Ruleset) { r.Zones = slices.Delete(slices.Clone(r.Zones), i, i+1) })
	}
	for i := range part.Segments {
		refuses("a segment",
			func(r *evaluator.Ruleset) { r.Segments = slices.Delete(slices.Clone(r.Segments), i, i+1) })
	}
	for i := range part.Prerequisites {
		refuses("a prerequisite",
			func(r *evaluator.Ruleset) { r.Prerequisites = slices.Delete(slices.Clone(r.Prerequisites), i, i+1) })
	}
}

// TestWalk holds the order of Walk, and that it can be left.
func TestWalk(t *testing.T) {
	c := &evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{
		{Op: evaluator.OpNot, Of: []evaluator.Condition{{Op: evaluator.OpExists, Attribute: "a"}}}, {Op: evaluator.OpExists, Attribute: "b"},
	}}
	var got []string
	for c := range c.Walk() {
		got = append(got, c.Op.String()+c.Attribute)
	}
	if want := []string{"all", "not", "existsa", "existsb"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for c := range c.Walk() {
		if c.Op == evaluator.OpNot {
			break
		}
	}
	for range (*evaluator.Condition)(nil).Walk() {
		t.Error("a nil condition has conditions")
	}
}
