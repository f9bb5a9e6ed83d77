package ci

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/soak"
	"golang.org/x/tools/txtar"
)

// folderSchemas compiles the schemas of an estate without problems.
func folderSchemas(t testing.TB, fsys fs.FS) schemas {
	t.Helper()
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	files, err := e.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	return compileFiles(t, files)
}

// TestFolderSchemasAcceptTheirEstates holds that no folder's schemas refuse what is right.
func TestFolderSchemasAcceptTheirEstates(t *testing.T) {
	for name, fsys := range goodEstates(t) {
		compiled := folderSchemas(t, fsys)
		for path, s := range parsed(t, fsys) {
			if err := compiled.verdict(s.Role, s.Root); err != nil {
				t.Errorf("%s: %s: %v", name, path, err)
			}
		}
	}
}

// overlooked are the mistakes in testdata/typos.txtar that an editor doesn't mark.
var overlooked = []string{
	"flag that asks for itself",
	"three shares that come to 99%",
}

// TestFolderSchemasRefuseMistakes holds that the schemas of a folder see nearly all
// mistakes that a person makes in one of its files.
func TestFolderSchemasRefuseMistakes(t *testing.T) {
	estate, mistakes := mistakes(t)
	general, own := compileSchemas(t), folderSchemas(t, estate)
	var accepted []string
	before := 0
	for _, name := range slices.Sorted(maps.Keys(mistakes)) {
		fsys := maps.Clone(estate)
		maps.Copy(fsys, mistakes[name])
		_, err := LoadFS(fsys, "flags")
		if problems := Problems(nil); !errors.As(err, &problems) {
			t.Errorf("%s: the check accepts it: %v", name, err)
		}
		for path := range mistakes[name] {
			s := parsed(t, fsys)[path]
			if own.verdict(s.Role, s.Root) == nil {
				accepted = append(accepted, name)
			}
			if general.verdict(s.Role, s.Root) == nil {
				before++
			}
		}
	}
	t.Logf("of %d mistakes, the folder's schemas overlook %d, and the general ones %d", len(mistakes),
		len(accepted), before)
	if len(mistakes) < 36 || !slices.Equal(accepted, overlooked) {
		t.Errorf("of %d mistakes, the schemas overlook %q", len(mistakes), accepted)
	}
	if len(accepted) > 4 {
		t.Errorf("%d is more than 4", len(accepted))
	}
}

// mistakes returns the estate of testdata/typos.txtar, and by its name each mistake on top
// of it.
func mistakes(t *testing.T) (estate fstest.MapFS, mistakes map[string]fstest.MapFS) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/typos.txtar")
	if err != nil {
		t.Fatal(err)
	}
	estate, mistakes = make(fstest.MapFS), make(map[string]fstest.MapFS)
	for _, f := range archive.Files {
		name, path, _ := strings.Cut(f.Name, "/")
		if name == "base" {
			estate[path] = &fstest.MapFile{Data: f.Data}
			continue
		}
		if mistakes[name] != nil {
			t.Errorf("there are two mistakes called %q", name)
		}
		mistakes[name] = fstest.MapFS{path: {Data: f.Data}}
	}
	return estate, mistakes
}

// TestFolderSchemasOnMutations spoils one value after the other and holds that the
// schemas of the folder as it was refuse nothing that the check accepts, apart from new
// names.
func TestFolderSchemasOnMutations(t *testing.T) {
	estates := goodEstates(t)
	delete(estates, "flags") // which takes long to load, and is much like the others
	total, refused, stride := 0, 0, soak.Times(7, 1)
	for _, name := range slices.Sorted(maps.Keys(estates)) {
		fsys := estates[name]
		compiled := folderSchemas(t, fsys)
		files := parsed(t, fsys)
		seen := make(map[string]bool)
		for _, path := range slices.Sorted(maps.Keys(files)) {
			s := files[path]
			if s.Role == source.ContextFile || s.Role == source.ConfigFile {
				continue // they declare names
			}
			for _, m := range mutations(s.Root) {
				alike := fmt.Sprint(s.Role, m.alike)
				if seen[alike] {
					continue
				}
				seen[alike] = true
				if total++; total%stride != 0 {
					continue
				}
				root := m.root()
				refusal := compiled.verdict(s.Role, root)
				if refusal == nil {
					continue
				}
				refused++
				if len(recheck(t, fsys, s, root)) == 0 {
					t.Errorf("%s: %s: %s: the folder's schema refuses what the check accepts: %v", name, path,
						m.what, refusal)
				}
			}
		}
	}
	t.Logf("%d mutations are refused", refused)
	if refused < 200 {
		t.Errorf("only %d mutations are refused", refused)
	}
}

// compileFiles compiles schemas by their names.
func compileFiles(t testing.TB, files map[string][]byte) schemas {
	t.Helper()
	if len(files) != len(schemaFiles)+1 {
		t.Fatalf("there are the schemas %q", slices.Sorted(maps.Keys(files)))
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	const base = "https://schema.invalid/"
	for path, data := range files {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if err := c.AddResource(base+path, doc); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	compiled := make(schemas)
	for r, path := range schemaFiles {
		var err error
		if compiled[r], err = c.Compile(base + path); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}
