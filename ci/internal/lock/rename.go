package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/evaluator"
)

// A Rename is a flag that has got another key, without its old one as the salt: all of
// its users are assigned again.
type Rename struct{ Old, New string }

// renames returns the flags of which lines are removed, while the same lines of another
// flag are added. If several are alike, it isn't known which became which.
func (r *relocking) renames() []Rename {
	before, after := make(map[string]bool, len(r.lock.byID)), make(map[string]bool, len(r.divisions)) // owners
	for id := range r.lock.byID {
		before[id.Owner] = true
	}
	for _, d := range r.divisions {
		after[d.ID.Owner] = true
	}
	was, is := make(map[string][]string), make(map[string][]string) // lines of flags that the other side lacks
	for id, e := range r.lock.byID {
		if !after[id.Owner] {
			was[id.Owner] = append(was[id.Owner], likenessOf(id, e.Draw, partsOf(e.pieces)))
		}
	}
	for _, d := range r.divisions {
		if !before[d.ID.Owner] {
			is[d.ID.Owner] = append(is[d.ID.Owner], likenessOf(d.ID, d.Draw, d.Parts))
		}
	}
	gone, added := byLines(was), byLines(is)
	var list []Rename
	for lines, olds := range gone {
		if news := added[lines]; len(olds) == 1 && len(news) == 1 {
			list = append(list, Rename{olds[0], news[0]})
		}
	}
	slices.SortFunc(list, func(a, b Rename) int { return cmp.Compare(a.Old, b.Old) })
	return list
}

// likenessOf returns what the line of a split would be without the flag's key.
func likenessOf(id ID, draw evaluator.Bucketing, parts []share.Part) string {
	if draw.Salt == id.salt() {
		draw.Salt = ""
	}
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b share.Part) int { return cmp.Compare(a.Name, b.Name) })
	return fmt.Sprintf("%q %q %+v %+v", id.Environment, id.Rule, draw, parts)
}

// byLines returns flags by their lines.
func byLines(lines map[string][]string) map[string][]string {
	flags := make(map[string][]string)
	for owner, list := range lines {
		if strings.HasPrefix(owner, LayerPrefix) {
			continue
		}
		slices.Sort(list)
		key := strings.Join(list, "\n")
		flags[key] = append(flags[key], owner)
	}
	return flags
}
