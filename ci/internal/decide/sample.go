package decide

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// samples returns texts that could be after a pattern. Each choice makes others for expressions.
func (p *patterns) samples(q *pattern, choice int) []string {
	if q.equal != "" {
		return casings(q.equal)
	}
	missing := q.missing()
	pre, post := allowed(q.prefix.forms, missing).text, allowed(q.suffix.forms, missing).text
	var middle strings.Builder
	for i, g := range p.contained {
		if !q.contained[i] {
			continue
		}
		if f := allowed(g.forms, missing); !strings.Contains(pre+middle.String()+post, f.text) {
			middle.WriteString(f.text)
		}
	}
	choices := chooser{number: choice, inside: middle.String()}
	var matched strings.Builder
	for i, g := range p.expressed {
		if q.expressed[i] {
			text := g.texts[choices.choose(len(g.texts))]
			if re, err := syntax.Parse(text, syntax.Perl); err == nil {
				choices.write(&matched, re.Simplify())
			}
		}
	}
	mid := choices.inside + matched.String()
	if pre+mid+post == "" {
		return []string{"another", "x", "0", "Z~", "~"}
	}
	begin, end := "", ""
	if pre == "" {
		begin = "x"
	}
	if post == "" {
		end = "1"
	}
	var list []string
	for _, text := range []string{begin + pre + mid + post + end, pre + mid + post, pre + "x" + mid + post,
		pre + mid + "x" + post, pre + "~" + mid + "~" + post, "x" + mid + "x"} {
		list = append(list, casings(text)...)
	}
	return list
}

// casings returns a text in several letter cases.
func casings(text string) []string {
	first, size := utf8.DecodeRuneInString(text)
	list := []string{text, strings.ToUpper(text), strings.ToLower(text), string(unicode.ToUpper(first)) + text[size:]}
	return slices.Compact(list)
}
