package lang

import (
	"cmp"
	"slices"

	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/evaluator"
)

// locked returns the ranges that a split has by the lock file, nil if it says
// nothing of it, or nothing that fits.
func (c Checker) locked(r *Rule, variants []int, shares []int64, set *variantSet,
	split *evaluator.Split) []evaluator.Range {
	if c.Known.Lock == nil || split.By == "" {
		return nil
	}
	if r.Division == nil {
		r.Division = &lock.Division{
			ID:    r.owner,
			Draw:  split.Bucketing,
			Parts: make([]share.Part, len(variants)),
			At:    r.Serve,
		}
		for i, v := range variants {
			r.Division.Parts[i] = share.Part{Name: set.list[v].Name, Share: shares[i]}
		}
	}
	list := c.Known.Lock.Pieces(r.Division)
	if list == nil {
		return nil
	}
	return share.RangesOf(list, func(name string) int {
		return variants[slices.IndexFunc(r.Division.Parts, func(p share.Part) bool { return p.Name == name })]
	})
}

// division returns what the lock file keeps of a layer.
func (y *layer) division() lock.Division {
	return lock.Division{File: y.File, ID: lock.ID{Owner: lock.LayerPrefix + y.Name}, Draw: y.Bucketing,
		Parts: y.parts, At: cmp.Or(y.File.Root.Get("shares"), y.File.Root)}
}

// piecesOf returns who has which positions of a layer.
func (v *Vocabulary) piecesOf(y *layer) []share.Piece {
	if v.Lock != nil {
		d := y.division()
		if list := v.Lock.Pieces(&d); list != nil {
			return list
		}
	}
	return share.InOrder(y.parts, y.Total())
}

// Divisions returns all that the lock file is to keep.
func (e *Estate) Divisions() []*lock.Division {
	var list []*lock.Division
	for _, f := range e.Flags {
		for _, b := range f.Bodies {
			for _, r := range b.Rules {
				if r.Division != nil {
					d := *r.Division
					d.File = f.File
					list = append(list, &d)
				}
			}
		}
	}
	for _, y := range e.Known.layers {
		d := y.division()
		list = append(list, &d)
	}
	return list
}
