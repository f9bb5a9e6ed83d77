package ci

import (
	"bytes"
	"errors"
	goflag "flag"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = goflag.Bool("update", false, "write what comes out into the golden files")

// want is the file of a scenario that holds the expected output.
const want = "want"

// TestBadEstates loads the scenarios of testdata/bad, each on top of
// testdata/base.txtar: the files of one, and the problems that they have. A
// line "without NAME" of a scenario's comment removes a file of the base; a
// file whose name ends in .quoted holds Go string literals, for bytes that
// don't survive editors, one in .link the target of a symbolic link, one in .fill
// a number of bytes and the text that they repeat.
func TestBadEstates(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 60 {
		t.Fatalf("found %d scenarios; some are missing", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = LoadFS(linked(t, scenario(t, archive)), "flags")
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("got error %v, want problems", err)
			}
			var out bytes.Buffer
			if err := problems.Write(&out); err != nil {
				t.Fatal(err)
			}
			compareWant(t, path, archive, out.String())
		})
	}
}

// compareWant compares what came out with the archive's want, or, with
// -update, writes it there.
func compareWant(t *testing.T, path string, archive *txtar.Archive, got string) {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name != want {
			continue
		}
		if !*update {
			if diff := cmp.Diff(string(f.Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			return
		}
		archive.Files = append(archive.Files[:i], archive.Files[i+1:]...)
	}
	if !*update {
		t.Fatalf("%s has no file %q; run the test with -update and read what it wrote", path, want)
	}
	archive.Files = append(archive.Files, txtar.File{Name: want, Data: []byte(got)})
	if err := os.WriteFile(path, txtar.Format(archive), 0o666); err != nil {
		t.Fatal(err)
	}
}

// scenario returns the files of an archive on top of the base.
func scenario(t testing.TB, archive *txtar.Archive) fstest.MapFS {
	t.Helper()
	fsys := base(t)
	for line := range strings.Lines(string(archive.Comment)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "without "); ok {
			if _, there := fsys[name]; !there {
				t.Fatalf("the base has no file %s", name)
			}
			delete(fsys, name)
		}
	}
	for _, f := range archive.Files {
		data := f.Data
		name, quoted := strings.CutSuffix(f.Name, ".quoted")
		if quoted {
			data = unquote(t, data)
		}
		switch {
		case name == want:
		case strings.HasSuffix(name, ".link"):
			target := strings.TrimSpace(string(data))
			fsys[strings.TrimSuffix(name, ".link")] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte(target)}
		case strings.HasSuffix(name, ".fill"):
			fsys[strings.TrimSuffix(name, ".fill")] = &fstest.MapFile{Data: fill(t, data)}
		default:
			fsys[name] = &fstest.MapFile{Data: data}
		}
	}
	return fsys
}

// fill returns as many bytes as the first line says, of the text that follows.
func fill(t testing.TB, data []byte) []byte {
	t.Helper()
	first, text, _ := strings.Cut(string(data), "\n")
	n, err := strconv.Atoi(first)
	if err != nil || text == "" {
		t.Fatalf("a file to fill starts with %q: %v", first, err)
	}
	return []byte(strings.Repeat(text, n/len(text)+1)[:n])
}

// linked returns the files of a scenario. Symbolic links are for a real file system
// to follow: one that has any is written to disk, beside a file that is none of its
// business.
func linked(t testing.TB, fsys fstest.MapFS) fs.FS {
	t.Helper()
	links := false
	for _, f := range fsys {
		links = links || f.Mode&fs.ModeSymlink != 0
	}
	if !links {
		return fsys
	}
	top := t.TempDir()
	if err := os.WriteFile(filepath.Join(top, "outside.yaml"), []byte("type: boolean\ndefault: off\n"),
		0o666); err != nil {
		t.Fatal(err)
	}
	for name, f := range fsys {
		path := filepath.Join(top, "flags", filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o777)
		if err == nil && f.Mode&fs.ModeSymlink != 0 {
			err = os.Symlink(string(f.Data), path)
		} else if err == nil {
			err = os.WriteFile(path, f.Data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(filepath.Join(top, "flags"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.FS()
}

// base returns the files of testdata/base.txtar.
func base(t testing.TB) fstest.MapFS {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/base.txtar")
	if err != nil {
		t.Fatal(err)
	}
	fsys := make(fstest.MapFS)
	for _, f := range archive.Files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return fsys
}

// file returns a file of that text.
func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// unquote joins Go string literals, one on each line.
func unquote(t testing.TB, data []byte) []byte {
	t.Helper()
	var out []byte
	for line := range strings.Lines(string(data)) {
		s, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, s...)
	}
	return out
}
