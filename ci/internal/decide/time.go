package decide

import (
	"slices"
	"time"

	"github.com/serin-flags/serin/evaluator"
)

// times adds times of all classes: where a comparison begins or ceases to hold, and the
// first of all. Between two neighbours of these all are alike.
func (d *domain) times(cost int) {
	d.add(evaluator.StringValue("no time"), cost, nil)
	first := time.Time{}.Unix() // text has no earlier times
	starts := []int64{first}
	start := func(t int64) {
		if t > first {
			starts = append(starts, t)
		}
	}
	for _, a := range d.atoms {
		if a.typ == evaluator.AttrTime && a.cond.Op == evaluator.OpBetween {
			start(a.cond.Ints[0])
			if to := a.cond.Ints[1]; to < maxInt {
				start(to + 1)
			}
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, from := range starts {
		if i == 0 && len(starts) > 1 { // rather a time that somebody might have
			from = max(from, starts[1]-86_400)
		}
		d.add(evaluator.StringValue(time.Unix(from, 0).UTC().Format(time.RFC3339)), cost, nil)
	}
}
