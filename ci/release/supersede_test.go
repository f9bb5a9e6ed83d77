package release_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// errOlder is what publishers return in tests instead of going back.
var errOlder = errors.New("older")

// numbered returns options for commit n, which refuse to replace a later commit. Asked
// lists the revisions and commits that it was asked about.
func numbered(opts release.Options, n int, asked *[]string) release.Options {
	opts = from(opts, fmt.Sprint("c", n))
	opts.Provenance.CommitTime = time.Unix(int64(n), 0)
	opts.Supersedes = func(_ context.Context, revision int64, published release.Provenance) error {
		*asked = append(*asked, fmt.Sprintf("%d %s", revision, published.Commit))
		if published.CommitTime.Unix() > int64(n) {
			return errOlder
		}
		return nil
	}
	return opts
}

// The loser of a race is asked about what the winner has published, and its older
// content isn't published over that.
func TestLoserIsOlder(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		var asked []string
		mustPublish(t, numbered(options(store, keys, content{"a": "1"}), 1, &asked))
		if len(asked) > 0 {
			t.Errorf("asked about %v before the first publication", asked)
		}
		race := &spy{Store: store, before: overtakenBy(t, numbered(options(store, keys, content{"a": "3"}), 3, &asked))}
		_, err := release.Publish(t.Context(), numbered(options(race, keys, content{"a": "2"}), 2, &asked))
		if !errors.Is(err, errOlder) {
			t.Errorf("the loser with the older commit: error %v", err)
		}
		if want := []string{"1 c1", "1 c1", "3 c3"}; !slices.Equal(asked, want) {
			t.Errorf("asked about %v, want %v", asked, want)
		}
		if c, revision := mustRead(t, store, keys); c["a"] != "3" || revision != 3 {
			t.Errorf("clients see %v, revision %d", c, revision)
		}
	})
}

// overtakenBy returns a spy's before: another publication that takes place right before the
// first attempt to replace timestamp.json.
func overtakenBy(t *testing.T, opts release.Options) func(string) error {
	return func(name string) error {
		if name == "timestamp.json" && opts.Store != nil {
			other := opts
			opts.Store = nil
			mustPublish(t, other)
		}
		return nil
	}
}

// The question is about content from flag files that would make a revision.
func TestSupersedes(t *testing.T) {
	store, keys := filestore.New(t.TempDir()), newKeys(t, production)
	var asked []string
	mustPublish(t, numbered(options(store, keys, content{"a": "1"}), 1, &asked))
	mustPublish(t, numbered(options(store, keys, content{"a": "2"}), 2, &asked))
	asked = nil

	mustPublish(t, numbered(options(store, keys, content{"a": "2"}), 1, &asked)) // nothing to do
	mustPublish(t, numbered(renewal(store, keys, 0), 1, &asked))
	mustPublish(t, numbered(rollback(store, keys, 1), 1, &asked))
	if len(asked) > 0 {
		t.Errorf("asked about %v", asked)
	}
	// What was rolled back counts, not the revision that this replaced.
	mustPublish(t, numbered(options(store, keys, content{"a": "2"}), 2, &asked))
	older := numbered(options(store, keys, content{"a": "1"}), 1, &asked)
	older.DryRun = true
	if _, err := release.Publish(t.Context(), older); !errors.Is(err, errOlder) {
		t.Errorf("a dry run: error %v", err)
	}
	if want := []string{"3 c1", "4 c2"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %v, want %v", asked, want)
	}
	for _, e := range mustLog(t, store, keys.Root, 0).Entries {
		if want := map[int64]int64{1: 1, 2: 2, 3: 1, 4: 2}[e.Revision]; e.Provenance.CommitTime.Unix() != want {
			t.Errorf("revision %d: the time of the commit is %v", e.Revision, e.Provenance.CommitTime)
		}
	}
}

// After a theft, what only the stolen key has signed is in nobody's way.
func TestSupersedesReplacedKey(t *testing.T) {
	dir := t.TempDir()
	if _, err := release.InitKeys(dir, production); err != nil {
		t.Fatal(err)
	}
	stolen, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	store := filestore.New(t.TempDir())
	var asked []string
	mustPublish(t, numbered(options(store, stolen, content{"a": "1"}), 9, &asked))
	if _, err := (release.Opener{}).Rotate(t.Context(), release.RotateOptions{Dir: dir, Online: "new"}); err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	mustPublish(t, numbered(options(store, keys, content{"a": "2"}), 2, &asked))
	if len(asked) > 0 {
		t.Errorf("asked about %v", asked)
	}
}
