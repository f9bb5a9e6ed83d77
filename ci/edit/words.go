package edit

import (
	"errors"
	"strings"
)

var errQuote = errors.New("a quote isn't closed")

// words splits the text of an edit at spaces. Single or double quotes keep a word with
// spaces together; within them, nothing is special.
func words(text string) ([]string, error) {
	var list []string
	var word strings.Builder
	open, begun := rune(0), false
	for _, r := range text {
		switch {
		case open != 0 && r == open:
			open = 0
		case open == 0 && (r == '"' || r == '\''):
			open, begun = r, true
		case open == 0 && (r == ' ' || r == '\t'):
			if begun {
				list = append(list, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if open != 0 {
		return nil, errQuote
	}
	if begun {
		list = append(list, word.String())
	}
	return list, nil
}

// quoted returns a word as it is written in an edit.
func quoted(word string) string {
	switch {
	case word != "" && !strings.ContainsAny(word, " \t'\""):
		return word
	case !strings.Contains(word, `"`):
		return `"` + word + `"`
	case !strings.Contains(word, "'"):
		return "'" + word + "'"
	}
	return `"` + strings.ReplaceAll(word, `"`, `"'"'"`) + `"`
}
