package sdk_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// baked returns a copy of what is published now.
func (r *repository) baked(t testing.TB) fs.FS { return os.DirFS(r.copy(t)) }

// TestBaked starts from a baked-in copy with a source that is down, with and
// without a disk cache that is older, newer, or broken.
func TestBaked(t *testing.T) {
	r := newRepository(t, "production")
	src := &broken{Source: r.source(t)}
	save := func() string { // a disk cache of what is published
		dir := t.TempDir()
		open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: dir}).Close()
		return dir
	}
	r.number(t, 1)
	old := save()
	r.number(t, 2)
	copy := r.baked(t)
	r.number(t, 3)
	fresh, broken := save(), save()
	write(t, broken+"/state.json", "{}")
	other := newRepository(t, "production")
	other.number(t, 9)
	src.set(fail)
	for _, test := range []struct {
		name  string
		cache string
		baked fs.FS
		want  int64
	}{
		{"without a cache", "", copy, 2},
		{"with an empty cache", t.TempDir(), copy, 2},
		{"with an older cache", old, copy, 2},
		{"with a newer cache", fresh, copy, 3},
		{"with a broken cache", broken, copy, 2},
		{"a copy of another environment", "", other.baked(t), -1},
		{"a copy of another environment, with a cache", fresh, other.baked(t), 3},
		{"no copy", "", fstest.MapFS{}, -1},
	} {
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, InitTimeout: -1,
			CacheDir: test.cache,
			Baked:    test.baked})
		serves(t, client, test.want)
		st := client.Status()
		if want := map[bool]sdk.State{true: sdk.LastKnownGood, false: sdk.Empty}[test.want > 0]; st.State != want {
			t.Errorf("%s: status %v", test.name, st)
		}
		if (st.BakedError != nil) != (test.baked != copy) {
			t.Errorf("%s: error of the copy: %v", test.name, st.BakedError)
		}
		if unknown := test.want == 2; unknown != (st.Age < 0) {
			t.Errorf("%s: age %v", test.name, st.Age)
		}
		client.Close()
	}
}

// TestBakedThenSource: a source that is older than the copy is refused.
func TestBakedThenSource(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	older := r.copy(t)
	r.number(t, 2)
	copy := r.baked(t)
	r.reset(t, older)
	cfg := sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir(), Baked: copy}
	client := open(t, cfg)
	err := client.Refresh(t.Context())
	if class, _ := bundle.ClassOf(err); class != bundle.Rollback {
		t.Errorf("error %v", err)
	}
	serves(t, client, 2)
	client.Close()
	cfg.Baked = nil // the copy has gone to the disk cache
	again := open(t, cfg)
	serves(t, again, 2)
	if got := again.Status().Age; got != -1 {
		t.Errorf("age %v of what no source has confirmed", got)
	}
}

// TestBakedMayBeExpired starts from a copy that is ten years old.
func TestBakedMayBeExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		copy := r.baked(t)
		time.Sleep(10 * 365 * 24 * time.Hour)
		client := open(t, sdk.Config{Source: &broken{Source: r.source(t), fault: fail}, Root: r.keys.Root, Interval: -1,
			Baked: copy})
		serves(t, client, 1)
	})
}

// TestFS reads a file system as a source.
func TestFS(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	src := sdk.FS(os.DirFS(r.dir))
	client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1})
	serves(t, client, 1)
	r.number(t, 2)
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	serves(t, client, 2)
	object, err := src.Fetch(t.Context(), "timestamp.json", "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name  string
		fetch func() (bundle.Object, error)
		want  error
	}{
		{"unchanged", func() (bundle.Object, error) { return src.Fetch(t.Context(), "timestamp.json", object.ETag, 1<<20) },
			bundle.ErrNotModified},
		{"too large", func() (bundle.Object, error) { return src.Fetch(t.Context(), "timestamp.json", "", 3) },
			bundle.ErrTooLarge},
		{"missing", func() (bundle.Object, error) { return src.Fetch(t.Context(), "9.root.json", "", 3) },
			bundle.ErrNotFound},
		{"outside", func() (bundle.Object, error) { return src.Fetch(t.Context(), "../x", "", 3) }, bundle.ErrNotFound},
		{"canceled", func() (bundle.Object, error) { return src.Fetch(canceled, "timestamp.json", "", 3) }, context.Canceled},
	} {
		if _, err := test.fetch(); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	if _, err := src.Fetch(t.Context(), "targets", "", 3); err == nil || errors.Is(err, bundle.ErrNotFound) {
		t.Errorf("a folder: error %v", err)
	}
}
