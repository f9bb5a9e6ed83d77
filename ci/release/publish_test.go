package release_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/internal/storetest"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/soak"
)

func TestPublish(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		clients := newReader(t, store, keys)

		steps := []struct {
			name    string
			content content
			want    release.Report // without Content, Objects, Bytes and times
			objects []string       // with "*" for hashes
		}{
			{
				"first", content{"checkout": "a", "search/web": "b"},
				release.Report{Revision: 1, Added: []string{"checkout", "search/web"}},
				[]string{"targets/checkout/*", "targets/search/web/*", "1.root.json", "1.targets.json",
					"1.snapshot.json", "timestamp.json"},
			},
			{
				"unchanged", content{"checkout": "a", "search/web": "b"},
				release.Report{Revision: 1, Previous: 1},
				nil,
			},
			{
				"one namespace changed", content{"checkout": "a", "search/web": "c"},
				release.Report{Revision: 2, Previous: 1, Changed: []string{"search/web"}},
				[]string{"targets/search/web/*", "2.targets.json", "2.snapshot.json", "timestamp.json"},
			},
			{
				"one added, one removed", content{"checkout": "a", "home": "d"},
				release.Report{Revision: 3, Previous: 2, Added: []string{"home"}, Removed: []string{"search/web"}},
				[]string{"targets/home/*", "3.targets.json", "3.snapshot.json", "timestamp.json"},
			},
			{
				"back to what was there before", content{"checkout": "a", "search/web": "b"},
				release.Report{Revision: 4, Previous: 3, Added: []string{"search/web"}, Removed: []string{"home"}},
				[]string{"targets/search/web/*", "4.targets.json", "4.snapshot.json", "timestamp.json"},
			},
		}
		for _, step := range steps {
			put := &spy{Store: store}
			got := mustPublish(t, options(put, keys, step.content))
			if diff := cmp.Diff(put.put, got.Objects); diff != "" {
				t.Errorf("%s: objects that were put, and as reported:\n%s", step.name, diff)
			}
			if diff := cmp.Diff(step.objects, withoutHashes(got.Objects)); diff != "" {
				t.Errorf("%s: objects (-want +got):\n%s", step.name, diff)
			}
			checkHeaders(t, put.opts)
			if (got.Bytes > 0) != (len(got.Objects) > 0) {
				t.Errorf("%s: %d objects of %d bytes", step.name, len(got.Objects), got.Bytes)
			}
			read, err := clients.read(t.Context(), 0)
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if diff := cmp.Diff(step.content, read); diff != "" {
				t.Errorf("%s: content (-published +read):\n%s", step.name, diff)
			}
			if !got.Expires.Equal(clients.last.Expires()) {
				t.Errorf("%s: reported to expire at %v, does at %v", step.name, got.Expires, clients.last.Expires())
			}
			if d := time.Until(got.RootExpires) - release.RootLifetime; d.Abs() > time.Minute {
				t.Errorf("%s: the root is reported to expire at %v", step.name, got.RootExpires)
			}
			got.Content, got.Objects, got.Bytes, got.Expires, got.RootExpires = "", nil, 0, step.want.Expires,
				step.want.RootExpires
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s: report (-want +got):\n%s", step.name, diff)
			}
		}
	})
}

// checkHeaders makes sure that caches keep everything but timestamp.json.
func checkHeaders(t *testing.T, put map[string]release.PutOptions) {
	t.Helper()
	for name, opts := range put {
		cache, kind := "max-age=31536000, immutable", "application/json"
		switch {
		case name == "timestamp.json":
			cache = "max-age=5"
		case strings.HasPrefix(name, "targets/"):
			kind = "application/octet-stream"
		}
		if opts.CacheControl != cache || opts.ContentType != kind {
			t.Errorf("%s was put with %+v", name, opts)
		}
	}
}

// withoutHashes replaces the file names of payloads by "*".
func withoutHashes(names []string) []string {
	var short []string
	for _, name := range names {
		if strings.HasPrefix(name, "targets/") {
			name = path.Join(path.Dir(name), "*")
		}
		short = append(short, name)
	}
	return short
}

func TestDryRun(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		for _, c := range []content{{"a": "1", "b": "1"}, {"a": "2", "c": "1"}, {"a": "2", "c": "1"}} {
			put := &spy{Store: store}
			dry := options(put, keys, c)
			dry.DryRun = true
			// With leftovers in the way, so that the versions aren't obvious.
			for _, name := range []string{"1.targets.json", "3.snapshot.json"} {
				plant(t, store, name)
			}
			want := mustPublish(t, dry)
			if len(put.put) > 0 {
				t.Fatalf("a dry run put %v", put.put)
			}
			got := mustPublish(t, options(store, keys, c))
			if d := got.Expires.Sub(want.Expires).Abs(); d > time.Minute {
				t.Errorf("expires %v apart", d)
			}
			got.Expires = want.Expires
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("report of the dry run and of the real one:\n%s", diff)
			}
		}
	})
}

// plant puts something strange where nothing is yet.
func plant(t *testing.T, store release.Store, name string) {
	t.Helper()
	err := store.Put(t.Context(), name, []byte("planted"), release.PutOptions{IfNoneMatch: true})
	if err != nil && !errors.Is(err, release.ErrConflict) {
		t.Fatal(err)
	}
}

// Publishers that work at the same time follow each other: no two build on the
// same state, and a reader sees one publication or another, never a mixture.
func TestPublishersAtTheSameTime(t *testing.T) {
	const publishers = 10
	publications := soak.Times(1, 5)
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		var (
			mu        sync.Mutex
			published = make(map[int64]content)
			upon      = make(map[int64]int64) // revision by the one before it
			wg        sync.WaitGroup
		)
		for p := range publishers {
			wg.Go(func() {
				for n := range publications {
					c := content{"a": fmt.Sprintf("a-%d-%d", p, n), "b": fmt.Sprintf("b-%d-%d", p, n)}
					report, err := release.Publish(t.Context(), options(store, keys, c))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if other, ok := upon[report.Previous]; ok {
						t.Errorf("revisions %d and %d both follow %d: one is lost", other, report.Revision,
							report.Previous)
					}
					upon[report.Previous] = report.Revision
					published[report.Revision] = c
					mu.Unlock()
				}
			})
		}
		defer wg.Wait() // they use t
		seen := make(map[int64]content)
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		clients := newReader(t, store, keys)
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			c, err := clients.read(t.Context(), 0)
			if class, _ := bundle.ClassOf(err); class == bundle.NotFound && clients.last == nil && running {
				continue // not yet
			}
			if err != nil {
				t.Fatal(err)
			}
			seen[clients.last.Revision()] = c
		}
		var last int64
		for range publishers * publications {
			last = upon[last]
		}
		if last != clients.last.Revision() || last == 0 {
			t.Errorf("the chain of publications ends at revision %d, the store is at %d", last, clients.last.Revision())
		}
		wantWholeHistory(t, store, keys, published)
		for revision, c := range seen {
			if diff := cmp.Diff(published[revision], c); diff != "" {
				t.Errorf("revision %d (-published +read):\n%s", revision, diff)
			}
		}
	})
}

// wantWholeHistory makes sure that nothing is lost and nothing dangles: each
// publication is in the history once, with its payloads, and was its own step.
func wantWholeHistory(t *testing.T, store release.Store, keys release.Keys, published map[int64]content) {
	t.Helper()
	left := maps.Clone(published)
	first := slices.Min(slices.Collect(maps.Keys(published)))
	for _, e := range mustLog(t, store, keys.Root, 0).Entries {
		// What publishers that lost a race left behind, even the race for the first
		// revision.
		if e.Standing == release.StandingLeftBehind || e.Standing == release.StandingUnlinked && e.Revision < first {
			continue
		}
		c, ok := left[e.Revision]
		if !ok || e.Standing != release.StandingPublished || !e.Signed {
			t.Errorf("in the history: %+v, which nobody reported", e)
			continue
		}
		delete(left, e.Revision)
		for _, payload := range c.payloads(production) {
			data, _, err := bundle.EncodePayload(payload)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("targets/%s/%x.%s", payload.Namespace, sha256.Sum256(data), bundle.PayloadName)
			if !bytes.Equal(mustGet(t, store, name), data) {
				t.Errorf("revision %d lacks %s", e.Revision, name)
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("not in the history: %v", left)
	}
}

// A publisher that finds its number taken by the winner of the race leaves nothing
// behind.
func TestLostRaceIsNoticed(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		mustPublish(t, options(store, keys, content{"a": "0"}))
		overtaken := false
		race := &spy{Store: store, before: func(name string) error {
			if strings.HasSuffix(name, ".targets.json") && !overtaken {
				overtaken = true
				mustPublish(t, options(store, keys, content{"a": "1"}))
			}
			return nil
		}}
		report := mustPublish(t, options(race, keys, content{"a": "2"}))
		if report.Revision != 3 || !slices.Equal(withoutHashes(race.put),
			[]string{"targets/a/*", "3.targets.json", "3.snapshot.json", "timestamp.json"}) {
			t.Errorf("revision %d, by putting %v", report.Revision, race.put)
		}
	})
}

func TestPublishGivesUpRacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it pauses after each lost race
		store := storetest.NewMemory(time.Now)
		keys := newKeys(t, production)
		mustPublish(t, options(store, keys, content{"a": "0"}))
		var losses int
		began := time.Now()
		unlucky := &spy{Store: store, before: func(name string) error {
			if name == "timestamp.json" {
				losses++
				mustPublish(t, options(store, keys, content{"a": fmt.Sprint(losses)}))
			}
			return nil
		}}
		_, err := release.Publish(t.Context(), options(unlucky, keys, content{"a": "unlucky"}))
		if took := time.Since(began); !errors.Is(err, release.ErrConflict) || took < 2*time.Minute ||
			took > 2*time.Minute+5*time.Second {
			t.Errorf("after %d lost races and %v: error %v", losses, took, err)
		}
		// Half of the bound on average: 5 s in the end, less in the beginning.
		if losses < 30 || losses > 90 {
			t.Errorf("lost %d races in two minutes", losses)
		}
		if c, _ := mustRead(t, store, keys); c["a"] != fmt.Sprint(losses) {
			t.Errorf("read %v after %d publications of others", c, losses)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := release.Publish(ctx, options(unlucky, keys, content{"a": "unlucky"})); !errors.Is(err,
			context.DeadlineExceeded) {
			t.Errorf("a publisher that ran out of time: error %v", err)
		}
	})
}
