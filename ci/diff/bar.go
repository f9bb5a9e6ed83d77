package diff

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A Bar draws who is served what by position, before and after.
type Bar struct {
	// Old and New are as many characters as columns, one kind for each variant.
	Old, New string
	Legend   []Legend
}

// A Legend says which variant a character of a bar stands for.
type Legend struct {
	Mark  string
	Means string
}

// columns is how wide a bar is.
const columns = 40

// marks are what variants are drawn with, in the order in which they come: first
// what differs most to the eye. Of more variants the last one stands for the rest.
var marks = []string{"█", "░", "▓", "▒", "#", "+", "o", "x", "-", ":", "."}

// bars draws what differs between two models: ranges of a split, and of a layer.
func bars(old, new *model) []Bar {
	var list []Bar
	if !slices.EqualFunc(old.stretches, new.stretches, func(a, b stretch) bool { return a.to == b.to && a.serves.same(b.serves) }) &&
		(len(old.stretches) > 1 || len(new.stretches) > 1) {
		list = append(list, drawBar(names(old.stretches), names(new.stretches)))
	}
	if (old.layered || new.layered) && !slices.Equal(old.spans, new.spans) {
		list = append(list, drawBar(layerStretches(old), layerStretches(new)))
	}
	return list
}

// A named stretch is up to an end what a legend calls by a name.
type named struct {
	to   uint64
	name string
}

func names(stretches []stretch) []named {
	list := make([]named, len(stretches))
	for i, s := range stretches {
		list[i] = named{s.to, s.serves.name}
	}
	return list
}

// layerStretches returns which positions of its layer a flag has.
func layerStretches(m *model) []named {
	const mine, others = "in the flag's share of the layer", "not in it"
	if !m.layered {
		return []named{{evaluator.Positions, mine}}
	}
	var list []named
	for _, s := range m.spans {
		if s.From > 0 {
			list = append(list, named{s.From, others})
		}
		list = append(list, named{s.To, mine})
	}
	return append(list, named{evaluator.Positions, others})
}

// drawBar draws two rows with one legend.
func drawBar(old, new []named) Bar {
	var order []string
	for _, s := range slices.Concat(old, new) {
		if !slices.Contains(order, s.name) {
			order = append(order, s.name)
		}
	}
	var b Bar
	mark := func(name string) string { return marks[min(slices.Index(order, name), len(marks)-1)] }
	draw := func(stretches []named) string {
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
func row40(stretches []named) []string {
	const wide = float64(evaluator.Positions) / columns
	row := make([]string, columns)
	most := make([]float64, columns)
	longest := make(map[string]named) // to is the middle
	length := make(map[string]uint64)
	from := uint64(0)
	parts := make([]map[string]float64, columns)
	for _, s := range stretches {
		if s.to <= from {
			continue
		}
		if s.to-from > length[s.name] {
			length[s.name], longest[s.name] = s.to-from, named{from + (s.to-from)/2, s.name}
		}
		for i := int(float64(from) / wide); i < columns && float64(i)*wide < float64(s.to); i++ {
			if parts[i] == nil {
				parts[i] = make(map[string]float64)
			}
			parts[i][s.name] += min(float64(s.to), float64(i+1)*wide) - max(float64(from), float64(i)*wide)
			if parts[i][s.name] > most[i] {
				most[i], row[i] = parts[i][s.name], s.name
			}
		}
		from = s.to
	}
	counts := make(map[string]int)
	for _, name := range row {
		counts[name]++
	}
	for _, s := range stretches {
		at := longest[s.name]
		i := min(int(float64(at.to)/wide), columns-1)
		if length[s.name] > 0 && counts[s.name] == 0 && counts[row[i]] > 1 {
			counts[row[i]]--
			row[i] = s.name
			counts[s.name]++
		}
	}
	return row
}
