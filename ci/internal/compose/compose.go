// Package compose makes YAML: it builds nodes and writes them.
//
// What it writes parses to the same nodes. Comments and the style of existing files are lost:
// package splice keeps them. Start at [Map] and [YAML].
package compose

import "github.com/serin-flags/serin/ci/internal/source"

// Word returns a scalar for text, which is plain if it means itself without quotes.
func Word(text string) *source.Node { return &source.Node{Text: text, Plain: plainText(text)} }

// Plain returns a scalar that is written as it is, such as a number.
func Plain(text string) *source.Node {
	return &source.Node{Kind: source.Scalar, Text: text, Plain: true}
}

// List returns a list, in brackets if it is short.
func List(items ...*source.Node) *source.Node {
	return &source.Node{Kind: source.Sequence, Items: items, Flow: true}
}

// Texts returns a list of texts, in brackets if it is short.
func Texts(texts ...string) *source.Node {
	n := List()
	for _, t := range texts {
		n.Items = append(n.Items, source.Text(t))
	}
	return n
}

// Map returns a mapping without keys, in braces as long as it is short.
func Map() *source.Node { return &source.Node{Kind: source.Mapping, Flow: true} }

// Block returns n with each of its items or keys on a line of its own.
func Block(n *source.Node) *source.Node {
	n.Flow = false
	return n
}
