package sdk_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// failAt makes a source fail for objects whose names start or end like this.
func failAt(part string) func(context.Context, string) error {
	return func(_ context.Context, name string) error {
		if strings.HasPrefix(name, part) || strings.HasSuffix(name, part) {
			return errFault
		}
		return nil
	}
}

func seenFiles(t testing.TB, cache string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(cache, "seen-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// halfSeen returns a repository at number 2, a copy of it at number 1, and the cache of a
// client that serves number 1 and whose update to number 2 failed at the payloads.
func halfSeen(t testing.TB) (r *repository, old, cache string) {
	t.Helper()
	r, cache = cached(t)
	old = r.copy(t)
	r.number(t, 2)
	src := &broken{Source: r.source(t), fault: failAt("targets/")}
	client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: cache})
	if err := client.Refresh(t.Context()); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	client.Close()
	if n := len(seenFiles(t, cache)); n != 1 {
		t.Fatalf("%d files of what was seen", n)
	}
	return r, old, cache
}

// restart opens a client of what a repository is, and polls.
func restart(t testing.TB, r *repository, cache string) (*sdk.Client, error) {
	t.Helper()
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, InitTimeout: -1,
		CacheDir: cache})
	return client, client.Refresh(t.Context())
}

// TestSeenIsTidied: the file is there as long as it has more to say than the release.
func TestSeenIsTidied(t *testing.T) {
	r, _, cache := halfSeen(t)
	client, err := restart(t, r, cache)
	must(t, err)
	serves(t, client, 2)
	if files := seenFiles(t, cache); len(files) != 0 {
		t.Errorf("%v is left", files)
	}
}

// TestSeenWithoutRelease damages all that a cache has, but for what was seen.
func TestSeenWithoutRelease(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"lost": os.Remove, "cut": func(path string) error { return os.Truncate(path, 100) },
	} {
		for _, file := range []string{"state.json", "*.payload"} {
			r, old, cache := halfSeen(t)
			latest := r.copy(t)
			paths, err := filepath.Glob(filepath.Join(cache, file))
			must(t, err)
			for _, path := range paths {
				must(t, damage(path))
			}
			r.reset(t, old)
			client, err := restart(t, r, cache)
			if class, _ := bundle.ClassOf(err); class != bundle.Rollback {
				t.Errorf("%s is %s: got error %v", file, name, err)
			}
			serves(t, client, -1)
			r.reset(t, latest)
			must(t, client.Refresh(t.Context()))
			serves(t, client, 2)
		}
	}
}

// TestSeenInState: a release of which only a payload is damaged says what was seen.
func TestSeenInState(t *testing.T) {
	r, cache := cached(t)
	old := r.copy(t)
	r.number(t, 2)
	_, err := restart(t, r, cache)
	must(t, err)
	paths, err := filepath.Glob(filepath.Join(cache, "*.payload"))
	must(t, err)
	for _, path := range paths {
		must(t, os.Remove(path))
	}
	r.reset(t, old)
	for range 2 { // the second one has it from the first one
		if _, err = restart(t, r, cache); err == nil {
			t.Error("number 1 is accepted")
		} else if class, _ := bundle.ClassOf(err); class != bundle.Rollback {
			t.Errorf("error %v", err)
		}
		must(t, errors.Join(os.Remove(filepath.Join(cache, "state.json"))))
		if len(seenFiles(t, cache)) != 1 {
			t.Error("nothing is seen")
		}
		write(t, filepath.Join(cache, "state.json"), "damaged")
	}
}

// TestDamagedSeen has something else in the place of the file: the client serves what it
// had, says so, and follows the source.
func TestDamagedSeen(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"cut":     func(path string) error { return os.Truncate(path, 500) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) },
		"a folder": func(path string) error {
			return errors.Join(os.Remove(path),
				os.MkdirAll(path+"/in/it", 0o700))
		},
		"unreadable": func(path string) error { return errors.Join(os.Remove(path), os.Symlink(path, path)) },
	} {
		r, old, cache := halfSeen(t)
		latest := r.copy(t)
		must(t, damage(seenFiles(t, cache)[0]))
		client := offline(t, r, cache)
		if st := client.Status(); st.CacheError == nil || st.State != sdk.LastKnownGood {
			t.Errorf("%s: status %v", name, st)
		}
		serves(t, client, 1)
		r.reset(t, old)
		_, err := restart(t, r, cache) // nothing is known of number 2
		must(t, err)
		r.reset(t, latest)
		client, err = restart(t, r, cache)
		must(t, err)
		serves(t, client, 2)
	}
}

// TestSeenFlippedBits flips bits all over the file: whatever it says then, a client
// starts, and can follow the source.
func TestSeenFlippedBits(t *testing.T) {
	r, _, cache := halfSeen(t)
	path := seenFiles(t, cache)[0]
	good, err := os.ReadFile(path)
	must(t, err)
	for i := 0; i < len(good); i += 1 + len(good)/60 {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(cache)))
		bad := append([]byte(nil), good...)
		bad[i] ^= 1 << (i % 8)
		write(t, filepath.Join(dir, filepath.Base(path)), string(bad))
		serves(t, offline(t, r, dir), 1)
		client, err := restart(t, r, dir)
		must(t, err)
		serves(t, client, 2)
	}
}

// TestSeenIsShared: a process doesn't remove what another one has seen since.
func TestSeenIsShared(t *testing.T) {
	r, cache := cached(t)
	first := r.copy(t)
	lagging := &repository{dir: r.copy(t), keys: r.keys}
	ahead := &broken{Source: r.source(t), fault: failAt("targets/")}
	behind := &broken{Source: lagging.source(t), fault: failAt("targets/")}
	cfg := sdk.Config{Root: r.keys.Root, Interval: -1, CacheDir: cache}
	cfg.Source = ahead
	clientAhead := open(t, cfg)
	cfg.Source = behind
	clientBehind := open(t, cfg)
	for n := int64(2); n < 5; n++ {
		second := r.copy(t)
		r.number(t, n)
		lagging.reset(t, second)
		_ = clientAhead.Refresh(t.Context())
		_ = clientBehind.Refresh(t.Context())
	}
	fourth := r.copy(t)
	if n := len(seenFiles(t, cache)); n != 2 {
		t.Errorf("%d files of two processes", n)
	}
	third := lagging.copy(t)
	for _, dir := range []string{first, third} {
		r.reset(t, dir)
		if _, err := restart(t, r, cache); err == nil {
			t.Error("what is older is accepted")
		}
	}
	r.reset(t, fourth)
	client, err := restart(t, r, cache)
	must(t, err)
	serves(t, client, 4)
	// The processes that ran all the while don't mind.
	ahead.set(nil)
	behind.set(nil)
	must(t, clientAhead.Refresh(t.Context()))
	must(t, clientBehind.Refresh(t.Context()))
	serves(t, clientBehind, 3)
	serves(t, offline(t, r, cache), 4)
}

// TestSeenBeforeInterruption: a poll that is cut short, or a client that is closed
// during it, has seen what it has verified.
func TestSeenBeforeInterruption(t *testing.T) {
	for name, interrupt := range map[string]func(*sdk.Client, context.CancelFunc){
		"canceled": func(_ *sdk.Client, cancel context.CancelFunc) { cancel() },
		"closed":   func(c *sdk.Client, _ context.CancelFunc) { go c.Close() },
	} {
		r, cache := cached(t)
		old := r.copy(t)
		r.number(t, 2)
		src := &broken{Source: r.source(t)}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: cache})
		ctx, cancel := context.WithCancel(t.Context())
		src.set(func(ctx context.Context, asked string) error {
			if !strings.HasPrefix(asked, "targets/") {
				return nil
			}
			interrupt(client, cancel)
			<-ctx.Done()
			return ctx.Err()
		})
		if err := client.Refresh(ctx); err == nil {
			t.Fatalf("%s: no error", name)
		}
		cancel()
		r.reset(t, old)
		_, err := restart(t, r, cache)
		if class, _ := bundle.ClassOf(err); class != bundle.Rollback {
			t.Errorf("%s: number 1 is accepted again: %v", name, err)
		}
	}
}

// TestSeenCannotBeWritten: a folder that can't be made is reported, and the client works.
func TestSeenCannotBeWritten(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "in the way")
	src := &broken{Source: r.source(t), fault: failAt("targets/")}
	client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: filepath.Join(file, "cache")})
	if err := client.Status().CacheError; err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("cache error %v", err)
	}
	src.set(nil)
	must(t, client.Refresh(t.Context()))
	serves(t, client, 1)
}

// TestHangingDisk has a disk that never answers: what is published is served, the status
// says so, and it is written when the disk works again.
func TestHangingDisk(t *testing.T) {
	r, cache := cached(t)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	end := sdk.HangDisk(client)
	for n := int64(2); n < 4; n++ {
		r.number(t, n)
		must(t, client.Refresh(t.Context()))
		serves(t, client, n)
		if st := client.Status(); st.CacheError == nil || st.State != sdk.Fresh {
			t.Errorf("status %v", st)
		}
	}
	serves(t, offline(t, r, cache), 1)
	end()
	must(t, client.Refresh(t.Context())) // nothing new
	if err := client.Status().CacheError; err != nil {
		t.Error(err)
	}
	serves(t, offline(t, r, cache), 3)
}

// TestConflict has one version signed twice: that is an error of its own, and what was
// signed first stays.
func TestConflict(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	twin := &repository{dir: r.copy(t), env: r.env, keys: r.keys}
	twin.store = folder(twin.dir)
	r.number(t, 2)
	twin.number(t, 3) // as revision 2, with the same keys
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()})
	good := r.copy(t)
	r.reset(t, twin.dir)
	for n := range int64(2) {
		err := client.Refresh(t.Context())
		st := client.Status()
		if class, _ := bundle.ClassOf(err); class != bundle.Conflict || st.Errors[bundle.Conflict] != n+1 ||
			st.State != sdk.Stale || !strings.Contains(st.String(), "errors_conflict=") {
			t.Errorf("error %v, status %v", err, st)
		}
	}
	serves(t, client, 2)
	r.reset(t, good)
	must(t, client.Refresh(t.Context()))
	if st := client.Status(); st.State != sdk.Fresh {
		t.Errorf("status %v", st)
	}
}

// TestExpired tells flags from the disk cache that have expired from those that haven't.
func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cache := cached(t)
		client := offline(t, r, cache)
		expires := client.Status().Expires
		time.Sleep(time.Until(expires) - time.Second)
		if st := client.Status(); st.Expired || st.State != sdk.LastKnownGood ||
			strings.Contains(st.String(), "expired") {
			t.Errorf("a second before: status %v", st)
		}
		time.Sleep(time.Second)
		if st := client.Status(); !st.Expired || st.State != sdk.LastKnownGood ||
			!strings.Contains(st.String(), " expired=true") {
			t.Errorf("status %v", st)
		}
	})
}

// TestReplacedState: whoever has put an older state.json into the folder, or half of one,
// the client that has the newer one notices when it polls, although there is nothing new.
func TestReplacedState(t *testing.T) {
	r, cache := cached(t)
	path := filepath.Join(cache, "state.json")
	old, err := os.ReadFile(path)
	must(t, err)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	r.number(t, 2)
	must(t, client.Refresh(t.Context()))
	for _, state := range []string{string(old), "{}", ""} {
		write(t, path+".new", state)
		must(t, os.Rename(path+".new", path))
		must(t, client.Refresh(t.Context()))
		serves(t, offline(t, r, cache), 2)
	}
	write(t, path, "in place")
	must(t, client.Refresh(t.Context()))
	serves(t, offline(t, r, cache), 2)
}

// TestForeignSeen: what a later client has written, or one with another root, stays.
func TestForeignSeen(t *testing.T) {
	_, _, foreignCache := halfSeen(t)
	other, err := os.ReadFile(seenFiles(t, foreignCache)[0])
	must(t, err)
	for name, content := range map[string]string{"a later format": `{"format":99}`, "another root": string(other)} {
		r, cache := cached(t)
		path := filepath.Join(cache, fmt.Sprintf("seen-%x.json", sha256.Sum256([]byte(content))))
		write(t, path, content)
		client, err := restart(t, r, cache)
		must(t, err)
		r.number(t, 2)
		must(t, client.Refresh(t.Context()))
		serves(t, client, 2)
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%s: the file has %.20q, %v", name, got, err)
		}
	}
}
