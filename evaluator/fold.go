package evaluator

import (
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// appendFold appends s in a canonical case: it replaces each rune by a representative of all
// runes that are equal under Unicode simple case folding. Invalid UTF-8 stays as it is. The
// appended string is no longer than s.
func appendFold(b []byte, s string) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[0])
		} else {
			b = utf8.AppendRune(b, foldRune(r))
		}
		s = s[n:]
	}
	return b
}

// foldRune returns the least rune of r's orbit, or its lower case if that is an
// ASCII letter.
func foldRune(r rune) rune {
	least := r
	if r >= utf8.RuneSelf {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

// view returns b as a string without copying it. b must not change while the
// string is in use.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
