package display

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
)

const hostile = "a\n~~~~~~~~\n# Approved\n@maintainers \x1b[31mred\x1b[0m\r\u202egnp.exe\u2066\u2028\x00\x7f\u0085\t[x](https://example.com) ````"

func TestLine(t *testing.T) {
	const want = `a\n~~~~~~~~\n# Approved\n@maintainers \u001b[31mred\u001b[0m\u000d\u202egnp.exe\u2066\u2028\u0000\u007f\u0085\t[x](https://example.com) ` + "````"
	if got := Line(hostile); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, plain := range []string{"", "flags/shop/color.yaml", "北京 → 深圳", "👩‍👩‍👧 é"} {
		if got := Line(plain); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
	if got := Line("a\xffb"); got != "a\ufffdb" {
		t.Errorf("got %q", got)
	}
}

func TestMarkdown(t *testing.T) {
	got := Markdown(hostile)
	for _, part := range []string{"\n", "://", "@m", "[x]", "`", "# A", "~", "\x1b"} {
		if strings.Contains(got, part) {
			t.Errorf("%q is left in %s", part, got)
		}
	}
	if got, want := Markdown("a_b <b> #12 GH-3 www.x.org"),
		"a&#95;b &#60;b&#62; &#35;&#8203;12 GH&#8203;-3 www&#8203;.x.org"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFence(t *testing.T) {
	for text, want := range map[string]string{
		"plain":              "```text\nplain\n```\n",
		"a\nb\n":             "```text\na\nb\n```\n",
		"```\n# out":         "````text\n```\n# out\n````\n",
		"~~~~ `````` \x1b[m": "```````text\n~~~~ `````` \\u001b[m\n```````\n",
	} {
		if got := Fence(text); got != want {
			t.Errorf("%q: got\n%s", text, got)
		}
	}
}

func TestCut(t *testing.T) {
	const text = "one\ntwo\nthree\n"
	for limit, want := range map[int]string{
		14: text, 13: "one\ntwo\n… and 1 more line\n", 8: "one\ntwo\n… and 1 more line\n",
		7: "one\n… and 2 more lines\n",
		4: "one\n… and 2 more lines\n", 3: "… and 3 more lines\n", 0: "… and 3 more lines\n",
	} {
		if got := Cut(text, limit); got != want {
			t.Errorf("%d: got %q", limit, got)
		}
	}
}

// TestWriter holds that output doesn't depend on how it is divided into writes.
func TestWriter(t *testing.T) {
	var whole, bytewise bytes.Buffer
	if _, err := io.WriteString(NewWriter(&whole), hostile+"北京\xff"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(NewWriter(&bytewise), iotest.OneByteReader(strings.NewReader(hostile+"北京\xff"))); err != nil {
		t.Fatal(err)
	}
	if whole.String() != bytewise.String() || !strings.HasSuffix(whole.String(), "北京\ufffd") {
		t.Errorf("%q, byte by byte %q", whole.String(), bytewise.String())
	}
}

// FuzzWriter holds that nothing hidden gets through, and that JSON keeps its meaning.
func FuzzWriter(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, text string) {
		var b bytes.Buffer
		if _, err := io.WriteString(NewWriter(&b), text); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() + Line(text) {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%q is left in %q", r, b.String())
			}
		}
		if strings.ContainsAny(Line(text)+Markdown(text), "\n\t") {
			t.Fatalf("%q is not one line", Line(text))
		}
		var document, after bytes.Buffer
		if err := json.NewEncoder(&document).Encode(text); err != nil {
			t.Fatal(err)
		}
		if _, err := NewWriter(&after).Write(document.Bytes()); err != nil {
			t.Fatal(err)
		}
		var before, now string
		if json.Unmarshal(document.Bytes(), &before) != nil || json.Unmarshal(after.Bytes(), &now) != nil ||
			before != now {
			t.Fatalf("%s became %s", document.String(), after.String())
		}
		fence := Fence(text)
		first, rest, _ := strings.Cut(fence, "text\n")
		if i := strings.Index(rest, first); i != len(rest)-len(first)-1 {
			t.Fatalf("the block ends early: %q", fence)
		}
	})
}
