//go:build unix

// Package npmtest installs the npm packages that a Go test drives: the ones
// that the lock file beside a package.json pins, and no others.
//
// It is for tests only. A missing npm, or one that can't install, fails the
// test; nothing is skipped.
package npmtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// stamp is the file in node_modules that holds what was installed there. It is
// written last, so that an interrupted installation is done again.
const stamp = ".installed"

// Install makes sure that dir/node_modules holds what dir/package-lock.json
// pins, and ends the test if it can't. It costs next to nothing when that is
// so already. Tests may call it at the same time for the same dir, in one
// process or in several. Scripts of the packages don't run.
func Install(t testing.TB, dir string) {
	t.Helper()
	if err := install(t.Context(), dir); err != nil {
		t.Fatalf("installing the npm packages of %s: %v", dir, err)
	}
}

func install(ctx context.Context, dir string) error {
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	want, err := fingerprint(dir)
	if err != nil {
		return err
	}
	stampFile := filepath.Join(dir, "node_modules", stamp)
	if got, err := os.ReadFile(stampFile); err == nil && bytes.Equal(got, want) {
		return nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm isn't on the PATH: install Node.js 20 or newer, which brings it")
	}
	// What packages that only tests use are vulnerable to, or cost, is of no
	// interest, and asking for it takes more requests.
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return os.WriteFile(stampFile, want, 0o666)
}

// fingerprint returns what the stamp holds once the packages that dir pins are
// installed.
func fingerprint(dir string) ([]byte, error) {
	hash := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: both package.json and package-lock.json must be there", err)
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(hash, "%s %d\n", name, len(data))
		hash.Write(data)
	}
	return fmt.Appendf(nil, "%x\n", hash.Sum(nil)), nil
}

// lock takes dir's lock and returns what releases it. It locks the folder
// itself: a lock file would show up in the working tree, and npm ci empties
// node_modules.
func lock(dir string) (unlock func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(folder.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		folder.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return func() { folder.Close() }, nil
}
