package guard

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the length in bytes of the longest text of evidence, other than reasons.
const maxText = 4 << 10

// maxReason is the length in bytes of the longest text of an error.
const maxReason = 300

// short returns an error's text as evidence holds it.
func short(text string) string { return clip(oneLine(text), maxReason) }

// oneLine returns a text without line breaks and other control characters.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// clip returns a text without its end, if it is too long.
func clip(text string, bytes int) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= bytes {
		return text
	}
	bytes -= len("…")
	for bytes > 0 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes] + "…"
}
