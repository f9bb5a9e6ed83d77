package lint

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/idlist"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
)

// characterNames are what people call some characters that can't be seen.
var characterNames = map[rune]string{
	'\u00a0': "no-break space", '\u00ad': "soft hyphen", '\u200b': "zero-width space",
	'\u200c': "zero-width non-joiner",
	'\u200d': "zero-width joiner", '\u200e': "left-to-right mark", '\u200f': "right-to-left mark",
	'\u202d': "left-to-right override", '\u202e': "right-to-left override", '\u202f': "narrow no-break space",
	'\u2060': "word joiner", '\u3000': "ideographic space", '\ufeff': "byte order mark",
}

// nameOf returns the code point of a character, and its name if that is known.
func nameOf(r rune) string {
	if name := characterNames[r]; name != "" {
		return fmt.Sprintf("%U (%s)", r, name)
	}
	return fmt.Sprintf("%U", r)
}

// confusing returns the first character of text that makes it another text than the one
// it looks like, its offset, and what to say about it. It returns "" if there is none.
func confusing(text string) (r rune, at int, message string) {
	trimmed := strings.TrimSpace(text) // lint stray-space is about the rest
	begin := strings.Index(text, trimmed)
	before := rune(0)
	for i, r := range trimmed {
		after, _ := utf8.DecodeRuneInString(trimmed[i+utf8.RuneLen(r):])
		switch {
		case reorders(r):
			// Said once for the file's text; if it is escaped, readers see it.
		case invisible(r) && !joins(before, r, after):
			return r, begin + i, nameOf(r) + " can't be seen; the same text without it doesn't match"
		case r != ' ' && unicode.Is(unicode.Zs, r):
			return r, begin + i, nameOf(r) +
				" looks like a space, but isn't one; the same text with a space doesn't match"
		case '０' <= r && r <= '９':
			return r, begin + i, nameOf(r) + " is a full-width digit; the same text with ordinary digits doesn't match"
		}
		before = r
	}
	for _, quotes := range []string{"‘’", "“”", "„“", "«»", "＂＂", "＇＇"} {
		open, size := utf8.DecodeRuneInString(quotes)
		quoted := strings.HasPrefix(trimmed, quotes[:size]) && strings.HasSuffix(trimmed, quotes[size:])
		if quoted && len(trimmed) > size {
			return open, begin, nameOf(open) +
				" is no quotation mark of a file's syntax, but part of the text; remove it, or write ' or \""
		}
	}
	return 0, 0, ""
}

// invisible reports whether nothing is seen of a character, or only its effect on others.
func invisible(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800', '\u034f', '\u180e': // fillers, a blank Braille pattern, a joiner
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// joins reports whether r, between two characters, is a joiner as some languages and
// emoji need it: between characters that aren't of a European script.
func joins(before, r, after rune) bool {
	return (r == '\u200c' || r == '\u200d') &&
		before > unicode.MaxLatin1 && after > unicode.MaxLatin1 && after != utf8.RuneError
}

// reorders reports whether r is a character by which what follows is read in another
// order than it is written. Reviewers see something else than is there.
func reorders(r rune) bool { return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' }

// textOrder warns of lines of a file that are read in another order than they are
// written, in comments, too.
func (l *linter) textOrder(s *source.File, text string) {
	if !strings.ContainsFunc(text, reorders) {
		return
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		i := strings.IndexFunc(line, reorders)
		if i < 0 {
			continue
		}
		if !l.wants(problem.LintConfusingCharacter, s) {
			return
		}
		r, _ := utf8.DecodeRuneInString(line[i:])
		l.warnAt(problem.LintConfusingCharacter, s, number, 1+utf8.RuneCountInString(line[:i]), line,
			nameOf(r)+" changes the order in which the line is shown, so that readers see something else than is there")
	}
}

// characters warns of names and values that are other texts than they look like. Texts
// for people are left out.
func (l *linter) characters(s *source.File, n *source.Node) {
	for _, f := range n.Fields {
		l.characters(s, f.Key)
		switch f.Key.Text {
		case "description", "metadata", "lint":
			continue
		case "variants":
			for _, v := range f.Value.Fields {
				l.characters(s, v.Key) // the values are what programs get
			}
			continue
		}
		l.characters(s, f.Value)
	}
	for _, item := range n.Items {
		l.characters(s, item)
	}
	if n.Kind != source.Scalar {
		return
	}
	// Who writes "\u200b" shows what is meant.
	if r, _, message := confusing(n.Text); message != "" && bytes.ContainsRune(s.Data, r) {
		l.warn(problem.LintConfusingCharacter, s, n, "%s", message)
	}
}

// listCharacters does for a list of ids what textOrder and characters do.
func (l *linter) listCharacters(list *idlist.List) {
	if isASCII(list.Text) {
		return
	}
	l.textOrder(list.File, list.Text)
	for line := range list.Lines() {
		_, at, message := confusing(line.ID)
		if message == "" {
			continue
		}
		if !l.wants(problem.LintConfusingCharacter, list.File) {
			return
		}
		text := strings.TrimSuffix(line.Text, "\r")
		before, _ := spaceAround(text)
		column := 1 + utf8.RuneCountInString(text[:before+at])
		l.warnAt(problem.LintConfusingCharacter, list.File, line.Number, column, text, message)
	}
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
