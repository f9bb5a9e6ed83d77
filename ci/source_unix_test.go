//go:build unix

package ci

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoadPipe holds that a pipe, which a reader would wait at, is a problem.
func TestLoadPipe(t *testing.T) {
	dir := onDisk(t, nil)
	if err := syscall.Mkfifo(filepath.Join(dir, "checkout", "pipe.yaml"), 0o666); err != nil {
		t.Fatal(err)
	}
	want := []string{"flags/checkout/pipe.yaml:1:1: not a regular file"}
	if diff := cmp.Diff(want, messages(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
