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
	f.Rules = []Rule{{Name: "r", Split: &Split{Bucketing: Bucketing{By: "user", Salt: "f", Hash: HashMurmur3}, Ranges: ranges}}}
	mod, err := CompileModule(Ruleset{Unit: "user", Attributes: []Attribute{{Name: "user", Type: AttrString}}, Flags: []Flag{f}})
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
