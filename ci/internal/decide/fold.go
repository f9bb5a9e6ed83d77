package decide

import (
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

// hasCase reports whether text, or a regular expression, has characters that there are
// others of in another letter case.
func hasCase(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.SimpleFold(r) != r }) || !utf8.ValidString(s)
}
