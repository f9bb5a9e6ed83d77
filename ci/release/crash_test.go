package release_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// errCrash is what a put returns after the crash of the machine it is done from.
var errCrash = errors.New("crash")

// A publisher that dies after any of its puts leaves readers on the old state or
// on the new one, and the next publisher isn't in its way.
func TestCrashAfterEachPut(t *testing.T) {
	old, next := content{"a": "old", "b": "old"}, content{"a": "new", "b": "old", "c": "new"}
	scenarios := []struct {
		name   string
		before content // published before, if not nil
		after  content // published by what crashes, if that succeeds
		crash  func(store release.Store, keys release.Keys) release.Options
		puts   int
	}{
		{"first publication", nil, next, nil, 7},
		{"change", old, next, nil, 5},
		{"renewal", old, old, func(store release.Store, keys release.Keys) release.Options {
			return renewal(store, keys, time.Minute)
		}, 2},
		{"rollback", old, content{"a": "before"}, func(store release.Store, keys release.Keys) release.Options {
			return rollback(store, keys, 1)
		}, 4},
	}
	onEachKind(t, func(t *testing.T, empty func(*testing.T) release.Store) {
		for _, s := range scenarios {
			for survived := range s.puts + 1 {
				t.Run(fmt.Sprintf("%s after %d puts", s.name, survived), func(t *testing.T) {
					store := empty(t)
					c := &crash{store: store, keys: newKeys(t, production), survived: survived, puts: s.puts}
					c.clients = newReader(t, store, c.keys)
					if s.name == "rollback" {
						mustPublish(t, options(store, c.keys, s.after))
					}
					if s.before != nil {
						mustPublish(t, options(store, c.keys, s.before))
						c.check(t, s.before)
					}
					opts := options(store, c.keys, s.after)
					if s.crash != nil {
						opts = s.crash(store, c.keys)
					}
					c.happen(t, opts, s.before, s.after)
					c.recover(t, s.after)
				})
			}
		}
	})
}

// A crash is that of a publisher after so many of its puts survived.
type crash struct {
	store          release.Store
	keys           release.Keys
	clients        *reader // has seen what was before
	survived, puts int
}

// happen lets the publication opts crash.
func (c *crash) happen(t *testing.T, opts release.Options, before, after content) {
	t.Helper()
	put := &spy{Store: c.store}
	put.before = func(string) error {
		if len(put.put) == c.survived {
			return errCrash
		}
		return nil
	}
	opts.Store = put
	_, err := release.Publish(t.Context(), opts)
	if c.survived == c.puts {
		if err != nil {
			t.Fatal(err)
		}
		c.check(t, after)
		return
	}
	if !errors.Is(err, errCrash) {
		t.Fatalf("after %v: error %v, want that of the crash", put.put, err)
	}
	c.check(t, before)
}

// recover publishes what the crashed publisher wanted to, and then more.
func (c *crash) recover(t *testing.T, after content) {
	t.Helper()
	for _, next := range []content{after, {"a": "later", "d": "later"}} {
		mustPublish(t, options(c.store, c.keys, next))
		c.check(t, next)
	}
}

// check makes sure that clients see want, those that have seen what was before
// and those that start now. If want is nil they see that nothing is published.
func (c *crash) check(t *testing.T, want content) {
	t.Helper()
	for _, clients := range []*reader{c.clients, newReader(t, c.store, c.keys)} {
		got, err := clients.read(t.Context(), 0)
		if want == nil {
			if class, _ := bundle.ClassOf(err); class != bundle.NotFound {
				t.Fatalf("before the first publication: read %v, error %v", got, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("content (-want +read):\n%s", diff)
		}
	}
}

// unconditional returns options without their preconditions.
func unconditional(opts release.PutOptions) release.PutOptions {
	opts.IfMatch, opts.IfNoneMatch = "", false
	return opts
}

// A store that repeats a request whose answer was lost reports a conflict with
// what it wrote itself.
func TestLostAnswers(t *testing.T) {
	for _, object := range []string{"targets/", "1.root.json", "1.targets.json", "1.snapshot.json", "2.targets.json",
		"2.snapshot.json", "timestamp.json"} {
		t.Run(object, func(t *testing.T) {
			store := filestore.New(t.TempDir())
			keys := newKeys(t, production)
			lossy := &spy{Store: store}
			lossy.after = func(name string) error {
				if strings.HasPrefix(name, object) && lossy.opts[name] != unconditional(lossy.opts[name]) {
					return release.ErrConflict
				}
				return nil
			}
			var last int64
			for _, c := range []content{{"a": "1"}, {"a": "2"}, {"a": "3"}} {
				report := mustPublish(t, options(lossy, keys, c))
				if report.Previous != last || report.Revision <= last {
					t.Errorf("report: %+v, the revision before was %d", report, last)
				}
				last = report.Revision
				got, revision := mustRead(t, store, keys)
				if diff := cmp.Diff(c, got); diff != "" || revision != last {
					t.Errorf("revision %d, reported %d; content (-published +read):\n%s", revision, last, diff)
				}
			}
			if strings.HasPrefix(object, "t") && last != 3 {
				t.Errorf("3 publications made revision %d", last)
			}
		})
	}
}
