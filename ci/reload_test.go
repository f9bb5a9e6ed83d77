package ci

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/internal/soak"
	"golang.org/x/tools/txtar"
)

// TestReload holds, over random edits of the good estates, that what is loaded again is what the
// files give, problems included, although only what an edit can touch is checked again.
func TestReload(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found no scenarios: %v", err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	good, bad := 0, 0
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, locked := range []bool{false, true} {
			fsys := scenario(t, archive)
			if locked {
				update, err := LockFS(fsys, "flags", nil)
				if err != nil {
					t.Fatal(err)
				}
				fsys[LockFile] = &fstest.MapFile{Data: update.After}
			}
			e, err := LoadFS(fsys, "flags")
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			for range soak.Times(60, 5000) {
				contents := spoil(rnd, fsys)
				next := maps.Clone(fsys)
				for name, data := range contents {
					next[name] = &fstest.MapFile{Data: data}
				}
				if sameReload(t, e, next, contents) {
					good++
				} else {
					bad++
				}
				if t.Failed() {
					t.Fatalf("%s with %q", path, contents)
				}
			}
		}
	}
	if good < 200 || bad < 200 {
		t.Errorf("%d of the edits are valid, and %d aren't", good, bad)
	}
}

// spoil returns one to three files of an estate with another word in place of one or two, mostly
// one that the estate has elsewhere.
func spoil(rnd *rand.Rand, fsys fstest.MapFS) map[string][]byte {
	var names, words []string
	for name, f := range fsys {
		if f.Mode == 0 && len(f.Data) < 1<<20 {
			names = append(names, name)
			words = append(words, strings.FieldsFunc(string(f.Data), isNoWord)...)
			words = append(words, strings.TrimSuffix(name[strings.LastIndex(name, "/")+1:], ".yaml"))
		}
	}
	slices.Sort(names)
	slices.Sort(words)
	contents := make(map[string][]byte)
	for range 1 + rnd.IntN(3) {
		name := names[rnd.IntN(len(names))]
		data := string(fsys[name].Data)
		for range 1 + rnd.IntN(2) {
			own := strings.FieldsFunc(data, isNoWord)
			if len(own) == 0 {
				break
			}
			with := words[rnd.IntN(len(words))]
			if rnd.IntN(3) == 0 {
				with = []string{"10%", "on", "off", "5", "", "'", "new", "2027-01-01"}[rnd.IntN(8)]
			}
			data = strings.Replace(data, own[rnd.IntN(len(own))], with, 1)
		}
		contents[name] = []byte(data)
	}
	return contents
}

func isNoWord(r rune) bool { return strings.ContainsRune(" \n\t[]{},:", r) }

// sameReload compares the estate that is loaded again with that of the files, and what each has
// its lock file become. It reports whether the files are valid.
func sameReload(t *testing.T, e *Estate, fsys fstest.MapFS, contents map[string][]byte) bool {
	t.Helper()
	gotLock, gotErr := e.RelockFS(fsys, contents)
	wantLock, wantErr := LockFS(fsys, "flags", nil)
	sameProblems(t, gotErr, wantErr)
	if !reflect.DeepEqual(gotLock, wantLock) {
		t.Errorf("the lock file becomes\n%+v\nbut that of the files\n%+v", gotLock, wantLock)
	}
	got, gotErr := e.ReloadFS(fsys, contents)
	want, wantErr := LoadFS(fsys, "flags")
	sameProblems(t, gotErr, wantErr)
	if gotErr != nil || wantErr != nil {
		return false
	}
	for _, env := range append([]string{""}, want.Environments()...) {
		a, aErr := got.Compile(env)
		b, bErr := want.Compile(env)
		if aErr != nil || bErr != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("in %q the flags are (%v)\n%+v\nbut the files give (%v)\n%+v", env, aErr, a, bErr, b)
		}
	}
	if a, b := got.Attributes(), want.Attributes(); !reflect.DeepEqual(a, b) {
		t.Errorf("the attributes are\n%+v\nbut those of the files\n%+v", a, b)
	}
	now := LintOptions{Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	if a, b := got.Lint(now), want.Lint(now); !reflect.DeepEqual(a, b) {
		t.Errorf("lints find\n%v\nbut in the files\n%v", a, b)
	}
	if a, b := got.Test(TestOptions{}), want.Test(TestOptions{}); !reflect.DeepEqual(a, b) {
		t.Errorf("tests say\n%+v\nbut those of the files\n%+v", a, b)
	}
	return true
}

func sameProblems(t *testing.T, got, want error) {
	t.Helper()
	if text := problemsText(t, got); text != problemsText(t, want) {
		t.Errorf("the problems are\n%s\nbut those of the files\n%s", text, problemsText(t, want))
	}
}

func problemsText(t *testing.T, err error) string {
	var problems Problems
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &problems):
		return err.Error()
	}
	var b bytes.Buffer
	if err := problems.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestReloadCosts: a flag that stays as it is can become part of a circle, or be asked for and
// take too much for that.
func TestReloadCosts(t *testing.T) {
	asks := func(key string) []byte {
		return []byte("type: boolean\ndefault: off\nrules:\n  - {name: r, when: {flag: {" + key +
			": on}}, serve: on}\n")
	}
	var long strings.Builder
	long.WriteString("type: boolean\ndefault: off\nrules:\n  - name: r\n    serve: on\n    when:\n      any:\n")
	for range 6000 {
		long.WriteString("        - {user: {prefix: a}, all: [{user: {suffix: b}}]}\n")
	}
	fsys := base(t)
	plain := []byte("type: boolean\ndefault: off\n")
	for name, data := range map[string][]byte{
		"shop/a.yaml": asks("b"), "shop/b.yaml": asks("c"), "shop/c.yaml": plain, "shop/d.yaml": plain,
		"shop/long.yaml": []byte(long.String()),
	} {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for name, contents := range map[string]map[string][]byte{
		"a circle":             {"shop/c.yaml": asks("a")},
		"a circle of its own":  {"shop/c.yaml": asks("c")},
		"a flag that is large": {"shop/d.yaml": asks("long")},
		"a flag that grows":    {"shop/c.yaml": []byte(long.String())},
	} {
		next := maps.Clone(fsys)
		for file, data := range contents {
			next[file] = &fstest.MapFile{Data: data}
		}
		if sameReload(t, e, next, contents) {
			t.Errorf("%s: no problem is found", name)
		}
	}
}

// TestReloadKept: a flag whose file stays gets the positions of another lock file, and keeps the
// lints that it silences.
func TestReloadKept(t *testing.T) {
	fsys := base(t)
	fsys["shop/a.yaml"] = &fstest.MapFile{Data: []byte(`type: boolean
default: off
expires: 2020-01-01
lint: {expired-flag: it is a test}
rules:
  - {name: r, serve: {on: 50%, off: 50%}}
`)}
	fsys["shop/b.yaml"] = &fstest.MapFile{Data: []byte("type: boolean\ndefault: off\n")}
	update, err := LockFS(fsys, "flags", nil)
	if err != nil {
		t.Fatal(err)
	}
	fsys[LockFile] = &fstest.MapFile{Data: update.After}
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	swapped := bytes.Replace(update.After, []byte("on:2147483648 off:4294967296"),
		[]byte("off:2147483648 on:4294967296"), 1)
	for name, contents := range map[string]map[string][]byte{
		"other positions": {LockFile: swapped},
		"another flag":    {"shop/b.yaml": []byte("type: boolean\ndefault: on\n")},
	} {
		next := maps.Clone(fsys)
		for file, data := range contents {
			if bytes.Equal(fsys[file].Data, data) {
				t.Fatalf("%s: nothing changes", name)
			}
			next[file] = &fstest.MapFile{Data: data}
		}
		if !sameReload(t, e, next, contents) {
			t.Errorf("%s: the files have problems", name)
		}
	}
}
