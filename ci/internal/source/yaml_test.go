package source

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/serin-flags/serin/internal/soak"
	"golang.org/x/tools/txtar"
)

// parseText parses a file of that text.
func parseText(text string) *File {
	s := &File{Shown: "f.yaml", Data: []byte(text)}
	s.parse()
	return s
}

// TestScalarTypes holds what plain scalars are, by the core schema of YAML 1.2.
func TestScalarTypes(t *testing.T) {
	for typ, texts := range map[ScalarType]string{
		TextScalar:  "on off On OFF yes no y n Yes NO truE nULL 1_000 0b1 0X1F 1e 1e+ e1 + - . .e1 1.2.3 0o8 0xg --1 +-1 1- 2026-11-20 10:30 1,000 inf nan .Info ١ 五",
		NullScalar:  "~ null Null NULL",
		BoolScalar:  "true True TRUE false False FALSE",
		IntScalar:   "0 -0 +1 007 08 0o17 0x1F 0xff 12345678901234567890123",
		FloatScalar: "1.0 1. .5 -.5 +1.5e3 1e3 1E-3 0.0 .inf -.INF +.Inf .nan",
	} {
		for text := range strings.FieldsSeq(texts) {
			if got := (&Node{Text: text, Plain: true}).Type(); got != typ {
				t.Errorf("%s is of type %d, want %d", text, got, typ)
			}
			if got := (&Node{Text: text}).Type(); got != TextScalar {
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
		"a: [b:c, ?d, e?, f - g]\n",
		"a: |\n  one" + strings.Repeat("\n", 1000) + "  two\n",
		"\"a\": \"one\n  - two\n\n  three\"\n",
		"a: \"\"\nb: ''\n",
	} {
		if s := parseText(text); s.Root == nil {
			t.Errorf("%q is refused: %v", text, s.Problems)
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
				if s := parseText(text.String()); s.Root == nil {
					t.Errorf("%q: %d keys are refused: %v", below, maxKeys, s.Problems)
				}
			}
		}
		if s := parseText(text.String()); s.Root != nil {
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
		if s := parseText(nest(maxDepth)); s.Root == nil {
			t.Errorf("%s: depth %d is refused: %v", name, maxDepth, s.Problems)
		}
		if s := parseText(nest(maxDepth + 2)); s.Root != nil {
			t.Errorf("%s: depth %d is accepted", name, maxDepth+2)
		}
	}
}

// TestSurrogates holds that pairs of surrogates are one character where they
// are escapes, and nothing but text where they aren't.
func TestSurrogates(t *testing.T) {
	for _, tt := range []struct{ written, want string }{
		{`"\ud83d\ude80"`, "\U0001f680"},
		{`"\uD83D\uDE80 \ud83d\ude81x"`, "\U0001f680 \U0001f681x"},
		{`'\ud83d\ude80'`, `\ud83d\ude80`},
		{`\uD83D\ude80`, `\uD83D\ude80`},
		{`"\\ud83d\\ude80"`, `\ud83d\ude80`},
		{`"\\\ud83d\ude80"`, `\` + "\U0001f680"},
		{`"\ue83d\uec80"`, "\ue83d\uec80"},
	} {
		s := parseText(`a: [` + tt.written + `, b]`)
		if s.Root == nil {
			t.Errorf("%s is refused: %v", tt.written, s.Problems)
			continue
		}
		items := s.Root.Get("a").Items
		if got := items[0].Text; got != tt.want {
			t.Errorf("%s is %q, want %q", tt.written, got, tt.want)
		}
		if got, want := items[1].Column(), len(`a: [`+tt.written+`, b`); got != want {
			t.Errorf("%s: what follows is at column %d, want %d", tt.written, got, want)
		}
	}
	for _, written := range []string{
		`"\ud83d"`, `"\ude80"`, `"\ude80\ud83d"`, `"\ud83d \ude80"`, `"\\ud83d\ude80"`,
		`"\ud83d\ude80` + "\ue83d" + `"`,
	} {
		if s := parseText(`a: ` + written); s.Root != nil {
			t.Errorf("%s is accepted as %q", written, s.Root.Get("a").Text)
		}
	}
}

// separated are entries as they may stand in brackets, and how many separators are in
// each.
var separated = map[string]int{"1,": 1, "[],": 2, "{a},": 2, `{"a":1},`: 3, "{a: b},": 3, "b c, ": 1, "- [? a],": 4}

// TestSeparatorLimit holds that separators of all kinds are counted.
func TestSeparatorLimit(t *testing.T) {
	for unit, count := range separated {
		text := "[" + strings.Repeat(unit, 10) + "]"
		if got, want := separators([]byte(text)), 1+10*count; got != want {
			t.Errorf("%s: %d separators, want %d", text, got, want)
		}
		text = "[" + strings.Repeat(unit, maxSeparators/count+1) + "]"
		s := parseText(text)
		if s.Root != nil || len(s.Problems) != 1 ||
			!strings.Contains(s.Problems[0].Message, fmt.Sprint("more than ", maxSeparators)) {
			t.Errorf("%s…: problems %v", text[:10], s.Problems)
		}
	}
}

// hostile are files that a parser could take much memory or time for.
var hostile = map[string]string{
	"keys on one line":              "{" + strings.Repeat("a,", maxSeparators-9) + "}",
	"open brackets":                 strings.Repeat("[", maxFileSize),
	"open braces":                   strings.Repeat("{a: ", maxFileSize/4),
	"dashes on one line":            strings.Repeat("- ", maxFileSize/2),
	"question marks":                strings.Repeat("? ", maxFileSize/2),
	"dashes":                        strings.Repeat("-\n", maxFileSize/2),
	"keys":                          strings.Repeat("a: b\n", maxFileSize/5),
	"equal keys":                    strings.Repeat("a:\n", maxFileSize/3),
	"long keys with a prefix":       longKeys(),
	"complex keys":                  strings.Repeat("? [a b]\n", maxFileSize/8),
	"empty lines":                   "a:" + strings.Repeat("\n", maxFileSize-4) + " b",
	"empty lines in a block":        "a: |\n b" + strings.Repeat("\n", maxFileSize-10) + " c",
	"comments":                      strings.Repeat("#\n", maxFileSize/2),
	"comments between keys":         strings.Repeat("a: b\n# c\n\n", maxFileSize/10),
	"comments between entries":      strings.Repeat("- a\n# b\n\n# c\n", maxFileSize/13),
	"a comment":                     "a: b # " + strings.Repeat("c", maxFileSize-10),
	"a key":                         strings.Repeat("k", maxFileSize-3) + ": v",
	"words":                         "a: " + strings.Repeat("b ", maxFileSize/2-4),
	"lines of text":                 "a: " + strings.Repeat("b\n ", maxFileSize/3-4),
	"escapes":                       "a: \"" + strings.Repeat("\\n", maxFileSize/2-4) + "\"",
	"surrogates":                    "a: \"" + strings.Repeat(`\ud83d\ude80`, maxFileSize/12-4) + "\"",
	"halves of surrogates":          "a: [" + strings.Repeat(`"\ud83d",`, maxFileSize/9-4) + "]",
	"backslashes":                   strings.Repeat(`\`, maxFileSize-12) + `\ud83d\ude80`,
	"aliases":                       "a: &a [b]\nc: [" + strings.Repeat("*a,", 190_000) + "]",
	"aliases of aliases":            aliasBomb(),
	"characters that start nothing": strings.Repeat("a: @b\n", maxRepairable/6),
	"tags":                          strings.Repeat("- !a b\n", maxFileSize/7),
	"documents":                     strings.Repeat("---\n", maxFileSize/4),
	"directives":                    strings.Repeat("%TAG ! b\n", maxFileSize/9),
	"digits":                        "a: " + strings.Repeat("1", maxFileSize-4),
	"tabs":                          "a: b" + strings.Repeat("\t", maxFileSize-5) + "c",
}

func longKeys() string {
	var b strings.Builder
	prefix := strings.Repeat("k", 1000)
	for i := range maxFileSize / 1010 {
		fmt.Fprintf(&b, "%s%04d: v\n", prefix, i)
	}
	return b.String()
}

func aliasBomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [b]\n")
	for i := 1; b.Len() < maxFileSize-100; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	return b.String()
}

// TestHostileFiles holds that no file makes parsing allocate more than a few hundred
// times the largest size of a file. What it allocates bounds its time, too: the
// parser reads every byte a fixed number of times.
func TestHostileFiles(t *testing.T) {
	const most = 500 << 20
	files := maps.Clone(hostile)
	for unit, count := range separated {
		if soak.Times(0, 1) == 1 { // they take as much as the keys on one line, and as long
			files[unit] = "[" + strings.Repeat(unit, min(maxSeparators/count-9, (maxFileSize-2)/len(unit))) + "]"
		}
	}
	for name, text := range files {
		if len(text) > maxFileSize {
			t.Errorf("%s: %d bytes are more than a file has", name, len(text))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parseText(text)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > most {
			t.Errorf("%s: parsing allocates %d MiB", name, allocated>>20)
		}
	}
}

// addScenarios adds the files of the scenarios of package ci as seeds.
func addScenarios(f *testing.F) {
	f.Helper()
	paths, err := filepath.Glob("../../testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(file.Data)
			}
		}
	}
}

// FuzzPlaces holds that the nodes of a file stand where we say.
func FuzzPlaces(f *testing.F) {
	addScenarios(f)
	for _, text := range []string{
		"a: b   \nc: [d  , e ]\n", "a: {b:c}\n", "a: b\tc\n", "a: b # \\\nc: d\n", "a: b\n  -c\n", "a: b\n\n  c\n",
		"a\n: b\n", "...a: b\n", "a: |\n b", "a: b\n  c\n", "[a: b, \"\\ud83d\\ude80\": c]\n", "  {0, #00",
		"a: 'it''s'\nb: \"\\u00e9\\n\"\n", "a: >-\n  b\n  c\n\n  d\n", "a:\n- b\n- c: d\n  e: f\n",
		"{\n\t\"a\": [\n\t\t1\n\t]\n}\n",
		"深圳: 3‰  # 注\n", "a: \u2028b\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &File{Shown: "f.yaml", Data: bytes.Clone(data)}
		if s.parse(); s.Root != nil {
			checkNode(t, s, s.Root)
		}
		for _, p := range s.Problems {
			if n := bytes.Count(s.Data, []byte("\n")); p.Line < 1 || p.Line > n+1 || p.Column < 1 {
				t.Errorf("%v, in a file of %d lines\n%q", p, n+1, data)
			}
		}
	})
}

// checkNode holds that a node and those within it stand in the file as they should.
func checkNode(t *testing.T, s *File, n *Node) {
	t.Helper()
	var c cursor
	written := c.from(s.Data, n.Line(), n.Column())
	begins := func(prefix string) bool { return bytes.HasPrefix(written, []byte(prefix)) }
	right := false
	switch {
	case n.Kind == Scalar && n.Plain:
		right = begins(strings.SplitN(n.Text, " ", 2)[0])
	case n.Kind == Scalar:
		right = begins("'") || begins(`"`) || begins("|") || begins(">")
	case n.Kind == Sequence && n.Flow:
		right = begins("[")
	case n.Kind == Sequence:
		right = begins("-")
	case len(n.Fields) > 0 && !begins("{"):
		right = n.Row == n.Fields[0].Key.Row && n.Col == n.Fields[0].Key.Col
	default:
		right = n.Flow
	}
	if !right {
		t.Errorf("%d:%d: %v is not there\n%q", n.Line(), n.Column(), n.Describe(), s.Data)
	}
	for _, item := range n.Items {
		checkNode(t, s, item)
	}
	for _, f := range n.Fields {
		checkNode(t, s, f.Key)
		checkNode(t, s, f.Value)
	}
}

// TestBackslashAtEnd holds that a file that ends within an escape is an error, and not a
// panic.
func TestBackslashAtEnd(t *testing.T) {
	for _, text := range []string{`"\`, `"\x`, `"\u12`, `a: "\`, `["\`} {
		s := Parse("shop/x.yaml", "flags", []byte(text))
		if len(s.Problems) == 0 {
			t.Errorf("%s has no problems", text)
		}
	}
}
