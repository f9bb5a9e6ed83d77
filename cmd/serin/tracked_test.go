package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckWithoutGit holds that a folder is checked as always where git isn't
// installed, and outside a repository.
func TestCheckWithoutGit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flags")
	writeFile(t, filepath.Join(dir, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	writeFile(t, filepath.Join(dir, "shop", "color.yaml"), "type: string\ndefault: red\n")
	check := func() string {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), []string{"check", dir}, strings.NewReader(""), &stdout, &stderr); status != 0 {
			t.Errorf("status %d", status)
		}
		return stderr.String()
	}
	want := "ok: 1 flag in 1 namespace\n"
	if got := check(); got != want {
		t.Errorf("outside a repository: %q, want %q", got, want)
	}
	gitIn(t, filepath.Dir(dir), "init", "--quiet")
	if got := check(); got != want {
		t.Errorf("in a repository: %q, want %q", got, want)
	}
	t.Setenv("PATH", t.TempDir())
	if got := check(); got != want {
		t.Errorf("without git: %q, want %q", got, want)
	}
}
