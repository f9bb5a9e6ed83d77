package release_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/internal/storetest"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/soak"
)

// A world is an environment in a store whose clock the test sets, seen by a client that
// polls after every step.
type world struct {
	store  *storetest.Memory
	keys   release.Keys
	now    time.Time
	client *reader
}

func newWorld(t *testing.T) *world {
	w := &world{keys: newKeys(t, production), now: time.Now()}
	w.store = storetest.NewMemory(w.clock)
	w.client = newReader(t, w.store, w.keys)
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) options(c content) release.Options {
	opts := options(w.store, w.keys, c)
	opts.Now = w.clock
	return opts
}

func (w *world) renewal() release.Options {
	opts := renewal(w.store, w.keys, 0)
	opts.Now = w.clock
	return opts
}

func (w *world) rollback(revision int64) release.Options {
	opts := rollback(w.store, w.keys, revision)
	opts.Now = w.clock
	return opts
}

func (w *world) gc(keep time.Duration) release.GCOptions {
	return release.GCOptions{Store: w.store, Root: w.keys.Root, Keep: keep, Now: w.clock}
}

// age renews every day, as a schedule does.
func (w *world) age(t *testing.T, days int) {
	t.Helper()
	for range days {
		w.now = w.now.Add(day)
		mustPublish(t, w.renewal())
	}
}

func mustGC(t *testing.T, opts release.GCOptions) release.GCReport {
	t.Helper()
	report, err := release.GC(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestGC(t *testing.T) {
	w := newWorld(t)
	mustPublish(t, w.options(content{"a": "1", "b": "1"}))
	w.now = w.now.Add(time.Hour)
	leaveBehind(t, w.options(content{"a": "stray", "b": "1"}))
	mustPublish(t, w.options(content{"a": "2", "b": "1"}))
	w.age(t, 20)
	before := w.store.All()
	mustPublish(t, w.options(content{"a": "4", "b": "1"}))
	plant(t, w.store, "notes.txt")
	w.age(t, 20)
	plant(t, w.store, "1000.targets.json")
	plant(t, w.store, "01.snapshot.json")

	// Two revisions were published in the last 20 days. The first one wasn't, and
	// neither was what was left behind.
	dry := w.gc(20*day + time.Minute)
	dry.DryRun = true
	want := mustGC(t, dry)
	for name := range before {
		if _, ok := w.store.All()[name]; !ok {
			t.Fatalf("a dry run removed %s", name)
		}
	}
	opts := w.gc(20*day + time.Minute)
	got := mustGC(t, opts)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the dry run and the real one:\n%s", diff)
	}
	if got.Revision != 4 || got.Oldest != 3 || got.Environment != production || got.Bytes == 0 {
		t.Errorf("report: %+v", got)
	}
	var snapshots int
	payloads := 0
	for _, name := range got.Removed {
		switch {
		case strings.HasSuffix(name, ".snapshot.json"):
			snapshots++
		case strings.HasPrefix(name, "targets/a/"):
			payloads++
		case name != "2.targets.json":
			t.Errorf("%s was removed", name)
		}
	}
	if snapshots != 22 || payloads != 2 || !slices.Contains(got.Removed, "2.targets.json") {
		t.Errorf("%d snapshots and %d payloads were removed: %v", snapshots, payloads, got.Removed)
	}
	left := w.store.All()
	for _, name := range []string{
		"1.root.json", "1.targets.json", "3.targets.json", "4.targets.json", "notes.txt", "1000.targets.json",
		"01.snapshot.json",
	} {
		if _, ok := left[name]; !ok {
			t.Errorf("%s was removed", name)
		}
	}
	if again := mustGC(t, opts); len(again.Removed) > 0 {
		t.Errorf("then, %v was removed", again.Removed)
	}
	mustPublish(t, w.rollback(3))
	wantError(t, w.rollback(1), "the object is gone")
}

// Stores remove what they are told to, and keep what is published whole.
// TestGCFiles holds that the files beside the payloads stay as long as rollbacks need them.
func TestGCFiles(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		mustPublish(t, counting(w.options(nil), content{"a": "1"}))
		w.age(t, 20)
	}
	mustGC(t, w.gc(30*day))
	var locks, all int
	for name := range w.store.All() {
		switch {
		case strings.HasSuffix(name, lockName):
			locks++
		case strings.HasSuffix(name, plansName):
			all++
		}
	}
	if locks != 2 || all != 1 {
		t.Errorf("there are %d of %s and %d of %s", locks, lockName, all, plansName)
	}
	mustPublish(t, w.rollback(2))
	if files, _ := publishedFiles(t, w.store, w.keys); files[lockName] != "2" {
		t.Errorf("the rollback has the files %v", files)
	}
	if _, err := release.Publish(t.Context(), w.rollback(1)); err == nil ||
		!strings.Contains(err.Error(), "reading releases.lock of revision 1: the object is gone") {
		t.Errorf("a rollback to what is gone: error %v", err)
	}
}

func TestGCOnEachStore(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		old, next := options(store, keys, content{"a": "1"}), options(store, keys, content{"a": "2", "b": "1"})
		old.Now = in(-4 * day)
		removed := []string{"1.snapshot.json"}
		for _, name := range mustPublish(t, old).Objects {
			if strings.HasPrefix(name, "targets/") {
				removed = append(removed, name)
			}
		}
		next.Now = in(-1 * day)
		mustPublish(t, next)
		// Objects are young, so the clock goes on for ten days.
		for _, name := range mustPublish(t, renewal(store, keys, 5*day)).Objects {
			if strings.HasSuffix(name, ".snapshot.json") {
				removed = append(removed, "2.snapshot.json", name)
			}
		}
		mustPublish(t, renewal(store, keys, 9*day))
		gc := release.GCOptions{Store: store.(release.ListStore), Root: keys.Root, Keep: 2 * day, Now: in(10 * day)}
		report := mustGC(t, gc)
		slices.Sort(removed)
		if !slices.Equal(report.Removed, removed) || report.Oldest != 2 {
			t.Errorf("removed %v, want %v: %+v", report.Removed, removed, report)
		}
		for _, name := range removed {
			if _, _, err := store.Get(t.Context(), name, 1<<20); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is still there, error %v", name, err)
			}
		}
		c, err := newReader(t, store, keys).read(t.Context(), 10*day)
		if err != nil || !cmp.Equal(c, content{"a": "2", "b": "1"}) {
			t.Errorf("clients see %v, error %v", c, err)
		}
	})
}

// If somebody restored an old timestamp.json, what was published after that is kept.
func TestGCWithOldTimestamp(t *testing.T) {
	w := newWorld(t)
	mustPublish(t, w.options(content{"a": "1"}))
	w.age(t, 1)
	old := w.store.All()["timestamp.json"]
	mustPublish(t, w.options(content{"a": "2"}))
	w.age(t, 3)
	newest := w.store.All()["timestamp.json"]
	w.store.Set("timestamp.json", old)
	if report := mustGC(t, w.gc(day)); len(report.Removed) > 0 || report.Revision != 1 {
		t.Errorf("report: %+v", report)
	}
	w.store.Set("timestamp.json", newest)
	if c, _ := w.mustRead(t); c["a"] != "2" {
		t.Errorf("clients see %v", c)
	}
}

// A folder's own leftovers are removed too, once they are old.
func TestGCTemporary(t *testing.T) {
	dir := t.TempDir()
	store, keys := filestore.New(dir), newKeys(t, production)
	mustPublish(t, options(store, keys, content{"a": "1"}))
	ages := map[string]time.Duration{
		".serin-old.tmp": 3 * day, "targets/a/.serin-old.tmp": 3 * day, ".serin-young.tmp": 0, "mine.tmp": 3 * day,
	}
	for name, age := range ages {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.WriteFile(file, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(file, then, then); err != nil {
			t.Fatal(err)
		}
	}
	got := mustGC(t, release.GCOptions{Store: store, Root: keys.Root, Keep: 2 * day})
	want := []string{".serin-old.tmp", "targets/a/.serin-old.tmp"}
	if !slices.Equal(got.Removed, want) || got.Temporary != 2 || got.Bytes != 8 {
		t.Errorf("removed %v, want %v: %+v", got.Removed, want, got)
	}
}

// Nothing is removed if it isn't known what is needed.
func TestGCRefuses(t *testing.T) {
	type prepare = func(t *testing.T, w *world, opts *release.GCOptions)
	gone := func(name string) prepare {
		return func(t *testing.T, w *world, _ *release.GCOptions) { _ = w.store.Remove(t.Context(), name) }
	}
	for name, tt := range map[string]struct {
		prepare prepare
		want    string
	}{
		"too short": {func(_ *testing.T, _ *world, o *release.GCOptions) { o.Keep = day - 1 },
			"the minimum is 24h0m0s"},
		"no store": {func(_ *testing.T, _ *world, o *release.GCOptions) { o.Store = nil }, "a store is required"},
		"other root": {func(t *testing.T, _ *world, o *release.GCOptions) {
			o.Root = newKeys(t, production).Root
		}, "verifying what is published"},
		"expired": {func(_ *testing.T, w *world, _ *release.GCOptions) {
			w.now = w.now.Add(8 * day)
		}, "verifying what is published"},
		"nothing": {gone("timestamp.json"), "verifying what is published"},
		"broken": {func(t *testing.T, w *world, _ *release.GCOptions) {
			overwrite(t, w.store, "2.targets.json", []byte("{}"))
		}, "the history is broken"},
		"lost":          {gone("2.targets.json"), "the history is broken"},
		"lost long ago": {gone("1.targets.json"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			mustPublish(t, w.options(content{"a": "1"}))
			mustPublish(t, w.options(content{"a": "2"}))
			w.age(t, 20)
			mustPublish(t, w.options(content{"a": "3"}))
			w.age(t, 1)
			opts := w.gc(10 * day)
			tt.prepare(t, w, &opts)
			before := w.store.All()
			_, err := release.GC(t.Context(), opts)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if after := w.store.All(); len(after) != len(before) {
				t.Errorf("%d of %d objects are left", len(after), len(before))
			}
		})
	}
}

// A publication that begins to refer to an unused payload keeps it, at whatever moment
// it does so.
func TestGCWhilePublishing(t *testing.T) {
	for _, moment := range []string{"before its age is asked", "between that and its removal", "after its removal"} {
		t.Run(moment, func(t *testing.T) {
			w := newWorld(t)
			mustPublish(t, w.options(content{"a": "1"}))
			mustPublish(t, w.options(content{"a": "2"}))
			w.age(t, 9)
			rolledBack := false
			publish := func(at, name string) {
				if at == moment && strings.HasPrefix(name, "targets/a/") && !rolledBack {
					rolledBack = true
					opts := w.options(content{"a": "1"})
					mustPublish(t, opts)
				}
			}
			opts := w.gc(day)
			opts.Store = &meddler{ListStore: w.store, meddle: publish}
			report := mustGC(t, opts)
			if !rolledBack {
				t.Fatal("nothing was published meanwhile")
			}
			if want := moment == "between that and its removal"; (len(report.Restored) > 0) != want {
				t.Errorf("put back %v", report.Restored)
			}
			if c, _ := w.mustRead(t); c["a"] != "1" {
				t.Errorf("clients see %v", c)
			}
		})
	}
}

// mustRead returns what a fresh client sees by the clock of w.
func (w *world) mustRead(t *testing.T) (content, int64) {
	t.Helper()
	fresh := newReader(t, w.store, w.keys)
	c, err := fresh.read(t.Context(), time.Until(w.now))
	if err != nil {
		t.Fatal(err)
	}
	return c, fresh.last.Revision()
}

// A meddler is a store in which something happens around each removal.
type meddler struct {
	release.ListStore
	meddle func(at, name string)
}

func (m *meddler) Modified(ctx context.Context, name string) (time.Time, error) {
	m.meddle("before its age is asked", name)
	return m.ListStore.Modified(ctx, name)
}

func (m *meddler) Remove(ctx context.Context, name string) error {
	m.meddle("between that and its removal", name)
	defer m.meddle("after its removal", name)
	return m.ListStore.Remove(ctx, name)
}

// A payload that GC removes after it was put again, and before it is published, is put
// once more.
func TestPublishingWhileGC(t *testing.T) {
	w := newWorld(t)
	mustPublish(t, w.options(content{"a": "1"}))
	mustPublish(t, w.options(content{"a": "2"}))
	opts := w.options(content{"a": "1"})
	var payload string
	opts.Store = &spy{Store: w.store, before: func(name string) error {
		if strings.HasPrefix(name, "targets/a/") {
			payload = name
		}
		if name == "timestamp.json" {
			return w.store.Remove(t.Context(), payload)
		}
		return nil
	}}
	mustPublish(t, opts)
	if c, revision := w.mustRead(t); c["a"] != "1" || revision != 3 {
		t.Errorf("clients see %v, revision %d", c, revision)
	}
}

// Versions that are gone are not used again if timestamp.json is deleted, or an old one
// restored: clients that saw them accept nothing older.
func TestVersionsAfterGC(t *testing.T) {
	w := newWorld(t)
	mustPublish(t, w.options(content{"a": "1"}))
	expired := w.store.All()["timestamp.json"]
	leaveBehind(t, w.options(content{"a": "stray"}))
	mustPublish(t, w.options(content{"a": "2"}))
	w.age(t, 5)
	old := w.store.All()["timestamp.json"]
	w.age(t, 6)
	if report := mustGC(t, w.gc(day)); !slices.Contains(report.Removed, "2.targets.json") {
		t.Errorf("removed %v", report.Removed)
	}
	w.follow(t, "2")

	w.store.Set("timestamp.json", old)
	mustPublish(t, w.options(content{"a": "3"}))
	w.follow(t, "3")
	w.store.Set("timestamp.json", expired)
	wantError(t, w.options(content{"a": "4"}), "delete timestamp.json and publish again")
	_ = w.store.Remove(t.Context(), "timestamp.json")
	mustPublish(t, w.options(content{"a": "4"}))
	w.follow(t, "4")
}

// follow makes sure that a client that saw all versions gets what is published.
func (w *world) follow(t *testing.T, want string) {
	t.Helper()
	if c, err := w.client.read(t.Context(), time.Until(w.now)); err != nil || c["a"] != want {
		t.Errorf("a client that saw all versions reads %v, error %v", c, err)
	}
}

// After any sequence of publications, lost races, crashes, rollbacks and collections,
// what is published verifies, every revision of the last days can be rolled back to,
// and the history is whole.
func TestGCProperty(t *testing.T) {
	keys := newKeys(t, production)
	for seed := range uint64(soak.Times(4, 500)) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &world{keys: keys, now: time.Now()}
		w.store = storetest.NewMemory(w.clock)
		w.client = newReader(t, w.store, w.keys)
		mustPublish(t, w.options(content{"a": "0", "b": "0"}))
		p := property{world: w, r: r, keep: time.Duration(1+r.IntN(10)) * day, published: make(map[int64]bool)}
		p.check(t)
		for range 20 {
			p.step(t)
			p.check(t)
		}
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

type property struct {
	*world
	r         *rand.Rand
	keep      time.Duration
	published map[int64]bool // revisions
}

// random returns content of which there isn't much, so that payloads are reused.
func (p *property) random() content {
	c := content{"a": fmt.Sprint(p.r.IntN(4))}
	if p.r.IntN(3) > 0 {
		c["b"] = fmt.Sprint(p.r.IntN(4))
	}
	return c
}

// refusedRollback matches the errors of rollbacks to revisions that are too old, or
// were left behind.
var refusedRollback = regexp.MustCompile("the object is gone|isn't in the history")

// step does something at random.
func (p *property) step(t *testing.T) {
	t.Helper()
	p.now = p.now.Add(time.Duration(p.r.IntN(60)) * time.Hour)
	opts := p.options(p.random())
	switch p.r.IntN(7) {
	case 0: // a publisher crashes after some puts
		left := p.r.IntN(4)
		opts.Store = &spy{Store: p.store, before: func(string) error {
			if left--; left < 0 {
				return errCrash
			}
			return nil
		}}
		if _, err := release.Publish(t.Context(), opts); err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	case 1: // a race
		opts.Store = &spy{Store: p.store, before: overtakenBy(t, p.options(p.random()))}
		mustPublish(t, opts)
	case 2, 3: // a collection
		mustPublish(t, p.renewal())
		mustGC(t, p.gc(p.keep))
	case 4: // a collection during which somebody publishes
		mustPublish(t, p.renewal())
		collect, left := p.gc(p.keep), p.r.IntN(5)
		collect.Store = &meddler{ListStore: p.store, meddle: func(string, string) {
			if left--; left == 0 {
				mustPublish(t, opts)
			}
		}}
		mustGC(t, collect)
	case 5: // a rollback, which may be refused if it goes back too far
		opts = p.rollback(1 + p.r.Int64N(p.client.last.Revision()))
		_, err := release.Publish(t.Context(), opts)
		if err != nil && !refusedRollback.MatchString(err.Error()) {
			t.Fatal(err)
		}
	default:
		mustPublish(t, opts)
	}
}

func (p *property) check(t *testing.T) {
	t.Helper()
	mustPublish(t, p.renewal())
	if _, err := p.client.read(t.Context(), time.Until(p.now)); err != nil {
		t.Errorf("a client that follows: %v", err)
		return
	}
	p.mustRead(t)
	replaced := p.now
	for _, e := range mustLog(t, p.store, p.keys.Root, 0).Entries {
		switch e.Standing {
		case release.StandingPublished:
			if !replaced.Before(p.now.Add(-p.keep).Truncate(time.Second)) {
				opts := p.rollback(e.Revision)
				opts.DryRun = true
				if _, err := release.Publish(t.Context(), opts); err != nil {
					t.Errorf("rolling back to revision %d, published until %v ago: %v", e.Revision,
						p.now.Sub(replaced), err)
				}
			}
			replaced = e.Provenance.Time
			p.published[e.Revision] = true
		case release.StandingLost, release.StandingUntrusted, release.StandingUnlinked:
			t.Errorf("in the history: %+v", e)
		}
	}
	for _, revision := range slices.Sorted(maps.Keys(p.published)) {
		if _, ok := p.store.All()[fmt.Sprint(revision, ".targets.json")]; !ok {
			t.Errorf("revision %d is gone from the history", revision)
		}
	}
}
