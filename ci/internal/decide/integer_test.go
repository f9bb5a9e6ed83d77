package decide

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestSimilarIntegers: an example needs an integer whose position is in a certain cell, so a
// class of very many integers has to offer more than a few, whichever end it has.
func TestSimilarIntegers(t *testing.T) {
	c := New(0, MaxSteps)
	for _, test := range []struct {
		op   evaluator.Op
		ints []int64
	}{
		{evaluator.OpBetween, []int64{1, 100}}, {evaluator.OpBetween, []int64{-100, maxInt}},
		{evaluator.OpBetween, []int64{minInt, 100}}, {evaluator.OpBetween, []int64{minInt, -1}},
		{evaluator.OpOneOf, []int64{0, maxInt, minInt}}, {evaluator.OpModulo, []int64{7, 3}},
	} {
		d := &domain{name: "uid", unit: true}
		d.addAtom(c.atom(evaluator.AttrInteger, &evaluator.Condition{Op: test.op, Attribute: "uid", Ints: test.ints}),
			evaluator.AttrInteger)
		d.build(c)
		for _, class := range d.classes {
			if class.value.Kind() != evaluator.KindInt || class.named != nil || class.similar == nil {
				continue
			}
			seen := make(map[evaluator.Value]bool)
			for i := range 200 {
				if v, ok := class.similar(i); ok && d.signature(v) == class.sig {
					seen[v] = true
				}
			}
			if len(seen) < 100 {
				t.Errorf("%s %d: of the integers like %s there are only %d", test.op, test.ints, class.value.JSON(),
					len(seen))
			}
		}
	}
}

// TestIntegerClasses holds the classes of integers to their promise: each integer is in one of them.
func TestIntegerClasses(t *testing.T) {
	all := []int64{minInt, minInt + 1, minInt + 7, maxInt - 7, maxInt - 1, maxInt}
	for n := range int64(200) {
		all = append(all, n-50)
	}
	for seed := *first; seed < *first+uint64(*domains); seed++ {
		random := rand.New(rand.NewPCG(seed, 3))
		some := func() int64 { return all[random.IntN(len(all))] }
		c := New(0, MaxSteps)
		d := &domain{name: "a", unit: random.IntN(2) == 0}
		for range 1 + random.IntN(4) {
			cond := &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "a", Ints: []int64{some(), some()}}
			switch random.IntN(4) {
			case 0:
				cond.Op = evaluator.OpBetween
				slices.Sort(cond.Ints)
			case 1:
				n := 2 + random.Int64N(12)
				cond.Op, cond.Ints = evaluator.OpModulo, []int64{n, random.Int64N(n)}
			case 2:
				for _, a := range c.segmentAtoms(&evaluator.Segment{Include: []string{"7", "-1", "07", "x"}}) {
					d.addAtom(a, evaluator.AttrInteger)
				}
			}
			d.addAtom(c.atom(evaluator.AttrInteger, cond), evaluator.AttrInteger)
		}
		if d.build(c); !d.complete {
			t.Fatalf("seed %d: incomplete", seed)
		}
		known := make(map[classKey]bool)
		for _, class := range d.classes {
			known[classKey{class.sig, class.usable, class.named != nil}] = true
		}
		_, named, _ := d.integerStarts()
		for _, n := range all {
			v := evaluator.IntValue(n)
			if !known[classKey{d.signature(v), d.unit, d.unit && named[n]}] {
				t.Fatalf("seed %d: %d is in no class: % x", seed, n, d.signature(v))
			}
		}
	}
}
