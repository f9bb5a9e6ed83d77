// Package word reads and writes the words that lines of lock files consist of. A word with
// other characters than letters, digits and -_./@%+() stands in quotes, as in Go.
package word

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Err says that there is no word where one is expected.
var Err = errors.New("a word is missing or malformed")

// special reports whether a word with r needs quotes.
func special(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./@%+()", r)
}

// Quote returns a word as a line has it, in quotes if need be.
func Quote(s string) string {
	if s == "" || strings.ContainsFunc(s, special) {
		return strconv.Quote(s)
	}
	return s
}

// A Scanner reads a line from left to right.
type Scanner struct {
	Rest string // what is still to be read
	Max  int    // how many words it reads at most
	read int
}

// Skip skips a text, and reports whether it came next.
func (s *Scanner) Skip(text string) bool {
	rest, ok := strings.CutPrefix(s.Rest, text)
	s.Rest = rest
	return ok
}

// Word reads a word, in quotes or without.
func (s *Scanner) Word() (string, error) {
	if s.read++; s.read > s.Max {
		return "", fmt.Errorf("the line has more than %d words", s.Max)
	}
	if strings.HasPrefix(s.Rest, `"`) {
		quoted, err := strconv.QuotedPrefix(s.Rest)
		if err != nil {
			return "", Err
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return "", Err
		}
		s.Rest = s.Rest[len(quoted):]
		return word, nil
	}
	end := strings.IndexFunc(s.Rest, special)
	if end < 0 {
		end = len(s.Rest)
	}
	if end == 0 {
		return "", Err
	}
	word := s.Rest[:end]
	s.Rest = s.Rest[end:]
	return word, nil
}
