package source

// Text returns a scalar that is text, without quotes where YAML needs none.
func Text(text string) *Node {
	n := &Node{Kind: Scalar, Text: text, Plain: true}
	n.Plain = n.Type() == TextScalar
	return n
}

// Plain returns a scalar that is written as it is, such as a number.
func Plain(text string) *Node { return &Node{Kind: Scalar, Text: text, Plain: true} }

// List returns a list, in brackets if it is short.
func List(items ...*Node) *Node { return &Node{Kind: Sequence, Items: items, flow: true} }

// Texts returns a list of texts, in brackets if it is short.
func Texts(texts ...string) *Node {
	n := List()
	for _, t := range texts {
		n.Items = append(n.Items, Text(t))
	}
	return n
}

// Map returns a mapping without keys, in braces as long as it is short.
func Map() *Node { return &Node{Kind: Mapping, flow: true} }

// Block returns n with each of its items or keys on a line of its own.
func Block(n *Node) *Node {
	n.flow = false
	return n
}

// With adds a key to a mapping and returns the mapping.
func (n *Node) With(key string, value *Node) *Node {
	n.Fields = append(n.Fields, Field{Text(key), value})
	return n
}
