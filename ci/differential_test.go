package ci

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v3"
)

// FuzzAgainstAnotherParser holds that a file we accept says the same to another
// YAML parser, and that what is in it stands where we say. Files that the other
// one refuses aren't compared, nor are those with question marks, of which its
// idea is its own.
func FuzzAgainstAnotherParser(f *testing.F) {
	addFiles(f, func(name string) bool { return name != want })
	for _, text := range []string{
		"a: b   \nc: [d  , e ]\n", "a: {b:c}\n", "a: b\tc\n", "a: b # \\\nc: d\n", "a: b\n  -c\n", "a: b\n\n  c\n", "a\n: b\n", "...a: b\n", "a: |\n b", "a: b\n  c\n",
		"a: 'it''s'\nb: \"\\u00e9\\n\"\n", "a: >-\n  b\n  c\n\n  d\n", "a:\n- b\n- c: d\n  e: f\n", "{\n\t\"a\": [\n\t\t1\n\t]\n}\n", "深圳: 3‰  # 注\n", "a: \u2028b\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &source{shown: "f.yaml", data: bytes.Clone(data)}
		s.parse()
		if s.root == nil || s.root.kind == scalar || bytes.ContainsRune(data, '?') {
			return
		}
		var document yaml.Node
		if yaml.Unmarshal(s.data, &document) != nil || len(document.Content) != 1 {
			return
		}
		if difference := compareNodes(s, s.root, document.Content[0]); difference != "" {
			t.Errorf("%s\n%s\n%q", difference, data, data)
		}
	})
}

// compareNodes returns how our node differs from another parser's.
func compareNodes(s *source, a *node, b *yaml.Node) string {
	at := fmt.Sprintf("%d:%d", b.Line, b.Column)
	children := make([]*node, 0, len(b.Content))
	for _, f := range a.fields {
		children = append(children, f.key, f.value)
	}
	children = append(children, a.items...)
	kinds := map[kind]yaml.Kind{mapping: yaml.MappingNode, sequence: yaml.SequenceNode, scalar: yaml.ScalarNode}
	switch {
	case kinds[a.kind] != b.Kind || len(children) != len(b.Content):
		return fmt.Sprintf("%s: kind %d with %d children, other: %d with %d", at, a.kind, len(children), b.Kind, len(b.Content))
	case b.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && strings.TrimRight(a.text, " ") == strings.TrimRight(b.Value, " "),
		b.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && a.text == "\n" && b.Value == "":
		// The spaces that end a block of text without a line break, and a
		// block of no text at the end of a file.
	case a.kind == scalar && a.text != b.Value:
		return fmt.Sprintf("%s: %q, other: %q", at, a.text, b.Value)
	case a.kind == scalar && a.plain != (b.Style == 0):
		return fmt.Sprintf("%s: plain %v, other: style %d", at, a.plain, b.Style)
	}
	// The other parser counts a tab as one column, but not everywhere.
	if here := fmt.Sprintf("%d:%d", a.line(), a.column()); here != at && !strings.Contains(s.line(b.Line), "\t") {
		return fmt.Sprintf("%s: at %s", at, here)
	}
	for i, child := range children {
		if difference := compareNodes(s, child, b.Content[i]); difference != "" {
			return difference
		}
	}
	return ""
}
