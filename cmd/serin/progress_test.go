package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestProgress(t *testing.T) {
	var w bytes.Buffer
	p := newProgress(&w, "counting")
	p.show(1, 2)
	p.clear()
	if w.Len() > 0 {
		t.Errorf("what is no terminal is shown %q", &w)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if terminal(f) {
		t.Error("a file is taken for a terminal")
	}

	p = &progress{w: &w, what: "counting", shown: -1}
	p.show(1, 0) // of how much isn't known
	p.show(0, 300)
	p.show(150, 300)
	p.show(151, 300)
	p.show(400, 300) // a file that grows
	p.clear()
	want := "\rcounting [░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░]   0%" +
		"\rcounting [███████████████░░░░░░░░░░░░░░░]  50%" +
		"\rcounting [██████████████████████████████] 100%\r\x1b[K"
	if w.String() != want {
		t.Errorf("the bar is %q, want %q", &w, want)
	}
}
