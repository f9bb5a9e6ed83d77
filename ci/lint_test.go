package ci

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/ci/internal/problem"
	"golang.org/x/tools/txtar"
)

// lintTime is the time of the scenarios of testdata/lint.
var lintTime = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

// TestLints lints the scenarios of testdata/lint, each an estate of its own, and
// compares the warnings.
func TestLints(t *testing.T) {
	paths, err := filepath.Glob("testdata/lint/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	said := make(map[string]bool)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fsys := archived(t, archive)
			e, err := LoadFS(fsys, "flags")
			if err != nil {
				t.Fatal(err)
			}
			warnings := e.Lint(LintOptions{Now: lintTime})
			checkPlaces(t, fsys, warnings)
			var out bytes.Buffer
			if err := warnings.Write(&out); err != nil {
				t.Fatal(err)
			}
			compareWant(t, path, archive, out.String())
			for _, w := range warnings {
				said[w.Lint] = true
				if w.Severity != SeverityWarning {
					t.Errorf("%v is no warning", w)
				}
			}
			for range 3 { // goroutines and maps are not to be seen
				again := e.Lint(LintOptions{Now: lintTime})
				if !slices.Equal(again, warnings) {
					t.Errorf("linted again, there are other warnings: %v", again)
				}
			}
		})
	}
	for _, name := range problem.Lints {
		if !said[name] {
			t.Errorf("no scenario has a warning of %s", name)
		}
	}

}

// archived returns the files of an archive but what is wanted of them.
func archived(t *testing.T, archive *txtar.Archive) fstest.MapFS {
	t.Helper()
	fsys := make(fstest.MapFS)
	for _, f := range archive.Files {
		data := f.Data
		name, quoted := strings.CutSuffix(f.Name, ".quoted")
		if quoted {
			data = unquote(t, data)
		}
		if name != want {
			fsys[name] = &fstest.MapFile{Data: data}
		}
	}
	return fsys
}

// TestLintWithoutTime holds that what depends on the time isn't guessed, and that
// its silences aren't called unused.
func TestLintWithoutTime(t *testing.T) {
	fsys := fstest.MapFS{
		"context.yaml": file("attributes: {user: {type: string, unit: true}}\n"),
		"a/x.yaml":     file("type: boolean\ndefault: off\nexpires: 2020-01-01\n"),
		"a/y.yaml":     file("type: boolean\ndefault: off\nexpires: 2020-01-01\nlint: {expired-flag: kept}\n"),
	}
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	if warnings := e.Lint(LintOptions{}); len(warnings) > 0 {
		t.Errorf("without a time there are warnings: %v", warnings)
	}
	if warnings := e.Lint(LintOptions{Now: lintTime}); len(warnings) != 1 || warnings[0].Lint != problem.LintExpiredFlag {
		t.Errorf("got warnings %v, want one that flag x has expired", warnings)
	}
}

// TestLintOwnEstate holds that the example estate has no warnings, as of the day
// it is made for.
func TestLintOwnEstate(t *testing.T) {
	e, err := Load("../flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range e.Lint(LintOptions{Now: lintTime}) {
		t.Error(w)
	}
}

// TestLintManyWarnings holds that what is said of one file is bounded.
func TestLintManyWarnings(t *testing.T) {
	fsys := fstest.MapFS{
		"context.yaml": file("attributes: {user: {type: string, unit: true}}\n"),
		"a/x.yaml": file(
			"type: boolean\ndefault: off\nrules: [{name: a, when: {user: {list: ids.txt}}, serve: on}]\n"),
		"a/ids.txt": file(strings.Repeat("u-1 \n", 10_000)),
	}
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	warnings := e.Lint(LintOptions{})
	if n := len(warnings); n != problem.Max+1 {
		t.Errorf("there are %d warnings, want %d", n, problem.Max+1)
	}
	if !slices.ContainsFunc(warnings, func(p Problem) bool {
		return p.Message == "there are more warnings about this file than are shown"
	}) {
		t.Error("none says that there are more")
	}
}
