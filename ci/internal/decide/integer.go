package decide

import (
	"maps"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/evaluator"
)

// decimal returns the integer that a text is the decimal form of.
func decimal(text string) (evaluator.Value, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return evaluator.IntValue(n), err == nil && strconv.FormatInt(n, 10) == text
}

// integers adds the classes of integers: between any two neighbours of the places
// where a comparison begins or ceases to hold, remainders alone matter.
func (d *domain) integers() {
	if !d.has(evaluator.AttrInteger) && !d.hasMembership() && !d.unit {
		return
	}
	cost := d.cost(evaluator.AttrInteger)
	starts, named, step := d.integerStarts()
	for _, n := range slices.Sorted(maps.Keys(named)) {
		d.addNamed(evaluator.IntValue(n), cost)
	}
	d.longMembers(decimal, cost)
	room := int64(maxIntegers)
	for i, from := range starts {
		to := int64(maxInt)
		if i+1 < len(starts) {
			to = starts[i+1] - 1
		}
		if from == to && named[from] {
			continue
		}
		count := step
		if width := uint64(to) - uint64(from); width < uint64(step) {
			count = int64(width) + 1
		}
		if room -= count; room < 0 {
			d.complete = false
			count = min(count, 64)
		}
		d.interval(from, to, count, step, cost)
	}
}

// integerStarts returns where comparisons of integers begin or cease to hold, in order, the
// integers that are looked at by themselves, and after how many all remainders recur.
func (d *domain) integerStarts() (starts []int64, named map[int64]bool, step int64) {
	starts, named, step = []int64{minInt}, make(map[int64]bool), 1
	span := func(from, to int64) {
		starts = append(starts, from)
		if to < maxInt {
			starts = append(starts, to+1)
		}
	}
	name := func(n int64) {
		named[n] = true
		span(n, n)
	}
	for _, a := range d.atoms {
		switch {
		case a.typ != evaluator.AttrInteger:
		case a.cond.Op == evaluator.OpOneOf:
			for _, n := range a.cond.Ints {
				name(n)
			}
		case a.cond.Op == evaluator.OpBetween:
			span(a.cond.Ints[0], a.cond.Ints[1])
		case a.cond.Op == evaluator.OpModulo:
			step = lcm(step, a.cond.Ints[0])
		}
	}
	for _, text := range d.named {
		if v, ok := decimal(text); ok {
			n, _ := v.Int()
			name(n)
		}
	}
	slices.Sort(starts)
	return slices.Compact(starts), named, step
}

// interval adds so many integers that follow each other, if possible from 1 on.
func (d *domain) interval(from, to, count, step int64, cost int) {
	first := max(from, min(1, to-count+1))
	for n := first; n-first < count; n++ {
		v := evaluator.IntValue(n)
		above, below := (uint64(to)-uint64(n))/uint64(step), (uint64(n)-uint64(from))/uint64(step)
		d.add(v, cost, func(i int) (evaluator.Value, bool) {
			switch i := uint64(i); {
			case i <= above:
				return evaluator.IntValue(n + int64(i)*step), true
			case i-above <= below:
				return evaluator.IntValue(n - int64(i-above)*step), true
			}
			return evaluator.Value{}, false
		})
		if d.longs > 0 {
			d.supposeLong([]byte(d.signature(v)), true)
		}
		if n == maxInt {
			break
		}
	}
}

const (
	minInt = -1 << 63
	maxInt = 1<<63 - 1
)

// lcm returns the least common multiple, or more than is looked at.
func lcm(a, b int64) int64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	if a /= x; a > maxIntegers || b > maxIntegers {
		return maxIntegers + 1
	}
	return min(a*b, maxIntegers+1)
}
