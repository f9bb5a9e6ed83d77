package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/problem"
)

// These limits bound the memory that parsing takes.
const (
	maxDepth      = 50      // lists and mappings within each other
	maxKeys       = 1000    // keys of a mapping
	maxSeparators = 200_000 // see separators
)

// Normalise removes the byte order mark and carriage returns that Windows
// editors write, and rejects control characters and invalid UTF-8.
func (s *File) Normalise() bool {
	if s.isUTF16() {
		return false
	}
	s.Data = bytes.TrimPrefix(s.Data, []byte("\ufeff"))
	if bytes.IndexByte(s.Data, '\r') >= 0 {
		s.Data = bytes.ReplaceAll(s.Data, []byte("\r\n"), []byte("\n"))
	}
	for i := 0; i < len(s.Data); {
		r, size := rune(s.Data[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(s.Data[i:])
		}
		message := ""
		switch {
		case r == utf8.RuneError && size == 1:
			message = fmt.Sprintf("byte 0x%02x is not UTF-8", s.Data[i])
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f, r == 0x85, r == 0x2028, r == 0x2029,
			r == 0xfeff, r == 0xfffe, r == 0xffff:
			message = fmt.Sprintf("control character %U", r)
		}
		if message != "" {
			line, column := s.Position(i)
			s.ProblemAt(line, column, message)
			return false
		}
		i += size
	}
	return true
}

// isUTF16 reports whether the file is marked as UTF-16, and says so.
func (s *File) isUTF16() bool {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(s.Data, []byte(mark)) {
			s.Problem("the file is UTF-16; flag files must be UTF-8")
			return true
		}
	}
	return false
}

const mergeConflict = "unresolved merge conflict: " +
	"keep the lines you want from both sides, and remove git's markers"

// checkLines rejects what the start of a line reveals without parsing: merge
// conflicts, directives, document ends and second documents.
func (s *File) checkLines() bool {
	number, begun := 0, false // begun: some of the document has been seen
	for line := range bytes.Lines(s.Data) {
		number++
		line = bytes.TrimRight(line, " \t\n")
		text := bytes.TrimLeft(line, " \t")
		switch {
		case len(text) == 0 || text[0] == '#':
		case problem.IsConflict(string(line)):
			s.ProblemAt(number, 1, mergeConflict)
			return false
		case isMark(line, "..."):
			s.ProblemAt(number, 1, "document ends (...) are not allowed")
		case isMark(line, "---") && begun:
			s.ProblemAt(number, 1, "a file has one document, but a second one starts here")
			return false
		case line[0] == '%':
			s.ProblemAt(number, 1, noDirectives)
		default:
			begun = true
		}
	}
	return len(s.Problems) == 0
}

// isMark reports whether a line starts with a document marker, --- or ....
func isMark(line []byte, mark string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(mark))
	return ok && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t')
}

// separators counts the punctuation of lists and mappings, including commas and
// brackets within text. It is an estimate of the parser's memory: the parser keeps
// all tokens of a collection in brackets, until a line ends, and produces at most
// five for each separator.
func separators(data []byte) int {
	count := 0
	for i, c := range data {
		switch c {
		case ',', '[', '{':
			count++
		case '-', ':', '?':
			if i+1 == len(data) || data[i+1] <= ' ' || c == ':' && i > 0 && (data[i-1] == '"' || data[i-1] == '\'') {
				count++
			}
		}
	}
	return count
}
