package decide

import (
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
