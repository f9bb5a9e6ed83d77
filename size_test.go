package serin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxCost is how many bytes a program that uses net/http may grow by when it gets
// flags, from a server or a folder. Of that a quarter is encoding/json and log/slog,
// which most such programs have already, and a sixth regexp.
const maxCost = 1_600_000

// TestBinaryCost holds what the SDK adds to a program, and that it has no call of a
// method by a name that isn't known to the linker: with one the linker keeps all
// methods of all types, in the whole program.
func TestBinaryCost(t *testing.T) {
	dir := t.TempDir()
	plain := size(t, dir, "plain")
	flags := size(t, dir, "flags")
	t.Logf("%d bytes without flags, %d with them: %d more", plain, flags, flags-plain)
	if flags-plain > maxCost {
		t.Errorf("flags cost %d bytes, more than %d", flags-plain, maxCost)
	}
	for name, want := range map[string]bool{"plain": false, "flags": false, "methods": true} {
		// The linker marks what calls so.
		if got := strings.Contains(build(t, dir, name, "-dumpdep"), "<ReflectMethod>"); got != want {
			t.Errorf("the linker keeps all methods for %s: %t", name, got)
		}
	}
}

// size returns the size of a program of internal/binarycost without symbols.
func size(t *testing.T, dir, name string) int64 {
	t.Helper()
	build(t, dir, name, "-s -w")
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// build builds a program of internal/binarycost and returns what the linker says.
func build(t *testing.T, dir, name, ldflags string) string {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags="+ldflags, "-o", filepath.Join(dir, name), "./internal/binarycost/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return string(out)
}
