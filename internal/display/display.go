// Package display shows text from outside, such as names of files, values of flags and
// messages of servers, on terminals and in pull requests. Such text may contain anything:
// sequences that move a terminal's cursor, line breaks that fake other lines, characters
// that reverse the direction of writing, and Markdown.
//
// [Line] is for text within a line of plain text, [Markdown] for text within a line of
// Markdown, and [Fence] for text of several lines in Markdown. A [Writer] is the last line
// of defence: everything that the command prints goes through one.
package display

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns text on one line. It writes what isn't printable as \u001b, \n or \t.
func Line(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' || Hidden(r) }) {
		return strings.ToValidUTF8(text, "\ufffd")
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			b.Write(appendRune(nil, r))
		}
	}
	return b.String()
}

// Hidden reports whether r, other than a line break or a tab, could change what a reader
// sees of other characters.
func Hidden(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' ||
		r == '\u2029'
}

func appendRune(b []byte, r rune) []byte {
	if Hidden(r) { // all of them have four digits, which JSON requires
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return utf8.AppendRune(b, r)
}

// A Writer passes text on, with control characters other than line breaks and tabs
// written as \u001b. Within JSON, where they occur in strings alone, that doesn't change
// what is meant. It isn't safe for concurrent use.
type Writer struct {
	w       io.Writer
	partial []byte // the beginning of a character
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Unwrap returns what w writes to, for output that moves the cursor on purpose.
func (w *Writer) Unwrap() io.Writer { return w.w }

// Write implements [io.Writer]. Bytes that are no UTF-8 become U+FFFD; a character that is
// never completed is left out.
func (w *Writer) Write(p []byte) (int, error) {
	text := append(w.partial, p...)
	out := make([]byte, 0, len(text))
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		out = appendRune(out, r)
		text = text[size:]
	}
	w.partial = append(w.partial[:0:0], text...)
	if _, err := w.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Fence returns text as a Markdown code block, which nothing in it can end.
func Fence(text string) string {
	longest, run := 2, 0
	var b strings.Builder
	for _, r := range text {
		b.Write(appendRune(nil, r))
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if !strings.HasSuffix(text, "\n") {
		b.WriteByte('\n')
	}
	return fence + "text\n" + b.String() + fence + "\n"
}

// markdown makes what has a meaning in Markdown, in HTML, or for GitHub and GitLab (links,
// mentions, and references such as #12 and !34) mean itself. Where escaping isn't enough,
// because they look for names in the result, a space without width interrupts the name.
var markdown = newEscaper()

func newEscaper() *strings.Replacer {
	const space = "&#8203;"
	pairs := []string{"@", "@" + space, "//", "/" + space + "/", "www.", "www" + space + ".", "WWW.",
		"WWW" + space + ".", "GH-", "GH" + space + "-"}
	for _, c := range "#!$%&~" { // issue, merge request, snippet, milestone, epic, label
		for digit := '0'; digit <= '9'; digit++ {
			pairs = append(pairs, fmt.Sprintf("%c%c", c, digit), fmt.Sprintf("&#%d;%s%c", c, space, digit))
		}
	}
	for _, c := range "&<>|`*_[]\\~!$#" {
		pairs = append(pairs, string(c), fmt.Sprintf("&#%d;", c))
	}
	return strings.NewReplacer(pairs...)
}

// Markdown returns text for a line of Markdown that shows it as it is.
func Markdown(text string) string { return markdown.Replace(Line(text)) }

// Cut returns the lines at the beginning of text that have at most the given number of
// bytes in all. If a line was left out, it says so on a line of its own, beyond the limit.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := strings.LastIndexByte(text[:limit], '\n') + 1
	left := strings.Count(strings.TrimSuffix(text[end:], "\n"), "\n") + 1
	if left == 1 {
		return text[:end] + "… and 1 more line\n"
	}
	return fmt.Sprintf("%s… and %d more lines\n", text[:end], left)
}
