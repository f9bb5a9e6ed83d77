package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// TUF signs a canonical form of JSON, so a verifier must know exactly which
// value it looks at. encoding/json does not say: it folds the case of keys,
// takes the last of duplicate ones and replaces invalid text. parseJSON accepts
// a subset of JSON in which two parsers cannot differ.

const (
	// maxDepth is the depth of nesting; metadata needs 5.
	maxDepth = 32
	// maxNodes is the number of values in one document. It bounds memory:
	// a node takes 80 bytes, but as few as 2 in the document. Metadata
	// has 5 for each target, in 150 bytes or more.
	maxNodes = 1 << 18
	// maxInteger is the largest magnitude that every JSON implementation
	// holds exactly: 2^53.
	maxInteger = 1 << 53
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindInteger
	kindString
	kindArray
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "an integer", "a string", "an array", "an object"}[k]
}

// A node is a JSON value.
type node struct {
	kind    kind
	integer int64    // of an integer; 1 for true
	text    string   // of a string
	list    []node   // elements of an array, values of an object
	keys    []string // of an object, ascending, parallel to list
}

// optional returns the member of an object called key, which must be of kind k
// if it is there. A key that is the same but for its case is refused, because
// there are parsers that take it for this one.
func (n node) optional(key string, k kind) (m node, ok bool, err error) {
	for i, have := range n.keys {
		if have == key {
			m, ok = n.list[i], true
		} else if strings.EqualFold(have, key) {
			return node{}, false, fmt.Errorf("a key is %q in another case", key)
		}
	}
	if ok && m.kind != k {
		return node{}, false, fmt.Errorf("%q must be %s", key, k)
	}
	return m, ok, nil
}

// member is optional for a member that must be there.
func (n node) member(key string, k kind) (node, error) {
	m, ok, err := n.optional(key, k)
	if err == nil && !ok {
		err = fmt.Errorf("%q is missing", key)
	}
	return m, err
}

// parseJSON parses data, which must be one value and nothing else. Compared
// with RFC 8259 it refuses: duplicate keys, numbers that are not integers
// within ±2^53 in their shortest form, text that is not valid UTF-8, lone
// surrogates, and more than maxDepth levels or maxNodes values. Errors never
// quote data.
func parseJSON(data []byte) (node, error) {
	p := jsonParser{data: data}
	p.space()
	n, err := p.value(0)
	if err == nil {
		if p.space(); p.at < len(data) {
			err = errors.New("unexpected data after the value")
		}
	}
	if err != nil {
		return node{}, fmt.Errorf("parsing JSON at byte %d: %w", p.at, err)
	}
	return n, nil
}

type jsonParser struct {
	data  []byte
	at    int
	nodes int
}

var errJSONSyntax = errors.New("syntax error")

// next returns the byte at the cursor, or 0 at the end: no syntax allows a
// literal NUL, so that needs no case of its own.
func (p *jsonParser) next() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *jsonParser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// consume skips c and space around it, if it is next.
func (p *jsonParser) consume(c byte) bool {
	p.space()
	if p.next() != c {
		return false
	}
	p.at++
	p.space()
	return true
}

func (p *jsonParser) literal(word string, n node) (node, error) {
	if !bytes.HasPrefix(p.data[p.at:], []byte(word)) {
		return node{}, errJSONSyntax
	}
	p.at += len(word)
	return n, nil
}

func (p *jsonParser) value(depth int) (node, error) {
	if p.nodes++; p.nodes > maxNodes {
		return node{}, errors.New("too many values")
	}
	if depth > maxDepth {
		return node{}, errors.New("nested too deeply")
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.text()
		return node{kind: kindString, text: s}, err
	case c == 't':
		return p.literal("true", node{kind: kindBool, integer: 1})
	case c == 'f':
		return p.literal("false", node{kind: kindBool})
	case c == 'n':
		return p.literal("null", node{kind: kindNull})
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	return node{}, errJSONSyntax
}

func (p *jsonParser) array(depth int) (node, error) {
	n := node{kind: kindArray}
	p.at++
	if p.consume(']') {
		return n, nil
	}
	for {
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		n.list = append(n.list, v)
		if p.consume(',') {
			continue
		}
		if p.consume(']') {
			return n, nil
		}
		return node{}, errJSONSyntax
	}
}

// A member is one member of an object.
type member struct {
	key   string
	value node
}

// byKey sorts members. Package slices would add 15 KB to every program for each type that it
// sorts; package sort, which most programs have, adds nothing.
type byKey []member

func (b byKey) Len() int           { return len(b) }
func (b byKey) Less(i, j int) bool { return b[i].key < b[j].key }
func (b byKey) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

func (p *jsonParser) object(depth int) (node, error) {
	var members []member
	p.at++
	for done := p.consume('}'); !done; {
		p.space()
		if p.next() != '"' {
			return node{}, errJSONSyntax
		}
		key, err := p.text()
		if err != nil {
			return node{}, err
		}
		if !p.consume(':') {
			return node{}, errJSONSyntax
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		members = append(members, member{key, v})
		if p.consume(',') {
			continue
		}
		if done = p.consume('}'); !done {
			return node{}, errJSONSyntax
		}
	}
	sort.Sort(byKey(members))
	n := node{kind: kindObject}
	for i, m := range members {
		if i > 0 && m.key == members[i-1].key {
			return node{}, errors.New("duplicate key in the object that ends here")
		}
		n.keys = append(n.keys, m.key)
		n.list = append(n.list, m.value)
	}
	return n, nil
}

func (p *jsonParser) number() (node, error) {
	start := p.at
	for strings.IndexByte("+-.0123456789Ee", p.next()) >= 0 {
		p.at++
	}
	text := string(p.data[start:p.at])
	i, err := strconv.ParseInt(text, 10, 64)
	// The comparison with the shortest form refuses -0, 01 and 1e3.
	if err != nil || i < -maxInteger || i > maxInteger || strconv.FormatInt(i, 10) != text {
		return node{}, errors.New("a number must be an integer of magnitude 2^53 at most")
	}
	return node{kind: kindInteger, integer: i}, nil
}

// text parses a string; the cursor is on its first quote.
func (p *jsonParser) text() (string, error) {
	p.at++
	start := p.at
	// Nearly all strings have no escapes.
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			s := string(p.data[start:p.at])
			p.at++
			return s, checkText(s)
		case c < ' ':
			return "", errJSONSyntax
		case c == '\\':
			return p.escaped(append([]byte(nil), p.data[start:p.at]...))
		}
		p.at++
	}
	return "", errJSONSyntax
}

// escaped parses the rest of a string; the cursor is on a backslash.
func (p *jsonParser) escaped(b []byte) (string, error) {
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			p.at++
			return string(b), checkText(string(b))
		case c < ' ':
			return "", errJSONSyntax
		case c == '\\':
			p.at++
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		default:
			p.at++
			b = append(b, c)
		}
	}
	return "", errJSONSyntax
}

// escape parses what follows a backslash.
func (p *jsonParser) escape() (rune, error) {
	c := p.next()
	if c == 'u' {
		r, err := p.unit()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if p.next() != '\\' {
			return 0, errors.New("lone surrogate")
		}
		if p.at++; p.next() != 'u' {
			return 0, errors.New("lone surrogate")
		}
		low, err := p.unit()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, errors.New("lone surrogate")
		}
		return r, nil
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 || p.at >= len(p.data) {
		return 0, errJSONSyntax
	}
	p.at++
	return rune("\"\\/\b\f\n\r\t"[i]), nil
}

// unit parses a UTF-16 code unit, uXXXX; the cursor is on the u.
func (p *jsonParser) unit() (rune, error) {
	p.at++
	if len(p.data)-p.at < 4 {
		return 0, errJSONSyntax
	}
	var r rune
	for _, c := range p.data[p.at : p.at+4] {
		i := strings.IndexByte("0123456789abcdefABCDEF", c)
		if i < 0 {
			return 0, errJSONSyntax
		}
		if i >= 16 {
			i -= 6
		}
		r = r<<4 | rune(i)
	}
	p.at += 4
	return r, nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("invalid UTF-8")
	}
	return nil
}

// appendCanonical appends the canonical form of n, which is what TUF signs:
// OLPC canonical JSON. No white space, keys in ascending order of their bytes,
// and in strings only the quote and the backslash are escaped, so that other
// control characters stand as they are.
func appendCanonical(b []byte, n node) []byte {
	switch n.kind {
	case kindNull:
		return append(b, "null"...)
	case kindBool:
		return strconv.AppendBool(b, n.integer != 0)
	case kindInteger:
		return strconv.AppendInt(b, n.integer, 10)
	case kindString:
		return appendCanonicalText(b, n.text)
	case kindArray:
		b = append(b, '[')
		for i, e := range n.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, e)
		}
		return append(b, ']')
	default:
		b = append(b, '{')
		for i, e := range n.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendCanonicalText(b, n.keys[i]), ':')
			b = appendCanonical(b, e)
		}
		return append(b, '}')
	}
}

func appendCanonicalText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range []byte(s) {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
