package edit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/internal/soak"
	"golang.org/x/tools/txtar"
)

// estates returns the estates that edits are tried on, by name: the example flags and
// the good estates of package ci.
func estates(t testing.TB) map[string]fstest.MapFS {
	t.Helper()
	sub, err := fs.Sub(serin.Estate, "flags")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]fstest.MapFS{"flags": copyFS(t, sub)}
	base, err := txtar.ParseFile("../testdata/base.txtar")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("../testdata/good/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no estates: %v", err)
	}
	for _, name := range names {
		scenario, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fsys := make(fstest.MapFS)
		special := len(bytes.TrimSpace(scenario.Comment)) > 0 && bytes.Contains(scenario.Comment, []byte("without "))
		for _, f := range slices.Concat(base.Files, scenario.Files) {
			special = special || strings.HasSuffix(f.Name, ".quoted") || strings.HasSuffix(f.Name, ".link")
			if f.Name != "want" {
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
			}
		}
		if special {
			continue // it needs more than its files, which package ci makes
		}
		if _, err := ci.LoadFS(fsys, "flags"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[filepath.Base(name)] = fsys
	}
	if len(all) < 12 {
		t.Fatalf("only %d estates are left", len(all))
	}
	return all
}

func copyFS(t testing.TB, from fs.FS) fstest.MapFS {
	t.Helper()
	to := make(fstest.MapFS)
	err := fs.WalkDir(from, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, p)
		to[p] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// styles write the same files in other ways that an edit has to keep.
var styles = map[string]func([]byte) []byte{
	"as it is":      func(b []byte) []byte { return b },
	"CRLF":          func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
	"no last break": func(b []byte) []byte { return bytes.TrimRight(b, "\n") },
	"CRLF, no last": func(b []byte) []byte {
		return bytes.ReplaceAll(bytes.TrimRight(b, "\n"), []byte("\n"), []byte("\r\n"))
	},
	"BOM": func(b []byte) []byte { return append([]byte("\ufeff"), b...) },
}

// restyle writes the files of an estate in a style, except the lock file.
func restyle(fsys fstest.MapFS, style func([]byte) []byte) fstest.MapFS {
	out := make(fstest.MapFS, len(fsys))
	for name, f := range fsys {
		out[name] = f
		if name != ci.LockFile {
			out[name] = &fstest.MapFile{Data: style(f.Data)}
		}
	}
	return out
}

// apply makes edits and returns the folder that they lead to.
func apply(t testing.TB, fsys fstest.MapFS, texts ...string) (fstest.MapFS, *edit.Result, error) {
	t.Helper()
	var edits []edit.Edit
	for _, text := range texts {
		text, reason, _ := strings.Cut(text, " because ")
		e, err := edit.Parse(text)
		if err != nil {
			return nil, nil, err
		}
		e.Reason = reason
		edits = append(edits, e)
	}
	r, err := edit.Apply(fsys, "flags", edits)
	if err != nil {
		return nil, nil, err
	}
	out := make(fstest.MapFS, len(fsys))
	for name, f := range fsys {
		out[name] = f
	}
	for _, c := range r.Changes {
		name, err := filepath.Rel("flags", c.Path)
		if err != nil {
			t.Fatal(err)
		}
		if out[filepath.ToSlash(name)] = (&fstest.MapFile{Data: c.After}); c.After == nil {
			delete(out, filepath.ToSlash(name))
		}
	}
	if r.Lock != nil {
		out[ci.LockFile] = &fstest.MapFile{Data: r.Lock.After}
	}
	sameAsRead(t, texts, r.New, out)
	return out, r, nil
}

// sameAsRead holds that the estate after edits is the one that the files give, although only
// what the edits can touch has been checked again.
func sameAsRead(t testing.TB, texts []string, got *ci.Estate, files fstest.MapFS) {
	t.Helper()
	want, err := ci.LoadFS(files, "flags")
	if err != nil {
		t.Fatalf("%q: what would be written isn't valid: %v", texts, err)
	}
	for _, env := range append([]string{""}, want.Environments()...) {
		a, err := got.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		b, err := want.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%q: in %q the flags are\n%+v\nbut the files give\n%+v", texts, env, a, b)
		}
	}
	if a, b := got.Lint(ci.LintOptions{}), want.Lint(ci.LintOptions{}); !reflect.DeepEqual(a, b) {
		t.Errorf("%q: lints find\n%v\nbut in the files\n%v", texts, a, b)
	}
	if a, b := got.Attributes(), want.Attributes(); !reflect.DeepEqual(a, b) {
		t.Errorf("%q: the attributes are\n%+v\nbut those of the files\n%+v", texts, a, b)
	}
	if a, b := got.Test(ci.TestOptions{}), want.Test(ci.TestOptions{}); !reflect.DeepEqual(a, b) {
		t.Errorf("%q: tests say\n%+v\nbut those of the files\n%+v", texts, a, b)
	}
}

// A pair is an edit and the one that undoes it.
type pair struct{ do, undo string }

// pairs returns edits of an estate that can be undone.
func pairs(t testing.TB, fsys fstest.MapFS, e *ci.Estate) []pair {
	t.Helper()
	var list []pair
	for _, key := range e.Keys() {
		for _, env := range append([]string{""}, e.Environments()...) {
			f, err := e.Effective(key, env)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, flagPairs(fsys, f, env)...)
		}
	}
	for name, f := range fsys {
		if s, ok := strings.CutPrefix(name, "segments/"); ok && strings.HasSuffix(s, ".yaml") &&
			bytes.Contains(f.Data, []byte("include:")) {
			for _, id := range []string{"u-99999", "007", "12345", "a b", "+49"} {
				do := fmt.Sprintf("add '%s' to segments/%s", id, strings.TrimSuffix(s, ".yaml"))
				list = append(list, pair{do, strings.NewReplacer("add", "remove", " to ", " from ").Replace(do)})
			}
		}
	}
	return list
}

func flagPairs(fsys fstest.MapFS, f ci.EffectiveFlag, env string) []pair {
	var list []pair
	in := ""
	if env != "" {
		in = " in " + env
	}
	name, _ := filepath.Rel("flags", f.File)
	text := string(fsys[filepath.ToSlash(name)].Data)
	// In JSON, nothing tells whether "enabled": true was written before.
	if !(strings.HasSuffix(name, ".json") && strings.Contains(text, "enabled")) {
		switch {
		case f.Compiled.Disabled && env == "" && strings.Contains(text, "enabled: true"):
			// To disable it would also disable it in the environment that says so.
		case f.Compiled.Disabled:
			list = append(list, pair{"enable " + f.Key + in, "disable " + f.Key + in})
		default:
			list = append(list, pair{"disable " + f.Key + in, "enable " + f.Key + in},
				pair{"disable " + f.Key + in + " because it's \"slow\": #7, {", "enable " + f.Key + in})
		}
	}
	if env == "" && f.Expires == "" {
		list = append(list, pair{"expire " + f.Key + " 2031-01-31", "expire " + f.Key + " never"})
	} else if env == "" {
		list = append(list, pair{"expire " + f.Key + " 2031-01-31", "expire " + f.Key + " " + f.Expires})
	}
	if env == "" || slices.Contains(f.Replaced, "default") {
		for i, v := range f.Compiled.Variants {
			// A name that needs quotes leaves them behind.
			if i != f.Compiled.Default && compose.Word(v.Name).Plain {
				list = append(list, pair{
					"serve " + f.Key + " '" + v.Name + "'" + in,
					"serve " + f.Key + " '" + f.Compiled.Variants[f.Compiled.Default].Name + "'" + in,
				})
			}
		}
	}
	return list
}

// TestInverse holds that an edit and the one that undoes it leave every byte as it was,
// and that the edit itself changes few lines, in all estates and styles.
func TestInverse(t *testing.T) {
	done := 0
	for name, plain := range estates(t) {
		for style, write := range styles {
			fsys := restyle(plain, write)
			estate, err := ci.LoadFS(fsys, "flags")
			if err != nil {
				t.Fatal(err)
			}
			all := pairs(t, fsys, estate)
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for _, p := range all[:min(len(all), soak.Times(1, 1000))] {
				there, r, err := apply(t, fsys, p.do)
				if broken := (*edit.BrokenError)(nil); errors.As(err, &broken) {
					continue // for instance a default that a ramp ends with
				}
				if err != nil {
					t.Fatalf("%s, %s: %s: %v", name, style, p.do, err)
				}
				if len(r.Changes) == 0 {
					t.Errorf("%s, %s: %s changes nothing", name, style, p.do)
				}
				for _, c := range r.Changes {
					if n := linesChanged(c.Before, c.After); n > 6 {
						t.Errorf("%s, %s: %s changes %d lines", name, style, p.do, n)
					}
					if crlf := bytes.Count(c.After, []byte("\r\n")); crlf > 0 &&
						crlf != bytes.Count(c.After, []byte("\n")) {
						t.Errorf("%s, %s: %s mixes line breaks:\n%q", name, style, p.do, c.After)
					}
				}
				back, _, err := apply(t, there, p.undo)
				if err != nil {
					t.Fatalf("%s, %s: %s: %v", name, style, p.undo, err)
				}
				done++
				for file, f := range fsys {
					if file != ci.LockFile && !bytes.Equal(f.Data, back[file].Data) {
						t.Errorf("%s, %s: %s, then %s: %s was\n%s\nand is\n%s", name, style, p.do, p.undo, file,
							f.Data, back[file].Data)
					}
				}
			}
		}
	}
	if done < 100 {
		t.Errorf("only %d edits were undone", done)
	}
}

// linesChanged counts the lines that only one of two texts has, by prefix and suffix.
func linesChanged(a, b []byte) int {
	x, y := slices.Collect(bytes.Lines(a)), slices.Collect(bytes.Lines(b))
	for len(x) > 0 && len(y) > 0 && bytes.Equal(x[0], y[0]) {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && bytes.Equal(x[len(x)-1], y[len(y)-1]) {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	return len(x) + len(y)
}
