package sdk_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// A tagging source checks that it is asked with its own tags only.
type tagging struct {
	*broken
	t    testing.TB
	name string
}

func (s tagging) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	own, ok := strings.CutPrefix(etag, s.name)
	if etag != "" && !ok {
		s.t.Errorf("%s is asked with the tag %q", s.name, etag)
	}
	object, err := s.broken.Fetch(ctx, name, own, limit)
	if object.ETag != "" {
		object.ETag = s.name + object.ETag
	}
	return object, err
}

// missing is a fault of everything: it isn't there.
func missing(context.Context, string) error { return fmt.Errorf("%w: gone", bundle.ErrNotFound) }

// pair returns a repository in two places, the second of which is copied to by
// hand, and the fallback from the first to the second.
func pair(t testing.TB) (r, replica *repository, a, b *broken, both bundle.Source) {
	t.Helper()
	r = newRepository(t, "production")
	replica = &repository{dir: t.TempDir(), env: r.env}
	a, b = &broken{Source: r.source(t)}, &broken{Source: replica.source(t)}
	return r, replica, a, b, sdk.Fallback(tagging{a, t, "A"}, tagging{b, t, "B"})
}

// TestFallback goes through what may happen to the first source, and to the
// second.
func TestFallback(t *testing.T) {
	r, replica, a, b, both := pair(t)
	r.number(t, 1)
	replica.reset(t, r.dir)
	client := open(t, sdk.Config{Source: both, Root: r.keys.Root, Interval: -1})
	serves(t, client, 1)
	steps := []struct {
		name     string
		faultA   func(context.Context, string) error
		faultB   func(context.Context, string) error
		publish  int64 // 0: nothing
		copy     bool
		want     int64
		class    bundle.Class // of the error; 0: none
		fallback bool         // the first source was not enough
		asksB    bool
	}{
		{name: "nothing new", want: 1},
		{name: "an update", publish: 2, want: 2},
		{name: "b is behind, a is unreachable", faultA: fail, want: 2, class: bundle.Network, fallback: true, asksB: true},
		{name: "b is behind, a has nothing", faultA: missing, want: 2, class: bundle.NotFound, fallback: true, asksB: true},
		{name: "a is back", want: 2},
		{name: "b helps", publish: 3, copy: true, faultA: fail, want: 3, fallback: true, asksB: true},
		{name: "b helps again", faultA: fail, want: 3, fallback: true, asksB: true},
		{name: "a has nothing", publish: 4, copy: true, faultA: missing, want: 4, fallback: true, asksB: true},
		{name: "a is back again", want: 4},
		{name: "both are unreachable", faultA: fail, faultB: fail, want: 4, class: bundle.Network, fallback: true,
			asksB: true},
		{name: "a has nothing, b is unreachable", faultA: missing, faultB: fail, want: 4, class: bundle.NotFound,
			asksB: true},
		{name: "b is unreachable", publish: 5, faultB: fail, want: 5, asksB: true}, // for a root that there is not
	}
	for _, step := range steps {
		if step.publish > 0 {
			r.number(t, step.publish)
		}
		if step.copy {
			replica.reset(t, r.dir)
		}
		a.set(step.faultA)
		b.set(step.faultB)
		b.taken()
		err := client.Refresh(t.Context())
		class, _ := bundle.ClassOf(err)
		if class != step.class || (err == nil) != (step.class == 0) {
			t.Errorf("%s: error %v", step.name, err)
		}
		serves(t, client, step.want)
		if got := client.Status().FallbackError; (got != nil) != step.fallback {
			t.Errorf("%s: fallback error %v", step.name, got)
		}
		if asked := b.taken(); step.asksB && len(asked) == 0 {
			t.Errorf("%s: b was not asked", step.name)
		}
	}
}

// TestFallbackAhead: what the second source brought is not undone by the first.
func TestFallbackAhead(t *testing.T) {
	r, replica, a, _, both := pair(t)
	r.number(t, 1)
	old := r.copy(t)
	r.number(t, 2)
	replica.reset(t, r.dir)
	r.reset(t, old)
	client := open(t, sdk.Config{Source: both, Root: r.keys.Root, Interval: -1})
	serves(t, client, 1)
	a.set(fail)
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	serves(t, client, 2)
	a.set(nil)
	err := client.Refresh(t.Context())
	if class, _ := bundle.ClassOf(err); class != bundle.Rollback {
		t.Errorf("error %v", err)
	}
	serves(t, client, 2)
}

// TestFallbackMixes has payloads that only the second source has.
func TestFallbackMixes(t *testing.T) {
	r, replica, a, b, both := pair(t)
	r.number(t, 1)
	replica.reset(t, r.dir)
	a.set(func(_ context.Context, name string) error {
		if strings.HasPrefix(name, "targets/") {
			return bundle.ErrNotFound
		}
		return nil
	})
	client := open(t, sdk.Config{Source: both, Root: r.keys.Root, Interval: -1})
	serves(t, client, 1)
	for _, name := range b.taken() {
		if !strings.HasPrefix(name, "targets/") && name != "2.root.json" {
			t.Errorf("b was asked for %s", name)
		}
	}
}

// TestFallbackPatience has a first source that hangs: the second one is asked in
// time for the program's start, and the first one not for each object.
func TestFallbackPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, replica, a, _, both := pair(t)
		r.number(t, 1)
		replica.reset(t, r.dir)
		a.set(hang)
		begun := time.Now()
		client := open(t, sdk.Config{Source: both, Root: r.keys.Root})
		serves(t, client, 1)
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if asked := a.taken(); len(asked) != 1 {
			t.Errorf("the first source was asked for %v", asked)
		}
	})
}

// TestFallbackIsForged: what somebody has tampered with counts as that, though the poll
// would have failed for the first source too.
func TestFallbackIsForged(t *testing.T) {
	r, replica, a, _, both := pair(t)
	r.number(t, 1)
	client := open(t, sdk.Config{Source: both, Root: r.keys.Root, Interval: -1})
	forger := newRepository(t, r.env)
	forger.number(t, 2)
	a.set(fail)
	for class, path := range map[bundle.Class]string{bundle.Signature: "", bundle.Malformed: "timestamp.json"} {
		replica.reset(t, forger.dir)
		if path != "" {
			write(t, filepath.Join(replica.dir, path), "<html>")
		}
		err := client.Refresh(t.Context())
		if got, _ := bundle.ClassOf(err); got != class {
			t.Errorf("error %v, want class %v", err, class)
		}
		serves(t, client, 1)
	}
}

// TestFallbackWithinABudget has a first source that hangs, and callers who wait for less
// time than it is given otherwise: the second one has its share of that.
func TestFallbackWithinABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, replica, a, _, both := pair(t)
		r.number(t, 1)
		client := open(t, sdk.Config{Source: both, Root: r.keys.Root, Interval: -1})
		r.number(t, 2)
		replica.reset(t, r.dir)
		a.set(hang)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := client.RefreshIfOlder(ctx, 30*time.Second); err != nil {
			t.Error(err)
		}
		serves(t, client, 2)
		if st := client.Status(); st.FallbackError == nil || st.State != sdk.Fresh {
			t.Errorf("status %v", st)
		}
	})
}

// TestFallbackWaitsForPayloads: what is long takes long, from the first source too.
func TestFallbackWaitsForPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, a, b, both := pair(t)
		r.number(t, 1)
		a.set(func(_ context.Context, name string) error {
			if strings.HasPrefix(name, "targets/") {
				time.Sleep(10 * time.Second)
			}
			return nil
		})
		client := open(t, sdk.Config{Source: both, Root: r.keys.Root, Interval: -1, InitTimeout: time.Minute})
		serves(t, client, 1)
		if asked := b.taken(); len(asked) > 1 { // for a newer root
			t.Errorf("b was asked for %v", asked)
		}
	})
}

// TestFallbackOfNothing leaves it to Open to complain.
func TestFallbackOfNothing(t *testing.T) {
	r := newRepository(t, "production")
	for name, src := range map[string]bundle.Source{
		"no first": sdk.Fallback(nil, r.source(t)), "no second": sdk.Fallback(r.source(t), nil),
		"no file system": sdk.FS(nil),
	} {
		if _, err := sdk.Open(t.Context(), sdk.Config{Source: src, Root: r.keys.Root}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestFallbackIsTakenAway starts a program again without the fallback that it had: what
// the cache remembers of that must not get into requests, which servers may refuse.
func TestFallbackIsTakenAway(t *testing.T) {
	r, replica, a, b, both := pair(t)
	r.number(t, 1)
	replica.reset(t, r.dir)
	cache := t.TempDir()
	open(t, sdk.Config{Source: both, Root: r.keys.Root, Interval: -1, CacheDir: cache}).Close()
	for _, src := range []bundle.Source{tagging{a, t, "A"}, tagging{b, t, "B"}, both} {
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: cache})
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestFallbackOfFallbacks asks three sources.
func TestFallbackOfFallbacks(t *testing.T) {
	r, _, a, b, both := pair(t)
	r.number(t, 1)
	third := &broken{Source: r.source(t)}
	client := open(t, sdk.Config{Source: sdk.Fallback(both, third), Root: r.keys.Root, Interval: -1})
	serves(t, client, 1)
	a.set(fail)
	b.set(fail)
	r.number(t, 2)
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	serves(t, client, 2)
	if st := client.Status(); st.FallbackError == nil || !slices.Contains(third.taken(), "timestamp.json") {
		t.Errorf("status %v", st)
	}
	b.set(nil) // which is asked without the third one's tag
	_ = client.Refresh(t.Context())
}

// TestFallbackWatches checks that a fallback can be watched if one of its sources
// can, and that changes of both are seen.
func TestFallbackWatches(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	file, err := sdk.File(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := sdk.Fallback(r.source(t), r.source(t)).(sdk.Watcher); ok {
		t.Error("sources that can't be watched make one that can")
	}
	log := make(events, 100)
	client := open(t, sdk.Config{
		Source: sdk.Fallback(&broken{Source: r.source(t), fault: fail}, file), Root: r.keys.Root,
		Interval: time.Hour, Logger: slog.New(log),
	})
	serves(t, client, 1)
	log.await(t, 1)
	revision := r.number(t, 2)
	log.await(t, revision)
	serves(t, client, 2)
}
