package release_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// A folder is a folder of keys.
type folder string

func newFolder(t *testing.T, opts release.InitOptions) folder {
	t.Helper()
	opts.Dir, opts.Environment = t.TempDir(), production
	if _, err := (release.Opener{}).Init(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	return folder(opts.Dir)
}

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) keys(t *testing.T) release.Keys {
	t.Helper()
	keys, err := release.LoadKeys(string(f))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (f folder) rotate(t *testing.T, opts release.RotateOptions) release.Ceremony {
	t.Helper()
	opts.Dir = string(f)
	made, err := release.Opener{}.Rotate(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// newest returns the newest root, as new builds of clients pin it.
func newest(keys release.Keys) release.Keys {
	if n := len(keys.Newer); n > 0 {
		keys.Root = keys.Newer[n-1]
	}
	return keys
}

// wantContent makes sure that clients see c: one that has seen what was before, one
// that starts with the root it always pinned, and one with the newest root.
func wantContent(t *testing.T, old *reader, keys release.Keys, c content) {
	t.Helper()
	for name, client := range map[string]*reader{
		"old": old, "new": newReader(t, old.store, keys), "newest": newReader(t, old.store, newest(keys)),
	} {
		got, err := client.read(t.Context(), 0)
		if err != nil {
			t.Fatalf("the %s client: %v", name, err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Fatalf("the %s client (-want +read):\n%s", name, diff)
		}
	}
}

func TestRotateOnlineKey(t *testing.T) {
	tests := []struct {
		name    string
		init    release.InitOptions
		rotate  release.RotateOptions
		old     bool // is at hand
		objects []string
	}{
		{"with the old key", release.InitOptions{}, release.RotateOptions{Online: "new"}, true,
			[]string{"2.targets.json", "2.snapshot.json", "timestamp.json", "2.root.json"}},
		{"without", release.InitOptions{}, release.RotateOptions{Online: "new"}, false,
			[]string{"2.targets.json", "2.snapshot.json", "2.root.json", "timestamp.json"}},
		{"targets apart", release.InitOptions{Targets: "new"}, release.RotateOptions{Targets: "new"}, true,
			[]string{"2.targets.json", "2.snapshot.json", "timestamp.json", "2.root.json"}},
		{"apart, timestamps", release.InitOptions{Targets: "new"}, release.RotateOptions{Online: "new"}, false,
			[]string{"2.targets.json", "2.snapshot.json", "2.root.json", "timestamp.json"}},
		{"taking them apart", release.InitOptions{}, release.RotateOptions{Targets: "new"}, true,
			[]string{"2.targets.json", "2.snapshot.json", "timestamp.json", "2.root.json"}},
	}
	for _, tt := range tests {
		refused := "version 2 of the root doesn't trust the online key"
		if tt.init.Targets == "" && tt.rotate.Targets != "" {
			refused = "there is no targets.key"
		}
		t.Run(tt.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, store release.Store) {
				f := newFolder(t, tt.init)
				first, second := content{"a": "1", "b": "1"}, content{"a": "2", "b": "1"}
				before := f.keys(t)
				old := newReader(t, store, before)
				mustPublish(t, options(store, before, first))
				wantContent(t, old, before, first)

				if made := f.rotate(t, tt.rotate); !made.Complete() || filepath.Base(made.Path) != "2.root.json" {
					t.Fatalf("made %+v", made)
				}
				if !tt.old {
					remove(t, string(f), "online.old.key")
				}
				after := f.keys(t)
				wantError(t, release.Options{Store: store, Keys: after, Environment: production, Renew: true},
					"only replaced keys have signed")

				put := &spy{Store: store}
				if tt.old { // nobody notices, at any time
					put.after = func(string) error { wantContent(t, old, before, first); return nil }
				}
				mustPublish(t, options(put, after, first))
				if diff := cmp.Diff(tt.objects, put.put); diff != "" {
					t.Errorf("objects (-want +got):\n%s", diff)
				}
				wantContent(t, old, after, first)

				// From now on everything is as before.
				mustPublish(t, options(store, after, second))
				wantContent(t, old, after, second)
				mustPublish(t, renewal(store, after, 0))
				wantContent(t, old, after, second)
				if report := mustPublish(t, options(store, after, second)); len(report.Objects) > 0 {
					t.Errorf("put %v for nothing", report.Objects)
				}
				wantError(t, options(store, before, first), refused)
				// The history goes on, and knows whose signatures count.
				history := mustLog(t, store, before.Root, 0)
				for i, want := range []bool{true, true, tt.rotate.Online != "" && tt.init.Targets != ""} {
					if e := history.Entries[i]; e.Revision != int64(3-i) || e.Signed != want ||
						e.Standing != release.StandingPublished {
						t.Errorf("history: %+v", e)
					}
				}
				// New builds pin the new root, and the old one isn't needed any more.
				if err := os.Rename(f.path("2.root.json"), f.path("root.json")); err != nil {
					t.Fatal(err)
				}
				mustPublish(t, options(store, f.keys(t), first))
				wantContent(t, old, after, first)
			})
		})
	}
}

// A renewal needs no key for targets, until they expire.
func TestRenewalWithoutTargetsKey(t *testing.T) {
	store := filestore.New(t.TempDir())
	f := newFolder(t, release.InitOptions{Targets: "new"})
	all := f.keys(t)
	mustPublish(t, options(store, all, content{"a": "1"}))
	remove(t, string(f), "targets.key")
	some := f.keys(t)
	for age := 5 * day; age < 364*day; age += 5 * day {
		report := mustPublish(t, renewal(store, some, age))
		if left := time.Until(report.TargetsExpire); left < 364*day || left > 365*day {
			t.Fatalf("targets are said to expire in %v", left)
		}
	}
	wantError(t, options(store, some, content{"a": "2"}),
		"version 1 of the root has a separate key for targets, but there is no targets.key")
}

// A root that only expires later, or has other root keys, is all that is put.
func TestRenewRoot(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		f := newFolder(t, release.InitOptions{NewRootKeys: 3, Threshold: 2})
		c := content{"a": "1"}
		old := newReader(t, store, f.keys(t))
		mustPublish(t, options(store, f.keys(t), c))
		wantContent(t, old, f.keys(t), c)

		f.rotate(t, release.RotateOptions{Now: in(300 * day)})
		report := mustPublish(t, options(store, f.keys(t), c))
		if diff := cmp.Diff([]string{"2.root.json"}, report.Objects); diff != "" || report.Revision != 1 {
			t.Errorf("revision %d, objects (-want +got):\n%s", report.Revision, diff)
		}
		wantContent(t, old, f.keys(t), c)
		// The first root has expired then; the second hasn't.
		late := options(store, f.keys(t), content{"a": "2"})
		late.Now = in(500 * day)
		mustPublish(t, late)
		if got, err := old.read(t.Context(), 500*day); err != nil || got["a"] != "2" {
			t.Errorf("read %v, error %v", got, err)
		}
		// It can be renewed after it has expired, too.
		f.rotate(t, release.RotateOptions{Now: in(700 * day)})
		renewed := renewal(store, f.keys(t), 506*day)
		mustPublish(t, renewed)
		if err := old.verifierAt(t, 506*day); err != nil {
			t.Error(err)
		}
	})
}

// verifierAt returns the error of a client that starts at a time.
func (r *reader) verifierAt(t *testing.T, after time.Duration) error {
	_, err := (&reader{store: r.store, verifier: r.verifier}).read(t.Context(), after)
	return err
}

// A client that was off while five roots came follows them.
func TestFiveRootsBehind(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		f := newFolder(t, release.InitOptions{})
		old := newReader(t, store, f.keys(t))
		mustPublish(t, options(store, f.keys(t), content{"a": "0"}))
		wantContent(t, old, f.keys(t), content{"a": "0"})
		for i := range 5 {
			opts := release.RotateOptions{Online: "new"}
			if i%2 == 1 {
				opts = release.RotateOptions{AddRoots: []string{"new"}}
			}
			f.rotate(t, opts)
			if i%2 == 0 {
				remove(t, string(f), "online.old.key")
			}
			if i != 2 { // twice, two roots go live at once
				mustPublish(t, options(store, f.keys(t), content{"a": fmt.Sprint(i + 1)}))
			}
		}
		wantContent(t, old, f.keys(t), content{"a": "5"})
		if got := old.last.Versions().Root.Version; got != 6 {
			t.Errorf("the client is at root %d", got)
		}
	})
}

// Root keys sign one after the other, and nothing counts before there are enough.
func TestCeremony(t *testing.T) {
	store := filestore.New(t.TempDir())
	f := newFolder(t, release.InitOptions{NewRootKeys: 3, Threshold: 2})
	mustPublish(t, options(store, f.keys(t), content{"a": "1"}))
	for _, name := range []string{"root-1.key", "root-2.key", "root-3.key"} {
		if err := os.Rename(f.path(name), f.path("apart-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	roots, err := release.Roots(string(f))
	if err != nil || len(roots) != 1 || len(roots[0].Roles[0].Keys) != 3 {
		t.Fatalf("roots %+v, error %v", roots, err)
	}
	third := roots[0].Roles[0].Keys[2].ID

	// The third key is replaced by another, and three of three must sign then.
	made := f.rotate(t, release.RotateOptions{RemoveRoots: []string{third[:8]}, AddRoots: []string{"new"},
		Threshold: 3})
	path := made.Path
	if diff := cmp.Diff([]release.Quorum{{Version: 1, Have: 0, Need: 2}, {Version: 2, Have: 1, Need: 3}},
		made.Quorums); diff != "" {
		t.Errorf("signatures at first (-want +got):\n%s", diff)
	}
	var words []string
	opener := release.Opener{Warn: func(message string) { words = append(words, message) }}
	keys, err := opener.Keys(t.Context(), string(f))
	if err != nil || len(keys.Newer) > 0 || len(words) != 1 ||
		!strings.Contains(words[0], "version 2 of the root isn't valid yet: it has 0 of 2 signatures") {
		t.Errorf("%d newer roots, warnings %q, error %v", len(keys.Newer), words, err)
	}
	if report := mustPublish(t, options(store, keys, content{"a": "1"})); len(report.Objects) > 0 {
		t.Errorf("put %v", report.Objects)
	}
	if _, err := opener.Rotate(t.Context(), release.RotateOptions{Dir: string(f)}); err == nil ||
		!strings.Contains(err.Error(), "lacks signatures") {
		t.Errorf("a rotation in a rotation: error %v", err)
	}
	signing := func(keys ...string) release.Ceremony {
		t.Helper()
		var names []string
		for _, key := range keys {
			names = append(names, f.path(key))
		}
		made, err := release.Opener{}.Sign(t.Context(), path, names)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	if made := signing("apart-root-1.key"); made.Complete() || made.Quorums[0].Have != 1 || made.Quorums[1].Have != 2 {
		t.Errorf("after one: %+v", made)
	}
	if made := signing("apart-root-1.key"); made.Quorums[0].Have != 1 {
		t.Errorf("one key signed twice: %+v", made)
	}
	// The key that goes may sign for the old root, which is one of two there.
	if made := signing("apart-root-3.key"); made.Complete() || !made.Quorums[0].Complete() ||
		made.Quorums[1].Have != 2 {
		t.Errorf("after the one that goes: %+v", made)
	}
	if _, err := (release.Opener{}).Sign(t.Context(), path, []string{f.path("online.key")}); err == nil ||
		!strings.Contains(err.Error(), "isn't a root key") {
		t.Errorf("with the online key: error %v", err)
	}
	if made := signing("apart-root-2.key"); !made.Complete() {
		t.Errorf("after all: %+v", made)
	}
	if _, err := (release.Opener{}).Sign(t.Context(), path, []string{f.path("apart-root-1.key")}); err == nil ||
		!strings.Contains(err.Error(), "no root in its folder lacks signatures") {
		t.Errorf("signing what is complete: error %v", err)
	}
	report := mustPublish(t, options(store, f.keys(t), content{"a": "1"}))
	if diff := cmp.Diff([]string{"2.root.json"}, report.Objects); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	wantContent(t, newReader(t, store, f.keys(t)), f.keys(t), content{"a": "1"})
}

// Publishing goes on while a root that names another online key lacks signatures.
func TestPublishDuringACeremony(t *testing.T) {
	store := filestore.New(t.TempDir())
	f := newFolder(t, release.InitOptions{NewRootKeys: 2, Threshold: 2})
	mustPublish(t, options(store, f.keys(t), content{"a": "1"}))
	if err := os.Rename(f.path("root-2.key"), f.path("apart.key")); err != nil {
		t.Fatal(err)
	}
	if made := f.rotate(t, release.RotateOptions{Online: "new"}); made.Complete() {
		t.Fatalf("made %+v", made)
	}
	mustPublish(t, options(store, f.keys(t), content{"a": "2"}))
	mustPublish(t, renewal(store, f.keys(t), 0))
	if _, err := (release.Opener{}).Sign(t.Context(), f.path("2.root.json"),
		[]string{f.path("apart.key")}); err != nil {
		t.Fatal(err)
	}
	mustPublish(t, options(store, f.keys(t), content{"a": "3"}))
	wantContent(t, newReader(t, store, f.keys(t)), f.keys(t), content{"a": "3"})
}

// The first root can be signed by several people too.
func TestFirstCeremony(t *testing.T) {
	mine, yours := newFolder(t, release.InitOptions{}), newFolder(t, release.InitOptions{})
	public := filepath.Join(t.TempDir(), "yours.pub")
	writePublic(t, yours.path("root.key"), public)
	f := newFolder(t, release.InitOptions{RootKeys: []string{mine.path("root.key"), public}, Threshold: 2})
	if _, err := release.LoadKeys(string(f)); err == nil ||
		!strings.Contains(err.Error(), "lacks signatures: it has 1 of 2") {
		t.Errorf("with one of two signatures: error %v", err)
	}
	made, err := release.Opener{}.Sign(t.Context(), f.path("root.json"), []string{yours.path("root.key")})
	if err != nil || !made.Complete() {
		t.Fatalf("signed %+v, error %v", made, err)
	}
	mustPublish(t, options(filestore.New(t.TempDir()), f.keys(t), content{"a": "1"}))
}

// A publisher that dies during a rotation leaves running clients as they were. If it
// has the replaced key, new clients don't notice either.
func TestCrashInRotation(t *testing.T) {
	onEachKind(t, func(t *testing.T, empty func(*testing.T) release.Store) {
		for _, old := range []bool{true, false} {
			for survived := range 5 {
				t.Run(fmt.Sprintf("old key %v, %d survived", old, survived), func(t *testing.T) {
					crashInRotation(t, empty(t), old, survived)
				})
			}
		}
	})
}

// crashInRotation lets a publisher, with or without the old key, die after a
// number of puts.
func crashInRotation(t *testing.T, store release.Store, old bool, survived int) {
	f := newFolder(t, release.InitOptions{})
	c := &crash{store: store, keys: f.keys(t), survived: survived, puts: 4}
	c.clients = newReader(t, store, c.keys)
	first := content{"a": "1", "b": "1"}
	mustPublish(t, options(store, c.keys, first))
	c.check(t, first)
	f.rotate(t, release.RotateOptions{Online: "new"})
	if !old {
		remove(t, string(f), "online.old.key")
	}
	put := &spy{Store: store}
	put.before = func(string) error {
		if len(put.put) == survived {
			return errCrash
		}
		return nil
	}
	_, err := release.Publish(t.Context(), options(put, f.keys(t), first))
	if (survived == 4) != (err == nil) || err != nil && !errors.Is(err, errCrash) {
		t.Fatalf("after %v: error %v", put.put, err)
	}
	if inBetween := !old && survived == 3; !inBetween {
		c.check(t, first)
	} else if _, err := c.clients.read(t.Context(), 0); c.clients.last == nil || err != nil && !isSignature(err) {
		t.Fatalf("in between: error %v", err)
	}
	// The next publisher has the new key alone, as a pipeline does.
	if old {
		remove(t, string(f), "online.old.key")
	}
	for _, next := range []content{first, {"a": "later"}} {
		mustPublish(t, options(store, f.keys(t), next))
		wantContent(t, c.clients, f.keys(t), next)
	}
	if history := mustLog(t, store, c.keys.Root, 0); history.Entries[len(history.Entries)-1].Revision != 1 {
		t.Errorf("history: %+v", history)
	}
}

func isSignature(err error) bool {
	class, _ := bundle.ClassOf(err)
	return class == bundle.Signature
}

// Who stole the online key can't use up all versions, nor go on after the rotation.
func TestRotateAwayFromAThief(t *testing.T) {
	store := filestore.New(t.TempDir())
	f := newFolder(t, release.InitOptions{})
	stolen := f.keys(t)
	mustPublish(t, options(store, stolen, content{"a": "1"}))
	old := newReader(t, store, stolen)
	// The thief publishes, with the highest version there can be.
	mustPublish(t, options(store, stolen, content{"a": "evil"}))
	timestamp, err := metadata.Timestamp().FromBytes(mustGet(t, store, "timestamp.json"))
	if err != nil {
		t.Fatal(err)
	}
	timestamp.Signed.Version = 1<<53 - 1
	message, err := cjson.EncodeCanonical(timestamp.Signed)
	if err != nil {
		t.Fatal(err)
	}
	if timestamp.Signatures[0].Signature, err = stolen.Online.Sign(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	forged, err := timestamp.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, store, "timestamp.json", forged)
	if got, err := old.read(t.Context(), 0); err != nil || got["a"] != "evil" {
		t.Fatalf("read %v, error %v", got, err)
	}
	f.rotate(t, release.RotateOptions{Online: "new"})
	remove(t, string(f), "online.old.key")
	mustPublish(t, options(store, f.keys(t), content{"a": "1"}))
	wantContent(t, old, f.keys(t), content{"a": "1"})

	// The thief puts the forged timestamp back: refused, and mended by the next
	// publication.
	overwrite(t, store, "timestamp.json", forged)
	if _, err := old.read(t.Context(), 0); !isSignature(err) {
		t.Errorf("error %v", err)
	}
	mustPublish(t, options(store, f.keys(t), content{"a": "2"}))
	wantContent(t, old, f.keys(t), content{"a": "2"})
}

// What only a replaced key has signed isn't published again, unless its payloads
// have been since.
func TestRollbackOverRotation(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		f := newFolder(t, release.InitOptions{})
		for _, n := range []string{"1", "2"} {
			mustPublish(t, from(options(store, f.keys(t), content{"a": n}), "c"+n))
		}
		f.rotate(t, release.RotateOptions{Online: "new"})
		remove(t, string(f), "online.old.key")
		keys := f.keys(t)
		for _, n := range []string{"2", "3"} {
			mustPublish(t, options(store, keys, content{"a": n}))
		}
		wantError(t, rollback(store, keys, 1),
			"refusing revision 1, because only a key that is no longer trusted has signed its a; it can be published again from commit c1")
		if report := mustPublish(t, rollback(store, keys, 2)); report.Revision != 5 {
			t.Errorf("report %+v", report)
		}
		if got, _ := mustRead(t, store, keys); got["a"] != "2" {
			t.Errorf("read %v", got)
		}
	})
}

func TestRotateRefuses(t *testing.T) {
	f := newFolder(t, release.InitOptions{})
	refused := func(text string, opts release.RotateOptions) {
		t.Helper()
		opts.Dir = string(f)
		_, err := release.Opener{}.Rotate(t.Context(), opts)
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want one with %q", err, text)
		}
		if entries, _ := os.ReadDir(string(f)); len(entries) != 3 {
			t.Errorf("left %v", entries)
		}
	}
	refused("the threshold of 2 exceeds the number of root keys, 1", release.RotateOptions{Threshold: 2})
	refused(`"00000000" isn't a prefix`, release.RotateOptions{RemoveRoots: []string{"00000000"}})
	refused(`"" isn't a prefix`, release.RotateOptions{RemoveRoots: []string{""}})
	refused("no such file", release.RotateOptions{Online: "nowhere"})
	refused("isn't a root key", release.RotateOptions{SignWith: []string{f.path("online.key")}})
	refused("root.key is a root key already", release.RotateOptions{AddRoots: []string{f.path("root.key")}})
	// What was replaced is kept, and not for ever.
	f.rotate(t, release.RotateOptions{Online: "new"})
	if _, err := (release.Opener{}).Rotate(t.Context(), release.RotateOptions{Dir: string(f),
		Online: "new"}); err == nil || !strings.Contains(err.Error(), "remove it once that rotation is published") {
		t.Errorf("twice: error %v", err)
	}
}

// A newer root that doesn't follow the one before is refused before anything is put.
func TestStrangeRoots(t *testing.T) {
	f := newFolder(t, release.InitOptions{})
	store := filestore.New(t.TempDir())
	mustPublish(t, options(store, f.keys(t), content{"a": "1"}))
	signer, err := release.Opener{}.Signer(t.Context(), f.path("root.key"))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(root *metadata.RootType)) []byte {
		root, err := metadata.Root().FromBytes(f.keys(t).Root)
		if err != nil {
			t.Fatal(err)
		}
		change(&root.Signed)
		message, err := cjson.EncodeCanonical(root.Signed)
		if err != nil {
			t.Fatal(err)
		}
		if root.Signatures[0].Signature, err = signer.Sign(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		data, err := root.ToBytes(false)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, tt := range map[string]struct {
		root []byte
		want string
	}{
		"another environment": {changed(func(r *metadata.RootType) {
			r.Version,
				r.UnrecognizedFields["x-serin-environment"] = 2, "staging"
		}), `version 2 of environment "staging"`},
		"another version": {changed(func(r *metadata.RootType) { r.Version = 3 }), "is version 3"},
		"the same":        {f.keys(t).Root, "is version 1"},
		"garbage":         {[]byte("garbage"), "malformed"},
		"a key of small order": {changed(func(r *metadata.RootType) {
			r.Version = 2
			key := &metadata.Key{Type: "ed25519", Scheme: "ed25519",
				Value: metadata.KeyVal{PublicKey: "01" + strings.Repeat("00", 31)}}
			if err := r.AddKey(key, metadata.TIMESTAMP); err != nil {
				t.Fatal(err)
			}
		}), "small order"},
		"null":     {[]byte(`{"signed":{"_type":"root","keys":{"a":null}},"signatures":[]}`), "malformed"},
		"too long": {make([]byte, 600<<10), "too large"},
	} {
		if err := os.WriteFile(f.path("2.root.json"), tt.root, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := release.LoadKeys(string(f)); err == nil || !strings.Contains(err.Error(), tt.want) ||
			!strings.Contains(err.Error(), "2.root.json") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	// Keys that were put together by hand are checked, too.
	remove(t, string(f), "2.root.json")
	keys := f.keys(t)
	keys.Newer = [][]byte{newKeys(t, production).Root}
	if report := mustPublish(t, options(store, keys, content{"a": "1"})); len(report.Objects) > 0 {
		t.Errorf("put %v", report.Objects)
	}
	keys.Newer = [][]byte{[]byte("garbage")}
	wantError(t, options(store, keys, content{"a": "2"}), "reading a newer root")
}

// What clients with the old root would refuse isn't put, either.
func TestBridgeIsVerified(t *testing.T) {
	f := newFolder(t, release.InitOptions{})
	store := filestore.New(t.TempDir())
	mustPublish(t, options(store, f.keys(t), content{"a": "1"}))
	f.rotate(t, release.RotateOptions{Online: "new"})
	keys := f.keys(t)
	keys.Replaced = []release.Signer{liar{keys.Replaced[0]}}
	_, err := release.Publish(t.Context(), options(store, keys, content{"a": "2"}))
	if !isSignature(err) || !strings.Contains(err.Error(), "would be published") {
		t.Errorf("error %v", err)
	}
	if got, _ := mustRead(t, store, keys); got["a"] != "1" {
		t.Errorf("read %v", got)
	}
}
