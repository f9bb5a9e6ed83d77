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

func TestLambdaEmulator(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "aws-lambda-rie")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	find := func(p *probe) (path string) {
		defer func() {
			if v := recover(); v != nil && v != (ended{}) {
				panic(v)
			}
		}()
		return LambdaEmulator(p)
	}
	t.Setenv("SERIN_CORE", "1") // it needs no more than Go
	t.Setenv("PATH", "")
	t.Setenv("SERIN_RIE", file)
	var p probe
	if path := find(&p); path != file || p.fatal != "" || p.skipped != "" {
		t.Errorf("found %q, %q", path, p.fatal)
	}
	t.Setenv("SERIN_RIE", "")
	if path := find(&p); path != "" || !strings.Contains(p.fatal, "go install") {
		t.Errorf("found %q, %q", path, p.fatal)
	}
	t.Setenv("PATH", dir)
	if path := find(&p); path != file {
		t.Errorf("found %q on the PATH", path)
	}
}

// TestVersionOfEmulator checks that the Makefile installs the version that is named here.
func TestVersionOfEmulator(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(emulatorModule, "@")
	if !strings.Contains(string(makefile), "RIE_VERSION       = "+version+"\n") {
		t.Errorf("the Makefile doesn't install %s", version)
	}
}
