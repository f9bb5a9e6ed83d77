package compose

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/internal/source"
	"golang.org/x/tools/txtar"
)

// FuzzYAML holds that what is written parses to the same nodes.
func FuzzYAML(f *testing.F) {
	paths, err := filepath.Glob("../../testdata/good/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	for _, text := range []string{"a: \"\\0\\x7f\\u2028 \\U0001f600\"", "- - [a, {b: c}]\n  - d\n",
		"a: |\n  b\n\n   c\n", "a: 2026-12-01T10:00\nb: [1:2, -3, 'x:y', 1e3, ~]\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := source.Parse("shop/f.yaml", "flags", bytes.Clone(data))
		if s.Root == nil || len(s.Root.Fields) == 0 {
			return
		}
		text := YAML(s.Root, nil)
		again := source.Parse("shop/f.yaml", "flags", []byte(text))
		if again.Root == nil {
			t.Fatalf("%q is written as %q: %v", data, text, again.Problems)
		}
		if got, want := meaning(again.Root), meaning(s.Root); got != want {
			t.Errorf("%q is written as %q:\ngot  %s\nwant %s", data, text, got, want)
		}
	})
}

// meaning returns what a node means, whatever its style.
func meaning(n *source.Node) string {
	var b strings.Builder
	switch n.Kind {
	case source.Scalar:
		return fmt.Sprintf("%d %q", n.Type(), n.Text)
	case source.Sequence:
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
