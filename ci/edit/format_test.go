package edit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"golang.org/x/tools/txtar"
)

// TestFormat holds what comes of the files in testdata/format/*.txtar: each file is
// followed by one of the same name and ".want".
func TestFormat(t *testing.T) {
	names, err := filepath.Glob("testdata/format/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no tests: %v", err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(archive.Files); i += 2 {
			in, want := archive.Files[i], &archive.Files[i+1]
			if want.Name != in.Name+".want" {
				t.Fatalf("%s: %s is followed by %s", name, in.Name, want.Name)
			}
			got := format(t, fstest.MapFS{in.Name: {Data: in.Data}})[in.Name].Data
			if *update {
				want.Data = got
			} else if !bytes.Equal(got, want.Data) {
				t.Errorf("%s: %s became\n%s\nwant\n%s", name, in.Name, got, want.Data)
			}
		}
		if *update {
			if err := os.WriteFile(name, txtar.Format(archive), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// format formats all files of a folder.
func format(t testing.TB, fsys fstest.MapFS) fstest.MapFS {
	t.Helper()
	changes, notes, err := edit.Format(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range notes {
		t.Error(note)
	}
	out := make(fstest.MapFS, len(fsys))
	for name, f := range fsys {
		out[name] = f
	}
	for _, c := range changes {
		name, err := filepath.Rel("flags", c.Path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.ToSlash(name)] = &fstest.MapFile{Data: c.After}
	}
	return out
}

// spoilt are ways to write YAML that formatting undoes or keeps.
var spoilt = map[string]func([]byte) []byte{
	"as it is": func(b []byte) []byte { return b },
	"CRLF":     styles["CRLF"],
	"wide":     spoil(func(indent int) int { return 2 * indent }),
	"spaces":   func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("  \n\n\n")) },
	"no last":  styles["no last break"],
	"empty lines": func(b []byte) []byte {
		return append(bytes.ReplaceAll(b, []byte("\n"), []byte("\n\n")), "\n\n"...)
	},
}

// spoil changes the indentation of all lines.
func spoil(to func(int) int) func([]byte) []byte {
	return func(b []byte) []byte {
		var out strings.Builder
		for line := range strings.Lines(string(b)) {
			rest := strings.TrimLeft(line, " ")
			out.WriteString(strings.Repeat(" ", to(len(line)-len(rest))) + rest)
		}
		return []byte(out.String())
	}
}

// TestFormatMeaning holds that formatting all estates changes nothing of what they
// compile to, keeps all comments, and does no more when it is done again.
func TestFormatMeaning(t *testing.T) {
	for name, plain := range estates(t) {
		for way, write := range spoilt {
			fsys := restyle(plain, write)
			before, err := ci.LoadFS(fsys, "flags")
			if err != nil {
				continue // for instance text in a block, which this spoils
			}
			formatted := format(t, fsys)
			after, err := ci.LoadFS(formatted, "flags")
			if err != nil {
				t.Fatalf("%s, %s: %v", name, way, err)
			}
			for _, env := range append([]string{""}, before.Environments()...) {
				was, err := before.Compile(env)
				if err != nil {
					t.Fatal(err)
				}
				is, err := after.Compile(env)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(was, is) {
					t.Errorf("%s, %s: formatting changed what is compiled for %q", name, way, env)
				}
			}
			for file, f := range format(t, formatted) {
				if !bytes.Equal(f.Data, formatted[file].Data) {
					t.Errorf("%s, %s: %s, formatted once:\n%s\nand twice:\n%s", name, way, file, formatted[file].Data,
						f.Data)
				}
				if file != ci.LockFile &&
					bytes.Count(f.Data, []byte("#")) != bytes.Count(fsys[file].Data, []byte("#")) {
					t.Errorf("%s, %s: %s lost a comment:\n%s", name, way, file, f.Data)
				}
			}
			if name == "flags" {
				for file, f := range formatted {
					if strings.HasSuffix(file, ".yaml") && way != "CRLF" && way != "empty lines" && way != "spaces" &&
						!bytes.Equal(f.Data, plain[file].Data) {
						t.Errorf("flags, %s: %s became\n%s\nfrom\n%s", way, file, f.Data, plain[file].Data)
					}
				}
			}
		}
	}
}
