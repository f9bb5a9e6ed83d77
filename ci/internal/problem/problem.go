// Package problem describes what is wrong in files: a message, the place, and the line
// there, without the secrets in it.
//
// It knows nothing of what the files say. Start at [New].
package problem

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/internal/display"
)

// A Severity says how serious a Problem is.
type Severity uint8

// The severities.
const (
	SeverityError   Severity = iota // the files are refused
	SeverityWarning                 // the files are valid, but probably not what is meant
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == SeverityWarning {
		return "warning"
	}
	return "error"
}

// A Problem is an error in a file, or a warning, and where it is.
type Problem struct {
	// File is the path as a user would type it: the folder given to Load of package ci,
	// and the file below it.
	File string
	// Line and Column, counted from 1, columns in characters. A problem of
	// a file as a whole, such as its size or name, is at 1:1.
	Line, Column int
	// Message says what is wrong, on one line.
	Message string
	// Quote is the line from the file, without its end. Long
	// lines are cut around Column, which "…" marks. It is empty for problems
	// of a file as a whole.
	Quote string
	// Caret is the character of Quote, counted from 1, that Column is
	// about; 0 if Quote is empty.
	Caret int
	// Severity is that of an error, unless the problem is a warning of a lint.
	Severity Severity
	// Lint names the lint that a warning is from. Files silence lints by their
	// names. It is empty for errors.
	Lint string
}

// New returns an error at a place in a file, whose line is text. Secrets in
// what it quotes are masked.
func New(file string, line, column int, text, message string) Problem {
	p := Problem{File: file, Line: line, Column: column, Message: MaskSecrets(message)}
	p.Quote, p.Caret = quote(MaskSecrets(text), column)
	return p
}

// Error returns "file:line:column: message", of a warning
// "file:line:column: warning: message [lint]".
func (p Problem) Error() string {
	if p.Severity == SeverityWarning {
		return fmt.Sprintf("%s:%d:%d: warning: %s [%s]", display.Line(p.File), p.Line, p.Column,
			display.Line(p.Message), p.Lint)
	}
	return fmt.Sprintf("%s:%d:%d: %s", display.Line(p.File), p.Line, p.Column, display.Line(p.Message))
}

// Max bounds the problems that are reported for one file.
const Max = 500

// Problems are errors in files, or warnings, sorted by file, line and column.
type Problems []Problem

// Error returns the problems without their quoted lines, one on each line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// quoteIndent sets quoted lines off from messages.
const quoteIndent = "    "

// Write writes the problems as a compiler would: the message, the line, and a
// caret under the place.
func (ps Problems) Write(w io.Writer) error {
	for _, p := range ps {
		text := p.Error() + "\n"
		if p.Caret > 0 {
			text += quoteIndent + printable(p.Quote) + "\n" + quoteIndent + caretPadding(p.Quote, p.Caret) + "^\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return fmt.Errorf("writing problems: %w", err)
		}
	}
	return nil
}

// Sort sorts problems by file, line, column and message.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message),
			cmp.Compare(a.Lint, b.Lint),
		)
	})
}

// caretPadding returns the white space that puts what follows it under the
// character of that number: tabs stay tabs, and a wide character takes two
// columns of a terminal.
func caretPadding(line string, character int) string {
	var b strings.Builder
	n := 1
	for _, r := range line {
		if n == character {
			break
		}
		n++
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case wide(r):
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// wide reports whether terminals show r in two columns.
func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Yi):
		return r < 0xFF61 || r > 0xFFDC // halfwidth forms
	}
	return r >= 0x3000 && r <= 0x303E || // CJK punctuation
		r >= 0xFF01 && r <= 0xFF60 || r >= 0xFFE0 && r <= 0xFFE6 || // fullwidth forms
		r >= 0x1F300 && r <= 0x1F64F || r >= 0x1F680 && r <= 0x1F6FF || r >= 0x1F900 && r <= 0x1FAFF // pictographs
}

// printable replaces characters that would move a terminal's cursor or change what is
// seen of others. Unlike [display.Line] it leaves each in its place, for the caret.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if display.Hidden(r) {
			return unicode.ReplacementChar
		}
		return r
	}, line)
}

// maxQuote is the length in characters above which a quoted line is cut.
const maxQuote = 160

// quote cuts line, if it is long, to the surroundings of column. It returns
// what is left and the character of it that column became.
func quote(line string, column int) (quoted string, caret int) {
	length := utf8.RuneCountInString(line)
	if length <= maxQuote {
		return line, column
	}
	from := min(max(0, column-1-maxQuote/2), length-maxQuote)
	to := from + maxQuote
	var b strings.Builder
	if caret = column - from; from > 0 {
		b.WriteRune('…')
		caret++
	}
	n := 0
	for _, r := range line {
		if n >= from && n < to {
			b.WriteRune(r)
		}
		n++
	}
	if to < length {
		b.WriteRune('…')
	}
	return b.String(), caret
}

// A Silence is what a file says about a lint that doesn't apply to it.
type Silence struct {
	Lint         string
	Line, Column int
}
