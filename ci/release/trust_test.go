package release_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// objects returns the names of all that the publication of c put.
func publishAndList(t *testing.T, store release.Store, keys release.Keys, c content) []string {
	t.Helper()
	return mustPublish(t, options(store, keys, c)).Objects
}

func overwrite(t *testing.T, store release.Store, name string, data []byte) {
	t.Helper()
	if err := store.Put(t.Context(), name, data, release.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func mustGet(t *testing.T, store release.Store, name string) []byte {
	t.Helper()
	data, _, err := store.Get(t.Context(), name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A publisher builds upon nothing that its pinned root doesn't vouch for.
func TestTamperedStoreIsRefused(t *testing.T) {
	const refused = "refusing to build on what is published"
	keys := newKeys(t, production)
	names := publishAndList(t, filestore.New(t.TempDir()), keys, content{"a": "1", "b": "1"})
	for _, name := range names {
		if name == "1.root.json" {
			continue // nobody reads it
		}
		t.Run(strings.ReplaceAll(name, "/", " "), func(t *testing.T) {
			store := filestore.New(t.TempDir())
			mustPublish(t, options(store, keys, content{"a": "1", "b": "1"}))
			data := mustGet(t, store, name)
			for where, tampered := range map[string][]byte{
				"a flipped bit":   flip(data, len(data)/2),
				"a byte too few":  data[:len(data)-1],
				"a byte too many": append(bytes.Clone(data), 'x'),
				"nothing":         {},
			} {
				overwrite(t, store, name, tampered)
				for _, opts := range []release.Options{
					options(store, keys, content{"a": "1", "b": "1"}),
					options(store, keys, content{"a": "2"}),
					renewal(store, keys, 0),
				} {
					t.Log(where)
					wantError(t, opts, refused)
				}
			}
		})
	}
	t.Run("planted root", func(t *testing.T) {
		store := filestore.New(t.TempDir())
		mustPublish(t, options(store, keys, content{"a": "1"}))
		overwrite(t, store, "2.root.json", newKeys(t, production).Root)
		wantError(t, options(store, keys, content{"a": "2"}), refused)
	})
}

func flip(data []byte, i int) []byte {
	data = bytes.Clone(data)
	data[i] ^= 1
	return data
}

// What is in the way of the next publication is skipped or repaired.
func TestPlantedObjects(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		// The names that both publications will want.
		var names []string
		other := filestore.New(t.TempDir())
		for _, c := range []content{{"a": "1"}, {"a": "2"}} {
			names = append(names, publishAndList(t, other, keys, c)...)
		}
		for _, name := range names {
			if name != "timestamp.json" && name != "1.root.json" {
				plant(t, store, name)
			}
		}
		for i, c := range []content{{"a": "1"}, {"a": "2"}} {
			report := mustPublish(t, options(store, keys, c))
			if want := int64(3 + i); report.Revision != want {
				t.Errorf("revision %d, want %d", report.Revision, want)
			}
			if got, _ := mustRead(t, store, keys); !cmp.Equal(got, c) {
				t.Errorf("read %v, published %v", got, c)
			}
		}
	})
	t.Run("another root", func(t *testing.T) {
		store := filestore.New(t.TempDir())
		plant(t, store, "1.root.json")
		_, err := release.Publish(t.Context(), options(store, newKeys(t, production), content{"a": "1"}))
		if err == nil || !strings.Contains(err.Error(), "the store has another 1.root.json") {
			t.Errorf("got error %v", err)
		}
	})
}

// Somebody puts an old timestamp.json back, which clients refuse, or deletes it.
// Publishing gives them something new, be it the old content.
func TestRestoredTimestamp(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		old, next := content{"a": "old"}, content{"a": "new"}
		clients := newReader(t, store, keys)
		var revision int64
		for range 3 {
			mustPublish(t, options(store, keys, old))
			timestamp := mustGet(t, store, "timestamp.json")
			mustPublish(t, options(store, keys, next))
			if _, err := clients.read(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			overwrite(t, store, "timestamp.json", timestamp)
			_, err := clients.read(t.Context(), 0)
			if class, _ := bundle.ClassOf(err); class != bundle.Rollback {
				t.Fatalf("after an old timestamp.json was put back: error %v", err)
			}

			report := mustPublish(t, options(store, keys, old))
			got, err := clients.read(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(old, got); diff != "" {
				t.Errorf("content (-published +read):\n%s", diff)
			}
			if report.Revision <= revision || len(report.Changed) > 0 {
				t.Errorf("report: %+v, the revision before was %d", report, revision)
			}
			revision = report.Revision
		}
	})
}

// Unlike a publication, a renewal gives the content of the store no authority.
func TestRenewalOfRestoredTimestamp(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	mustPublish(t, options(store, keys, content{"a": "old"}))
	timestamp := mustGet(t, store, "timestamp.json")
	mustPublish(t, options(store, keys, content{"a": "new"}))
	clients := newReader(t, store, keys)
	if _, err := clients.read(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	overwrite(t, store, "timestamp.json", timestamp)
	mustPublish(t, renewal(store, keys, 0))
	_, err := clients.read(t.Context(), 0)
	if class, _ := bundle.ClassOf(err); class != bundle.Rollback {
		t.Errorf("after the renewal: error %v", err)
	}
}

func TestDeletedTimestamp(t *testing.T) {
	dir := t.TempDir()
	store := filestore.New(dir)
	keys := newKeys(t, production)
	clients := newReader(t, store, keys)
	for i := range 3 {
		mustPublish(t, options(store, keys, content{"a": fmt.Sprint(i)}))
		mustPublish(t, renewal(store, keys, 0))
		if _, err := clients.read(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	remove(t, dir, "timestamp.json")
	mustPublish(t, options(store, keys, content{"a": "again"}))
	got, err := clients.read(t.Context(), 0)
	if err != nil || got["a"] != "again" {
		t.Errorf("read %v, error %v", got, err)
	}
}

func TestWrongKeysAreRefused(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	mustPublish(t, options(store, keys, content{"a": "1"}))
	others := newKeys(t, production)
	staging := newKeys(t, "staging")
	c := content{"a": "2"}

	wantError(t, options(store, others, c), "belongs to other keys")
	wantError(t, options(store, release.Keys{Root: keys.Root, Online: others.Online}, c),
		"does the key belong to this root.json?")
	wantError(t, options(filestore.New(t.TempDir()), release.Keys{Root: keys.Root, Online: others.Online}, c),
		"does the key belong to this root.json?")
	wantError(t, options(store, staging, c), `the keys are those of environment "staging"`)
	wantError(t, release.Options{Store: store, Keys: staging, Environment: "staging",
		Payloads: c.payloads("staging")}, "belongs to other keys")
	wantError(t, release.Options{Store: store, Keys: keys, Environment: production, Payloads: c.payloads("staging")},
		`was compiled for environment "staging"`)

	expired := options(store, keys, c)
	expired.Now = in(release.RootLifetime + day)
	wantError(t, expired, "root expired")
	failing := options(store, release.Keys{Root: keys.Root, Online: failingSigner{keys.Online.Public()}}, c)
	if _, err := release.Publish(t.Context(), failing); !errors.Is(err, errNoSignature) {
		t.Errorf("with a signer that fails: error %v", err)
	}
	if got, revision := mustRead(t, store, keys); got["a"] != "1" || revision != 1 {
		t.Errorf("read revision %d, %v", revision, got)
	}
}

var errNoSignature = errors.New("the key is being kept")

// A failingSigner is one that may not use its key.
type failingSigner struct{ key crypto.PublicKey }

func (s failingSigner) Public() crypto.PublicKey { return s.key }

func (s failingSigner) Sign(context.Context, []byte) ([]byte, error) { return nil, errNoSignature }

// A liar is a signer whose signatures are of something else.
type liar struct{ release.Signer }

func (s liar) Sign(ctx context.Context, _ []byte) ([]byte, error) {
	return s.Signer.Sign(ctx, []byte("something else"))
}

// Nothing goes live that clients would refuse.
func TestUnacceptablePublication(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	mustPublish(t, options(store, keys, content{"a": "1"}))
	_, err := release.Publish(t.Context(),
		options(store, release.Keys{Root: keys.Root, Online: liar{keys.Online}}, content{"a": "2"}))
	if class, _ := bundle.ClassOf(err); class != bundle.Signature ||
		!strings.Contains(err.Error(), "would be published") {
		t.Errorf("with wrong signatures: error %v", err)
	}
	if got, revision := mustRead(t, store, keys); got["a"] != "1" || revision != 1 {
		t.Errorf("read revision %d, %v", revision, got)
	}
}

func TestWrongOptions(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	good := options(store, keys, content{"a": "1"})
	for text, change := range map[string]func(o *release.Options){
		"a store and an online key are required": func(o *release.Options) { o.Store = nil },
		"an online key are required":             func(o *release.Options) { o.Keys.Online = nil },
		"reading the pinned root":                func(o *release.Options) { o.Keys.Root = []byte("{}") },
		"no namespaces to publish":               func(o *release.Options) { o.Payloads = nil },
		"occurs twice": func(o *release.Options) {
			o.Payloads = append(o.Payloads,
				o.Payloads[0])
		},
		"can't be the name of a namespace": func(
			o *release.Options) {
			o.Payloads = content{"../a": "1"}.payloads(production)
		},
		`encoding namespace "a"`: func(o *release.Options) {
			o.Payloads = content{"a": "1"}.payloads(production)
			o.Payloads[0].Ruleset.Flags[0].Variants = nil
		},
	} {
		opts := good
		change(&opts)
		wantError(t, opts, text)
	}
}
