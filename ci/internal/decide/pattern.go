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
	prefixes, suffixes   []affix
	equal                []string // folded, with ""
	contained, expressed []group
}

type group struct {
	texts []string // folded, if fold
	fold  bool
	atoms []int
	forms []form // of texts to contain: a value that meets the group has one of them
	edges []edge // of expressions
}

// A pattern is one of patterns.
type pattern struct {
	prefix, suffix *affix
	equal          string // what the whole text is when folded; "": another
	contained      []bool // by group
	expressed      []bool
}

func newPatterns(d *domain, cost int) *patterns {
	p := &patterns{d: d, cost: cost, equal: []string{""}}
	prefixes, suffixes := [2][]string{{""}, {""}}, [2][]string{{""}, {""}}
	add := func(list *[]string, text string) {
		if !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	for _, a := range d.atoms {
		for _, o := range a.operands {
			switch {
			case o.op == evaluator.OpPrefix:
				add(&prefixes[o.fold], o.text)
			case o.op == evaluator.OpSuffix:
				add(&suffixes[o.fold], o.text)
			case o.op == evaluator.OpOneOf && o.fold == 1:
				add(&p.equal, o.text)
			}
		}
	}
	d.complete = d.complete && !d.cutsCharacters()
	p.contained, p.expressed = d.groups(evaluator.OpContains), d.groups(evaluator.OpMatches)
	for i := range p.contained {
		g := &p.contained[i]
		for _, text := range g.texts {
			g.forms = append(g.forms, p.forms(text, g.fold)...)
		}
	}
	for i := range p.expressed {
		g := &p.expressed[i]
		for _, text := range g.texts {
			g.edges = append(g.edges, p.edge(text))
		}
	}
	p.prefixes, p.suffixes = p.affixes(prefixes, strings.HasPrefix), p.affixes(suffixes, strings.HasSuffix)
	return p
}

// cutsCharacters reports whether comparisons of text as it is and folded meet in
// texts that begin or end within a character. What such a fragment becomes when it is
// folded depends on the bytes next to it.
func (d *domain) cutsCharacters() bool {
	raw, folded, cut := false, false, false
	for _, a := range d.atoms {
		folded = folded || a.cond.Fold && a.cond.Op != evaluator.OpMatches
		for _, o := range a.operands {
			folded = folded || o.fold == 1
			if o.op == evaluator.OpPrefix || o.op == evaluator.OpSuffix || o.op == evaluator.OpContains {
				raw, cut = raw || o.fold == 0, cut || !utf8.ValidString(o.text)
			}
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
		for _, o := range a.operands {
			if o.op != op {
				continue
			}
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
		list[at].texts = append(list[at].texts, o.text)
	}
	return list
}

// each calls f for every pattern that isn't known to be impossible.
func (p *patterns) each(f func(*pattern)) {
	room := maxCases
	for _, equal := range p.equal {
		if equal != "" && p.addCases(equal, &room) {
			continue
		}
		for i := range p.prefixes {
			for j := range p.suffixes {
				q := pattern{prefix: &p.prefixes[i], suffix: &p.suffixes[j], equal: equal}
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

// addCases adds a text that is known when it is folded, in all letter cases, if these aren't
// too many. No other text is so.
func (p *patterns) addCases(folded string, room *int) bool {
	texts, ok := spellCases(folded)
	if *room -= len(texts); !ok || *room < 0 {
		return false
	}
	texts = slices.DeleteFunc(texts, p.d.isNamed)
	for _, text := range texts {
		p.d.add(evaluator.StringValue(text), p.cost, func(i int) (evaluator.Value, bool) {
			return evaluator.StringValue(texts[i%len(texts)]), i < len(texts)
		})
	}
	return true
}

// fits reports whether text that is q.equal when folded can have its prefix and
// suffix.
func (p *patterns) fits(q *pattern) bool {
	longest := func(list []affix, is func(s, with string) bool, than *affix) bool {
		return is(q.equal, than.folded) && is(q.equal, fold1(than.raw)) && !slices.ContainsFunc(list,
			func(a affix) bool { return len(a.folded) > len(than.folded) && is(q.equal, a.folded) })
	}
	return longest(p.prefixes, strings.HasPrefix, q.prefix) && longest(p.suffixes, strings.HasSuffix, q.suffix)
}

// possible reports whether text of a pattern could contain what the pattern says. It
// does if it isn't known.
func (p *patterns) possible(q *pattern) bool {
	missing := q.missing()
	for i, g := range p.contained {
		in := func(text string) bool { return strings.Contains(q.equal, fold1(text)) }
		switch {
		case q.contained[i] && allowed(g.forms, missing) == nil:
			return false
		case q.equal != "" && (q.contained[i] || g.fold) && q.contained[i] != slices.ContainsFunc(g.texts, in):
			return false
		}
	}
	for i, g := range p.expressed {
		meets := func(e edge) bool {
			return p.meets(e.begin, p.prefixes, q.prefix, strings.HasPrefix, missing) &&
				p.meets(e.end, p.suffixes, q.suffix, strings.HasSuffix, missing)
		}
		if q.expressed[i] && !slices.ContainsFunc(g.edges, meets) {
			return false
		}
	}
	return allowed(q.prefix.forms, missing) != nil && allowed(q.suffix.forms, missing) != nil
}

// missing returns the groups of texts that a pattern doesn't contain.
func (q *pattern) missing() (groups uint64) {
	for i, is := range q.contained {
		if !is {
			groups |= 1 << i
		}
	}
	return groups
}

// signature returns which atoms hold for text of a pattern that isn't looked at by
// itself.
func (p *patterns) signature(q *pattern) []byte {
	prefix, suffix := [2]string{q.prefix.raw, q.prefix.folded}, [2]string{q.suffix.raw, q.suffix.folded}
	sig := make([]byte, len(p.d.atoms))
	for i, a := range p.d.atoms {
		holds := a.cond.Op == evaluator.OpExists || a.cond.Op == evaluator.OpInSegment && a.members == nil
		for _, o := range a.operands {
			switch o.op {
			case evaluator.OpPrefix:
				holds = holds || strings.HasPrefix(prefix[o.fold], o.text)
			case evaluator.OpSuffix:
				holds = holds || strings.HasSuffix(suffix[o.fold], o.text)
			case evaluator.OpOneOf:
				holds = holds || o.fold == 1 && q.equal == o.text
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

// maxChoices bounds how often texts are made for expressions, with other alternatives.
const maxChoices = 8

// add adds texts made after a pattern, whatever they turn out to be, and supposes
// that there are some as it says.
func (p *patterns) add(q *pattern) {
	sig := p.signature(q)
	for choice := range maxChoices {
		p.d.addSimilar(p.samples(q, choice), p.cost)
		if !slices.Contains(q.expressed, true) || p.d.isReal(string(sig)) {
			break
		}
	}
	p.d.supposeLong(sig, true)
}
