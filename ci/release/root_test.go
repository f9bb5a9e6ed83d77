package release

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A root that came from somebody else is described or refused, whatever it holds, and
// so is what should follow it.
func FuzzRoot(f *testing.F) {
	dir := f.TempDir()
	if _, err := (Opener{}).Init(f.Context(),
		InitOptions{Dir: dir, Environment: "e", NewRootKeys: 2, Threshold: 2, Targets: newKeyword}); err != nil {
		f.Fatal(err)
	}
	if _, err := (Opener{}).Rotate(f.Context(), RotateOptions{Dir: dir, Online: newKeyword, Threshold: 1}); err != nil {
		f.Fatal(err)
	}
	roots, err := readLineage(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{rootFile, "2.root.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRoot(data)
		if err != nil {
			return
		}
		info, err := r.describe("", &roots.last)
		if err == nil && (info.Version < 1 || info.Environment == "" || len(info.Roles) != 4 ||
			len(info.Quorums) != 2) {
			t.Errorf("described as %+v", info)
		}
		if next, err := r.next(time.Now()); err == nil && next.Signed.Version != r.Signed.Version+1 {
			t.Errorf("version %d follows %d", next.Signed.Version, r.Signed.Version)
		}
	})
}
