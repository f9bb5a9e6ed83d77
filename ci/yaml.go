package ci

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
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
	kind         kind
	line, column int

	text   string  // of a scalar: as written, or without its quotes
	plain  bool    // a scalar without quotes, which may be a number
	items  []*node // of a sequence
	fields []field // of a mapping; keys are unique scalars
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

// parse parses the file. If there is something wrong with its YAML it is
// recorded, and s.root is nil.
func (s *source) parse() {
	if len(s.problems) > 0 || !s.normalise() {
		return
	}
	// The parser isn't ours and its input is anybody's. Its panics end here,
	// at the edge, and cost the file and not the run.
	defer func() {
		if recover() != nil {
			s.root = nil
			s.problemAt(1, 1, "the file is malformed YAML")
		}
	}()
	tokens := lexer.Tokenize(string(s.data))
	if !s.scan(tokens) {
		return
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		s.syntaxError(err)
		return
	}
	if len(file.Docs) > 1 {
		line, column := 1, 1
		if start := file.Docs[1].Start; start != nil {
			line, column = start.Position.Line, start.Position.Column
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

// normalise drops the byte order mark and carriage returns that Windows
// editors write, and refuses bytes that aren't text.
func (s *source) normalise() bool {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(s.data, []byte(mark)) {
			s.problem("the file is UTF-16; flag files are UTF-8")
			return false
		}
	}
	s.data = bytes.TrimPrefix(s.data, []byte("\ufeff"))
	s.data = bytes.ReplaceAll(s.data, []byte("\r\n"), []byte("\n"))
	for i := 0; i < len(s.data); {
		r, size := utf8.DecodeRune(s.data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			line, column := s.position(i)
			s.problemAt(line, column, fmt.Sprintf("byte 0x%02x is not UTF-8", s.data[i]))
			return false
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f, r == 0xfeff:
			line, column := s.position(i)
			s.problemAt(line, column, fmt.Sprintf("control character %U", r))
			return false
		}
		i += size
	}
	return true
}

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
	line, column, message := 1, 1, err.Error()
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		message = syntax.Message
		if syntax.Token != nil {
			line, column = place(syntax.Token)
		}
	}
	s.problemAt(line, column, inOurWords(message))
}

// inOurWords translates a message of the parser's.
func inOurWords(message string) string {
	for _, m := range parserMessages {
		if strings.Contains(message, m.theirs) {
			return m.ours
		}
	}
	message, _, _ = strings.Cut(message, "\n")
	return "malformed YAML: " + message
}

// place returns where a token starts.
func place(t *token.Token) (line, column int) {
	return max(1, t.Position.Line), max(1, t.Position.Column)
}

// convert turns the parser's tree into ours. Depth and size are bounded: scan
// has seen to that.
func (s *source) convert(n ast.Node) *node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return s.convertMapping(n)
	case *ast.SequenceNode:
		out := &node{kind: sequence, items: make([]*node, 0, len(n.Values))}
		out.line, out.column = place(n.Start)
		for _, value := range n.Values {
			out.items = append(out.items, s.convert(value))
		}
		return out
	case *ast.LiteralNode:
		out := &node{text: n.Value.Value}
		out.line, out.column = place(n.Start)
		return out
	case ast.ScalarNode:
		t := n.GetToken()
		out := &node{text: t.Value}
		out.line, out.column = place(t)
		switch t.Type {
		case token.SingleQuoteType, token.DoubleQuoteType:
		default:
			out.plain = true
		}
		return out
	}
	line, column := 1, 1
	if n != nil && n.GetToken() != nil {
		line, column = place(n.GetToken())
	}
	s.problemAt(line, column, "malformed YAML")
	return &node{line: line, column: column, plain: true}
}

func (s *source) convertMapping(n *ast.MappingNode) *node {
	out := &node{kind: mapping, fields: make([]field, 0, len(n.Values))}
	out.line, out.column = place(n.Start)
	seen := make(map[string]int, len(n.Values))
	for i, value := range n.Values {
		key := s.convert(value.Key)
		if i == 0 && !n.IsFlowStyle {
			out.line, out.column = key.line, key.column
		}
		if key.kind != scalar {
			s.problemAt(key.line, key.column, "a key is a word, not a list or a mapping")
			continue
		}
		if first, ok := seen[key.text]; ok {
			s.problemAt(key.line, key.column, fmt.Sprintf("duplicate key %q; the first is on line %d", key.text, first))
			continue
		}
		seen[key.text] = key.line
		out.fields = append(out.fields, field{key, s.convert(value.Value)})
	}
	return out
}
