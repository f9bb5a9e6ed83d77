package decide

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold1 folds text as the evaluator does.
func fold1(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size <= 1 {
			b = append(b, s[i])
			i++
			continue
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A'
		}
		b = utf8.AppendRune(b, least)
		i += size
	}
	return string(b)
}

// hasCase reports whether text has characters that there are others of in another letter
// case.
func hasCase(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.SimpleFold(r) != r }) || !utf8.ValidString(s)
}

// maxSpelledCases bounds the letter cases in which a text is spelled out: six letters have that many.
const maxSpelledCases = 64

// spellCases returns all texts that are a folded one when they are folded, and whether they
// aren't too many.
func spellCases(folded string) ([]string, bool) {
	if !utf8.ValidString(folded) {
		return nil, false
	}
	list := []string{""}
	for _, r := range folded {
		orbit := []rune{r}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			orbit = append(orbit, other)
		}
		if len(list)*len(orbit) > maxSpelledCases {
			return nil, false
		}
		var longer []string
		for _, text := range list {
			for _, r := range orbit {
				longer = append(longer, text+string(r))
			}
		}
		list = longer
	}
	// Examples use the first spelling that differs, and a text in capitals is easier to see than one capital.
	if i := slices.Index(list, strings.ToUpper(folded)); i > 1 {
		list[1], list[i] = list[i], list[1]
	}
	return list, true
}
