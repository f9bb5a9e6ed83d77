package decide

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
)

// Patterns are all ways in which text can meet the comparisons of an attribute, as
// far as isn't known to be impossible. Prefixes that one text has are prefixes of
// the longest of them, so they are told by that one, and suffixes likewise. Of
// texts to contain and of expressions, those that the same atoms name are one
// group, which is met or not.
type patterns struct {
	d                    *domain
	cost                 int
	prefixes, suffixes   [2][]string // the second: folded; each with ""
	equal                []string    // folded, with ""
	contained, expressed []group
}

type group struct {
	texts  []string // folded, if fold
	folded []string
	fold   bool
	atoms  []int
}

// A pattern is one of patterns.
type pattern struct {
	prefix, suffix [2]string // the longest, as it is and folded
	equal          string    // what the whole text is when folded; "": another
	contained      []bool    // by group
	expressed      []bool
}

func newPatterns(d *domain, cost int) *patterns {
	p := &patterns{d: d, cost: cost, equal: []string{""}}
	p.prefixes = [2][]string{{""}, {""}}
	p.suffixes = [2][]string{{""}, {""}}
	add := func(list *[]string, text string) {
		if !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	for _, a := range d.atoms {
		for _, o := range a.operands() {
			switch {
			case a.cond.Op == evaluator.OpPrefix:
				add(&p.prefixes[o.fold], o.text)
			case a.cond.Op == evaluator.OpSuffix:
				add(&p.suffixes[o.fold], o.text)
			case a.isFoldedSet() && o.fold == 1:
				add(&p.equal, o.text)
			}
		}
	}
	p.contained = d.groups(evaluator.OpContains)
	d.complete = d.complete && !d.cutsCharacters()
	p.expressed = d.groups(evaluator.OpMatches)
	return p
}

// cutsCharacters reports whether comparisons of text as it is and folded meet in
// texts that begin or end within a character: what these become when they are folded
// depends on what stands beside them.
func (d *domain) cutsCharacters() bool {
	raw, folded, cut := false, false, false
	for _, a := range d.atoms {
		switch a.cond.Op {
		case evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains:
			raw, folded = raw || !a.cond.Fold, folded || a.cond.Fold
			cut = cut || slices.ContainsFunc(a.cond.Strings, func(s string) bool { return !utf8.ValidString(s) })
		case evaluator.OpOneOf:
			folded = folded || a.cond.Fold
		}
	}
	return raw && folded && cut
}

// groups returns the operands of an operator, those together that the same atoms
// name.
func (d *domain) groups(op evaluator.Op) []group {
	var list []group
	var order []operand
	atoms := make(map[operand][]int)
	for i, a := range d.atoms {
		if a.cond.Op != op {
			continue
		}
		for _, o := range a.operands() {
			if atoms[o] == nil {
				order = append(order, o)
			}
			if !slices.Contains(atoms[o], i) {
				atoms[o] = append(atoms[o], i)
			}
		}
	}
	for _, o := range order {
		at := slices.IndexFunc(list,
			func(g group) bool { return g.fold == (o.fold == 1) && slices.Equal(g.atoms, atoms[o]) })
		if at < 0 {
			at = len(list)
			list = append(list, group{fold: o.fold == 1, atoms: atoms[o]})
		}
		g := &list[at]
		g.texts, g.folded = append(g.texts, o.text), append(g.folded, fold1(o.text))
	}
	return list
}

// each calls f for every pattern that isn't known to be impossible.
func (p *patterns) each(f func(*pattern)) {
	room := maxCases
	for _, equal := range p.equal {
		for _, prefix := range pairs(p.prefixes, strings.HasPrefix) {
			for _, suffix := range pairs(p.suffixes, strings.HasSuffix) {
				q := pattern{prefix: prefix, suffix: suffix, equal: equal}
				if equal != "" && !p.fits(&q) {
					continue
				}
				sets := len(p.contained) + len(p.expressed)
				if sets > 12 {
					p.d.complete, sets = false, 12
				}
				for set := range 1 << sets {
					if room--; room < 0 {
						p.d.complete = false
						return
					}
					q.contained, q.expressed = bitsOf(set, len(p.contained)),
						bitsOf(set>>len(p.contained), len(p.expressed))
					if p.possible(&q) {
						f(&q)
					}
				}
			}
		}
	}
}

func bitsOf(set, n int) []bool {
	list := make([]bool, n)
	for i := range list {
		list[i] = set>>i&1 == 1
	}
	return list
}

// pairs returns the longest prefixes, or suffixes, that a text can have, as it is and
// folded.
func pairs(lists [2][]string, begins func(s, with string) bool) [][2]string {
	var list [][2]string
	for _, raw := range lists[0] {
		fold := fold1(raw)
		for _, folded := range lists[1] {
			if !begins(folded, fold) && !begins(fold, folded) {
				continue
			}
			longer := func(other string) bool { return begins(fold, other) && len(other) > len(folded) }
			if !slices.ContainsFunc(lists[1], longer) {
				list = append(list, [2]string{raw, folded})
			}
		}
	}
	return list
}

// fits reports whether text that is q.equal when folded can have its prefix and
// suffix.
func (p *patterns) fits(q *pattern) bool {
	longest := func(list []string, is func(s, with string) bool, than string) bool {
		return is(q.equal, than) &&
			!slices.ContainsFunc(list, func(s string) bool { return len(s) > len(than) && is(q.equal, s) })
	}
	return longest(p.prefixes[1], strings.HasPrefix, q.prefix[1]) &&
		longest(p.suffixes[1], strings.HasSuffix, q.suffix[1]) &&
		strings.HasPrefix(q.equal, fold1(q.prefix[0])) && strings.HasSuffix(q.equal, fold1(q.suffix[0]))
}

// possible reports whether text of a pattern could contain what the pattern says. It
// does if it isn't known.
func (p *patterns) possible(q *pattern) bool {
	parts := []string{q.prefix[1], q.suffix[1], fold1(q.prefix[0]), fold1(q.suffix[0])}
	contains := func(list, texts []string) bool { // one of the texts is in one of the list
		return slices.ContainsFunc(texts, func(text string) bool {
			return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, text) })
		})
	}
	for i, g := range p.contained {
		switch {
		case q.equal != "" && g.fold:
			if q.contained[i] != contains([]string{q.equal}, g.texts) {
				return false
			}
		case q.equal != "" && q.contained[i] && !contains([]string{q.equal}, g.folded):
			return false
		}
		if q.contained[i] {
			continue
		}
		if g.fold && contains(parts, g.texts) || !g.fold && contains([]string{q.prefix[0], q.suffix[0]}, g.texts) {
			return false
		}
		for j, other := range p.contained {
			if !q.contained[j] || other.fold && !g.fold {
				continue
			}
			texts := other.texts
			if g.fold {
				texts = other.folded
			}
			if !slices.ContainsFunc(texts, func(text string) bool { return !contains([]string{text}, g.texts) }) {
				return false
			}
		}
	}
	return true
}

// signature returns which atoms hold for text of a pattern that isn't looked at by
// itself.
func (p *patterns) signature(q *pattern) []byte {
	sig := make([]byte, len(p.d.atoms))
	for i, a := range p.d.atoms {
		holds := a.cond.Op == evaluator.OpExists || a.cond.Op == evaluator.OpInSegment && a.members == nil
		for _, o := range a.operands() {
			switch a.cond.Op {
			case evaluator.OpPrefix:
				holds = holds || strings.HasPrefix(q.prefix[o.fold], o.text)
			case evaluator.OpSuffix:
				holds = holds || strings.HasSuffix(q.suffix[o.fold], o.text)
			case evaluator.OpOneOf:
				holds = holds || a.isFoldedSet() && o.fold == 1 && q.equal == o.text
			}
		}
		if holds {
			sig[i] = 1
		}
	}
	mark := func(groups []group, met []bool) {
		for i, g := range groups {
			for _, a := range g.atoms {
				if met[i] {
					sig[a] = 1
				}
			}
		}
	}
	mark(p.contained, q.contained)
	mark(p.expressed, q.expressed)
	return sig
}

// add adds texts made after a pattern, whatever they turn out to be, and supposes
// that there are some as it says.
func (p *patterns) add(q *pattern) {
	p.d.addSimilar(p.examples(q), p.cost)
	p.d.supposeLong(p.signature(q), true)
}
