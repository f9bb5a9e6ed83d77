package decide

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// An affix is the longest prefix, or suffix, that a text has, as it is and folded.
type affix struct {
	raw, folded string
	forms       []form // a text that has both has one of them
}

// A form is a text in one letter case, and what else a value contains that has it.
type form struct {
	text   string
	groups uint64 // of texts to contain: a bit for each of the first 64
	exact  bool   // false: it is folded, because its letter cases are too many
}

// An edge is what the matches of an expression begin and end with.
type edge struct{ begin, end []form } // nil: nothing is known

// allowed returns a form of some that contains none of the missing groups.
func allowed(forms []form, missing uint64) *form {
	i := slices.IndexFunc(forms, func(f form) bool { return f.groups&missing == 0 })
	if i < 0 {
		return nil
	}
	return &forms[i]
}

// forms returns the forms of a text.
func (p *patterns) forms(text string, folded bool) []form {
	texts, exact := []string{text}, true
	if folded {
		if texts, exact = spellCases(text); !exact {
			texts = []string{text}
		}
	}
	list := make([]form, len(texts))
	for i, text := range texts {
		list[i] = form{text: text, exact: exact}
		fold := fold1(text)
		for j, g := range p.contained {
			has := func(part string) bool {
				return g.fold && strings.Contains(fold, part) || !g.fold && exact && strings.Contains(text, part)
			}
			if slices.ContainsFunc(g.texts, has) {
				list[i].groups |= 1 << j
			}
		}
	}
	return list
}

// affixes returns the longest prefixes, or suffixes, that a text can have, as it is and
// folded, out of those that comparisons name.
func (p *patterns) affixes(named [2][]string, has func(s, with string) bool) []affix {
	var list []affix
	for _, raw := range named[0] {
		fold := fold1(raw)
		for _, folded := range named[1] {
			longer := func(other string) bool { return has(fold, other) && len(other) > len(folded) }
			if !has(folded, fold) && !has(fold, folded) || slices.ContainsFunc(named[1], longer) {
				continue
			}
			a := affix{raw, folded, p.forms(raw, false)}
			if len(folded) > len(fold) {
				a.forms = slices.DeleteFunc(p.forms(folded, true), func(f form) bool {
					longer := func(other string) bool { return has(f.text, other) && len(other) > len(raw) }
					return f.exact && (!has(f.text, raw) || slices.ContainsFunc(named[0], longer))
				})
			}
			if len(a.forms) > 0 {
				list = append(list, a)
			}
		}
	}
	return list
}

// edge returns the edges of an expression.
func (p *patterns) edge(text string) (e edge) {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return e
	}
	for _, text := range edges(re, false) {
		e.begin = append(e.begin, p.forms(text, true)...)
	}
	for _, text := range edges(re, true) {
		e.end = append(e.end, p.forms(text, true)...)
	}
	return e
}

// meets reports whether text that has an affix, the longest of a list, can have one of the
// forms of an edge, too.
func (p *patterns) meets(edge []form, list []affix, longest *affix, has func(s, with string) bool,
	missing uint64) bool {
	return edge == nil || slices.ContainsFunc(edge, func(f form) bool {
		fold, known := fold1(f.text), longest.folded
		if raw := fold1(longest.raw); len(raw) > len(known) {
			known = raw
		}
		longer := func(a affix) bool {
			return len(a.folded) > len(longest.folded) && has(fold, a.folded) ||
				f.exact && len(a.raw) > len(longest.raw) && has(f.text, a.raw)
		}
		agrees := (has(fold, known) || has(known, fold)) &&
			(!f.exact || has(f.text, longest.raw) || has(longest.raw, f.text))
		return agrees && f.groups&missing == 0 && !slices.ContainsFunc(list, longer)
	})
}
