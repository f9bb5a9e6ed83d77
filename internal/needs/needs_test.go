package needs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A probe is a test that records how it ended.
type probe struct {
	testing.TB
	fatal, skipped string
}

type ended struct{}

func (p *probe) Helper() {}
func (p *probe) Fatalf(format string, args ...any) {
	p.fatal = format
	panic(ended{})
}
func (p *probe) Skipf(format string, args ...any) {
	p.skipped = format
	panic(ended{})
}

func command(p *probe, names ...string) (path string) {
	defer func() {
		if v := recover(); v != nil && v != (ended{}) {
			panic(v)
		}
	}()
	return Command(p, names...)
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "second"), []byte("#!/bin/sh\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("SERIN_CORE", "")
	var p probe
	if path := command(&p, "first", "second"); path != filepath.Join(dir, "second") || p.fatal != "" {
		t.Errorf("found %q, %q", path, p.fatal)
	}
	if path := command(&p, "first"); path != "" || !strings.Contains(p.fatal, "isn't on the PATH") {
		t.Errorf("found %q, %q", path, p.fatal)
	}
	t.Setenv("SERIN_CORE", "1")
	if path := command(&p, "second"); path != "" || p.skipped == "" {
		t.Errorf("found %q, skipped %q", path, p.skipped)
	}
}
