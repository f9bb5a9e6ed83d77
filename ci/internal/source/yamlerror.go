package source

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// malformed is the message if there is no better one.
const malformed = "malformed YAML"

const (
	noDirectives = "directives (%) are not allowed"
	needsQuotes  = "put text that starts with this character in quotes"
	noTabs       = "indent with spaces, not tabs"
	notPart      = "unexpected text after a value; check the indentation, or put the whole text in quotes"
	quotesOpen   = "this quote is never closed"
	dashInFlow   = "a list with dashes isn't allowed inside brackets or braces"
	expectedKey  = "expected \"key: value\" here, as on the lines above"
	expectedDash = "expected a dash here, as on the lines above; check the indentation"
	secondColon  = "unexpected second key; " +
		"check the indentation, or put text that contains \": \" in quotes"
	colonOfAbove = "this line continues the value above, so it can't have a key; " +
		"check the indentation, or put text that contains \": \" in quotes"
	spaceBefore   = "write a space before a comment, or put text that contains # in quotes"
	dashOfAbove   = "this line continues the text above, so its dash doesn't start a list entry; check the indentation"
	listOnOwnLine = "start a list with dashes on the line below its key"
)

// parserMessages translates the parser's messages. The first match counts. With
// start set, the problem's position is where the parser's context began.
var parserMessages = []struct {
	context, theirs string // what the parser's context and message contain
	ours            string
	start           bool
}{
	{"anchor", "", noAnchors, true},
	{"alias", "", noAnchors, true},
	{"tag", "", noTags, true},
	{"", "tag handle", noTags, false},
	{"directive", "", noDirectives, true},
	{"", "before directive", noDirectives, false},
	{"block scalar", "tab character", noTabs, false},
	{"block scalar", "", "put text that starts with | or > in quotes; start a block of text on the next line", true},
	{"", "tab", noTabs, false},
	{"quoted scalar", "unexpected", quotesOpen, true},
	{"", "a comment without preceding whitespace", spaceBefore, false},
	{"", "block sequence entries are not allowed", listOnOwnLine, false},
	{"", "mapping keys are not allowed", noComplex, false},
	{"", "could not find expected ':'", expectedKey, true},
	{"", "did not find expected '-' indicator", expectedDash, false},
	{"", "did not find expected <document start>", notPart, false},
	{"block mapping", "did not find expected key", notPart, false},
	{"", errTooDeep.Error(), errTooDeep.Error(), false},
}

// syntaxError records an error of the parser. If a letter in place of one byte of
// the text would avoid the error, it also returns that byte's offset.
func (s *File) syntaxError(text []byte, err error) (offset int, repairable bool) {
	var failure *yaml.LoadError
	if !errors.As(err, &failure) || failure.Mark.Line == 0 {
		// Don't show err itself: it may quote the file.
		s.ProblemAt(1, 1, malformed)
		return 0, false
	}
	mark, message, repairable := s.explain(text, failure)
	if last := bytes.Count(s.Data, []byte("\n")) + 1; mark.Line > last {
		mark = yaml.Mark{Line: last, Column: utf8.RuneCountInString(s.Line(last)) + 1}
	}
	if r := falseSpace(s.Line(mark.Line)); r != 0 {
		message += fmt.Sprintf("; the line contains %U, which looks like a space but isn't one", r)
	}
	s.ProblemAt(mark.Line, mark.Column, message)
	return offsetOf(text, mark), repairable
}

// A failure is an error of the parser, and the text around it.
type failure struct {
	*yaml.LoadError
	text  []byte
	at    int    // the offset of the mark
	next  byte   // the byte there, 0 at the end
	line  []byte // what stands before it on its line
	atEnd bool   // nothing but white space follows
}

func newFailure(text []byte, err *yaml.LoadError) *failure {
	f := &failure{LoadError: err, text: text, at: offsetOf(text, err.Mark)}
	if f.at < len(text) {
		f.next = text[f.at]
	}
	f.line = text[bytes.LastIndexByte(text[:f.at], '\n')+1 : f.at]
	f.atEnd = len(bytes.TrimSpace(text[f.at:])) == 0
	return f
}

// entry returns what stands before the mark on its line, without the indentation, and
// the column where that begins.
func (f *failure) entry() (entry []byte, column int) {
	entry = bytes.TrimLeft(f.line, " ")
	return entry, len(f.line) - len(entry) + 1
}

// explain returns the position and message of a parser failure, and whether a
// letter in place of the character there would avoid it.
func (s *File) explain(text []byte, err *yaml.LoadError) (mark yaml.Mark, message string, repairable bool) {
	f := newFailure(text, err)
	mark = f.Mark
	switch f.Message {
	case "found character that cannot start any token":
		switch f.next {
		case '\t':
			return mark, noTabs, false
		case '%':
			return mark, "put text that starts with % in quotes", true
		}
		return mark, needsQuotes, true
	case "found unknown escape character":
		return mark, badEscape(s.Data[f.at:]), true
	case "did not find expected hexadecimal number", "found invalid Unicode character escape code":
		mark.Column -= len(`\x`)
		return mark, badEscape(s.Data[f.at-len(`\x`):]), true
	case "mapping values are not allowed in this context":
		mark, message = f.colon()
		return mark, message, false
	case "did not find expected node content":
		mark, message = f.noValue()
		return mark, message, false
	case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
		mark, message = f.inBrackets()
		return mark, message, false
	case "did not find expected key":
		if mark.Column == f.ContextMark.Column {
			return mark, expectedKey, false
		}
	}
	return f.translated()
}

// colon explains a colon where no key can be.
func (f *failure) colon() (yaml.Mark, string) {
	entry, column := f.entry()
	switch {
	case bytes.Contains(f.line, []byte(": ")):
		return f.Mark, secondColon
	case bytes.HasPrefix(entry, []byte("- ")):
		mark := f.Mark
		mark.Column = column
		return mark, dashOfAbove
	}
	return f.Mark, colonOfAbove
}

// noValue explains that a value is missing.
func (f *failure) noValue() (yaml.Mark, string) {
	switch {
	case f.atEnd:
		return unclosed(f.text, f.Mark)
	case f.next == '-':
		return f.Mark, dashInFlow
	case f.next == ',':
		return f.Mark, "missing value before this comma"
	}
	return f.Mark, needsQuotes
}

// inBrackets explains what can't follow an entry within brackets or braces.
func (f *failure) inBrackets() (yaml.Mark, string) {
	mark, next := f.Mark, f.next
	bracket := f.text[min(offsetOf(f.text, f.ContextMark), len(f.text)-1)]
	if f.atEnd {
		return f.ContextMark, fmt.Sprintf("this %c is never closed", bracket)
	}
	entry, column := f.entry()
	if f.ContextMark.Line < mark.Line && (next == ':' || bytes.HasPrefix(entry, []byte("- "))) {
		mark.Column = column // the unexpected entry starts before the mark
		next = f.text[f.at-len(entry)]
	}
	if next == '-' {
		return mark, dashInFlow
	}
	message := fmt.Sprintf("expected a , or a %c", bracket+2) // in ASCII, brackets are two apart
	if f.ContextMark.Line < mark.Line {
		message += fmt.Sprintf("; the %c on line %d isn't closed", bracket, f.ContextMark.Line)
	}
	return mark, message
}

// translated looks the failure up in parserMessages.
func (f *failure) translated() (yaml.Mark, string, bool) {
	for _, m := range parserMessages {
		if strings.Contains(f.ContextMsg, m.context) && strings.Contains(f.Message, m.theirs) {
			if m.start {
				return f.ContextMark, m.ours, m.ours == noAnchors
			}
			return f.Mark, m.ours, m.ours == noAnchors
		}
	}
	return f.Mark, malformed + ": " + f.Message, false
}

// unclosed says which bracket is still open at the end of text. To find out, it
// appends a word, which the parser complains about in the context of that bracket.
func unclosed(text []byte, mark yaml.Mark) (yaml.Mark, string) {
	_, err := compose(slices.Concat(text, []byte("\n x")))
	var failure *yaml.LoadError
	if errors.As(err, &failure) && failure.ContextMark.Line > 0 {
		at := offsetOf(text, failure.ContextMark)
		if at < len(text) && (text[at] == '[' || text[at] == '{') {
			return failure.ContextMark, fmt.Sprintf("this %c is never closed", text[at])
		}
	}
	return mark, "a bracket or brace is never closed"
}

// offsetOf returns the offset of a mark, or that of the line's end if the line is
// shorter.
func offsetOf(text []byte, mark yaml.Mark) int {
	var c cursor
	c.seek(text, mark.Line, mark.Column)
	return c.offset
}

// falseSpace returns the first character of a line that looks like a space but is
// part of a word in YAML, such as a no-break space copied from a web page, or 0.
func falseSpace(line string) rune {
	for _, r := range line {
		if r >= utf8.RuneSelf && unicode.IsSpace(r) {
			return r
		}
	}
	return 0
}

// badEscape returns the message for text that starts with an unknown escape.
func badEscape(text []byte) string {
	_, size := utf8.DecodeRune(text[1:]) // 0 at the end of the file
	end := 1 + size
	digits := 0
	if size > 0 {
		digits = map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	}
	for ; digits > 0 && end < len(text) && strings.IndexByte("0123456789abcdefABCDEF", text[end]) >= 0; digits-- {
		end++
	}
	return fmt.Sprintf("%s isn't an escape sequence; double the backslash, or use single quotes", text[:end])
}
