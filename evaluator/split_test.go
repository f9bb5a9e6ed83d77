package evaluator

import (
	"fmt"
	"testing"
)

// splitOf returns a unit with a flag whose split has n ranges, of two variants in
// turn, which get longer and longer.
func splitOf(t testing.TB, n uint64) (*Module, []Range) {
	var ranges []Range
	var from uint64
	for i := range n {
		to := Positions * (i + 1) * (i + 1) / (n * n)
		ranges = append(ranges, Range{from, to, int(i % 2)})
		from = to
	}
	f := Flag{Key: "f", Type: KindBool, Variants: []Variant{{"on", BoolValue(true)}, {"off", BoolValue(false)}}}
	f.Rules = []Rule{{Name: "r",
		Split: &Split{Bucketing: Bucketing{By: "user", Salt: "f", Hash: HashMurmur3}, Ranges: ranges}}}
	mod, err := CompileModule(Ruleset{Unit: "user", Attributes: []Attribute{{Name: "user", Type: AttrString}},
		Flags: []Flag{f}})
	if err != nil {
		t.Fatal(err)
	}
	return mod, ranges
}

// TestManyRanges holds that both ends of every range belong to its variant, however
// many there are.
func TestManyRanges(t *testing.T) {
	for n := uint64(1); n <= 100; n++ {
		mod, ranges := splitOf(t, n)
		s := &mod.serves[len(mod.serves)-1]
		for i, r := range ranges {
			for _, position := range []uint64{r.From, r.To - 1} {
				if got := mod.pick(s, uint32(position), 0); int(got) != r.Variant {
					t.Errorf("of %d ranges, number %d has %d, but it picks %d", n, i, position, got)
				}
			}
		}
	}
}

// TestArm holds who is on which side of a guarded ramp, by either kind of hash, and that
// nobody else is on one.
func TestArm(t *testing.T) {
	for _, hash := range []string{HashMurmur3, "unleash"} {
		total := Bucketing{Hash: hash}.Total()
		ramp := func(guarded bool, level uint64) *Split {
			return &Split{Bucketing: Bucketing{By: "user", Salt: "f", Hash: hash},
				Ramp: &Ramp{Variant: 1, Points: []Point{{At: 100, Level: level}}, Guarded: guarded}}
		}
		for _, c := range []struct {
			name  string
			split *Split
			ctx   Context
			want  string
		}{
			{"everybody has it", ramp(true, total), Context{Attrs: []Attr{NewAttr("user", "u")}, Now: 100}, "new"},
			{"nobody has it yet", ramp(true, total), Context{Attrs: []Attr{NewAttr("user", "u")}, Now: 99}, "rest"},
			{"nobody has it", ramp(true, 0), Context{Attrs: []Attr{NewAttr("user", "u")}, Now: 100}, "rest"},
			{"not guarded", ramp(false, total), Context{Attrs: []Attr{NewAttr("user", "u")}, Now: 100}, ""},
			{"without the unit", ramp(true, total), Context{Now: 100}, ""},
			{"the rule doesn't match", ramp(true, total), Context{Attrs: []Attr{NewAttr("user", "staff")}, Now: 100}, ""},
		} {
			f := Flag{Key: "f", Type: KindBool, Variants: []Variant{{"off", BoolValue(false)}, {"on", BoolValue(true)}}}
			f.Rules = []Rule{
				{Name: "staff", Variant: 1, When: &Condition{Op: OpOneOf, Attribute: "user", Strings: []string{"staff"}}},
				{Name: "ramp", Split: c.split},
			}
			program, err := Compile(Ruleset{Unit: "user", Attributes: []Attribute{{Name: "user", Type: AttrString}},
				Flags: []Flag{f}})
			if err != nil {
				t.Fatal(err)
			}
			result := program.Flag("f").Evaluate(&c.ctx)
			if got := result.Arm(); got != c.want {
				t.Errorf("%s, %s: the arm is %q, not %q", hash, c.name, got, c.want)
			}
			if n := testing.AllocsPerRun(100, func() { result.Arm() }); n > 0 {
				t.Errorf("%s, %s: Arm allocates", hash, c.name)
			}
		}
	}
	if (Result{}).Arm() != "" {
		t.Error("a result of no flag has an arm")
	}
}

// BenchmarkRanges picks among ranges for positions that can't be predicted.
func BenchmarkRanges(b *testing.B) {
	for _, n := range []uint64{2, 3, 8, 16, 66} {
		mod, _ := splitOf(b, n)
		s := &mod.serves[len(mod.serves)-1]
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			position, sum := uint32(1), uint16(0)
			for b.Loop() {
				position = position*1664525 + 1013904223
				sum += mod.pick(s, position, 0)
			}
			_ = sum
		})
	}
}
