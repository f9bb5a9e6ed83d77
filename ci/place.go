package ci

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// A locator finds out where in a file the parser's tokens really start: it
// counts neither tabs nor the spaces that follow a word as one would wish.
//
// It goes on from the last answer, so that asking for tokens in the order of the
// file takes time in proportion to the file, however long its lines.
type locator struct {
	data         []byte
	line, column int // of the byte at offset, counted from 1
	offset       int
}

// maxDrift is how many characters the parser's column may be off.
const maxDrift = 200

// place returns where t starts, in characters counted from 1.
func (l *locator) place(t *token.Token) (line, column int) {
	line, column = max(1, t.Position.Line), max(1, t.Position.Column)
	// Origin is the token as it is written, and the space around it; but of
	// text in quotes it is garbled.
	text := strings.Trim(t.Origin, " \t\n")
	switch t.Type {
	case token.InvalidType: // it stands where the lexer stumbled
		text = ""
	case token.DoubleQuoteType, token.SingleQuoteType:
		text = text[:min(len(text), 1)]
	}
	if t.Type == token.StringType && strings.Contains(text, "\n") {
		// Of text over several lines the parser may give the end.
		if i := bytes.Index(l.data[l.offset:], []byte(text)); i >= 0 {
			l.advance(i)
			return l.line, l.column
		}
	}
	want, _, _ := strings.Cut(text, "\n")
	if !l.moveTo(line, column) {
		column = l.column // the parser is beyond the end of the line
	}
	if want == "" || bytes.HasPrefix(l.data[l.offset:], []byte(want)) {
		return line, column
	}
	// What is searched for is on this line, near by, and more often before.
	from, to := l.offset, l.offset
	for n := 0; n < maxDrift && from > 0 && l.data[from-1] != '\n'; n++ {
		from--
	}
	for n := 0; n < maxDrift && to < len(l.data) && l.data[to] != '\n'; n++ {
		to++
	}
	before := l.data[from:min(l.offset+len(want)-1, to)]
	if i := bytes.LastIndex(before, []byte(want)); i >= 0 {
		return line, column - utf8.RuneCount(l.data[from+i:l.offset])
	}
	if i := bytes.Index(l.data[l.offset:to], []byte(want)); i >= 0 {
		return line, column + utf8.RuneCount(l.data[l.offset:l.offset+i])
	}
	return line, column
}

// quotedAt returns what stands in the double quotes that open at a place.
func (l *locator) quotedAt(line, column int) string {
	l.moveTo(line, column)
	text := l.data[min(l.offset+1, len(l.data)):]
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return string(text[:i])
		}
	}
	return string(text)
}

// advance goes on by n bytes.
func (l *locator) advance(n int) {
	if l.line == 0 {
		l.line, l.column = 1, 1
	}
	skipped := l.data[l.offset : l.offset+n]
	l.offset += n
	if breaks := bytes.Count(skipped, []byte{'\n'}); breaks > 0 {
		l.line += breaks
		l.column = 1
		skipped = skipped[bytes.LastIndexByte(skipped, '\n')+1:]
	}
	l.column += utf8.RuneCount(skipped)
}

// toLineStart goes to the start of the line.
func (l *locator) toLineStart() {
	l.offset = bytes.LastIndexByte(l.data[:l.offset], '\n') + 1
	l.column = 1
}

// moveTo goes to a line and column. It reports false if the line ends before
// the column, and stays at its end.
func (l *locator) moveTo(line, column int) bool {
	if l.line == 0 {
		l.line, l.column = 1, 1
	}
	if line < l.line || line == l.line && column < l.column {
		l.toLineStart()
	}
	for ; l.line > line; l.line-- {
		l.offset-- // the line break
		l.toLineStart()
	}
	for l.line < line {
		i := bytes.IndexByte(l.data[l.offset:], '\n')
		if i < 0 {
			l.offset = len(l.data)
			return false
		}
		l.offset += i + 1
		l.line++
		l.column = 1
	}
	for l.column < column {
		if l.offset == len(l.data) || l.data[l.offset] == '\n' {
			return false
		}
		_, size := utf8.DecodeRune(l.data[l.offset:])
		l.offset += size
		l.column++
	}
	return true
}
