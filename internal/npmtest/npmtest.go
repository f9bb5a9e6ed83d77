//go:build unix

// Package npmtest installs the npm packages that a Go test drives, the ones
// that the lock file beside a package.json pins and no others, and runs scripts
// that use them.
//
// It is for tests only. Where Node.js or npm is missing, or can't install, the
// test fails; nothing is skipped.
package npmtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/internal/needs"
)

// stamp is the file in node_modules that holds what was installed there. It is
// written last, so that an interrupted installation is done again.
const stamp = ".installed"

// runTimeout is how long a script may run, also on a machine that does much else.
const runTimeout = 5 * time.Minute

// Install makes sure that dir/node_modules holds what dir/package-lock.json
// pins, and ends the test if it can't. It costs next to nothing when that is
// so already. Tests may call it at the same time for the same dir, in one
// process or in several. Scripts of the packages don't run.
func Install(t testing.TB, dir string) {
	t.Helper()
	npm := needs.Command(t, "npm")
	if err := install(t.Context(), npm, dir); err != nil {
		t.Fatalf("installing the npm packages of %s: %v", dir, err)
	}
}

// Run runs the script dir/script by Node.js, with input as JSON on its standard
// input, and returns its standard output, to be read while it runs. When t ends
// it has failed if the script did, or didn't end within five minutes.
func Run(t testing.TB, dir, script string, input any) io.Reader {
	t.Helper()
	in, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's own context: that ends before its cleanup, which waits
	// for the script.
	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	child.Bind(cmd)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatalf("running %s: %v: install Node.js 20 or newer", script, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			cancel() // what it waits for may never come
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("running %s: %v\n%s", script, err, &stderr)
		}
		cancel()
	})
	return out
}

func install(ctx context.Context, npm, dir string) error {
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
