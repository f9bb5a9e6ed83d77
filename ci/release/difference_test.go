package release_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// TestReadDifference holds that any two revisions can be read, without what is the same in both,
// and that a revision that can't be read is named with the reason.
func TestReadDifference(t *testing.T) {
	dir := t.TempDir()
	store, keys := filestore.New(dir), newKeys(t, production)
	var reports []release.Report
	for _, c := range []content{
		{"a": "1", "b": "1"}, // 1
		{"a": "2", "b": "1"}, // 2
		{"a": "2"},           // 3 removes a namespace
		{"a": "2", "c": "1"}, // 4 adds one
		{"a": "1", "c": "2"}, // 5
	} {
		reports = append(reports, mustPublish(t, options(store, keys, c)))
	}
	read := func(old, new int64, limit int) (string, error) {
		t.Helper()
		d, err := release.ReadDifference(t.Context(), release.DifferenceOptions{Source: storeSource{store},
			Root: keys.Root, Old: old, New: new, Limit: limit})
		if err != nil {
			return "", err
		}
		a, b, err := d.Decode()
		if err != nil {
			return "", err
		}
		words := func(p release.Published, payloads []bundle.Payload) string {
			text := fmt.Sprint(p.Revision)
			for _, payload := range payloads {
				text += " " + payload.Namespace + payload.Ruleset.Flags[0].Key
			}
			return text
		}
		return words(d.Old, a) + " → " + words(d.New, b), nil
	}
	for _, c := range []struct {
		old, new int64
		limit    int
		want     string // or a part of the error
	}{
		{1, 2, 0, "1 a1 → 2 a2"},
		{2, 1, 0, "2 a2 → 1 a1"},
		{1, 4, 0, "1 a1 b1 → 4 a2 c1"},
		{5, 1, 0, "5 c2 → 1 b1"},
		{4, 5, 0, "4 a2 c1 → 5 a1 c2"},
		{0, 0, 1, "4 a2 c1 → 5 a1 c2"},
		{0, 3, 0, "2 b1 → 3"},
		{3, 0, 0, "3 a2 → 5 a1 c2"},
		{2, 2, 0, "2 → 2"},
		{3, 5, 2, "3 a2 → 5 a1 c2"},
		{2, 5, 2, "revision 2 is too far back: revision 3 is the oldest that is read here"},
		{0, 1, 0, "revision 1 is the first one, so there is none to compare it with"},
		{1, 6, 0, "revision 6 was never published: the newest is revision 5"},
		{-1, 5, 0, "revision -1 was never published"},
	} {
		got, err := read(c.old, c.new, c.limit)
		if err != nil {
			got = err.Error()
		}
		isError := errors.As(err, new(*release.RevisionError))
		if !strings.HasPrefix(got, c.want) || isError != strings.HasPrefix(c.want, "revision") {
			t.Errorf("%d to %d: %s, want %s", c.old, c.new, got, c.want)
		}
	}

	// What is gone or was changed is named, without its namespace.
	payload := func(r release.Report) string {
		t.Helper()
		return r.Objects[slices.IndexFunc(r.Objects, func(name string) bool { return strings.HasPrefix(name, "targets/") })]
	}
	overwrite(t, store, payload(reports[1]), mustGet(t, store, payload(reports[0])))
	remove(t, dir, payload(reports[3]))
	remove(t, dir, "1.targets.json")
	want := map[[2]int64]string{
		{3, 5}: "revision 3 can't be read: its flags aren't those that were published",
		{4, 5}: "revision 4 can't be read: its flags aren't those that were published",
		{4, 3}: "revision 4 can't be read any more: its flags were removed, as 'serin gc' does",
		{1, 5}: "revision 1 can't be read any more: the history goes back to revision 2 only",
		{2, 3}: "2 b1 → 3",
	}
	got := make(map[[2]int64]string)
	for pair := range maps.Keys(want) {
		text, err := read(pair[0], pair[1], 0)
		if err != nil {
			text = err.Error()
		}
		got[pair] = text
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after objects were removed and changed (-want +got):\n%s", diff)
	}
	data, err := os.ReadFile(filepath.Join(dir, "3.targets.json"))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, store, "3.targets.json", append(data, ' '))
	if _, err := read(2, 5, 0); err == nil ||
		err.Error() != "revision 2 can't be verified: what is before revision 4 isn't what was published" {
		t.Errorf("a changed link: %v", err)
	}
}
