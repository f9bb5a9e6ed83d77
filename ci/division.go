package ci

import (
	"cmp"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// locked returns the ranges that a split has by the lock file, nil if it says
// nothing of it, or nothing that fits.
func (c checker) locked(n *node, rule string, variants []int, shares []int64, set *variantSet, split *evaluator.Split) []evaluator.Range {
	if c.known.lock == nil || split.By == "" {
		return nil
	}
	d := division{
		source: c.source,
		id:     lockID{c.source.stem(), c.environment, rule},
		draw:   draw{split.By, split.Salt, split.Hash},
		parts:  make([]part, len(variants)),
		at:     n,
	}
	for i, v := range variants {
		d.parts[i] = part{set.list[v].Name, shares[i]}
	}
	if c.divisions != nil {
		*c.divisions = append(*c.divisions, d)
	}
	list := c.known.lock.pieces(&d)
	if list == nil {
		return nil
	}
	return rangesOf(list, func(name string) int {
		return variants[slices.IndexFunc(d.parts, func(p part) bool { return p.name == name })]
	})
}

// division returns what the lock file keeps of a layer.
func (y *layer) division() division {
	return division{source: y.source, id: lockID{owner: layerPrefix + y.name}, draw: draw{y.by, y.salt, y.hash}, parts: y.parts, at: cmp.Or(y.source.root.get("shares"), y.source.root)}
}

// piecesOf returns who has which positions of a layer.
func (v *vocabulary) piecesOf(y *layer) []piece {
	if v.lock != nil {
		d := y.division()
		if list := v.lock.pieces(&d); list != nil {
			return list
		}
	}
	return piecesInOrder(y.parts)
}

// divisions returns all that the lock file is to keep.
func (e *estate) divisions() []*division {
	var list []*division
	for _, f := range e.flags {
		for i := range f.divisions {
			f.divisions[i].source = f.source
			list = append(list, &f.divisions[i])
		}
	}
	for _, y := range e.known.layers {
		d := y.division()
		list = append(list, &d)
	}
	return list
}
