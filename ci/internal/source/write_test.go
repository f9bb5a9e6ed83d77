package source

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzFormatYAML holds that what is written parses to the same nodes.
func FuzzFormatYAML(f *testing.F) {
	addScenarios(f)
	for _, text := range []string{"a: \"\\0\\x7f\\u2028 \\U0001f600\"", "- - [a, {b: c}]\n  - d\n",
		"a: |\n  b\n\n   c\n", "a: 2026-12-01T10:00\nb: [1:2, -3, 'x:y', 1e3, ~]\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := parseText(string(data))
		if s.Root == nil || len(s.Root.Fields) == 0 {
			return
		}
		text := FormatYAML(s.Root, nil)
		again := parseText(text)
		if again.Root == nil {
			t.Fatalf("%q is written as %q: %v", data, text, again.Problems)
		}
		if got, want := meaning(again.Root), meaning(s.Root); got != want {
			t.Errorf("%q is written as %q:\ngot  %s\nwant %s", data, text, got, want)
		}
	})
}

// meaning returns what a node means, whatever its style.
func meaning(n *Node) string {
	var b strings.Builder
	switch n.Kind {
	case Scalar:
		return fmt.Sprintf("%d %q", n.Type(), n.Text)
	case Sequence:
		for _, item := range n.Items {
			b.WriteString(meaning(item) + ", ")
		}
		return "[" + b.String() + "]"
	}
	for _, f := range n.Fields {
		b.WriteString(meaning(f.Key) + ": " + meaning(f.Value) + ", ")
	}
	return "{" + b.String() + "}"
}
