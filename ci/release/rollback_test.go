package release_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// rollback returns options to go back to a revision.
func rollback(store release.Store, keys release.Keys, revision int64) release.Options {
	return release.Options{Store: store, Keys: keys, Environment: production, Rollback: revision,
		Provenance: release.Provenance{Author: "on duty", Reason: "it was slow"}}
}

func TestRollback(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		clients := newReader(t, store, keys)
		contents := []content{{"a": "1", "b": "1"}, {"a": "2", "c": "1"}, {"a": "2", "c": "2"}}
		for i, c := range contents {
			mustPublish(t, from(options(store, keys, c), fmt.Sprint("c", i+1)))
			if _, err := clients.read(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		put := &spy{Store: store}
		report := mustPublish(t, rollback(put, keys, 1))
		// The payloads are there already, and put again so that they are young.
		if diff := cmp.Diff([]string{"targets/b/*", "targets/a/*", "4.targets.json", "4.snapshot.json",
			"timestamp.json"}, withoutHashes(put.put)); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
		if report.Revision != 4 || report.Previous != 3 || !cmp.Equal(report.Changed, []string{"a"}) ||
			!cmp.Equal(report.Added, []string{"b"}) || !cmp.Equal(report.Removed, []string{"c"}) {
			t.Errorf("report: %+v", report)
		}
		if got, err := clients.read(t.Context(), 0); err != nil || !cmp.Equal(got, contents[0]) {
			t.Errorf("clients see %v, error %v", got, err)
		}
		history := mustLog(t, store, keys.Root, 0)
		if history.Entries[0].Provenance.Content != history.Entries[3].Provenance.Content {
			t.Error("another content than that of the old revision")
		}
		want := release.Provenance{Commit: "c1", Author: "on duty", Reason: "it was slow", RollbackOf: 1}
		got := history.Entries[0].Provenance
		got.Time, got.Content = want.Time, ""
		if got != want {
			t.Errorf("provenance %+v", got)
		}
		// The same again is nothing to do, and the way back is a rollback too.
		if report := mustPublish(t, rollback(store, keys, 1)); len(report.Objects) > 0 || report.Revision != 4 {
			t.Errorf("again: %+v", report)
		}
		if report := mustPublish(t, rollback(store, keys, 3)); report.Revision != 5 {
			t.Errorf("and back: %+v", report)
		}
		if got, err := clients.read(t.Context(), 0); err != nil || !cmp.Equal(got, contents[2]) {
			t.Errorf("clients see %v, error %v", got, err)
		}
	})
}

// Only what was published, and is whole, is published again.
func TestRollbackRefuses(t *testing.T) {
	keys := newKeys(t, production)
	dir := t.TempDir()
	store := filestore.New(dir)
	wantError(t, rollback(store, keys, 1), "nothing is published")
	var payloads []string
	for i := range 2 {
		for _, name := range mustPublish(t, from(options(store, keys, content{"a": fmt.Sprint(i)}), "c1")).Objects {
			if strings.HasPrefix(name, "targets/") {
				payloads = append(payloads, name)
			}
		}
	}
	plant(t, store, "3.targets.json")
	mustPublish(t, options(store, keys, content{"a": "3"}))
	wantError(t, rollback(store, keys, 5), "revision 5 was never published: the newest is 4")
	wantError(t, rollback(store, keys, 3), "revision 3 isn't in the history")
	wantError(t, rollback(store, keys, -1), "1 or more")
	both := rollback(store, keys, 1)
	both.Payloads = content{"a": "1"}.payloads(production)
	wantError(t, both, "no payloads")
	both = renewal(store, keys, 0)
	both.Rollback = 1
	wantError(t, both, "nor a revision to roll back to")

	payload := mustGet(t, store, payloads[0])
	for _, damaged := range [][]byte{flip(payload, len(payload)/2), payload[1:], append(payload, 'x')} {
		overwrite(t, store, payloads[0], damaged)
		wantError(t, rollback(store, keys, 1),
			"reading a of revision 1, which can be published again from commit c1: the object was changed")
	}
	remove(t, dir, payloads[0])
	wantError(t, rollback(store, keys, 1), "the object is gone")
	overwrite(t, store, "2.targets.json", []byte("{}"))
	wantError(t, rollback(store, keys, 1), "revision 2 isn't what was published")
}
