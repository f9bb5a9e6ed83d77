//go:build unix

package sdk_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/sdk"
)

// Some tests run this test binary once more, as a process that can be killed or
// limited. childMode is the environment variable that tells it what to be;
// childFolder, which folder to work in.
const (
	childMode   = "SERIN_SDK_TEST_CHILD"
	childFolder = "SERIN_SDK_TEST_FOLDER"
)

func TestMain(m *testing.M) {
	mode := os.Getenv(childMode)
	if mode == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := runChild(mode, os.Getenv(childFolder)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(mode, dir string) error {
	root, err := os.ReadFile(filepath.Join(dir, "keys", "root.json"))
	if err != nil {
		return err
	}
	src, err := sdk.File(filepath.Join(dir, "repository"))
	if err != nil {
		return err
	}
	switch mode {
	case "update":
	case "full disk":
		// No file may grow any more; standard output is a pipe.
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: 0}); err != nil {
			return err
		}
	case "read-only":
		if os.Geteuid() == 0 { // whom nothing is forbidden
			if err := syscall.Setuid(65534); err != nil {
				return err
			}
		}
	}
	client, err := sdk.Open(context.Background(), sdk.Config{
		Source: unwatched{src}, Root: root, Interval: -1, CacheDir: filepath.Join(dir, "cache"),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	if mode == "update" {
		return updateForEver(client, dir)
	}
	st := client.Status()
	fmt.Println(st.State, left.Get(client, sdk.Context{}), st.CacheError)
	return nil
}

// updateForEver publishes one revision after the other, and writes the number of each
// as soon as it is served.
func updateForEver(client *sdk.Client, dir string) error {
	keys, err := release.LoadKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	go func() {
		for served := client.Snapshot().Revision(); ; time.Sleep(10 * time.Microsecond) {
			// What is served although the disk is too slow doesn't count.
			if st := client.Status(); st.Revision != served && st.CacheError == nil {
				served = st.Revision
				fmt.Println(served)
			}
		}
	}()
	for {
		n := client.Snapshot().Revision() + 1
		_, err := release.Publish(context.Background(), release.Options{
			Store: folder(filepath.Join(dir, "repository")), Keys: keys, Environment: "production",
			Payloads: numbered("production", n),
		})
		if err != nil {
			return err
		}
		if err := client.Refresh(context.Background()); err != nil {
			return err
		}
	}
}

// newChild prepares a folder for a child, in which number 1 is published.
func newChild(t *testing.T) (dir string, r *repository) {
	t.Helper()
	dir = t.TempDir()
	// It may run as somebody else.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	r = &repository{dir: filepath.Join(dir, "repository"), env: "production"}
	r.store = folder(r.dir)
	keys := filepath.Join(dir, "keys")
	if _, err := release.InitKeys(keys, r.env); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.keys, err = release.LoadKeys(keys); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{keys, filepath.Join(keys, "root.json")} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.number(t, 1)
	return dir, r
}

func childCommand(t *testing.T, mode, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childMode+"="+mode, childFolder+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

var kills = flag.Int("kills", soak.Times(8, 150), "how often TestKilledWhileUpdating kills a process")

// TestKilledWhileUpdating kills a process that updates its cache all the time. What
// it had served, or something newer, must be there each time, and be whole.
func TestKilledWhileUpdating(t *testing.T) {
	dir, r := newChild(t)
	cached := int64(0)
	for kill := range *kills {
		cached = max(cached, updateAndKill(t, dir))
		client := open(t, sdk.Config{
			Source: &broken{fault: fail}, Root: r.keys.Root, Interval: -1, CacheDir: filepath.Join(dir, "cache"),
		})
		st := client.Status()
		if st.State != sdk.LastKnownGood || st.CacheError != nil || st.Revision < cached {
			t.Fatalf("kill %d: revision %d was served, status %+v", kill, cached, st)
		}
		cached = st.Revision
		serves(t, client, left.Get(client, sdk.Context{}))
	}
	t.Logf("%d revisions, %d kills", cached, *kills)
}

// updateAndKill returns the last revision that the child had served for sure.
func updateAndKill(t *testing.T, dir string) (served int64) {
	t.Helper()
	cmd := childCommand(t, "update", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Once it has begun it may be killed at any moment.
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if timer == nil {
			timer = time.AfterFunc(rand.N(50*time.Millisecond), func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		}
		if _, err := fmt.Sscan(lines.Text(), &served); err != nil {
			t.Errorf("child says %q", lines.Text())
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("child was not killed: %v", err)
	}
	return served
}

// TestCacheCannotBeWritten has a disk that is full, and a folder that is
// read-only.
func TestCacheCannotBeWritten(t *testing.T) {
	for mode, reason := range map[string]string{
		"full disk": syscall.EFBIG.Error(),
		"read-only": syscall.EACCES.Error(),
	} {
		t.Run(mode, func(t *testing.T) {
			dir, r := newChild(t)
			cache := filepath.Join(dir, "cache")
			if err := os.Mkdir(cache, 0o555); err != nil {
				t.Fatal(err)
			}
			if mode == "full disk" {
				if err := os.Chmod(cache, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			out, err := childCommand(t, mode, dir).Output()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(out); !strings.HasPrefix(got, "FRESH 1 writing disk cache: ") ||
				!strings.Contains(got, reason) {
				t.Errorf("child says %q", got)
			}
			// Nothing half is left, and nothing that is in the way.
			entries, err := os.ReadDir(cache)
			if err != nil || len(entries) != 0 {
				t.Errorf("%v, %v in the cache", entries, err)
			}
			if err := os.Chmod(cache, 0o755); err != nil {
				t.Fatal(err)
			}
			client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
			if err := client.Status().CacheError; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPipeInCache checks that nothing waits for a writer.
func TestPipeInCache(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	cache := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(cache, "state.json"), 0o666); err != nil {
		t.Fatal(err)
	}
	client := open(t, sdk.Config{Source: &broken{fault: fail}, Root: r.keys.Root, Interval: -1, InitTimeout: -1,
		CacheDir: cache})
	if err := client.Status().CacheError; err == nil {
		t.Error("a pipe was read")
	}
	for _, name := range []string{"confirmed.json", "seen-" + strings.Repeat("ab", 32) + ".json"} {
		r, cache := cached(t)
		path := filepath.Join(cache, name)
		os.Remove(path)
		if err := syscall.Mkfifo(path, 0o666); err != nil {
			t.Fatal(err)
		}
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
		serves(t, client, 1)
		r.number(t, 2)
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		serves(t, client, 2)
	}
	src, err := sdk.File(cache)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Fetch(t.Context(), "state.json", "", bundle.MaxState); err == nil {
		t.Error("a pipe was read")
	}
}
