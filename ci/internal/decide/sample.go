package decide

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// examples returns texts that could be after a pattern.
func (p *patterns) examples(q *pattern) []string {
	either := func(pair [2]string) string {
		if len(pair[1]) > len(fold1(pair[0])) {
			return pair[1]
		}
		return pair[0]
	}
	if q.equal != "" {
		return casings(q.equal)
	}
	pre, post := either(q.prefix), either(q.suffix)
	mid := ""
	for i, g := range p.contained {
		if q.contained[i] && !strings.Contains(pre+mid+post, g.texts[0]) {
			mid += g.texts[0]
		}
	}
	for i, g := range p.expressed {
		if re, err := syntax.Parse(g.texts[0], syntax.Perl); err == nil && q.expressed[i] {
			mid += example(re.Simplify(), 0)
		}
	}
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

// maxExample bounds the text that is made for a regular expression.
const maxExample = 200

// example returns a text that a regular expression is likely to match.
func example(re *syntax.Regexp, depth int) string {
	if depth > 100 {
		return ""
	}
	var b strings.Builder
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			b.WriteRune(re.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpCapture, syntax.OpPlus:
		b.WriteString(example(re.Sub[0], depth+1))
	case syntax.OpRepeat:
		for range min(re.Min, maxExample) {
			b.WriteString(example(re.Sub[0], depth+1))
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if b.Len() > maxExample {
				break
			}
			b.WriteString(example(sub, depth+1))
		}
	case syntax.OpAlternate:
		b.WriteString(example(re.Sub[0], depth+1))
	}
	return b.String()
}
