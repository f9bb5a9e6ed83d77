package edit_test

import (
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/internal/soak"
)

// TestRename renames the flags of all estates, with a lock file, and has it proved that
// nobody gets a different value, of any flag.
func TestRename(t *testing.T) {
	done := 0
	for name, fsys := range estates(t) {
		update, err := ci.LockFS(fsys, "flags", nil)
		if err != nil {
			t.Fatal(err)
		}
		fsys[ci.LockFile] = &fstest.MapFile{Data: update.After}
		estate, err := ci.LoadFS(fsys, "flags")
		if err != nil {
			t.Fatal(err)
		}
		keys := estate.Keys()
		for i := 0; i < len(keys); i += max(1, len(keys)/soak.Times(6, 1000)) {
			key := keys[i]
			r, err := edit.Rename(fsys, "flags", key, "x."+key)
			if broken := (*edit.BrokenError)(nil); errors.As(err, &broken) {
				t.Fatalf("%s: %s: %v\n%v", name, key, err, broken.Problems)
			} else if err != nil {
				t.Fatalf("%s: %s: %v", name, key, err)
			}
			c := diff.Config{Now: time.Now().Unix()}
			for _, env := range append([]string{""}, estate.Environments()...) {
				pair := diff.Pair{Environment: env, Renames: map[string]string{"x." + key: key}}
				if pair.Old, err = r.Old.Compile(env); err == nil {
					pair.New, err = r.New.Compile(env)
				}
				if err != nil {
					t.Fatal(err)
				}
				c.Pairs = append(c.Pairs, pair)
			}
			report, err := diff.Compare(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range report.Environments {
				if len(e.Flags) != 1 || e.Flags[0].Change != diff.Renamed || e.Flags[0].Verdict != diff.VerdictNobody {
					t.Errorf("%s: renaming %s, in %q: %+v", name, key, e.Name, e.Flags)
				}
			}
			done++
		}
	}
	if done < 50 {
		t.Errorf("only %d flags were renamed", done)
	}
}
