package release_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// contentOf returns the lines that sha256sum prints of payloads, hashed: what
// provenance names as the content.
func contentOf(t *testing.T, c content) string {
	t.Helper()
	report := mustPublish(t, options(filestore.New(t.TempDir()), newKeys(t, production), c))
	return report.Content
}

func mustLog(t *testing.T, store release.Store, root []byte, limit int) release.History {
	t.Helper()
	history, err := release.Log(t.Context(), release.LogOptions{Source: storeSource{store}, Root: root, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return history
}

// from returns options with a provenance that tells apart what was published.
func from(opts release.Options, commit string) release.Options {
	opts.Provenance = release.Provenance{
		Commit: commit, Author: "the author of " + commit, RunURL: "https://ci.example/runs/" + commit,
		Reason: "to <test> & \"more\"",
	}
	return opts
}

// wantLog compares a history with entries whose times and contents don't matter.
func wantLog(t *testing.T, got release.History, want []release.Entry) {
	t.Helper()
	ignore := cmpopts.IgnoreFields(release.Provenance{}, "Time", "Content")
	if diff := cmp.Diff(want, got.Entries, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func published(revision int64, commit string) release.Entry {
	e := release.Entry{Revision: revision, Standing: release.StandingPublished, Signed: true, Known: true}
	e.Provenance = from(release.Options{}, commit).Provenance
	return e
}

func TestLog(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		began := time.Now().Truncate(time.Second)
		mustPublish(t, from(options(store, keys, content{"a": "1", "b": "1"}), "c1"))
		mustPublish(t, from(options(store, keys, content{"a": "2", "c": "1"}), "c2"))
		mustPublish(t, from(options(store, keys, content{"a": "2", "c": "1"}), "c3")) // nothing to do
		mustPublish(t, renewal(store, keys, 0))
		mustPublish(t, from(options(store, keys, content{"a": "3", "c": "1"}), "c4"))

		got := mustLog(t, store, keys.Root, 0)
		first, second, third := published(1, "c1"), published(2, "c2"), published(3, "c4")
		first.Added = []string{"a", "b"}
		second.Added, second.Changed, second.Removed = []string{"c"}, []string{"a"}, []string{"b"}
		third.Changed = []string{"a"}
		wantLog(t, got, []release.Entry{third, second, first})
		if got.Environment != production || got.More || time.Until(got.Expires) < day {
			t.Errorf("history of %q until %v, more %v", got.Environment, got.Expires, got.More)
		}
		for _, e := range got.Entries {
			if p := e.Provenance; p.Time.Before(began) || p.Time.After(time.Now()) {
				t.Errorf("revision %d was made at %v", e.Revision, p.Time)
			}
		}
		if want := contentOf(t, content{"a": "3", "c": "1"}); got.Entries[0].Provenance.Content != want {
			t.Errorf("content %s, want %s", got.Entries[0].Provenance.Content, want)
		}
		got = mustLog(t, store, keys.Root, 2)
		if wantLog(t, got, []release.Entry{third, second}); !got.More {
			t.Error("the log was cut off and doesn't say so")
		}
	})
}

// The renewal of targets is a revision of its own, with what is known of the one
// before.
func TestLogOfRenewal(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	mustPublish(t, from(options(store, keys, content{"a": "1"}), "c1"))
	for age := 5 * day; age < 345*day; age += 5 * day {
		opts := renewal(store, keys, age)
		opts.Provenance = release.Provenance{Author: "nobody", RunURL: "https://ci.example/renewal"}
		mustPublish(t, opts)
	}
	renewed, first := published(2, "c1"), published(1, "c1")
	renewed.Provenance.RunURL, renewed.Provenance.RenewalOf = "https://ci.example/renewal", 1
	first.Added = []string{"a"}
	wantLog(t, mustLog(t, store, keys.Root, 0), []release.Entry{renewed, first})
}

// Numbers that were never published are told from those that were, and what trusted
// keys signed from what anybody could have put there.
func TestLogWithStrays(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		mustPublish(t, from(options(store, keys, content{"a": "1"}), "c1"))
		plant(t, store, "2.targets.json")
		leaveBehind(t, from(options(store, keys, content{"a": "left behind"}), "c2"))
		mustPublish(t, from(options(store, keys, content{"a": "2"}), "c3"))
		leaveBehind(t, from(options(store, keys, content{"a": "later"}), "c4"))
		plant(t, store, "6.targets.json")
		copyTo(t, store, "7.targets.json", "5.targets.json")
		forge(t, store, 8, true)
		forge(t, store, 9, false)
		plant(t, store, "11.targets.json") // nobody looks that far

		first, second := published(1, "c1"), published(4, "c3")
		first.Added, second.Changed = []string{"a"}, []string{"a"}
		want := []release.Entry{
			untrusted(9), untrusted(8), untrusted(7), untrusted(6), signedStray(5, "c4", release.StandingNewer), second,
			signedStray(3, "c2", release.StandingLeftBehind), untrusted(2), first,
		}
		wantLog(t, mustLog(t, store, keys.Root, 0), want)
	})
}

func untrusted(n int64) release.Entry {
	return release.Entry{Revision: n, Standing: release.StandingUntrusted}
}

// signedStray returns the entry for a revision that from(…, commit) left behind.
func signedStray(n int64, commit string, standing release.Standing) release.Entry {
	e := published(n, commit)
	e.Standing, e.Known = standing, false
	return e
}

// leaveBehind makes a publication fail right before timestamp.json is replaced.
func leaveBehind(t *testing.T, opts release.Options) {
	t.Helper()
	opts.Store = &spy{Store: opts.Store, before: func(name string) error {
		if name == "timestamp.json" {
			return errCrash
		}
		return nil
	}}
	if _, err := release.Publish(t.Context(), opts); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
}

func copyTo(t *testing.T, store release.Store, to, from string) {
	t.Helper()
	if err := store.Put(t.Context(), to, mustGet(t, store, from), release.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// forge puts revision 5 as another revision with the signatures of 5, which are over
// another part of the object, if that is beside, or over nothing in it.
func forge(t *testing.T, store release.Store, revision int, beside bool) {
	t.Helper()
	real := mustGet(t, store, "5.targets.json")
	forged := bytes.Replace(real, []byte(`"version":5`), fmt.Appendf(nil, `"version":%d`, revision), 1)
	if bytes.Equal(forged, real) {
		t.Fatalf("no version in %s", real)
	}
	if beside {
		var envelope struct{ Signed json.RawMessage }
		if err := json.Unmarshal(real, &envelope); err != nil {
			t.Fatal(err)
		}
		forged = fmt.Appendf(bytes.TrimSuffix(bytes.TrimSpace(forged), []byte("}")), `,"SIGNED":%s}`, envelope.Signed)
	}
	if err := store.Put(t.Context(), fmt.Sprint(revision, ".targets.json"), forged, release.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// What was published before timestamp.json was deleted is not part of the new history.
func TestLogAfterStartingAgain(t *testing.T) {
	dir := t.TempDir()
	store, keys := filestore.New(dir), newKeys(t, production)
	mustPublish(t, from(options(store, keys, content{"a": "1"}), "c1"))
	remove(t, dir, "timestamp.json")
	mustPublish(t, from(options(store, keys, content{"a": "2"}), "c2"))
	again := published(2, "c2")
	again.Added = []string{"a"}
	wantLog(t, mustLog(t, store, keys.Root, 0), []release.Entry{again, signedStray(1, "c1", release.StandingUnlinked)})
}

// A revision that was changed, or is gone, ends what is known.
func TestLogWithoutARevision(t *testing.T) {
	keys := newKeys(t, production)
	for name, damage := range map[string]func(t *testing.T, dir string, store release.Store){
		"changed": func(t *testing.T, dir string, store release.Store) {
			data := mustGet(t, store, "2.targets.json")
			overwrite(t, store, "2.targets.json", flip(data, len(data)/2))
		},
		"replaced by another one, signed": func(t *testing.T, dir string, store release.Store) {
			overwrite(t, store, "2.targets.json", mustGet(t, store, "1.targets.json"))
		},
		"endless": func(t *testing.T, dir string, store release.Store) {
			overwrite(t, store, "2.targets.json", make([]byte, 6_000_000))
		},
		"gone": func(t *testing.T, dir string, store release.Store) { remove(t, dir, "2.targets.json") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := filestore.New(dir)
			for i := range 4 {
				mustPublish(t, from(options(store, keys, content{"a": fmt.Sprint(i)}), fmt.Sprint("c", i+1)))
			}
			damage(t, dir, store)
			newest, before := published(4, "c4"), published(3, "c3")
			newest.Changed, before.Known = []string{"a"}, false
			wantLog(t, mustLog(t, store, keys.Root, 0), []release.Entry{
				newest, before, {Revision: 2, Standing: release.StandingLost},
				signedStray(1, "c1", release.StandingUnlinked),
			})
		})
	}
}

// An environment that has expired can be read, one that isn't the root's can't.
func TestLogRefuses(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	read := func(root []byte) error {
		_, err := release.Log(t.Context(), release.LogOptions{Source: storeSource{store}, Root: root})
		return err
	}
	if class, _ := bundle.ClassOf(read(keys.Root)); class != bundle.NotFound {
		t.Error("nothing is published, and that was read")
	}
	old := options(store, keys, content{"a": "1"})
	old.Now = in(-30 * day)
	mustPublish(t, old)
	if err := read(keys.Root); err != nil {
		t.Errorf("what has expired: %v", err)
	}
	if class, _ := bundle.ClassOf(read(newKeys(t, production).Root)); class != bundle.Signature {
		t.Error("another root's environment was read")
	}
	if err := read([]byte("{}")); err == nil {
		t.Error("a root that is none was accepted")
	}
}

func TestProvenanceIsChecked(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	for text, p := range map[string]release.Provenance{
		"the commit is longer":                {Commit: strings.Repeat("c", 101)},
		"the commit contains white space":     {Commit: "one two"},
		"the author is longer":                {Author: strings.Repeat("a", 201)},
		"the author contains characters that": {Author: "\x1b[31m"},
		"the reason contains characters that": {Reason: "one\ntwo"},
		"the reason is longer":                {Reason: strings.Repeat("a", 1001)},
		"the run's URL contains characters":   {RunURL: "https://a/\xff"},
		"the run's URL is not an http":        {RunURL: "file:///etc/passwd"},
		"without a password":                  {RunURL: "https://a:b@c/"},
	} {
		opts := options(store, keys, content{"a": "1"})
		opts.Provenance = p
		wantError(t, opts, text)
		// What is left after cleaning can be signed.
		opts.Provenance = p.Signable()
		opts.DryRun = true
		mustPublish(t, opts)
	}
	whole := from(release.Options{}, "c1").Provenance
	if diff := cmp.Diff(whole, whole.Signable()); diff != "" {
		t.Errorf("what can be signed was changed:\n%s", diff)
	}
}
