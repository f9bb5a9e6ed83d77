package release_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/internal/storetest"
	"github.com/serin-flags/serin/ci/release"
)

func TestFileStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) release.Store {
		return release.FileStore(filepath.Join(t.TempDir(), "prefix", "env"))
	})
}

func TestFileStoreLeavesOnlyObjects(t *testing.T) {
	dir := t.TempDir()
	store := release.FileStore(dir)
	for _, opts := range []release.PutOptions{{}, {IfNoneMatch: true}, {IfMatch: `"other"`}, {}} {
		store.Put(t.Context(), "targets/a/object", []byte("content"), opts)
	}
	var names []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() {
			names = append(names, filepath.ToSlash(strings.TrimPrefix(path, dir)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/.serin.lock", "/targets/a/object"}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// An error of the system names what is in the folder, and not where that is.
func TestFileStoreErrorsNameTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "env")
	store := release.FileStore(dir)
	if err := store.Put(t.Context(), "a", nil, release.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "a/b", nil, release.PutOptions{}); err == nil ||
		!strings.Contains(err.Error(), dir) {
		t.Errorf("writing below a file: error %v, which doesn't name %s", err, dir)
	}
	if err := store.Put(t.Context(), "a", nil, release.PutOptions{IfNoneMatch: true}); !errors.Is(err,
		release.ErrConflict) {
		t.Errorf("writing what exists: error %v, not a conflict", err)
	}
}

func TestFileStoreStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	outside := t.TempDir()
	store := release.FileStore(filepath.Join(dir, "env"))
	if err := store.Put(t.Context(), "inside", nil, release.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "env", "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../object", "a/../../object", filepath.Join(dir, "object"), "link/secret",
		"link/object", ""} {
		if _, _, err := store.Get(t.Context(), name, 100); err == nil {
			t.Errorf("reading %q succeeded", name)
		}
		for _, opts := range []release.PutOptions{{}, {IfNoneMatch: true}} {
			if err := store.Put(t.Context(), name, []byte("x"), opts); err == nil {
				t.Errorf("writing %q with %+v succeeded", name, opts)
			}
		}
	}
	for _, folder := range []string{dir, outside} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Errorf("%s holds %v", folder, entries)
		}
	}
}

// TestKilledPublishers checks that temporary files of publishers that were killed are
// removed by the next one, but no others.
func TestKilledPublishers(t *testing.T) {
	dir := t.TempDir()
	store, keys := release.FileStore(dir), newKeys(t, production)
	mustPublish(t, options(store, keys, content{"a": "1"}))
	age := map[string]time.Duration{
		".serin-old.tmp": 2 * time.Hour, "targets/a/.serin-old.tmp": 2 * time.Hour,
		".serin-young.tmp": time.Minute, "mine.tmp": day, ".serin-mine": day, "targets/.serin-elsewhere.tmp": day,
	}
	for name, age := range age {
		writeOld(t, filepath.Join(dir, filepath.FromSlash(name)), age)
	}
	if err := os.Mkdir(filepath.Join(dir, ".serin-folder.tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	mustPublish(t, options(store, keys, content{"a": "2"}))
	for name, want := range map[string]bool{
		".serin-old.tmp": false, "targets/a/.serin-old.tmp": false,
		".serin-young.tmp": true, "mine.tmp": true, ".serin-mine": true, ".serin-folder.tmp": true,
	} {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKilledBakes does the same for the temporary folders of copies, and for the file that
// replaces a root.
func TestKilledBakes(t *testing.T) {
	dir := t.TempDir()
	store, keys := release.FileStore(filepath.Join(dir, "store")), newKeys(t, production)
	mustPublish(t, options(store, keys, content{"a": "1"}))
	for name, age := range map[string]time.Duration{".serin-bake-1/new/x": 2 * time.Hour, ".serin-bake-2/x": 0,
		"bake-3/x": day} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		writeOld(t, file, age)
		then := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, strings.Split(name, "/")[0]), then, then); err != nil {
			t.Fatal(err)
		}
	}
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: keys.Root})
	if err != nil {
		t.Fatal(err)
	}
	baked, err := release.Pull(t.Context(), storeSource{store}, verifier, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := baked.Write(filepath.Join(dir, "copy")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{".serin-bake-1": false, ".serin-bake-2": true, "bake-3": true,
		"copy": true} {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// writeOld writes a file that was last changed some time ago.
func writeOld(t *testing.T, file string, age time.Duration) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(file, then, then); err != nil {
		t.Fatal(err)
	}
}
