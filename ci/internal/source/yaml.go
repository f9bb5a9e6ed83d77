package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Kind is the kind of a YAML node.
type Kind uint8

const (
	Scalar   Kind = iota // a word
	Sequence             // a list
	Mapping              // keys and values
)

// A Node is a value in a file and its position, reduced to the YAML that flag
// files allow.
type Node struct {
	Text   string  // of a scalar: as written, or without its quotes
	Items  []*Node // of a sequence
	Fields []Field // of a mapping; keys are unique scalars

	// Nodes are small because estates can have a million of them.
	Row, Col int32 // see line and column
	Kind     Kind
	Plain    bool // a scalar without quotes, which may be a number
	Flow     bool // a list in brackets or a mapping in braces
}

// Line returns the number of the line that the node starts on, from 1.
func (n *Node) Line() int { return int(n.Row) }

// Column returns the number of its first character on that line, from 1.
func (n *Node) Column() int { return int(n.Col) }

// A Field is a key of a mapping and its value.
type Field struct{ Key, Value *Node }

// Get returns the value of a mapping's key, nil if it has none. A nil node has
// no fields.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, f := range n.Fields {
		if f.Key.Text == key {
			return f.Value
		}
	}
	return nil
}

// parse parses the file, unless its role is one that isn't YAML. If the YAML is
// wrong, parse records problems and leaves s.root nil.
func (s *File) parse() {
	if s.Role == ListFile || s.Role == LockFile || s.Role == ReleasesFile || len(s.Problems) > 0 || !s.Normalise() ||
		!s.checkLines() {
		return
	}
	if separators(s.Data) > maxSeparators {
		s.Problem("the file has more than %d list entries and keys", maxSeparators)
		return
	}
	text, pairs := hideSurrogates(s.Data)
	document := s.load(text)
	if len(s.Problems) == 0 && (document == nil || isEmpty(document.Content[0])) {
		s.Problem("the file is empty")
	}
	if document == nil {
		return
	}
	c := converter{source: s, pairs: pairs}
	root := c.convert(document.Content[0], 1)
	if len(s.Problems) == 0 {
		s.Root = root
	}
}

// If one character causes a syntax error, it is replaced so that the rest of the
// file gets checked too. Each repair parses the file again, hence these limits.
const (
	maxRepairs    = 20
	maxRepairable = 64 << 10 // bytes of a file
)

// load returns the document in text, the file's text. It returns nil if there is
// none, and after an error that can't be repaired.
func (s *File) load(text []byte) *yaml.Node {
	for repairs := 0; ; repairs++ {
		document, err := compose(text)
		if err == nil {
			return document
		}
		at, ok := s.syntaxError(text, err)
		if !ok || repairs == maxRepairs || len(text) > maxRepairable {
			return nil
		}
		text = slices.Clone(text)
		text[at] = 'x'
	}
}

// compose parses text. It returns a nil document for an empty file.
func compose(text []byte) (document *yaml.Node, err error) {
	// The parser is third-party code and its input is untrusted. If it panics,
	// reject this file and carry on with the others.
	defer func() {
		if recover() != nil {
			document, err = nil, errParserPanicked
		}
	}()
	loader, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithPlugin(policy{}))
	if err != nil {
		return nil, err
	}
	document = new(yaml.Node)
	switch err := loader.Load(document); {
	case err == io.EOF:
		return nil, nil
	case err != nil:
		return nil, err
	}
	// checkLines has rejected second documents. Read on for errors after the first.
	if err := loader.Load(new(yaml.Node)); err != io.EOF {
		return nil, err
	}
	return document, nil
}

var (
	errParserPanicked = errors.New("the parser panicked")
	errTooDeep        = fmt.Errorf("lists and mappings are nested more than %d deep", maxDepth)
)

// policy limits the parser's depth, and lets it accept any alias without following
// it, so that the converter can report all aliases.
type policy struct{}

// CheckDepth is called with the depth of brackets or that of indentation. The
// converter checks their sum.
func (policy) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > maxDepth {
		return errTooDeep
	}
	return nil
}

func (policy) CheckAlias(int, int) error { return nil }

func (p policy) NewAliasDataContext(yaml.AliasDataServices) (yaml.AliasDataContext, error) {
	return p, nil
}

func (policy) BeginDocument() error { return nil }

func (policy) EndDocument() error { return nil }

func (policy) DefineAnchor(string, *yaml.Node) error { return nil }

func (policy) ResolveAlias(string) (*yaml.Node, bool, error) {
	return &yaml.Node{Kind: yaml.ScalarNode}, true, nil
}

// Messages about YAML that flag files don't allow.
const (
	noAnchors = "anchors (&) and aliases (*) are not allowed; write the value out, or in quotes if it is text"
	noMerge   = "merge keys (<<) are not allowed; write the keys out"
	noTags    = "tags (!) are not allowed; put text in quotes"
	noComplex = "a key must be a word, not a list or a mapping"
	noValue   = "this key has no value"
)

// A converter turns the parser's tree into ours and rejects what flag files don't
// allow. It visits nodes in the order of the file.
type converter struct {
	source *File
	at     cursor
	pairs  bool   // see hideSurrogates
	deep   bool   // the file is nested too deep, and the problem recorded
	spare  []Node // allocated together, because estates can have a million nodes
}

// node returns a new node.
func (c *converter) node() *Node {
	const together = 32
	if len(c.spare) == 0 {
		c.spare = make([]Node, together)
	}
	n := &c.spare[0]
	c.spare = c.spare[1:]
	return n
}

func (c *converter) problem(line, column int, message string) {
	problems := c.source.Problems
	// One problem per line is enough for a list of aliases.
	if n := len(problems); n > 0 && problems[n-1].Line == line && problems[n-1].Message == message {
		return
	}
	c.source.ProblemAt(line, column, message)
}

// convert converts a node. depth is 1 for the outermost one.
func (c *converter) convert(n *yaml.Node, depth int) *Node {
	out := c.node()
	out.Row, out.Col = int32(n.Line), int32(n.Column)
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		c.problem(n.Line, n.Column, noAnchors)
	} else if n.Style&yaml.TaggedStyle != 0 || n.Tag == "!" {
		c.problem(n.Line, n.Column, noTags)
	}
	switch {
	case n.Kind == yaml.ScalarNode:
		c.convertScalar(n, out)
	case n.Kind == yaml.AliasNode, c.deep, c.source.full():
	case depth > maxDepth:
		c.deep = true
		c.problem(n.Line, n.Column, errTooDeep.Error())
	case n.Kind == yaml.SequenceNode:
		out.Kind, out.Flow = Sequence, n.Style&yaml.FlowStyle != 0
		out.Items = make([]*Node, len(n.Content))
		for i, item := range n.Content {
			if isEmpty(item) && !out.Flow {
				c.problem(item.Line, item.Column-1, "empty list entry; write a value, or remove the dash")
			}
			out.Items[i] = c.convert(item, depth+1)
		}
	case n.Kind == yaml.MappingNode:
		out.Kind, out.Flow = Mapping, n.Style&yaml.FlowStyle != 0
		c.convertFields(n, out, depth)
	}
	return out
}

func (c *converter) convertFields(n *yaml.Node, out *Node, depth int) {
	out.Fields = make([]Field, 0, len(n.Content)/2)
	var seen keySet
	for i := 0; i+1 < len(n.Content); i += 2 {
		if seen.count == maxKeys {
			c.problem(n.Content[i].Line, n.Content[i].Column, fmt.Sprintf("a mapping has more than %d keys", maxKeys))
			return
		}
		key := c.convert(n.Content[i], depth+1)
		if c.checkKey(n.Content[i], key, isEmpty(n.Content[i+1])) {
			if first := seen.add(key); first != nil {
				c.problem(key.Line(), key.Column(),
					fmt.Sprintf("duplicate key %q; the first is on line %d", key.Text, first.Line()))
			}
		}
		out.Fields = append(out.Fields, Field{key, c.convert(n.Content[i+1], depth+1)})
	}
}

// A keySet is the keys of a mapping. Most have a few, for which a map would take longer.
type keySet struct {
	few   [16]*Node
	many  map[string]*Node // nil while there are few
	count int
}

// add adds a key, unless there is one with the same text, which it returns.
func (s *keySet) add(key *Node) (first *Node) {
	if s.many == nil {
		for _, k := range s.few[:s.count] {
			if k.Text == key.Text {
				return k
			}
		}
		if s.count < len(s.few) {
			s.few[s.count] = key
			s.count++
			return nil
		}
		s.many = make(map[string]*Node)
		for _, k := range s.few {
			s.many[k.Text] = k
		}
	}
	if first = s.many[key.Text]; first == nil {
		s.many[key.Text] = key
		s.count++
	}
	return first
}

// checkKey reports whether n, converted to key, is allowed as a key. empty says
// that it has no value.
func (c *converter) checkKey(n *yaml.Node, key *Node, empty bool) bool {
	colon := strings.IndexByte(key.Text, ':')
	switch {
	case key.Kind != Scalar || c.questionBefore(n):
		c.problem(n.Line, n.Column, noComplex)
	case n.Kind == yaml.AliasNode:
	case isEmpty(n):
		c.problem(n.Line, n.Column, "missing key before this colon; put text that starts with a colon in quotes")
	case key.Plain && key.Text == "<<":
		c.problem(n.Line, n.Column, noMerge)
	case empty && key.Plain && colon > 0:
		column := n.Column + utf8.RuneCountInString(key.Text[:colon])
		c.problem(n.Line, column, "write a space after the colon, or put the text in quotes")
	case empty:
		c.problem(n.Line, n.Column, noValue)
	default:
		return true
	}
	return false
}

// questionBefore reports whether a key follows a question mark, which introduces
// keys of any kind.
func (c *converter) questionBefore(n *yaml.Node) bool {
	before := bytes.TrimRight(c.at.lineBefore(c.source.Data, n.Line, n.Column), " \t")
	return bytes.HasSuffix(before, []byte("?"))
}

// isEmpty reports whether nothing is written where the parser has put a node.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 && n.Anchor == "" && n.Tag != "!"
}

// convertScalar converts a scalar. It rejects plain text whose meaning in YAML is
// probably not the intended one.
func (c *converter) convertScalar(n *yaml.Node, out *Node) {
	out.Text = n.Value
	if c.pairs {
		out.Text = showSurrogates(n)
	}
	out.Plain = n.Style&^yaml.TaggedStyle == 0
	switch {
	case !out.Plain || isEmpty(n):
	case n.Value == "?", n.Value == "-":
		c.problem(n.Line, n.Column, needsQuotes)
	case strings.Contains(n.Value, "\t"):
		c.problem(n.Line, n.Column, "put text that contains a tab in quotes")
	case strings.Contains(n.Value, "\n"),
		strings.Contains(n.Value, " -") && dashStartsLine(n.Value, c.at.from(c.source.Data, n.Line, n.Column)):
		c.problem(n.Line, n.Column,
			"put text in quotes if it contains an empty line, or a line that starts with a dash")
	}
}

// dashStartsLine reports whether a line of plain text, after the first, starts
// with a dash. written is the rest of the file from where the text starts.
func dashStartsLine(text string, written []byte) bool {
	for len(text) > 0 && len(written) > 0 {
		if text[0] == written[0] {
			text, written = text[1:], written[1:]
			continue
		}
		// Text has a space where the file has a line break with space around it.
		rest := bytes.TrimLeft(written, " \t\n")
		if len(rest) == len(written) {
			return false
		}
		if written = rest; len(written) > 0 && written[0] == '-' {
			return true
		}
		text = strings.TrimPrefix(text, " ")
	}
	return false
}

// A cursor finds the offset of a line and column. It continues from the previous
// position, so positions in ascending order take linear time in total, however
// long the lines are.
type cursor struct {
	line, column int // of the byte at offset, counted from 1; 0 at first
	offset       int
	start        int // offset of the line
}

// seek moves to a position, or to the end of its line if the line is shorter.
func (c *cursor) seek(data []byte, line, column int) {
	if c.line == 0 || line < c.line || line == c.line && column < c.column {
		*c = cursor{line: 1, column: 1}
	}
	for c.line < line {
		i := bytes.IndexByte(data[c.offset:], '\n')
		if i < 0 {
			c.offset = len(data)
			return
		}
		c.offset += i + 1
		c.start = c.offset
		c.line++
		c.column = 1
	}
	for c.column < column && c.offset < len(data) && data[c.offset] != '\n' {
		_, size := utf8.DecodeRune(data[c.offset:])
		c.offset += size
		c.column++
	}
}

// from returns the rest of data from a position.
func (c *cursor) from(data []byte, line, column int) []byte {
	c.seek(data, line, column)
	return data[c.offset:]
}

// lineBefore returns the part of a line before a position.
func (c *cursor) lineBefore(data []byte, line, column int) []byte {
	c.seek(data, line, column)
	return data[c.start:c.offset]
}
