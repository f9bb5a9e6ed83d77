package page

import (
	"math"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestComparisonsOfNumbersAndTimes holds how these are said.
func TestComparisonsOfNumbersAndTimes(t *testing.T) {
	p := speaker{model: &Model{attributes: map[string]evaluator.AttributeType{"since": evaluator.AttrTime,
		"price": evaluator.AttrNumber}}}
	for want, c := range map[string]evaluator.Condition{
		"since is from 2026-12-01T02:00:00Z on": {Op: evaluator.OpBetween,
			Attribute: "since", Ints: []int64{1796090400, math.MaxInt64}},
		"since is before 2026-12-01T02:00:00Z": {Op: evaluator.OpBetween,
			Attribute: "since", Ints: []int64{math.MinInt64, 1796090399}},
		"since is from 2026-12-01T02:00:00Z and before 2026-12-01T02:00:01Z": {Op: evaluator.OpBetween,
			Attribute: "since", Ints: []int64{1796090400, 1796090400}},
		"uid is at least 5": {Op: evaluator.OpBetween,
			Attribute: "uid", Ints: []int64{5, math.MaxInt64}},
		"price satisfies >=0.5 <2": {Op: evaluator.OpNumber,
			Attribute: "price", Strings: []string{">=0.5 <2"}},
	} {
		var s sentence
		p.condition(&s, &c, false)
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
