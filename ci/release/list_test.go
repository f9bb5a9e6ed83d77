package release_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/internal/storetest"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
)

// withList gives each namespace of opts a segment of the same list, which is long enough
// for a target of its own.
func withList(opts release.Options, prefix string) release.Options {
	list := make([]string, bundle.MinList)
	for i := range list {
		list[i] = fmt.Sprintf("%s%05d", prefix, i)
	}
	for i := range opts.Payloads {
		opts.Payloads[i].Ruleset.Segments = []evaluator.Segment{{Name: "beta", Include: list}}
	}
	return opts
}

// listsOf returns the names of lists.
func listsOf(names []string) []string {
	others := func(name string) bool { return !strings.HasPrefix(name, "targets/lists/") }
	return slices.DeleteFunc(slices.Clone(names), others)
}

// Lists are put when they are new, and stay where they are when a namespace changes.
func TestLists(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		clients := newReader(t, store, keys)
		publish := func(opts release.Options, read content, want ...string) release.Report {
			t.Helper()
			put := &spy{Store: store}
			opts.Store = put
			report := mustPublish(t, opts)
			got := slices.DeleteFunc(withoutHashes(put.put),
				func(name string) bool { return strings.HasSuffix(name, ".json") })
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if got, err := clients.read(t.Context(), 0); err != nil || !cmp.Equal(got, read) {
				t.Errorf("clients see %v, error %v", got, err)
			}
			return report
		}
		one, two := content{"a": "1", "b": "1"}, content{"a": "2", "b": "1"}
		first := publish(withList(options(store, keys, one), "u"), one, "targets/lists/*", "targets/a/*", "targets/b/*")
		want := release.FormatChange{Namespace: "a", After: 2, Features: []string{"lists"}}
		if len(first.Formats) != 2 || !cmp.Equal(first.Formats[0], want) {
			t.Errorf("formats: %+v", first.Formats)
		}
		publish(withList(options(store, keys, two), "u"), two, "targets/a/*")
		publish(withList(options(store, keys, two), "v"), two, "targets/lists/*", "targets/a/*", "targets/b/*")
		publish(renewal(store, keys, 0), two)
		publish(rollback(store, keys, 1), one, "targets/lists/*", "targets/a/*", "targets/b/*")
		publish(options(store, keys, one), one, "targets/a/*", "targets/b/*")

		name := listsOf(first.Objects)[0]
		list := mustGet(t, store, name)
		overwrite(t, store, name, flip(list, len(list)/2))
		wantError(t, rollback(store, keys, 1),
			"reading a list of revision 1, which can be published again from its files: "+
				"the object was changed")
		publish(withList(options(store, keys, one), "u"), one, "targets/lists/*", "targets/a/*", "targets/b/*") // repairs it
		history := mustLog(t, store, keys.Root, 0).Entries
		if len(history) != 6 || !cmp.Equal(history[4].Changed, []string{"a"}) {
			t.Errorf("history: %+v", history)
		}
	})
}

// Lists that a rollback may need are kept, and those that nothing needs are not.
func TestGCKeepsLists(t *testing.T) {
	w := newWorld(t)
	var lists [][]string
	for i, prefix := range []string{"u", "v", "w"} {
		report := mustPublish(t, withList(w.options(content{"a": fmt.Sprint(i)}), prefix))
		lists = append(lists, listsOf(report.Objects))
		w.age(t, 20)
	}
	got := listsOf(mustGC(t, w.gc(20*day+time.Minute)).Removed)
	if diff := cmp.Diff(lists[0], got); diff != "" {
		t.Errorf("removed lists (-want +got):\n%s", diff)
	}
	wantError(t, w.rollback(1), "reading a list of revision 1, which can be published again from its files: "+
		"the object is gone")
	mustPublish(t, w.rollback(2))
	if _, err := w.client.read(t.Context(), time.Until(w.now)); err != nil {
		t.Error(err)
	}
}

// A copy has the lists of its namespaces, and replaces one that has others.
func TestCopiedLists(t *testing.T) {
	keys, dir := newKeys(t, production), filepath.Join(t.TempDir(), "copy")
	store := storetest.NewMemory(time.Now)
	for _, prefix := range []string{"u", "v"} {
		want := content{"a": prefix}
		mustPublish(t, withList(options(store, keys, want), prefix))
		copied, err := release.Pull(t.Context(), storeSource{store}, newReader(t, store, keys).verifier, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := copied.Write(dir); err != nil {
			t.Fatal(err)
		}
		if got, _ := mustRead(t, filestore.New(dir), keys); !cmp.Equal(got, want) {
			t.Errorf("the copy has %v", got)
		}
		lists, err := filepath.Glob(filepath.Join(dir, "targets", "lists", "*"))
		if err != nil || len(lists) != 1 {
			t.Errorf("the copy has the lists %v, error %v", lists, err)
		}
	}
}
