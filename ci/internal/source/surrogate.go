package source

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v4"
)

// JSON escapes a character beyond U+FFFF as a pair of surrogates, such as
// \ud83d\ude80, which the parser rejects. Before parsing, hideSurrogates adds 0x1000
// to each, which turns them into private characters and doesn't move anything in
// the file. Afterwards, showSurrogates subtracts it again. A file that contains such
// private characters itself isn't changed.
const privateOffset = 0x1000

var (
	surrogatePair = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	privatePair   = regexp.MustCompile(`\\u[eE][89abAB][0-9a-fA-F]{2}\\u[eE][c-fC-F][0-9a-fA-F]{2}`)
	private       = regexp.MustCompile(`[\x{e800}-\x{efff}]|\\[uU](?:0000)?[eE][89a-fA-F]`)
)

// hideSurrogates returns data with escapes of private characters in place of
// surrogate pairs, and whether there were any.
func hideSurrogates(data []byte) (text []byte, hidden bool) {
	if !bytes.Contains(data, []byte(`\ud`)) && !bytes.Contains(data, []byte(`\uD`)) || private.Match(data) {
		return data, false
	}
	for _, at := range surrogatePair.FindAllIndex(data, -1) {
		before := data[:at[0]]
		if backslashes := len(before) - len(bytes.TrimRight(before, `\`)); backslashes%2 == 1 {
			continue // the first backslash is itself escaped
		}
		if !hidden {
			text, hidden = bytes.Clone(data), true
		}
		text[at[0]+2]++ // d becomes e
		text[at[0]+8]++
	}
	if !hidden {
		return data, false
	}
	return text, true
}

// showSurrogates returns the text of a scalar in a file that hideSurrogates has
// changed.
func showSurrogates(n *yaml.Node) string {
	if n.Style&yaml.DoubleQuotedStyle == 0 { // nothing is an escape here
		return privatePair.ReplaceAllStringFunc(n.Value, func(pair string) string {
			shown := []byte(pair)
			shown[2]--
			shown[8]--
			return string(shown)
		})
	}
	var b strings.Builder
	var high rune
	for _, r := range n.Value {
		switch {
		case 0xe800 <= r && r < 0xec00:
			high = r
		case 0xec00 <= r && r < 0xf000:
			b.WriteRune(utf16.DecodeRune(high-privateOffset, r-privateOffset))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
