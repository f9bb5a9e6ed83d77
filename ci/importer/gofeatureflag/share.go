package gofeatureflag

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// The hash of GO Feature Flag, and how many positions it has for 100%.
const (
	hash      = "gofeatureflag"
	positions = 100_000
)

// perPercent is how many positions are a percent.
const perPercent = 1000

// divide adds the rule for percentages. Variations have positions in reverse alphabetical
// order, whose ends are sums of numbers of 64 bits.
func (r *reader) divide(rule placedRule, when importer.Condition, name string) error {
	at := rule.at + ".percentage"
	names := slices.Sorted(maps.Keys(rule.Percentage))
	slices.Reverse(names)
	for _, v := range names {
		switch p := rule.Percentage[v]; {
		case r.values[v] == nil:
			return importer.Refusef(at+"."+v, "there is no variation %q", v)
		case !(p >= 0 && p <= 1e6):
			return importer.Refusef(at+"."+v, "%v is no percentage", p)
		}
	}
	total, err := total(rule.Percentage, at)
	if err != nil {
		return err
	}
	split := &importer.Split{By: r.by, Hash: hash, Salt: r.key}
	if total != positions {
		split.Positions = total
	}
	sum, last := 0.0, uint64(0)
	for _, v := range names {
		sum += rule.Percentage[v] * perPercent
		if end := min(uint64(uint32(sum)), total); end > last {
			split.Ends = append(split.Ends, importer.End{Variant: v, At: end})
			last = end
		}
	}
	if len(split.Ends) == 0 {
		return importer.Refusef(at, "the percentages are too small for a position")
	}
	if last < total {
		r.flag.Approximate(at,
			"%d of %d positions get %q, which GO Feature Flag answers with an error and the program's default",
			total-last, total, split.Ends[len(split.Ends)-1].Variant)
		split.Ends[len(split.Ends)-1].At = total
	}
	if len(split.Ends) == 1 {
		r.flag.Rules = append(r.flag.Rules, importer.Rule{Name: name, When: when, Serve: split.Ends[0].Variant})
		return nil
	}
	r.flag.Rules = append(r.flag.Rules, importer.Rule{Name: name, When: when, Split: split})
	return nil
}

// mostSummed is how many percentages with fractions are summed in every order.
const mostSummed = 12

// total returns the number of positions: the sum of percentages of 64 bits, in thousandths.
// GO Feature Flag sums them in a random order, so there must be only one result.
func total(percentages map[string]float64, at string) (uint64, error) {
	list := slices.Collect(maps.Values(percentages))
	whole := !slices.ContainsFunc(list, func(p float64) bool { return p != math.Trunc(p) })
	sums := []float64{0}
	switch {
	case whole:
		for _, p := range list {
			sums[0] += p
		}
	case len(list) > mostSummed:
		return 0, importer.Refusef(at, "there are more than %d percentages with fractions", mostSummed)
	default:
		sums = sumsOf(list)
	}
	first := uint64(sums[0] * perPercent)
	for _, sum := range sums {
		if n := uint64(sum * perPercent); n != first {
			return 0, importer.Refusef(at,
				"the percentages add up to %d or %d thousandths, by the order in which they are added, and GO Feature Flag adds them in a random order", first, n)
		}
	}
	if first == 0 || first > math.MaxUint32 {
		return 0, importer.Refusef(at, "the percentages add up to %d thousandths", first)
	}
	return first, nil
}

// sumsOf returns the sums of the numbers for all orders in which they can be added.
func sumsOf(list []float64) []float64 {
	sums := make([]map[float64]bool, 1<<len(list)) // by which numbers are added
	sums[0] = map[float64]bool{0: true}
	for set := 1; set < len(sums); set++ {
		sums[set] = make(map[float64]bool)
		for i, p := range list {
			if set&(1<<i) == 0 {
				continue
			}
			for sum := range sums[set&^(1<<i)] {
				sums[set][sum+p] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(sums[len(sums)-1]))
}

// grow adds the rule for a progressive rollout.
func (r *reader) grow(rule placedRule, when importer.Condition, name string) error {
	at := rule.at + ".progressiveRollout"
	p := rule.Progressive
	if p.Initial == nil || p.End == nil || p.Initial.Date == nil || p.End.Date == nil || p.Initial.Variation == nil ||
		p.End.Variation == nil {
		return importer.Refusef(at, "an initial and an end variation and date are needed")
	}
	from, err := level(p.Initial.Percentage, at+".initial.percentage")
	if err != nil {
		return err
	}
	to, err := level(p.End.Percentage, at+".end.percentage")
	if err != nil {
		return err
	}
	if to == 0 {
		to = positions
	}
	start, end := r.second(*p.Initial.Date, at+".initial.date"), r.second(*p.End.Date, at+".end.date")
	switch {
	case r.values[*p.Initial.Variation] == nil || r.values[*p.End.Variation] == nil:
		return importer.Refusef(at, "there is no variation %q or %q", *p.Initial.Variation, *p.End.Variation)
	case !end.After(start):
		return importer.Refusef(at+".end.date", "the end isn't after the start")
	case from > to:
		return importer.Refusef(at+".end.percentage", "the share shrinks")
	case *p.Initial.Variation == *p.End.Variation:
		r.flag.Rules = append(r.flag.Rules, importer.Rule{Name: name, When: when, Serve: *p.End.Variation})
		return nil
	case from == to:
		r.constant(p, start, to, when, name)
		return nil
	}
	if differ := compareLevels(from, to, end.Unix()-start.Unix()); differ != 0 {
		r.flag.Approximate(at,
			"between start and end, some users get %q up to a second earlier or later: GO Feature Flag computes with rounded numbers", *p.End.Variation)
	}
	r.flag.Rules = append(r.flag.Rules,
		importer.Rule{Name: name, When: when, Split: &importer.Split{By: r.by, Hash: hash, Salt: r.key,
			Grows: &importer.Growth{Variant: *p.End.Variation, From: from, To: to, Start: start, End: end}}})
	return nil
}

// constant adds the rules for a share that doesn't grow after it starts.
func (r *reader) constant(p *progressive, start time.Time, share uint64, when importer.Condition, name string) {
	before := importer.All(when, importer.Before(start.UTC().Format(time.RFC3339)))
	split := &importer.Split{By: r.by, Hash: hash, Salt: r.key,
		Ends: []importer.End{{Variant: *p.End.Variation, At: share}, {Variant: *p.Initial.Variation, At: positions}}}
	r.flag.Rules = append(r.flag.Rules,
		importer.Rule{Name: name + ": before it starts", When: before, Serve: *p.Initial.Variation},
		importer.Rule{Name: name, When: when, Split: split})
}

// level returns the positions of a percentage. More than 100% count as none, as there.
func level(percentage *float64, at string) (uint64, error) {
	if percentage == nil || *percentage > 100 {
		return 0, nil
	}
	n := *percentage * perPercent
	if n < 0 || n != math.Trunc(n) {
		return 0, importer.Refusef(at, "%v%% isn't a whole number of thousandths", *percentage)
	}
	return uint64(n), nil
}

// mostCompared is how many seconds of a progressive rollout are compared.
const mostCompared = 10_000_000

// compareLevels returns for how many seconds GO Feature Flag's share, which it computes with
// numbers of 64 bits, differs from the exact one. It returns -1 if there are too many to compare.
func compareLevels(from, to uint64, seconds int64) (differ int) {
	if seconds > mostCompared {
		return -1
	}
	perSecond := float64(to-from) / float64(seconds)
	for s := range seconds {
		if uint64(uint32(float64(s)*perSecond+float64(from))) != from+(to-from)*uint64(s)/uint64(seconds) {
			differ++
		}
	}
	return differ
}
