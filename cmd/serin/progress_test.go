package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	newProgress(new(screen), "counting").show(1, 2) // without a terminal, it shows nothing
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) {
		t.Error("a file is taken for a terminal")
	}

	var w bytes.Buffer
	s := &screen{w: &w}
	p := newProgress(s, "counting")
	p.show(1, 0) // of how much isn't known
	p.show(0, 300)
	p.show(150, 300)
	p.show(151, 300)
	p.show(400, 300) // a file that grows
	s.clear()
	s.clear()
	want := "\r\x1b[Kcounting [░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░]   0%" +
		"\r\x1b[Kcounting [███████████████░░░░░░░░░░░░░░░]  50%" +
		"\r\x1b[Kcounting [██████████████████████████████] 100%\r\x1b[K"
	if w.String() != want {
		t.Errorf("the bar is %q, want %q", &w, want)
	}
}

// TestScreen holds that what a command is doing is removed before anything is printed, and
// isn't shown next to a question.
func TestScreen(t *testing.T) {
	var w bytes.Buffer
	s := &screen{w: &w, name: "serin test"}
	out := &screenWriter{s, &w}
	print := func(text string) {
		if _, err := io.WriteString(out, text); err != nil {
			t.Fatal(err)
		}
	}
	print("first\n")
	s.tick(time.Second)
	s.begin("running the tests")
	s.tick(1500 * time.Millisecond) // within the same second
	s.drawn = time.Time{}
	s.tick(2 * time.Second)
	print("passphrase: ")
	s.drawn = time.Time{}
	s.tick(3 * time.Second)
	print("\n")
	want := "first\n\r\x1b[Kserin test: 1 s\r\x1b[Kserin test: running the tests, 2 s\r\x1b[Kpassphrase: \n"
	if w.String() != want {
		t.Errorf("the terminal got %q, want %q", &w, want)
	}
}

// TestColors holds which words have a color.
func TestColors(t *testing.T) {
	var w bytes.Buffer
	c := &colorWriter{w: &w, on: true}
	for _, text := range []string{
		"flags/shop/a.yaml:3:5: unknown key\n    x: 1\n    ^\n", "a.yaml:1:1: warning: x [lint]\n",
		"error: it failed\n  on two lines\n",
		"hint: do something\n", "ok: 3 flags\n", "ok   a/b\nFAIL a/c\n", "+ new\n- old\n~ changed\n", "- item\n",
		"half an ", "error: no\n", "okay\n",
	} {
		if n, err := io.WriteString(c, text); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	got := strings.NewReplacer(plain, ">", red, "<red ", green, "<green ", yellow, "<yellow ", cyan, "<cyan ", bold,
		"<bold ").Replace(w.String())
	want := `<bold flags/shop/a.yaml:3:5:> unknown key
    x: 1
    <green ^>
a.yaml:1:1: <yellow warning:> x [lint]
<bold <red error:> it failed
  on two lines
<cyan hint:> do something
<green ok:> 3 flags
<green ok  > a/b
<bold <red FAIL> a/c
<green +> new
<red -> old
<yellow ~> changed
<red -> item
half an error: no
okay
`
	if got != want {
		t.Errorf("got:\n%s", got)
	}
}

// TestColorMode holds when there are colors.
func TestColorMode(t *testing.T) {
	var w bytes.Buffer
	for _, test := range []struct {
		mode colorMode
		want bool
	}{{"auto", false}, {"always", true}, {"never", false}} {
		if got := test.mode.on(&w); got != test.want {
			t.Errorf("--color %s: %v without a terminal", test.mode, got)
		}
	}
	var mode colorMode
	if err := mode.Set("sometimes"); err == nil || fmt.Sprint(err) != "it is auto, always or never" {
		t.Errorf("--color sometimes: %v", err)
	}
}
