package diff_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
)

var update = flag.Bool("update", false, "write the golden files of this package")

// at is when ramps of the tests are compared: noon of 28 November 2026, UTC.
const at = 1795867200

// load makes an estate of files, whose names are below a prefix.
func load(t testing.TB, archive *txtar.Archive, prefix string) *ci.Estate {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, f := range archive.Files {
		for _, p := range []string{prefix, "both/"} {
			if name, ok := strings.CutPrefix(f.Name, p); ok {
				fsys[name] = &fstest.MapFile{Data: f.Data}
			}
		}
	}
	e, err := ci.LoadFS(fsys, strings.TrimSuffix(prefix, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// config returns the comparison of two estates in all environments of the new
// one.
func config(t testing.TB, old, new *ci.Estate) diff.Config {
	t.Helper()
	envs := new.Environments()
	if len(envs) == 0 {
		envs = []string{""}
	}
	c := diff.Config{Now: at}
	for _, env := range envs {
		a, err := old.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		b, err := new.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		c.Pairs = append(c.Pairs, diff.Pair{Environment: env, Old: a, New: b})
	}
	return c
}

func compare(t testing.TB, c diff.Config) diff.Report {
	t.Helper()
	r, err := diff.Compare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGolden compares the estates old/ and new/ of each archive, with the files
// of both/, and the reports with those beside it.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			c := config(t, load(t, archive, "old/"), load(t, archive, "new/"))
			for _, f := range archive.Files {
				if f.Name == "users.ndjson" {
					c.Population = diff.NewPopulation(bytes.NewReader(f.Data), f.Name, int64(len(f.Data)))
				}
			}
			r := compare(t, c)
			r.Old, r.New = "git:main", "flags"
			var text, markdown, json bytes.Buffer
			for w, err := range map[*bytes.Buffer]error{&text: r.Text(&text), &markdown: r.Markdown(&markdown),
				&json: r.JSON(&json)} {
				if err != nil || w.Len() == 0 {
					t.Fatalf("writing: %v", err)
				}
			}
			golden(t, strings.TrimSuffix(name, ".txtar")+".txt", text.Bytes())
			golden(t, strings.TrimSuffix(name, ".txtar")+".md", markdown.Bytes())
			golden(t, strings.TrimSuffix(name, ".txtar")+".json", json.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s: -want +got:\n%s", name, d)
	}
}
