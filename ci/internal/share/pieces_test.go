package share

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// pct returns parts of whole percents: "on", 60, "off", 40.
func pct(list ...any) []Part {
	var parts []Part
	for i := 0; i < len(list); i += 2 {
		parts = append(parts, Part{list[i].(string), int64(list[i+1].(int)) * Whole / 100})
	}
	return parts
}

func TestRebalance(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after []Part
		want          string
	}{
		{"grow", pct("on", 50, "off", 50), pct("on", 60, "off", 40), "on 60 off 100"},
		{"grow the last", pct("on", 50, "off", 50), pct("on", 40, "off", 60), "on 40 off 100"},
		{"the order of the file", pct("on", 50, "off", 50), pct("off", 50, "on", 50), "on 50 off 100"},
		{"add", pct("on", 50, "off", 50), pct("on", 40, "new", 20, "off", 40), "on 40 new 60 off 100"},
		{"add from one", pct("on", 50, "off", 50), pct("on", 50, "off", 30, "new", 20), "on 50 off 80 new 100"},
		{"remove the first", pct("a", 20, "b", 30, "c", 50), pct("b", 40, "c", 60), "c 10 b 50 c 100"},
		{"remove one between", pct("a", 20, "b", 30, "c", 50), pct("a", 30, "c", 70), "a 30 c 100"},
		{"rename", pct("a", 20, "b", 30, "c", 50), pct("a", 20, "x", 30, "c", 50), "a 20 x 50 c 100"},
		{"rename two", pct("a", 20, "b", 30, "c", 50), pct("x", 20, "y", 30, "c", 50), "x 20 y 50 c 100"},
		{"to nothing", pct("a", 20, "b", 80), pct("a", 0, "b", 100), "b 100"},
		{"swap", pct("a", 20, "b", 80), pct("a", 80, "b", 20), "a 80 b 100"},
		{"to those far away", pct("a", 20, "b", 60, "c", 20), pct("a", 10, "b", 60, "c", 30), "a 10 c 20 b 80 c 100"},
	} {
		var got string
		for i, p := range Rebalance(InOrder(test.before, evaluator.Positions), test.after) {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("%s %d", p.Name, (p.To*100+evaluator.Positions/2)/evaluator.Positions)
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// edit changes random parts: their shares, their number, their names and their
// order.
func edit(rnd *rand.Rand, parts []Part) []Part {
	parts = slices.Clone(parts)
	some := func() *Part { return &parts[rnd.IntN(len(parts))] }
	amount := func(n int64) int64 { // round ones are what people write
		if unit := []int64{1, 1000, Whole / 1000, Whole / 100, Whole / 20}[rnd.IntN(5)]; n >= unit {
			return rnd.Int64N(n/unit+1) * unit
		}
		return n
	}
	for range 1 + rnd.IntN(3) {
		switch rnd.IntN(6) {
		case 0: // a new one takes from another
			from := some()
			n := amount(from.Share)
			from.Share -= n
			name := string(rune('a' + rnd.IntN(12)))
			if !slices.ContainsFunc(parts, func(p Part) bool { return p.Name == name }) {
				parts = append(parts, Part{name, n})
			} else {
				from.Share += n
			}
		case 1: // one goes
			if len(parts) > 1 {
				i := rnd.IntN(len(parts))
				n := parts[i].Share
				parts = slices.Delete(parts, i, i+1)
				some().Share += n
			}
		case 2:
			rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		case 3: // all anew
			left := int64(Whole)
			for i := range parts {
				parts[i].Share = amount(left)
				left -= parts[i].Share
			}
			parts[0].Share += left
		default:
			from := some()
			n := amount(from.Share)
			from.Share -= n
			some().Share += n
		}
	}
	return parts
}

// TestRandomEdits holds, for sequences of random edits, that no more positions
// move than have to: those by which parts shrink. Nobody loses a position of a
// part that grows, each part has what its share comes to, and the evaluator takes
// the ranges.
func TestRandomEdits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	most := 0
	for range soak.Times(100, 3000) {
		parts := edit(rnd, pct("on", 50, "off", 50))
		list := InOrder(parts, evaluator.Positions)
		if !Fit(list, parts) {
			t.Fatalf("%+v doesn't fit %+v", list, parts)
		}
		if got := Rebalance(list, parts); !slices.Equal(got, list) {
			t.Fatalf("without an edit %+v becomes %+v", list, got)
		}
		for range 100 {
			next := edit(rnd, parts)
			after := Rebalance(list, next)
			checkMove(t, list, after, parts, next)
			list, parts = after, next
			most = max(most, len(list)-len(totals(parts)))
		}
	}
	t.Logf("at most %d pieces more than parts", most)
}

func checkMove(t *testing.T, before, after []Piece, old, parts []Part) {
	t.Helper()
	if !Fit(after, parts) {
		t.Fatalf("%+v doesn't fit %+v", after, parts)
	}
	shuffled := slices.Clone(parts)
	slices.Reverse(shuffled)
	if again := Rebalance(before, shuffled); !slices.Equal(again, after) {
		t.Fatalf("in another order %+v becomes %+v", after, again)
	}
	checkRanges(t, after)
	had, have := Positions(before), Positions(after)
	var least, moved uint64
	for name, n := range had {
		least += n - min(n, have[name])
	}
	for _, m := range Moves(before, after) {
		if moved += m.Positions; had[m.From] < have[m.From] || had[m.To] > have[m.To] {
			t.Fatalf("%+v, but %s had %d positions and has %d", m, m.From, had[m.From], have[m.From])
		}
	}
	if moved != least {
		t.Fatalf("%d positions move from %+v to %+v, not %d", moved, before, after, least)
	}
	// The same by shares alone: rounding takes a position for each part.
	shares := make(map[string]int64)
	for _, p := range old {
		shares[p.Name] = p.Share
	}
	for _, p := range parts {
		shares[p.Name] -= p.Share
		if now, _ := exactly(p.Share, evaluator.Positions); shares[p.Name] < 0 && have[p.Name] < had[p.Name] {
			t.Fatalf("the share of %s grows, and its positions from %d to %d shrink", p.Name, had[p.Name], now)
		}
	}
	var lost int64
	for _, n := range shares {
		lost += max(0, n)
	}
	if n, _ := exactly(lost, evaluator.Positions); moved > n+uint64(len(shares)) || moved+uint64(len(shares)) < n {
		t.Fatalf("%d positions move, and %d are what shares come to", moved, n)
	}
}

// checkRanges holds that the evaluator takes the pieces.
func checkRanges(t *testing.T, list []Piece) {
	t.Helper()
	names := slices.Sorted(maps.Keys(Positions(list)))
	f := evaluator.Flag{Key: "f", Type: evaluator.KindString}
	for _, name := range names {
		f.Variants = append(f.Variants, evaluator.Variant{Name: name, Value: evaluator.StringValue(name)})
	}
	f.Rules = []evaluator.Rule{{Name: "r",
		Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "f", Hash: evaluator.HashMurmur3},
			Ranges: RangesOf(list, func(name string) int {
				return slices.Index(names, name)
			})}}}
	_, err := evaluator.CompileModule(evaluator.Ruleset{
		Unit: "user", Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		Flags: []evaluator.Flag{f},
	})
	if err != nil {
		t.Fatalf("%+v: %v", list, err)
	}
}

func TestMoves(t *testing.T) {
	before := InOrder(pct("a", 25, "b", 25, "c", 50), evaluator.Positions)
	after := InOrder(pct("b", 25, "a", 50, "c", 25), evaluator.Positions)
	const quarter = evaluator.Positions / 4
	want := []Move{{"a", "b", quarter, evaluator.Positions}, {"b", "a", quarter, evaluator.Positions},
		{"c", "a", quarter, evaluator.Positions}}
	if diff := cmp.Diff(want, Moves(before, after)); diff != "" {
		t.Error(diff)
	}
}

// TestManyPositions holds that shares of 2^60 positions, and of few, are computed
// exactly.
func TestManyPositions(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, total := range []uint64{1 << 60, 1 << 32, 1000, 100} {
		for range 500 {
			cut := rnd.Int64N(Whole + 1)
			if total < Whole {
				cut -= cut % int64(Whole/total)
			}
			parts := []Part{{"a", cut}, {"b", Whole - cut}}
			list := InOrder(parts, total)
			want := new(big.Int).Mul(big.NewInt(cut), new(big.Int).SetUint64(total))
			want.Quo(want, big.NewInt(Whole))
			if got := Positions(list)["a"]; got != want.Uint64() || end(list) != total {
				t.Fatalf("%s of %d positions are %d, want %v", Format(cut), total, got, want)
			}
			if !Fit(list, parts) {
				t.Fatalf("%v doesn't fit %v", list, parts)
			}
			if back := Nearest(want.Uint64(), total); back != cut {
				t.Fatalf("%v of %d positions are %s, want %s", want, total, Format(back), Format(cut))
			}
			other := []Part{{"a", Whole - cut}, {"b", cut}}
			moved := Rebalance(list, other)
			if !Fit(moved, other) || end(moved) != total {
				t.Fatalf("%v doesn't fit %v", moved, other)
			}
			if off := Fit(list, other); off && max(cut, Whole-cut)-min(cut, Whole-cut) > 10 {
				t.Fatalf("%v fits %v", list, other)
			}
		}
	}
}

// TestRebalanceRenamed holds that a part with another name keeps its positions exactly.
func TestRebalanceRenamed(t *testing.T) {
	const positions = 1 << 32
	before := InOrder([]Part{{"held", 50_000_000}, {"old", 600_000_000}, {"free", 350_000_000}}, positions)
	after := Rebalance(before, []Part{{"held", 50_000_000}, {"new", 600_000_000}, {"free", 350_000_000}})
	if len(after) != 3 || after[0] != before[0] || after[1] != (Piece{"new", before[1].To}) || after[2] != before[2] {
		t.Errorf("%v became %v", before, after)
	}
}
