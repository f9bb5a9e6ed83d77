package release_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/release"
)

const lockName, plansName = "releases.lock", "releases.json"

// counting returns options whose content is made from what is published: the flags of c, and
// a file with a number that grows by one.
func counting(opts release.Options, c content) release.Options {
	opts.Payloads = nil
	opts.Content = func(_ context.Context, published release.Published,
		restored *release.Published) (release.Content, error) {
		if restored != nil {
			return release.Content{}, errors.New("this isn't a rollback")
		}
		n := 0
		fmt.Sscan(string(published.Files[lockName]), &n)
		return release.Content{
			Payloads:   c.payloads(production),
			Files:      map[string][]byte{lockName: fmt.Append(nil, n+1), plansName: []byte("{}")},
			SameCommit: published.Revision > 0,
		}, nil
	}
	return opts
}

// publishedFiles returns the files of the published revision.
func publishedFiles(t *testing.T, store release.Store, keys release.Keys) (files map[string]string,
	p release.Provenance) {
	t.Helper()
	stop := errors.New("stop")
	files = make(map[string]string)
	opts := options(store, keys, nil)
	opts.Content = func(_ context.Context, published release.Published, _ *release.Published) (release.Content, error) {
		for name, data := range published.Files {
			files[name] = string(data)
		}
		p = published.Provenance
		return release.Content{}, stop
	}
	if _, err := release.Publish(t.Context(), opts); !errors.Is(err, stop) {
		t.Fatalf("error %v, want that of the function", err)
	}
	return files, p
}

// TestFiles follows the files beside the payloads through all kinds of publications.
func TestFiles(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		want := func(number string) {
			t.Helper()
			files, _ := publishedFiles(t, store, keys)
			if !maps.Equal(files, map[string]string{lockName: number, plansName: "{}"}) {
				t.Errorf("the files are %v, want the number %s", files, number)
			}
		}
		mustPublish(t, from(counting(options(store, keys, nil), content{"a": "1"}), "c1"))
		want("1")
		// Only a file changes, which makes a revision, but no payload.
		report := mustPublish(t, from(counting(options(store, keys, nil), content{"a": "1"}), "c2"))
		if report.Revision != 2 || !report.Files || len(report.Changed) > 0 {
			t.Errorf("the report is %+v", report)
		}
		want("2")
		if _, p := publishedFiles(t, store, keys); p.Commit != "c1" {
			t.Errorf("the commit is %q, not that of the content before", p.Commit)
		}
		mustPublish(t, renewal(store, keys, 0))
		want("2")

		// A rollback gets both revisions.
		back := rollback(store, keys, 1)
		back.Content = func(_ context.Context, published release.Published,
			restored *release.Published) (release.Content, error) {
			if restored == nil || restored.Revision != 1 || string(restored.Files[lockName]) != "1" ||
				string(published.Files[lockName]) != "2" {
				t.Errorf("a rollback gets %+v and %+v", published, restored)
			}
			return release.Content{Payloads: content{"a": "1"}.payloads(production), Files: published.Files}, nil
		}
		if report := mustPublish(t, back); report.Files {
			t.Errorf("nothing changes, but the report is %+v", report)
		}
		// Without the function, it restores all that the revision had.
		mustPublish(t, rollback(store, keys, 1))
		want("1")
		// Clients take no notice.
		if c, _ := mustRead(t, store, keys); c["a"] != "1" {
			t.Errorf("clients see %v", c)
		}
	})
}

// TestContentIsRebuilt holds that who loses a race builds on what the winner has published.
func TestContentIsRebuilt(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		mustPublish(t, counting(options(store, keys, nil), content{"a": "1"}))
		race := &spy{Store: store, before: overtakenBy(t, counting(options(store, keys, nil), content{"a": "2"}))}
		mustPublish(t, counting(options(race, keys, nil), content{"a": "3"}))
		if files, _ := publishedFiles(t, store, keys); files[lockName] != "3" {
			t.Errorf("the number is %s after three publications", files[lockName])
		}
	})
}

// TestFilesAndGC holds that the files of the history stay, and others don't.
func TestFilesAndGC(t *testing.T) {
	w := newWorld(t)
	names := func() (n int) {
		err := w.store.List(t.Context(), func(o release.Listed) error {
			if len(o.Name) > 70 && o.Name[len(o.Name)-len(lockName):] == lockName {
				n++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 3 {
		mustPublish(t, counting(w.options(nil), content{"a": "1"}))
		w.age(t, 20)
		mustPublish(t, w.renewal())
	}
	if n := names(); n != 3 {
		t.Fatalf("there are %d files", n)
	}
	mustGC(t, w.gc(30*24*time.Hour))
	if n := names(); n != 2 {
		t.Errorf("%d files are left, want the published one and that of 40 days ago", n)
	}
	if files, _ := publishedFiles(t, w.store, w.keys); files[lockName] != "3" {
		t.Errorf("the files are %v", files)
	}
}

// TestMissingFile holds that nobody builds on a revision whose file is gone or was changed.
func TestMissingFile(t *testing.T) {
	w := newWorld(t)
	mustPublish(t, counting(w.options(nil), content{"a": "1"}))
	var name string
	_ = w.store.List(t.Context(), func(o release.Listed) error {
		if len(o.Name) > 70 && o.Name[len(o.Name)-len(lockName):] == lockName {
			name = o.Name
		}
		return nil
	})
	for _, spoil := range []func() error{
		func() error { return w.store.Put(t.Context(), name, []byte("9"), release.PutOptions{}) },
		func() error { return w.store.Remove(t.Context(), name) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := release.Publish(t.Context(), counting(w.options(nil), content{"a": "2"})); err == nil {
			t.Error("a publication builds on a file that isn't there")
		}
	}
}
