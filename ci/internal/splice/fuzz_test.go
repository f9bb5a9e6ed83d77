package splice

import (
	"bytes"
	"testing"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
)

// FuzzDoc edits arbitrary files at arbitrary places. Nothing may panic, an edit that
// fails must leave the file as it was, and one that succeeds must be undone by its
// opposite, at least in what the file means.
func FuzzDoc(f *testing.F) {
	for _, text := range []string{
		"a: 1\nb:\n  - x\n  - y: z # c\n", "{a: [1, 2,\n 3 # c\n], b: {}}", "- - a\n  - b\n- |\n  c\n\n- 'd'\n",
		"a: >-\r\n  x\r\n  y\r\n# c\r\nb: \"\\\"\" # d\r\n", "a: b\n  c\nd:\n- e\n-\n  f: g\n", "[a: b, {c: d}, e]",
		"\"\\",
	} {
		for i := range byte(8) {
			f.Add(text, i, i)
		}
	}
	f.Fuzz(func(t *testing.T, text string, where, what byte) {
		d, err := Open("shop/x.yaml", "flags", []byte(text))
		if err != nil {
			return
		}
		var paths []Path
		walk(d.Root(), nil, &paths)
		path := paths[int(where)%len(paths)]
		tree := d.Root()
		switch word := compose.Word("w" + string(rune('a'+what%26))); what % 3 {
		case 0:
			if err = d.Set(append(path, "new"), word); err == nil {
				if err := d.Remove(append(path, "new")); err == nil && !d.Root().Same(tree) {
					t.Errorf("added and removed at %v, the file is\n%s", path, d.Bytes())
				}
				return
			}
		case 1:
			if err = d.Append(path, word); err == nil {
				last := append(path, len(d.Get(path).Items)-1)
				if err := d.Remove(last); err == nil && !d.Root().Same(tree) {
					t.Errorf("added and removed at %v, the file is\n%s", path, d.Bytes())
				}
				return
			}
		case 2:
			if len(path) > 0 {
				if err = d.Remove(path); err == nil {
					return
				}
			}
		}
		if !bytes.Equal(d.Bytes(), []byte(text)) {
			t.Errorf("an edit that fails (%v) has changed the file to\n%s", err, d.Bytes())
		}
	})
}

func walk(n *source.Node, path Path, to *[]Path) {
	*to = append(*to, clone(path))
	for i, item := range n.Items {
		walk(item, append(clone(path), i), to)
	}
	for _, f := range n.Fields {
		walk(f.Value, append(clone(path), f.Key.Text), to)
	}
}

func clone(p Path) Path { return append(Path(nil), p...) }

// FuzzFormat formats arbitrary files. Nothing may panic, a file that can't be formatted
// stays as it was, and formatting twice does no more than formatting once.
func FuzzFormat(f *testing.F) {
	for _, text := range []string{
		"# a\n\n# b\nb:   # c\n- x:  1\n  y:\n    - 2\n# d\n\n\na: |\n   text\n\n   more\n",
		"- - a\n  - b\n-   |\n  c\n\n- 'd\n  e'\n",
		"a: >-\r\n  x\r\n\r\n  y\r\n# c\r\nb: \"d \r\n\r\n   e\" # d  \r\n",
		"---\nc: [1,\n\n  2 # x\n ]\n\n\n# end\n  # of\n", "a:\n      b\nc:\n-\n  d\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Open("shop/x.yaml", "flags", []byte(text))
		if err != nil {
			return
		}
		if err := d.Format([]string{"a", "b"}); err != nil {
			if !bytes.Equal(d.Bytes(), []byte(text)) {
				t.Errorf("what can't be formatted became\n%s", d.Bytes())
			}
			return
		}
		once := bytes.Clone(d.Bytes())
		if err := d.Format([]string{"a", "b"}); err != nil || !bytes.Equal(d.Bytes(), once) {
			t.Errorf("formatted once (%v):\n%q\nand twice:\n%q", err, once, d.Bytes())
		}
	})
}
