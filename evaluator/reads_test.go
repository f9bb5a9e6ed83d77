package evaluator_test

import (
	"slices"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestReads holds that attributes that a flag doesn't read never matter, and that most of
// those that it reads are tested by something: in rulesets of every kind.
func TestReads(t *testing.T) {
	pools := newPools()
	dropped := 0
	for i := range 2000 {
		g := &generator{next: byRandom(7, uint64(i)), pools: pools}
		program, err := evaluator.Compile(g.rulesets()...)
		if err != nil {
			t.Fatal(err)
		}
		for f := range program.Flags() {
			reads := f.Reads()
			if !slices.IsSorted(reads) {
				t.Fatalf("%s reads %q", f.Key(), reads)
			}
			full := g.context()
			less := full
			less.Attrs = slices.DeleteFunc(slices.Clone(full.Attrs),
				func(a evaluator.Attr) bool { return !slices.Contains(reads, a.Name) })
			if !slices.Contains(reads, program.Unit()) {
				less.Key = ""
			}
			dropped += len(full.Attrs) - len(less.Attrs)
			if want, got := f.Evaluate(&full), f.Evaluate(&less); got != want {
				t.Fatalf("ruleset %d: %s reads %q, but serves %v without others in place of %v", i, f.Key(),
					reads, got, want)
			}
		}
	}
	if dropped < 1000 {
		t.Errorf("only %d attributes were left out in all", dropped)
	}
}

func TestReadsOfEachKind(t *testing.T) {
	thirty := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "device", Salt: "x", Hash: evaluator.HashMurmur3},
		Ranges: []evaluator.Range{{To: evaluator.Positions / 2},
			{From: evaluator.Positions / 2, To: evaluator.Positions, Variant: 1}}}
	is := func(name string) *evaluator.Condition {
		return &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: name, Strings: []string{"x"}}
	}
	flag := func(key string, rules ...evaluator.Rule) evaluator.Flag {
		for i := range rules {
			rules[i].Name = string(rune('a' + i))
		}
		return evaluator.Flag{Key: key, Type: evaluator.KindBool, Rules: rules, Variants: []evaluator.Variant{
			{Name: "off", Value: evaluator.BoolValue(false)}, {Name: "on", Value: evaluator.BoolValue(true)}}}
	}
	var attributes []evaluator.Attribute
	for _, name := range []string{"user", "device", "city", "plan", "os", "unused"} {
		attributes = append(attributes, evaluator.Attribute{Name: name, Type: evaluator.AttrString})
	}
	program, err := evaluator.Compile(evaluator.Ruleset{Unit: "user", Attributes: attributes,
		Segments: []evaluator.Segment{{Name: "staff", Include: []string{"u-1"}, When: is("plan")}},
		Flags: []evaluator.Flag{
			flag("static"),
			flag("split", evaluator.Rule{Split: thirty}),
			flag("rule", evaluator.Rule{When: is("city"), Variant: 1}),
			flag("segment", evaluator.Rule{When: &evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user",
				Strings: []string{"staff"}}}),
			flag("chance", evaluator.Rule{Split: &evaluator.Split{Ranges: thirty.Ranges}}),
			flag("prerequisite",
				evaluator.Rule{When: &evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{*is("os"),
					{Op: evaluator.OpServes, Strings: []string{"rule", "on"}}}}, Split: thirty}),
		}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][]string{
		"static": nil, "split": {"device"}, "rule": {"city"}, "segment": {"plan", "user"}, "chance": nil,
		"prerequisite": {"city", "device", "os"},
	} {
		if got := program.Flag(key).Reads(); !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want %q", key, got, want)
		}
	}
	if got := program.Flag("absent").Reads(); got != nil {
		t.Errorf("a flag that doesn't exist reads %q", got)
	}
}
