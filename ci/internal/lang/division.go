package lang

import (
	"cmp"
	"slices"

	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// locked returns the ranges that a split has by the lock file, nil if it says
// nothing of it, or nothing that fits.
func (c Checker) locked(n *source.Node, rule string, variants []int, shares []int64, set *variantSet, split *evaluator.Split) []evaluator.Range {
	if c.Known.Lock == nil || split.By == "" {
		return nil
	}
	d := lock.Division{
		File:  c.File,
		ID:    lock.ID{Owner: c.File.Stem(), Environment: c.environment, Rule: rule},
		Draw:  lock.Draw{By: split.By, Salt: split.Salt, Hash: split.Hash},
		Parts: make([]share.Part, len(variants)),
		At:    n,
	}
	for i, v := range variants {
		d.Parts[i] = share.Part{Name: set.list[v].Name, Share: shares[i]}
	}
	if c.divisions != nil {
		*c.divisions = append(*c.divisions, d)
	}
	list := c.Known.Lock.Pieces(&d)
	if list == nil {
		return nil
	}
	return share.RangesOf(list, func(name string) int {
		return variants[slices.IndexFunc(d.Parts, func(p share.Part) bool { return p.Name == name })]
	})
}

// division returns what the lock file keeps of a layer.
func (y *layer) division() lock.Division {
	return lock.Division{File: y.File, ID: lock.ID{Owner: lock.LayerPrefix + y.Name}, Draw: lock.Draw{By: y.By, Salt: y.Salt, Hash: y.hash}, Parts: y.parts, At: cmp.Or(y.File.Root.Get("shares"), y.File.Root)}
}

// piecesOf returns who has which positions of a layer.
func (v *Vocabulary) piecesOf(y *layer) []share.Piece {
	if v.Lock != nil {
		d := y.division()
		if list := v.Lock.Pieces(&d); list != nil {
			return list
		}
	}
	return share.InOrder(y.parts)
}

// Divisions returns all that the lock file is to keep.
func (e *Estate) Divisions() []*lock.Division {
	var list []*lock.Division
	for _, f := range e.Flags {
		for i := range f.divisions {
			f.divisions[i].File = f.File
			list = append(list, &f.divisions[i])
		}
	}
	for _, y := range e.Known.layers {
		d := y.division()
		list = append(list, &d)
	}
	return list
}
