package decide

import (
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// numbers adds decimal numbers of all classes: those that comparisons name, and one
// between any two neighbours of them, below all and above all.
func (d *domain) numbers(cost int) {
	byText := make(map[string]*big.Rat)
	for _, a := range d.atoms {
		if a.typ != evaluator.AttrNumber {
			continue
		}
		for _, text := range a.cond.Strings {
			for field := range strings.SplitSeq(text, " ") {
				text := strings.TrimLeft(field, "<>=")
				if n, ok := new(big.Rat).SetString(text); ok {
					byText[text] = n
				}
			}
		}
	}
	var points []*big.Rat
	for _, text := range slices.Sorted(maps.Keys(byText)) {
		d.add(evaluator.StringValue(text), cost, nil)
		points = append(points, byText[text])
	}
	slices.SortFunc(points, (*big.Rat).Cmp)
	one := big.NewRat(1, 1)
	d.number(cost, big.NewRat(0, 1))
	for i, n := range points {
		if i == 0 {
			d.number(cost, new(big.Rat).Sub(n, one))
		}
		next := new(big.Rat).Add(n, one)
		if i+1 < len(points) {
			next = new(big.Rat).Add(n, points[i+1])
			next.Quo(next, big.NewRat(2, 1))
		}
		d.number(cost, next)
	}
	d.add(evaluator.StringValue("no number"), cost, nil)
}

// number adds a decimal number, if it isn't too long for one.
func (d *domain) number(cost int, n *big.Rat) {
	const maxDigits = 90
	precision, exact := n.FloatPrec()
	if !exact || precision > maxDigits || len(n.Num().Text(10)) > maxDigits {
		d.complete = false
		return
	}
	d.add(evaluator.StringValue(n.FloatString(precision)), cost, nil)
}
