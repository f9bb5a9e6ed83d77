package sdk_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// offline opens a client that has nothing but a cache.
func offline(t testing.TB, r *repository, cache string) *sdk.Client {
	t.Helper()
	return open(t, sdk.Config{
		Source: &broken{fault: fail}, Root: r.keys.Root, Interval: -1, InitTimeout: -1, CacheDir: cache,
	})
}

// cached returns a repository at number 1 and a cache of it.
func cached(t testing.TB) (r *repository, cache string) {
	t.Helper()
	r = newRepository(t, "production")
	r.number(t, 1)
	cache = filepath.Join(t.TempDir(), "made", "if", "missing")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	if err := client.Status().CacheError; err != nil {
		t.Fatal(err)
	}
	return r, cache
}

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cache := cached(t)
		time.Sleep(30 * 24 * time.Hour) // long expired
		src := &broken{Source: r.source(t), fault: hang}
		before := time.Now()
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, CacheDir: cache})
		if took := time.Since(before); took != 0 {
			t.Errorf("Open waited %v", took)
		}
		serves(t, client, 1)
		st := client.Status()
		if st.State != sdk.LastKnownGood || st.Revision != 1 || !st.Updated.Equal(before) || !st.Checked.IsZero() ||
			st.CacheError != nil {
			t.Errorf("status %+v", st)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := client.Status(); st.State != sdk.LastKnownGood || st.Errors[bundle.Network] == 0 {
			t.Errorf("status %+v without a source", st)
		}
		src.set(nil)
		r.number(t, 2)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		serves(t, client, 2)
		if st := client.Status(); st.State != sdk.Fresh {
			t.Errorf("status %+v with a source again", st)
		}
		serves(t, offline(t, r, cache), 2)
	})
}

// TestCacheIsRemoved takes away, while the program runs, what the cache holds, as do
// people who tidy up, and what removes files of a certain age. The next poll puts it
// back, for a restart that may not find the source.
func TestCacheIsRemoved(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	cache := filepath.Join(t.TempDir(), "cache")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	for _, pattern := range []string{"", "state.json", "*.payload"} {
		paths, err := filepath.Glob(filepath.Join(cache, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatal(paths, err)
		}
		if err := os.RemoveAll(paths[0]); err != nil {
			t.Fatal(err)
		}
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		if st := client.Status(); st.CacheError != nil {
			t.Errorf("status %v", st)
		}
		serves(t, offline(t, r, cache), 1)
	}
}

// TestCacheIsInUse: what removes files of a certain age leaves alone what is in use.
func TestCacheIsInUse(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	cache := t.TempDir()
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	paths, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(paths) != 4 {
		t.Fatal(paths, err)
	}
	begun := time.Now().Add(-time.Minute)
	for _, path := range paths {
		if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.ModTime().Before(begun) {
			t.Errorf("%s is of %v, %v", filepath.Base(path), info.ModTime(), err)
		}
	}
}

// TestCacheRemembersETag checks that the first poll after a restart is
// conditional too.
func TestCacheRemembersETag(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	s := serve(t, withETags(r.dir))
	cfg := sdk.Config{Source: s.source(t), Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
	open(t, cfg)
	sent := s.sent.Load()
	client := open(t, cfg)
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sent = s.sent.Load() - sent; sent > 800 { // and a look for a newer root
		t.Errorf("%d response bytes", sent)
	}
}

func TestDamagedCache(t *testing.T) {
	foreign, foreignCache := cached(t)
	_ = foreign
	state := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, cache string) {
			path := filepath.Join(cache, "state.json")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, string(change(data)))
		}
	}
	payload := func(change func(path string) error) func(*testing.T, string) {
		return func(t *testing.T, cache string) {
			paths, err := filepath.Glob(filepath.Join(cache, "*.payload"))
			if err != nil || len(paths) != 2 {
				t.Fatal(paths, err)
			}
			if err := change(paths[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name   string
		class  bundle.Class // 0: none
		damage func(t *testing.T, cache string)
	}{
		{"empty state", bundle.Malformed, state(func([]byte) []byte { return nil })},
		{"garbage", bundle.Malformed, state(func(b []byte) []byte { return make([]byte, len(b)) })},
		{"other JSON", bundle.Malformed, state(func([]byte) []byte { return []byte("{}") })},
		{"truncated state", bundle.Malformed, state(func(b []byte) []byte { return b[:len(b)-1] })},
		{"huge state", 0, state(func([]byte) []byte { return make([]byte, bundle.MaxState+1) })},
		{"folder for a state", 0, func(t *testing.T, cache string) {
			path := filepath.Join(cache, "state.json")
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o777)); err != nil {
				t.Fatal(err)
			}
		}},
		{"foreign state", bundle.Signature, func(t *testing.T, cache string) {
			if err := errors.Join(os.RemoveAll(cache), os.CopyFS(cache, os.DirFS(foreignCache))); err != nil {
				t.Fatal(err)
			}
		}},
		{"payload missing", bundle.NotFound, payload(os.Remove)},
		{"payload truncated", bundle.Signature, payload(func(path string) error { return os.Truncate(path, 20) })},
		{"payload of zeros", bundle.Signature, payload(func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, make([]byte, info.Size()), 0o666)
		})},
		{"payload too long", bundle.Signature,
			payload(func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o666) })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, cache := cached(t)
			test.damage(t, cache)
			src := &broken{Source: r.source(t), fault: fail}
			client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, InitTimeout: -1,
				CacheDir: cache})
			st := client.Status()
			if st.State != sdk.Empty || st.CacheError == nil ||
				!strings.HasPrefix(st.CacheError.Error(), "reading disk cache: ") {
				t.Errorf("status %+v", st)
			}
			if class, _ := bundle.ClassOf(st.CacheError); class != test.class || class != 0 && st.Errors[class] != 1 {
				t.Errorf("class %v, errors %v; want %v", class, st.Errors, test.class)
			}
			serves(t, client, -1)

			src.set(nil)
			if err := client.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			serves(t, client, 1)
			if test.name == "folder for a state" {
				if st := client.Status(); st.CacheError == nil {
					t.Error("a folder was replaced")
				}
				return
			}
			if st := client.Status(); st.CacheError != nil {
				t.Errorf("not repaired: %v", st.CacheError)
			}
			serves(t, offline(t, r, cache), 1)
		})
	}
}

// TestFlippedBitsInCache flips bits all over the cache. Either that is noticed or
// it is of no importance.
func TestFlippedBitsInCache(t *testing.T) {
	r, cache := cached(t)
	paths, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(paths) != 4 {
		t.Fatal(paths, err)
	}
	refused := 0
	for _, path := range paths {
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(good); i += 1 + len(good)/100 {
			bad := append([]byte(nil), good...)
			bad[i] ^= 1 << (i % 8)
			write(t, path, string(bad))
			client := offline(t, r, cache)
			if client.Snapshot() == nil {
				refused++
				serves(t, client, -1)
			} else {
				serves(t, client, 1)
			}
			client.Close()
		}
		write(t, path, string(good))
	}
	serves(t, offline(t, r, cache), 1)
	if refused < 200 {
		t.Errorf("refused only %d times", refused)
	}
}

// TestHarmfulETag checks that an entity tag from the disk can't stop polling.
func TestHarmfulETag(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	s := serve(t, withETags(r.dir))
	cfg := sdk.Config{Source: s.source(t), Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
	open(t, cfg)
	path := filepath.Join(cfg.CacheDir, "state.json")
	state, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(state), `"etag":"`)
	_, after, ok2 := strings.Cut(rest, `","`)
	if !ok1 || !ok2 {
		t.Fatalf("no entity tag in %s", state)
	}
	for _, etag := range []string{`a\r\nHost: evil`, `\u0000`, strings.Repeat("x", 1<<20)} {
		write(t, path, before+`"etag":"`+etag+`","`+after)
		client := open(t, cfg)
		serves(t, client, 1)
		if st := client.Status(); st.State != sdk.LastKnownGood {
			t.Errorf("status %+v", st)
		}
		if err := client.Refresh(t.Context()); err != nil {
			t.Errorf("entity tag %.20q: %v", etag, err)
		}
	}
}

// TestCacheIsWrittenLater has a cache that can't be written at first.
func TestCacheIsWrittenLater(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	parent := filepath.Join(t.TempDir(), "file")
	write(t, parent, "in the way")
	cache := filepath.Join(parent, "cache")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	serves(t, client, 1)
	if st := client.Status(); st.State != sdk.Fresh || st.CacheError == nil {
		t.Errorf("status %+v", st)
	}
	if err := os.Remove(parent); err != nil {
		t.Fatal(err)
	}
	if err := client.Refresh(t.Context()); err != nil { // nothing new
		t.Error(err)
	}
	if st := client.Status(); st.CacheError != nil {
		t.Errorf("status %+v", st)
	}
	serves(t, offline(t, r, cache), 1)
}

// TestCacheIsCleaned checks what is removed, and what isn't.
func TestCacheIsCleaned(t *testing.T) {
	r, cache := cached(t)
	first, err := filepath.Glob(filepath.Join(cache, "*.payload"))
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Repeat("ab", 32) + ".payload"
	for _, name := range []string{
		old, "serin-123.tmp", // left over for long
		"notes.tmp", "serin-123.txt", "ab.payload", strings.Repeat("zz", 32) + ".payload", // not ours
	} {
		write(t, filepath.Join(cache, name), "x")
		age(t, filepath.Join(cache, name), 2*time.Hour)
	}
	write(t, filepath.Join(cache, "serin-456.tmp"), "x") // another process may be at it
	gone := func(name string) bool {
		_, err := os.Stat(filepath.Join(cache, name))
		return errors.Is(err, os.ErrNotExist)
	}
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	if !gone("serin-123.tmp") || gone(old) {
		t.Error("the start removes something else than what killed processes left")
	}
	r.number(t, 2)
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{old, "serin-123.tmp"} {
		if !gone(name) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range []string{"notes.tmp", "serin-123.txt", "ab.payload", strings.Repeat("zz", 32) + ".payload",
		"serin-456.tmp"} {
		if gone(name) {
			t.Errorf("%s was removed", name)
		}
	}
	for _, path := range first {
		if gone(filepath.Base(path)) {
			t.Errorf("%s was removed although it is new", path)
		}
		age(t, path, 2*time.Hour)
	}
	r.number(t, 3)
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range first {
		if !gone(filepath.Base(path)) {
			t.Errorf("%s is still there", path)
		}
	}
	serves(t, offline(t, r, cache), 3)
}

// TestUnchangedPayloadCountsAsNew checks that a payload that state.json has come to
// refer to again is safe from other processes' cleaning.
func TestUnchangedPayloadCountsAsNew(t *testing.T) {
	r, cache := cached(t)
	paths, err := filepath.Glob(filepath.Join(cache, "*.payload"))
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		age(t, path, 2*time.Hour)
	}
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	r.renew(t)
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > time.Hour {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// TestCacheOnAnotherClock has a disk whose clock is decades behind.
func TestCacheOnAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(100 * 365 * 24 * time.Hour)
		r, cache := cached(t)
		serves(t, offline(t, r, cache), 1)
	})
}

// TestSharedCache has two clients write one folder, at different revisions, while
// others start from it.
func TestSharedCache(t *testing.T) {
	const revisions = 15
	r, cache := cached(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := client.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
				if err := client.Status().CacheError; err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := int64(2); n <= revisions; n++ {
		r.number(t, n)
		client := offline(t, r, cache)
		if st := client.Status(); st.State != sdk.LastKnownGood || st.CacheError != nil {
			t.Errorf("status %+v", st)
		}
		serves(t, client, left.Get(client, sdk.Context{}))
	}
	close(done)
	wg.Wait()
}

// TestSharedCacheIsNotRolledBack has a client whose source lags behind share its
// folder with one that is up to date.
func TestSharedCacheIsNotRolledBack(t *testing.T) {
	r, cache := cached(t)
	lagging := &repository{dir: r.copy(t)}
	behind := open(t, sdk.Config{Source: lagging.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	r.number(t, 2)
	second := r.copy(t)
	r.number(t, 3)
	ahead := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	if err := ahead.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		data, err := os.ReadFile(filepath.Join(cache, "state.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	third := state()
	lagging.reset(t, second)
	if err := behind.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves(t, behind, 2)
	if st := behind.Status(); st.CacheError != nil {
		t.Errorf("status %+v", st)
	}
	serves(t, offline(t, r, cache), 3)

	// What is older, and what doesn't verify, is replaced.
	write(t, filepath.Join(cache, "state.json"), third[:len(third)/2])
	r.renew(t)
	lagging.reset(t, r.copy(t))
	if err := behind.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves(t, offline(t, r, cache), 3)
	write(t, filepath.Join(cache, "state.json"), third)
	r.number(t, 4)
	lagging.reset(t, r.copy(t))
	if err := behind.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves(t, offline(t, r, cache), 4)
}

// TestPayloadsAreWrittenFirst has a payload that can't be written: state.json must not
// refer to it.
func TestPayloadsAreWrittenFirst(t *testing.T) {
	r, cache := cached(t)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache})
	r.number(t, 2)
	targets, err := filepath.Glob(filepath.Join(r.dir, "targets", "*", "*"))
	if err != nil || len(targets) != 4 {
		t.Fatal(targets, err)
	}
	for _, path := range targets {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(cache, fmt.Sprintf("%x.payload", sha256.Sum256(data)))
		if _, err := os.Stat(name); err == nil {
			continue // of revision 1
		}
		if err := os.MkdirAll(filepath.Join(name, "in the way"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves(t, client, 2)
	if err := client.Status().CacheError; err == nil {
		t.Error("the payloads were written")
	}
	serves(t, offline(t, r, cache), 1)
}
