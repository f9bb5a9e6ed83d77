package serin_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// maxCost is how many bytes a program that uses net/http may grow by when it gets
// flags, from a server or a folder. Of that a quarter is encoding/json and log/slog,
// which most such programs have already, and a sixth regexp. Format 2 and the hashes
// of other systems cost 60,000, and what clients remember of updates that failed,
// and how they write it before they serve, 40,000. Reporting flags that are missing and
// attributes that are mistaken costs 16,000, and lists that are targets of their own 50,000.
// Attributes that are times or decimal numbers, and versions with a v, cost 30,000, and the
// hashes of nine more systems and sieves together 16,000.
const maxCost = 1_750_000

// TestBinaryCost bounds what the SDK adds to a program. It also checks that the
// SDK never looks a method up by a name that the linker can't know: one such call
// makes the linker keep all methods of all types in the whole program.
func TestBinaryCost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, _ := link(t, dir, "plain")
	flags, keepsAll := link(t, dir, "flags")
	t.Logf("%d bytes without flags, %d with them: %d more", plain, flags, flags-plain)
	if flags-plain > maxCost {
		t.Errorf("flags cost %d bytes, more than %d", flags-plain, maxCost)
	}
	if keepsAll {
		t.Error("with flags, the linker keeps all methods")
	}
	if _, keepsAll := link(t, dir, "methods"); !keepsAll {
		t.Error("this test doesn't notice when the linker keeps all methods")
	}
}

// link builds a program of internal/binarycost without symbols. It returns its
// size, and whether the linker keeps all methods of all types.
func link(t *testing.T, dir, name string) (size int64, keepsAll bool) {
	t.Helper()
	file := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -dumpdep", "-o", file,
		"./internal/binarycost/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size(), bytes.Contains(out, []byte("<ReflectMethod>"))
}
