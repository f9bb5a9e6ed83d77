package release_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// TestKilledPublishers checks that temporary files of publishers that were killed are
// removed by the next one, but no others.
func TestKilledPublishers(t *testing.T) {
	dir := t.TempDir()
	store, keys := filestore.New(dir), newKeys(t, production)
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
	store, keys := filestore.New(filepath.Join(dir, "store")), newKeys(t, production)
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
