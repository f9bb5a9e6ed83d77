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

// malformed is what is said of YAML when nothing better can be.
const malformed = "malformed YAML"

const (
	noDirectives = "directives (%) are not allowed"
	needsQuotes  = "text that starts with this character goes in quotes"
	noTabs       = "a tab can't indent; write spaces"
	notPart      = "this isn't part of the value above; check the indentation, or put text in quotes"
	quotesOpen   = "the quotes that open here are never closed"
	dashInFlow   = "a list with dashes can't stand between brackets"
	expectedKey  = "expected \"key: value\" here, as on the lines above"
	expectedDash = "expected a dash here, as on the lines above; check the indentation"
	secondColon  = "a second key where a value stands; " +
		"check the indentation, and put text that holds \": \" in quotes"
	colonOfAbove = "what stands before this colon belongs to the line above; " +
		"check the indentation, and put text that holds \": \" in quotes"
	dashOfAbove   = "this dash belongs to the text on the line above; check the indentation"
	listOnOwnLine = "a list with dashes starts on a line of its own, below its key"
)

// parserMessages says in our words what the parser complains of. What it was
// doing, its context, is looked at first. With start, the place is where that began.
var parserMessages = []struct {
	context, theirs string // "" is anything
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
	{"block scalar", "", "text that starts with | or > goes in quotes, or starts on the next line", true},
	{"", "tab", noTabs, false},
	{"quoted scalar", "unexpected", quotesOpen, true},
	{"", "a comment without preceding whitespace", "write a space before the #, or put text that holds it in quotes", false},
	{"", "block sequence entries are not allowed", listOnOwnLine, false},
	{"", "mapping keys are not allowed", noComplex, false},
	{"", "could not find expected ':'", expectedKey, true},
	{"", "did not find expected '-' indicator", expectedDash, false},
	{"", "did not find expected <document start>", notPart, false},
	{"block mapping", "did not find expected key", notPart, false},
	{"", errTooDeep.Error(), errTooDeep.Error(), false},
}

// syntaxError records what the parser says is wrong. If replacing one byte of the
// text by a letter takes the error away, syntaxError returns the byte's offset.
func (s *File) syntaxError(text []byte, err error) (offset int, repairable bool) {
	var failure *yaml.LoadError
	if !errors.As(err, &failure) || failure.Mark.Line == 0 {
		// Not err's own text: it may quote the file.
		s.ProblemAt(1, 1, malformed)
		return 0, false
	}
	mark, message, repairable := s.explain(text, failure)
	if last := bytes.Count(s.Data, []byte("\n")) + 1; mark.Line > last {
		mark = yaml.Mark{Line: last, Column: utf8.RuneCountInString(s.Line(last)) + 1}
	}
	if r := falseSpace(s.Line(mark.Line)); r != 0 {
		message += fmt.Sprintf("; the line holds %U, which looks like a space and is none", r)
	}
	s.ProblemAt(mark.Line, mark.Column, message)
	return offsetOf(text, mark), repairable
}

// explain returns a place and a message for a failure of the parser, and whether
// a letter can take the place of the character there.
func (s *File) explain(text []byte, failure *yaml.LoadError) (mark yaml.Mark, message string, repairable bool) {
	mark = failure.Mark
	at := offsetOf(text, mark)
	next := byte(0) // 0 at the end
	if at < len(text) {
		next = text[at]
	}
	atEnd := len(bytes.TrimSpace(text[at:])) == 0
	switch failure.Message {
	case "found character that cannot start any token":
		switch next {
		case '\t':
			return mark, noTabs, false
		case '%':
			return mark, "text that starts with % goes in quotes", true
		}
		return mark, needsQuotes, true
	case "found unknown escape character":
		return mark, badEscape(s.Data[at:]), true
	case "did not find expected hexadecimal number", "found invalid Unicode character escape code":
		mark.Column -= len(`\x`)
		return mark, badEscape(s.Data[at-len(`\x`):]), true
	case "mapping values are not allowed in this context":
		before := text[bytes.LastIndexByte(text[:at], '\n')+1 : at]
		entry := bytes.TrimLeft(before, " ")
		switch {
		case bytes.Contains(before, []byte(": ")):
			return mark, secondColon, false
		case bytes.HasPrefix(entry, []byte("- ")):
			mark.Column = len(before) - len(entry) + 1
			return mark, dashOfAbove, false
		}
		return mark, colonOfAbove, false
	case "did not find expected node content":
		switch {
		case atEnd:
			return unclosed(text, mark)
		case next == '-':
			return mark, dashInFlow, false
		case next == ',':
			return mark, "there is nothing before this comma", false
		}
		return mark, needsQuotes, false
	case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
		bracket := text[min(offsetOf(text, failure.ContextMark), len(text)-1)]
		if atEnd {
			return failure.ContextMark, fmt.Sprintf("the %c that opens here is never closed", bracket), false
		}
		before := text[bytes.LastIndexByte(text[:at], '\n')+1 : at]
		entry := bytes.TrimLeft(before, " ")
		if failure.ContextMark.Line < mark.Line && (next == ':' || bytes.HasPrefix(entry, []byte("- "))) {
			mark.Column = len(before) - len(entry) + 1 // what wasn't expected is before the place
			next = text[at-len(entry)]
		}
		if next == '-' {
			return mark, dashInFlow, false
		}
		message = fmt.Sprintf("expected a , or a %c", bracket+2) // in ASCII they are two apart
		if failure.ContextMark.Line < mark.Line {
			message += fmt.Sprintf("; the %c on line %d isn't closed", bracket, failure.ContextMark.Line)
		}
		return mark, message, false
	case "did not find expected key":
		if mark.Column == failure.ContextMark.Column {
			return mark, expectedKey, false
		}
	}
	for _, m := range parserMessages {
		if strings.Contains(failure.ContextMsg, m.context) && strings.Contains(failure.Message, m.theirs) {
			if m.start {
				mark = failure.ContextMark
			}
			return mark, m.ours, m.ours == noAnchors
		}
	}
	return mark, malformed + ": " + failure.Message, false
}

// unclosed says which bracket is open where text ends. The parser tells if
// something stands there that it didn't expect.
func unclosed(text []byte, mark yaml.Mark) (yaml.Mark, string, bool) {
	_, err := compose(slices.Concat(text, []byte("\n x")))
	var failure *yaml.LoadError
	if errors.As(err, &failure) && failure.ContextMark.Line > 0 {
		at := offsetOf(text, failure.ContextMark)
		if at < len(text) && (text[at] == '[' || text[at] == '{') {
			return failure.ContextMark, fmt.Sprintf("the %c that opens here is never closed", text[at]), false
		}
	}
	return mark, "a bracket or brace is never closed", false
}

// offsetOf returns the offset of the byte at a place, that of the line's end if the
// line ends before it.
func offsetOf(text []byte, mark yaml.Mark) int {
	var c cursor
	c.seek(text, mark.Line, mark.Column)
	return c.offset
}

// falseSpace returns the first character of a line that looks like a space and
// is part of a word to YAML, such as a no-break space that was copied from a web
// page. It returns 0 if there is none.
func falseSpace(line string) rune {
	for _, r := range line {
		if r >= utf8.RuneSelf && unicode.IsSpace(r) {
			return r
		}
	}
	return 0
}

// badEscape says that text starts with an escape that YAML doesn't have.
func badEscape(text []byte) string {
	_, size := utf8.DecodeRune(text[1:])
	end := 1 + size
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	for ; digits > 0 && end < len(text) && strings.IndexByte("0123456789abcdefABCDEF", text[end]) >= 0; digits-- {
		end++
	}
	return fmt.Sprintf("%s is not an escape; write a backslash as two, or use single quotes", text[:end])
}
