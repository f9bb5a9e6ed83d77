package filestore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/internal/storetest"
	"github.com/serin-flags/serin/ci/release"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) release.Store {
		return filestore.New(filepath.Join(t.TempDir(), "prefix", "env"))
	})
}

func TestLeavesOnlyObjects(t *testing.T) {
	dir := t.TempDir()
	store := filestore.New(dir)
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
func TestErrorsNameTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "env")
	store := filestore.New(dir)
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

func TestStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	outside := t.TempDir()
	store := filestore.New(filepath.Join(dir, "env"))
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
