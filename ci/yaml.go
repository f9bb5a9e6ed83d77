package ci

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// kind is the kind of a YAML node.
type kind uint8

const (
	scalar kind = iota
	sequence
	mapping
)

// A node is a value in a file and where it stands: what is left of YAML once
// everything that we refuse is refused.
type node struct {
	text   string  // of a scalar: as written, or without its quotes
	items  []*node // of a sequence
	fields []field // of a mapping; keys are unique scalars

	// Estates have a million nodes: these are kept small.
	row, col int32 // see line and column
	kind     kind
	plain    bool // a scalar without quotes, which may be a number
	flow     bool // a list in brackets or a mapping in braces
}

// line returns the number of the line that the node starts on, from 1.
func (n *node) line() int { return int(n.row) }

// column returns the number of its first character on that line, from 1.
func (n *node) column() int { return int(n.col) }

// placed sets where the node starts. No file is so large that it doesn't fit.
func (n *node) placed(line, column int) *node {
	n.row, n.col = int32(line), int32(column)
	return n
}

// A field is a key of a mapping and its value.
type field struct{ key, value *node }

// get returns the value of a mapping's key, nil if it has none. A nil node has
// no fields.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.key.text == key {
			return f.value
		}
	}
	return nil
}

// parse parses the file, unless it is a list. If there is something wrong with
// its YAML it is recorded, and s.root is nil.
func (s *source) parse() {
	if s.role == listFile || s.role == lockFile || len(s.problems) > 0 || !s.normalise() || s.conflict() {
		return
	}
	s.at.data = s.data
	file, err := s.tree()
	switch {
	case len(s.problems) > 0:
		return
	case err != nil:
		s.syntaxError(err)
		return
	}
	if len(file.Docs) > 1 {
		line, column := 1, 1
		if start := file.Docs[1].Start; start != nil {
			line, column = s.at.place(start)
		}
		s.problemAt(line, column, "a file holds one document; a second one starts here")
		return
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		s.problem("the file is empty")
		return
	}
	root := s.convert(file.Docs[0].Body)
	if len(s.problems) == 0 {
		s.root = root
	}
}

// tree has the file parsed. It returns nothing if scan has refused it.
func (s *source) tree() (file *ast.File, err error) {
	// The parser isn't ours and its input is anybody's: should it panic, that
	// ends here, at the edge, and costs the file and not the run.
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("the parser panicked")
		}
	}()
	tokens := lexer.Tokenize(string(s.data))
	if !s.scan(tokens) {
		return nil, nil
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// normalise drops the byte order mark and carriage returns that Windows
// editors write, and refuses bytes that aren't text and more empty lines than
// the lexer can cope with.
func (s *source) normalise() bool {
	if s.utf16() {
		return false
	}
	s.data = bytes.TrimPrefix(s.data, []byte("\ufeff"))
	if bytes.IndexByte(s.data, '\r') >= 0 {
		s.data = bytes.ReplaceAll(s.data, []byte("\r\n"), []byte("\n"))
	}
	if len(s.data) > 0 && s.data[len(s.data)-1] != '\n' {
		s.data = append(s.data, '\n') // the lexer misreads text that the file ends in
	}
	blank, start := 0, true // empty lines in a row; nothing but space since the last one ended
	for i := 0; i < len(s.data); {
		r, size := utf8.DecodeRune(s.data[i:])
		switch {
		case r == '\n' && start:
			blank++
		case r == '\n':
			blank, start = 0, true
		case r != ' ' && r != '\t':
			start = false
		}
		switch {
		case r == utf8.RuneError && size == 1:
			line, column := s.position(i)
			s.problemAt(line, column, fmt.Sprintf("byte 0x%02x is not UTF-8", s.data[i]))
			return false
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f, r == 0x85, r == 0x2028, r == 0x2029, r == 0xfeff:
			line, column := s.position(i)
			s.problemAt(line, column, fmt.Sprintf("control character %U", r))
			return false
		case blank > maxBlank:
			line, column := s.position(i)
			s.problemAt(line, column, fmt.Sprintf("there are more than %d empty lines in a row", maxBlank))
			return false
		}
		i += size
	}
	return true
}

// conflictMarkers begin the lines that git leaves in a file that it couldn't merge.
var conflictMarkers = [...]string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"}

// isConflict reports whether git has left a line that it couldn't merge.
func isConflict(line string) bool {
	for _, marker := range conflictMarkers {
		if rest, ok := strings.CutPrefix(line, marker); ok && (rest == "" || rest[0] == ' ') {
			return true
		}
	}
	return false
}

// conflict reports whether there is a merge conflict in the file, and says so.
func (s *source) conflict() bool {
	number := 0
	for line := range bytes.Lines(s.data) {
		number++
		if isConflict(string(bytes.TrimRight(line, " \t\n"))) {
			s.problemAt(number, 1, "a merge conflict: keep what is meant of both sides, and remove the lines that git has put around them")
			return true
		}
	}
	return false
}

// utf16 reports whether the file is marked as UTF-16, and says so.
func (s *source) utf16() bool {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(s.data, []byte(mark)) {
			s.problem("the file is UTF-16; flag files are UTF-8")
			return true
		}
	}
	return false
}

// malformed is what is said of YAML when nothing better can be.
const malformed = "malformed YAML"

// parserMessages says in our words what the parser complains of.
var parserMessages = []struct{ theirs, ours string }{
	{`found character '	'`, "a tab can't indent; write spaces"},
	{"tab character", "a tab can't indent; write spaces"},
	{"could not find end character of double-quoted text", "the quotes that open here are never closed"},
	{"could not find end character of single-quoted text", "the quotes that open here are never closed"},
	{"sequence end token ']' not found", "the [ that opens here is never closed"},
	{"could not find flow mapping end token '}'", "the { that opens here is never closed"},
	{"',' or ']' must be specified", "expected a , or a ]"},
	{"',' or '}' must be specified", "expected a , or a }"},
	{"mapping value is not allowed in this context", "a second key where a value stands; check the indentation, and put text that holds \": \" in quotes"},
	{"value is not allowed in this context", "this isn't part of the value above; check the indentation, or put text in quotes"},
	{"is a reserved character", "text that starts with this character goes in quotes"},
	{"non-map value is specified", "expected \"key: value\" here, as on the lines above"},
}

func (s *source) syntaxError(err error) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		// Not err's own text: it quotes the file, which takes long.
		s.problemAt(1, 1, malformed)
		return
	}
	line, column := s.at.place(syntax.Token)
	message := inOurWords(syntax.Message)
	if r := falseSpace(s.line(line)); r != 0 {
		message += fmt.Sprintf("; the line holds %U, which looks like a space and is none", r)
	}
	s.problemAt(line, column, message)
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

// inOurWords translates a message of the parser's.
func inOurWords(message string) string {
	for _, m := range parserMessages {
		if strings.Contains(message, m.theirs) {
			return m.ours
		}
	}
	message, _, _ = strings.Cut(message, "\n")
	return malformed + ": " + message
}

// convert turns the parser's tree into ours. Depth and size are bounded: scan
// has seen to that.
func (s *source) convert(n ast.Node) *node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return s.convertMapping(n)
	case *ast.SequenceNode:
		out := &node{kind: sequence, flow: n.IsFlowStyle, items: make([]*node, 0, len(n.Values))}
		out.placed(s.at.place(n.Start))
		for _, value := range n.Values {
			out.items = append(out.items, s.convert(value))
		}
		return out
	case *ast.LiteralNode:
		out := &node{text: n.Value.Value}
		out.placed(s.at.place(n.Start))
		return out
	case ast.ScalarNode:
		return s.convertScalar(n.GetToken())
	}
	line, column := 1, 1
	if n != nil && n.GetToken() != nil {
		line, column = s.at.place(n.GetToken())
	}
	s.problemAt(line, column, malformed)
	return (&node{plain: true}).placed(line, column)
}

// oddLine matches text that goes on in an empty line or one that looks like a
// list entry. The lexer folds it wrongly, and it is hardly ever meant.
var oddLine = regexp.MustCompile(`\n[ \t]*[-\n]`)

// convertScalar converts what isn't a block of text, and refuses what the
// parser lets pass.
func (s *source) convertScalar(t *token.Token) *node {
	out := &node{text: t.Value}
	out.placed(s.at.place(t))
	switch t.Type {
	case token.SingleQuoteType:
	case token.DoubleQuoteType:
		if escape := badEscape(s.at.quotedAt(out.line(), out.column())); escape != "" {
			s.tokenProblem(t, fmt.Sprintf("%s is not an escape; write a backslash as two, or use single quotes", escape))
		}
	default:
		out.plain = true
		switch {
		case t.Value != "" && strings.IndexByte(",[]{}#&*!|>'\"%@`", t.Value[0]) >= 0, t.Value == "?", t.Value == "-":
			s.tokenProblem(t, "text that starts with this character goes in quotes")
		case oddLine.MatchString(strings.TrimSpace(t.Origin)):
			s.tokenProblem(t, "text that goes on in an empty line, or one that starts with a dash, goes in quotes")
		case strings.Contains(strings.Trim(t.Origin, " \t\n"), "\t"):
			// The lexer would drop it.
			s.tokenProblem(t, "text that holds a tab goes in quotes")
		}
	}
	return out
}

// badEscape returns the first escape of a double-quoted text that YAML doesn't
// have, or "".
func badEscape(text string) string {
	high := false // the last escape was the first of a pair of surrogates
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return ""
		}
		digits := 0
		switch text[i+1] {
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			if strings.IndexByte("0abt\tnvfre \"/\\N_LP\n", text[i+1]) < 0 {
				_, size := utf8.DecodeRuneInString(text[i+1:])
				return text[i : i+1+size]
			}
		}
		end := i + 2 + digits
		if end > len(text) {
			return text[i:]
		}
		if digits > 0 {
			n, err := strconv.ParseUint(text[i+2:end], 16, 31)
			r := rune(n)
			// JSON writes what is beyond 16 bits as a pair of surrogates. That
			// the first has a second, the lexer has made sure.
			second := high && i == 0 && utf16.IsSurrogate(r)
			high = digits == 4 && !second && utf16.IsSurrogate(r) && r < 0xdc00
			if err != nil || !utf8.ValidRune(r) && !high && !second {
				return text[i:end]
			}
		}
		text = text[end:]
	}
}

func (s *source) convertMapping(n *ast.MappingNode) *node {
	out := &node{kind: mapping, flow: n.IsFlowStyle, fields: make([]field, 0, len(n.Values))}
	if n.IsFlowStyle {
		out.placed(s.at.place(n.Start))
	}
	seen := make(map[string]int, len(n.Values))
	for i, value := range n.Values {
		key := s.convert(value.Key)
		if i == 0 && !n.IsFlowStyle {
			out.row, out.col = key.row, key.col
		}
		if key.kind != scalar {
			s.problemAt(key.line(), key.column(), "a key is a word, not a list or a mapping")
			continue
		}
		if first, ok := seen[key.text]; ok {
			s.problemAt(key.line(), key.column(), fmt.Sprintf("duplicate key %q; the first is on line %d", key.text, first))
			continue
		}
		seen[key.text] = key.line()
		out.fields = append(out.fields, field{key, s.convert(value.Value)})
	}
	return out
}
