package source

import "path/filepath"

// Parse parses the content of one file, as [Read] does for the files of an estate.
// name is the file's path below the estate, and dir the estate's as a user would type
// it. Parse may change data.
func Parse(name, dir string, data []byte) *File {
	s := &File{Path: name, Shown: filepath.Join(dir, filepath.FromSlash(name)), Role: RoleOf(name), Data: data}
	if len(data) > maxFileSize {
		s.Problem("the file is larger than %d MiB", maxFileSize>>20)
		return s
	}
	s.parse()
	return s
}

// InFlow reports whether n is a list in brackets or a mapping in braces.
func (n *Node) InFlow() bool { return n.flow }

// Same reports whether two nodes mean the same, wherever and however they are written.
// The order of a mapping's keys counts.
func (n *Node) Same(other *Node) bool {
	if n == nil || other == nil {
		return n == other
	}
	if n.Kind != other.Kind || len(n.Items) != len(other.Items) || len(n.Fields) != len(other.Fields) {
		return false
	}
	if n.Kind == Scalar {
		return n.Text == other.Text && n.Type() == other.Type()
	}
	for i, item := range n.Items {
		if !item.Same(other.Items[i]) {
			return false
		}
	}
	for i, f := range n.Fields {
		if f.Key.Text != other.Fields[i].Key.Text || !f.Value.Same(other.Fields[i].Value) {
			return false
		}
	}
	return true
}

// FlowText returns n on one line.
func FlowText(n *Node) string { return flowText(n) }

// QuoteText returns text in double quotes, as YAML and JSON have it.
func QuoteText(text string) string { return quoteText(text) }

// Word returns a scalar for text, which is plain if it means itself without quotes.
func Word(text string) *Node { return &Node{Text: text, Plain: plainText(text)} }
