package ci

import (
	"fmt"
	"strings"
	"testing"
)

// parseText parses a file of that text.
func parseText(text string) *source {
	s := &source{shown: "f.yaml", data: []byte(text)}
	s.parse()
	return s
}

// TestScalarTypes holds what plain scalars are, by the core schema of YAML 1.2.
func TestScalarTypes(t *testing.T) {
	for typ, texts := range map[scalarType]string{
		textScalar:  "on off On OFF yes no y n Yes NO truE nULL 1_000 0b1 0X1F 1e 1e+ e1 + - . .e1 1.2.3 0o8 0xg --1 +-1 1- 2026-11-20 10:30 1,000 inf nan .Info ١ 五",
		nullScalar:  "~ null Null NULL",
		boolScalar:  "true True TRUE false False FALSE",
		intScalar:   "0 -0 +1 007 08 0o17 0x1F 0xff 12345678901234567890123",
		floatScalar: "1.0 1. .5 -.5 +1.5e3 1e3 1E-3 0.0 .inf -.INF +.Inf .nan",
	} {
		for text := range strings.FieldsSeq(texts) {
			if got := (&node{text: text, plain: true}).scalarType(); got != typ {
				t.Errorf("%s is of type %d, want %d", text, got, typ)
			}
			if got := (&node{text: text}).scalarType(); got != textScalar {
				t.Errorf("%q in quotes is of type %d, want text", text, got)
			}
		}
	}
}

// TestYAMLAccepted holds that what the checks before the parser refuse isn't
// more than it should be.
func TestYAMLAccepted(t *testing.T) {
	for _, text := range []string{
		"a:\n- b\n- c:\n  - d\n",
		"a:\n  - - b\n    - c\n  -\n    d: e\n",
		"a: # comment\n  # comment\n  b: c\n",
		"a:\n\n\n  b: c\n",
		"a: |\n  # not a comment\n   - not a list\n  key: not a key\nb: >-\n  folded\n  text\n",
		"a: |2\n    b\n",
		"a: {b: c, d: [e, {f: g}], }\n",
		"a: [b,\n  c,\n]\n",
		"a: {\n  b: c\n}\n",
		"a: {\"b\":c, 'd':e}\n",
		"a: https://example.com/x?y=z&w=v#u\nb: [https://example.com/, 10:30, ::1]\nc: {d: http://e}\n",
		"a: b c\n  d e\n",
		"\"a\": \"b\\n\\u00e9\\x41\\\n  c\"\n",
		"'a': 'it''s'\n",
		"{\"a\": \"\\ud83d\\ude80 \\/ \\u00e9\"}\n",
		"a: b#c\nd: e # f\n",
		"--- # the start of a document\na: b\n",
		"a : b\n",
		"  a: b\n  c: d\n",
		"a: -1\nb: -\u20ac\nc: ?d\n",
		"a: \"\"\nb: ''\n",
	} {
		if s := parseText(text); s.root == nil {
			t.Errorf("%q is refused: %v", text, s.problems)
		}
	}
}

// TestKeyLimit holds that the keys of a mapping are counted, whatever stands
// below them.
func TestKeyLimit(t *testing.T) {
	for _, below := range []string{" b", "\n  b: c", "\n  - b", "\n- b", " {b: c}", " |\n  b"} {
		var text strings.Builder
		for i := range maxKeys + 1 {
			fmt.Fprintf(&text, "a%d:%s\n", i, below)
			if i == maxKeys-1 {
				if s := parseText(text.String()); s.root == nil {
					t.Errorf("%q: %d keys are refused: %v", below, maxKeys, s.problems)
				}
			}
		}
		if s := parseText(text.String()); s.root != nil {
			t.Errorf("%q: %d keys are accepted", below, maxKeys+1)
		}
	}
}

// TestDepthLimit holds that depth is counted over all ways to nest.
func TestDepthLimit(t *testing.T) {
	for name, nest := range map[string]func(depth int) string{
		"brackets": func(d int) string { return strings.Repeat("[", d) + "a" + strings.Repeat("]", d) },
		"braces":   func(d int) string { return strings.Repeat("{a: ", d) + "b" + strings.Repeat("}", d) },
		"dashes":   func(d int) string { return strings.Repeat("- ", d) + "a" },
		"mappings": func(d int) string {
			var b strings.Builder
			for i := range d {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return strings.TrimSuffix(b.String(), "\n") + " b"
		},
		"lists below keys": func(d int) string {
			var b strings.Builder
			for i := range d / 2 {
				b.WriteString("a:\n" + strings.Repeat(" ", 2*i) + "- ")
			}
			return b.String() + "c"
		},
	} {
		if s := parseText(nest(maxDepth)); s.root == nil {
			t.Errorf("%s: depth %d is refused: %v", name, maxDepth, s.problems)
		}
		if s := parseText(nest(maxDepth + 2)); s.root != nil {
			t.Errorf("%s: depth %d is accepted", name, maxDepth+2)
		}
	}
}
