package ci

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/source"
	"golang.org/x/tools/txtar"
)

// addFiles adds the files of all scenarios whose name match accepts as seeds.
func addFiles(f *testing.F, match func(name string) bool) {
	f.Helper()
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	for _, path := range append(paths, "testdata/base.txtar") {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if match(file.Name) {
				f.Add(file.Data)
			}
		}
	}
	for _, text := range []string{
		"", "\n", "\t", "- ", "a", "a:", "a: ", ": a", "? a\n: b\n", "a: &a [*a]", "{", "}", "[", "]", "{a", "[a: b]",
		"'", "\"", "|", ">", "%", "@", "`", "!", "&", "*",
		"a: |\n", "a: >-\n  b\n\n c\n", "a: \"\\x\"", "a: b: c", "- - - a", "---\n---\n", "...\n", "--- a\n", "# c\n",
		"a: # c\n  b\n", "\ufeffa: b\n", "a:\r\n  b: c\r\n", "a: \x00\n", "a: \xff\n", "{a: b, a: c}",
		"{\"a\":\"b\"}", "[[[[[[[[[[[[", strings.Repeat("{a: ", 60), strings.Repeat("- ", 60),
	} {
		f.Add([]byte(text))
	}
}

// checkLoad loads an estate and holds what must be true whatever is in it.
func checkLoad(t *testing.T, fsys fstest.MapFS) {
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		checkProblems(t, fsys, err)
		return
	}
	for _, environment := range append([]string{""}, e.Environments()...) {
		if err := compileModules(e, environment); err != nil {
			t.Errorf("an estate without problems doesn't compile: %v", err)
		}
		checkShown(t, e, environment)
	}
	checkPlaces(t, fsys, e.Lint(LintOptions{Now: lintTime}))
	for _, test := range e.tests {
		if test.Population != nil && test.Population.Count > 1000 {
			return // not of interest, but slow
		}
	}
	checkPlaces(t, fsys, e.Test(TestOptions{}).Problems())
}

// checkShown holds that flags are shown as YAML.
func checkShown(t *testing.T, e *Estate, environment string) {
	for _, key := range e.Keys() {
		f, err := e.Effective(key, environment)
		if err != nil {
			t.Fatal(err)
		}
		parseFlag(t, f.YAML())
	}
}

// parseFlag returns the root of a flag file of that text, which must be right.
func parseFlag(t *testing.T, text string) *source.Node {
	t.Helper()
	files, err := source.Read(fstest.MapFS{"a/b.yaml": file(text)}, "flags")
	if err != nil {
		t.Fatal(err)
	}
	if problems := files.Problems(); len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, text)
	}
	return files.ByRole[source.FlagFile][0].Root
}

func checkProblems(t *testing.T, fsys fstest.MapFS, err error) {
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("got error %v, want problems", err)
	}
	checkPlaces(t, fsys, problems)
}

// checkPlaces holds that problems stand in their files and can be shown, and that
// none is there twice.
func checkPlaces(t *testing.T, fsys fstest.MapFS, problems Problems) {
	for i := range problems[min(1, len(problems)):] {
		if problems[i] == problems[i+1] && !strings.HasPrefix(problems[i].Message, "there are more ") {
			t.Errorf("%v is there twice", problems[i])
		}
	}
	for _, p := range problems {
		data := strings.ReplaceAll(string(fsys[strings.TrimPrefix(p.File, "flags/")].Data), "\r\n", "\n")
		lines := strings.Split(strings.TrimPrefix(data, "\ufeff"), "\n")
		switch {
		case p.Line < 1 || p.Line > len(lines):
			t.Errorf("%v: the file has %d lines", p, len(lines))
		case p.Column < 1 || p.Column > utf8.RuneCountInString(lines[p.Line-1])+1:
			t.Errorf("%v: the line is %q", p, lines[p.Line-1])
		case p.Message == "" || strings.ContainsAny(p.Message, "\n\r"):
			t.Errorf("%v: the message is not a line", p)
		case !utf8.ValidString(p.Message) || !utf8.ValidString(p.Quote):
			t.Errorf("%v: it is not UTF-8", p)
		case utf8.RuneCountInString(p.Quote) > 160+2 || p.Caret < 0 || p.Caret > utf8.RuneCountInString(p.Quote)+1:
			t.Errorf("%v: the caret is at %d of %q", p, p.Caret, p.Quote)
		}
	}
}

func FuzzFlagFile(f *testing.F) {
	addFiles(f, func(name string) bool {
		return strings.Contains(name, "/") && !strings.Contains(name, ".test.") &&
			!strings.HasPrefix(name, "segments/") && !strings.HasPrefix(name, "layers/")
	})
	for _, when := range []string{
		"{now: {after: 2026-12-01, before: 2026-12-02T00:00Z}}",
		"{now: {weekdays: [mon, sun], from: \"22:00\", to: \"06:00\", zone: Europe/Berlin}}",
		"{user: {list: testers.txt}}", "{uid: {list: numbers.txt}}", "{not: {flag: {new-checkout: [on, off]}}}",
		"{flag: {asks: on}}",
	} {
		f.Add([]byte("type: boolean\ndefault: off\nrules: [{name: r, serve: on, when: " + when + "}]\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys["shop/x.yaml"] = &fstest.MapFile{Data: data}
		fsys["shop/testers.txt"] = file("u-1\n")
		fsys["shop/numbers.txt"] = file("7\n")
		fsys["shop/asks.yaml"] = file(
			"type: boolean\ndefault: off\nrules: [{name: r, serve: on, when: {flag: {x: on}}}]\n")
		checkLoad(t, fsys)
	})
}

func FuzzContextFile(f *testing.F) {
	addFiles(f, func(name string) bool { return name == "context.yaml" })
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys["context.yaml"] = &fstest.MapFile{Data: data}
		checkLoad(t, fsys)
	})
}

func FuzzSegmentFile(f *testing.F) {
	addFiles(f, func(name string) bool { return strings.HasPrefix(name, "segments/") })
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys["segments/a.yaml"] = &fstest.MapFile{Data: data}
		checkLoad(t, fsys)
	})
}

// FuzzLayerFile holds too that flags of a layer don't overlap.
func FuzzLayerFile(f *testing.F) {
	addFiles(f, func(name string) bool { return strings.HasPrefix(name, "layers/") })
	f.Add([]byte("holdout: 5%\nshares: [{flag: a, share: 10%}, {free: 20%}, {flag: b, share: 60%}, {flag: a, share: 5%}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys["layers/l.yaml"] = &fstest.MapFile{Data: data}
		for _, key := range []string{"a", "b"} {
			fsys["shop/"+key+".yaml"] = file(
				"type: boolean\nexclusive: l\ndefault: off\nrules: [{name: r, serve: on}]\n")
		}
		checkLoad(t, fsys)
		if e, err := LoadFS(fsys, "flags"); err == nil {
			checkApart(t, e)
		}
	})
}

func FuzzTestFile(f *testing.F) {
	addFiles(f, func(name string) bool { return strings.Contains(name, ".test.") })
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys["checkout/new-checkout.test.yaml"] = &fstest.MapFile{Data: data}
		checkLoad(t, fsys)
	})
}

func FuzzConfigFile(f *testing.F) {
	addFiles(f, func(name string) bool { return name == "serin.yaml" })
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys["serin.yaml"] = &fstest.MapFile{Data: data}
		checkLoad(t, fsys)
	})
}
