package evaluator_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/vectors"
)

const vectorsDir = "../testdata/vectors"

func scenarios(t *testing.T) []vectors.Scenario {
	t.Helper()
	list, err := vectors.Scenarios(os.DirFS(vectorsDir))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// contextsOf returns the contexts that a case stands for: one, or where it names
// no time or no chance several.
func contextsOf(t *testing.T, c vectors.Case) []evaluator.Context {
	t.Helper()
	ctx, err := evaluator.DecodeContext(c.Context)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	times, chances := []int64{1_000_000_000, 1_790_000_000, 4_102_444_799}, []uint32{0, 1<<32 - 1}
	if c.Now != nil {
		times = []int64{*c.Now}
	}
	if c.Chance != nil {
		chances = []uint32{*c.Chance}
	}
	ctx.Age = c.Age
	var list []evaluator.Context
	for _, ctx.Now = range times {
		for _, ctx.Chance = range chances {
			list = append(list, ctx)
		}
	}
	return list
}

// check reports a result that isn't what a case wants.
func check(t *testing.T, door string, c vectors.Case, ctx evaluator.Context, r evaluator.Result) {
	t.Helper()
	if got := vectors.AnswerOf(r); !got.Same(c.Want) {
		t.Errorf("%s, %s: flag %s, context %s, now %d, chance %d\ngot  %s\nwant %s", c.Name, door, c.Flag, c.Context,
			ctx.Now, ctx.Chance, got, c.Want)
	}
}

// checkTrace reports a trace that doesn't end in what a case wants. Traces have no
// metadata.
func checkTrace(t *testing.T, c vectors.Case, ctx evaluator.Context, trace evaluator.Trace) {
	t.Helper()
	want := c.Want
	want.Metadata = nil
	got := vectors.Answer{Value: trace.Value.JSON(), Variant: trace.Variant, Reason: trace.Reason.String(),
		Rule: trace.Rule, MissingUnit: trace.MissingUnit, Arm: trace.Arm}
	if !got.Same(want) {
		t.Errorf("%s, explained: flag %s, context %s, now %d, chance %d\ngot  %s\nwant %s", c.Name, c.Flag, c.Context,
			ctx.Now, ctx.Chance, got, want)
	}
	if data, err := json.Marshal(trace); err != nil || !json.Valid(data) || trace.String() == "" {
		t.Errorf("%s, explained: %v: %s", c.Name, err, trace)
	}
}

// TestVectors asks every scenario alone, and all of them as one Program.
func TestVectors(t *testing.T) {
	var sets []evaluator.Ruleset
	var units []*evaluator.Module
	list := scenarios(t)
	for _, s := range list {
		unit, err := evaluator.CompileModule(s.Ruleset)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		units = append(units, unit)
		sets = append(sets, s.Ruleset)
	}
	compiled, err := evaluator.Compile(sets...)
	if err != nil {
		t.Fatal(err)
	}
	linked, err := evaluator.Link(units...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		t.Run(s.Name, func(t *testing.T) {
			alone, err := evaluator.Compile(s.Ruleset)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range s.Cases {
				for _, ctx := range contextsOf(t, c) {
					check(t, "alone", c, ctx, alone.Flag(c.Flag).Evaluate(&ctx))
					check(t, "compiled with others", c, ctx, compiled.Flag(c.Flag).Evaluate(&ctx))
					check(t, "linked with others", c, ctx, linked.Flag(c.Flag).Evaluate(&ctx))
					check(t, "among all", c, ctx, among(alone, c.Flag, ctx))
					checkTrace(t, c, ctx, alone.Flag(c.Flag).Explain(&ctx))
				}
			}
			if !t.Failed() {
				inputs(t, s, alone)
			}
		})
	}
}

// among asks for all flags, and returns the answer of one.
func among(p *evaluator.Program, key string, ctx evaluator.Context) (result evaluator.Result) {
	for f, r := range p.All(&ctx) {
		if f.Key() == key {
			result = r
		}
	}
	return result
}

// inputs holds what flags say of time and chance: that they use them, if a case
// names them and another time, or another position, has another answer.
func inputs(t *testing.T, s vectors.Scenario, p *evaluator.Program) {
	for _, c := range s.Cases {
		f := p.Flag(c.Flag)
		if f == nil {
			continue
		}
		for _, ctx := range contextsOf(t, c) {
			later, drawn, older := ctx, ctx, ctx
			older.Age += 1 << 40
			if !f.UsesAge() && f.Evaluate(&older) != f.Evaluate(&ctx) {
				t.Errorf("%s: the flag depends on age and doesn't say so", c.Flag)
			}
			later.Now += 1 << 20
			drawn.Chance = ^ctx.Chance
			if !f.UsesTime() && f.Evaluate(&later) != f.Evaluate(&ctx) {
				t.Errorf("%s: the flag depends on time and doesn't say so", c.Flag)
			}
			if !f.UsesChance() && f.Evaluate(&drawn) != f.Evaluate(&ctx) {
				t.Errorf("%s: the flag depends on chance and doesn't say so", c.Flag)
			}
		}
	}
}

// TestVectorPositions finds the position of every unit exactly: the positions
// below it, it alone, and those above it have variants of their own.
func TestVectorPositions(t *testing.T) {
	rows, err := vectors.Positions(os.DirFS(vectorsDir))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 10_000 {
		t.Errorf("there are %d positions only", len(rows))
	}
	set := evaluator.Ruleset{Unit: "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}}}
	for i, row := range rows {
		set.Flags = append(set.Flags, around(fmt.Sprintf("row-%d", i), row.Bucketing(), row.Position))
	}
	p, err := evaluator.Compile(set)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range set.Flags {
		row, ctx := rows[i], evaluator.Context{Key: rows[i].Unit}
		r := p.Flag(f.Key).Evaluate(&ctx)
		if row.Unit == "" { // of the hash alone: nobody is no unit
			if r.MissingUnit() != "user" {
				t.Errorf("line %d: an empty unit is served %s", i+1, r.Variant())
			}
			continue
		}
		if r.Variant() != "at" || r.Reason() != evaluator.ReasonSplit {
			t.Errorf("line %d: unit %.60q, salt %.60q: the position is %s %d", i+1, row.Unit, row.Salt,
				cmp.Or(r.Variant(), "not found,"), row.Position)
		}
	}
}

// around returns a flag that tells one position from those below and above.
func around(key string, b evaluator.Bucketing, position uint64) evaluator.Flag {
	ranges := []evaluator.Range{{From: 0, To: position, Variant: 0}, {From: position, To: position + 1, Variant: 1},
		{From: position + 1, To: b.Total(), Variant: 2}}
	ranges = slices.DeleteFunc(ranges, func(r evaluator.Range) bool { return r.From == r.To })
	return evaluator.Flag{
		Key: key, Type: evaluator.KindInt,
		Variants: []evaluator.Variant{
			{Name: "above", Value: evaluator.IntValue(-1)}, {Name: "at", Value: evaluator.IntValue(0)}, {Name: "below", Value: evaluator.IntValue(1)},
		},
		Rules: []evaluator.Rule{{Name: "all", Split: &evaluator.Split{Bucketing: b, Ranges: ranges}}},
	}
}
