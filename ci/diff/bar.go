package diff

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// Two numbers such as 20% and 30% don't show whether the same users keep what they have. Two rows of
// positions, one above the other, do: who stands below the same mark keeps it.

// A Bar draws who is served what by position, before and after.
type Bar struct {
	// Old and New are 40 characters each, which stand for equal shares of all positions. The
	// same variant has the same character in both.
	Old, New string
	// Legend is what the characters mean, in the order in which they come first.
	Legend []Legend
}

// A Legend says which variant a character of a bar stands for.
type Legend struct {
	Mark  string // one character
	Means string // the name of a variant, or words about a layer
}

// columns is how wide a bar is.
const columns = 40

// marks are what variants are drawn with, in the order in which they come: first
// what differs most to the eye. Of more variants the last one stands for the rest.
var marks = []string{"█", "░", "▓", "▒", "#", "+", "o", "x", "-", ":", "."}

// bars draws what differs between two rules, by their numbers: the ranges of their
// splits at a time, and of the flags' layers. The default is the number after the last.
// If both sides are a single colour, there is nothing to draw.
func bars(old, new *evaluator.Flag, oldRule, newRule int, now int64) []Bar {
	var list []Bar
	a, b := stretches(old, oldRule, now), stretches(new, newRule, now)
	if len(a)+len(b) > 2 && !slices.Equal(a, b) {
		list = append(list, drawBar(a, b))
	}
	if c, d := layerStretches(old.Reserved), layerStretches(new.Reserved); len(c)+len(d) > 2 && !slices.Equal(c, d) {
		list = append(list, drawBar(c, d))
	}
	return list
}

// A stretch is a run of positions with one name in the legend. Its end is a fraction of all positions. It
// starts where the previous stretch ends, or at 0.
type stretch struct {
	to   float64
	name string
}

// stretches returns what a rule serves, by position. A rule without a split is one stretch, and so is the
// default. A ramp is two: the positions that have the new variant at that time, and the rest.
func stretches(f *evaluator.Flag, rule int, now int64) []stretch {
	if rule >= len(f.Rules) {
		return []stretch{{1, variantName(f, f.Default)}}
	}
	s := f.Rules[rule].Split
	if s == nil {
		return []stretch{{1, variantName(f, f.Rules[rule].Variant)}}
	}
	total := float64(s.Total())
	if s.Ramp != nil {
		level := float64(s.Ramp.LevelAt(now)) / total
		list := []stretch{{level, variantName(f, s.Ramp.Variant)}, {1, variantName(f, s.Ramp.Rest)}}
		return slices.DeleteFunc(list, func(s stretch) bool { return s.to == 0 })
	}
	var list []stretch
	for _, r := range s.Ranges {
		list = append(list, stretch{float64(r.To) / total, variantName(f, r.Variant)})
	}
	return list
}

// layerStretches returns which positions of its layer a flag has. A flag in no layer has them all.
func layerStretches(r *evaluator.Reservation) []stretch {
	const mine, others = "in the flag's share of the layer", "not in it"
	if r == nil {
		return []stretch{{1, mine}}
	}
	var list []stretch
	total := float64(r.Total())
	for _, s := range r.Spans {
		if s.From > 0 {
			list = append(list, stretch{float64(s.From) / total, others})
		}
		list = append(list, stretch{float64(s.To) / total, mine})
	}
	return append(list, stretch{1, others})
}

// drawBar draws two rows with one legend. If there are more variants than marks, the remaining variants
// share the last mark as "others".
func drawBar(old, new []stretch) Bar {
	var order []string
	for _, s := range slices.Concat(old, new) {
		if !slices.Contains(order, s.name) {
			order = append(order, s.name)
		}
	}
	var b Bar
	mark := func(name string) string { return marks[min(slices.Index(order, name), len(marks)-1)] }
	draw := func(stretches []stretch) string {
		var row strings.Builder
		for _, name := range row40(stretches) {
			row.WriteString(mark(name))
		}
		return row.String()
	}
	b.Old, b.New = draw(old), draw(new)
	for i, name := range order {
		if i == len(marks)-1 && len(order) > len(marks) {
			name = "others"
		}
		if i < len(marks) {
			b.Legend = append(b.Legend, Legend{marks[i], name})
		}
	}
	return b
}

// row40 returns the names of a row's columns: in each the one that has most of it.
// One that would be nowhere gets the column where its longest stretch is, unless
// that is the only one of another's.
func row40(stretches []stretch) []string {
	const wide = 1.0 / columns
	row := make([]string, columns)
	most := make([]float64, columns)
	longest := make(map[string]stretch) // to is the middle
	length := make(map[string]float64)
	from := 0.0
	parts := make([]map[string]float64, columns)
	for _, s := range stretches {
		if s.to <= from {
			continue
		}
		if s.to-from > length[s.name] {
			length[s.name], longest[s.name] = s.to-from, stretch{from + (s.to-from)/2, s.name}
		}
		// Each column that the stretch lies in gets its part.
		for i := int(from / wide); i < columns && float64(i)*wide < s.to; i++ {
			if parts[i] == nil {
				parts[i] = make(map[string]float64)
			}
			parts[i][s.name] += min(s.to, float64(i+1)*wide) - max(from, float64(i)*wide)
			if parts[i][s.name] > most[i] {
				most[i], row[i] = parts[i][s.name], s.name
			}
		}
		from = s.to
	}
	// A stretch of less than half a column is in no column so far. 1% is worth showing, too.
	counts := make(map[string]int)
	for _, name := range row {
		counts[name]++
	}
	for _, s := range stretches {
		at := longest[s.name]
		i := min(int(at.to/wide), columns-1)
		if length[s.name] > 0 && counts[s.name] == 0 && counts[row[i]] > 1 {
			counts[row[i]]--
			row[i] = s.name
			counts[s.name]++
		}
	}
	return row
}
