package ci

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/internal/source"
	"golang.org/x/tools/txtar"
)

// TestEffective holds that flags shown for an environment are the same flags:
// an estate that is made of them compiles to the same payloads. It does so with
// the repository's own flags and with all scenarios without faults.
func TestEffective(t *testing.T) {
	estates := map[string]fstest.MapFS{"flags": readAll(t, os.DirFS("../flags"))}
	delete(estates["flags"], LockFile) // it is of flags with their environments
	paths, err := filepath.Glob("testdata/good/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	for _, p := range paths {
		archive, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		estates[filepath.Base(p)] = scenario(t, archive)
	}
	// A ramp of what an environment has made the default: allowed there, but
	// not in a flag's own rules.
	ramps := estates["ramps.txtar"]["shop/steps.yaml"]
	ramps.Data = bytes.Replace(ramps.Data, []byte("  staging: {default: on}"), []byte("  staging: {enabled: true}"), 1)
	replaced := 0
	for name, fsys := range estates {
		t.Run(name, func(t *testing.T) { replaced += checkEffective(t, fsys) })
	}
	if replaced < 20 {
		t.Errorf("%d keys were replaced by environments; too few to hold anything", replaced)
	}
}

// checkEffective shows all flags of an estate in all environments. It returns
// how many keys environments replaced.
func checkEffective(t *testing.T, fsys fstest.MapFS) (replaced int) {
	t.Helper()
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range append([]string{""}, e.Environments()...) {
		shown := maps.Clone(fsys)
		maps.DeleteFunc(shown,
			func(name string, _ *fstest.MapFile) bool { return source.RoleOf(name) == source.TestFile })
		for _, key := range e.Keys() {
			f, err := e.Effective(key, environment)
			if err != nil {
				t.Fatal(err)
			}
			text := f.YAML()
			if n := strings.Count(text, "  # environments."+environment+"\n"); environment != "" &&
				n < len(f.Replaced) {
				t.Errorf("%s in %s: %d of %d keys say that they are replaced:\n%s", key, environment, n,
					len(f.Replaced), text)
			}
			replaced += len(f.Replaced)
			delete(shown, path.Clean(strings.TrimPrefix(filepath.ToSlash(f.File), "flags/")))
			shown[path.Join(f.Namespace, key+".yaml")] = file(text)
		}
		again, err := LoadFS(shown, "flags")
		if err != nil {
			t.Fatalf("environment %q: what is shown has problems: %v", environment, err)
		}
		// What is shown leaves nothing to environments, but a guard may count in one.
		in := ""
		if len(e.flags.Plans(environment)) > 0 {
			in = environment
		}
		if diff := cmp.Diff(compileAll(t, e, environment), compileAll(t, again, in)); diff != "" {
			t.Errorf("environment %q: -flags +what is shown:\n%s", environment, diff)
		}
	}
	return replaced
}

// compileAll returns the payloads of an environment as they are published.
func compileAll(t *testing.T, e *Estate, environment string) map[string]string {
	t.Helper()
	payloads, err := e.Compile(environment)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string, len(payloads))
	for _, p := range payloads {
		p.Environment = "any" // payloads name one
		data, _, err := bundle.EncodePayload(p)
		if err != nil {
			t.Fatal(err)
		}
		all[p.Namespace] = string(data)
	}
	return all
}

// readAll returns the files of a folder.
func readAll(t *testing.T, from fs.FS) fstest.MapFS {
	t.Helper()
	fsys := make(fstest.MapFS)
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, name)
		fsys[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}
