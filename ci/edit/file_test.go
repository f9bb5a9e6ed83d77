package edit_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden files")

// small is what the files of the tests below stand on.
var small = map[string]string{
	"serin.yaml":   "environments: [production, staging]\n",
	"context.yaml": "attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n",
	"shop/other.yaml": "type: boolean\ndefault: off\nrules:\n  - {name: testers, when: {user: {segment: testers}}, serve: on}\n" +
		"  - {name: early, when: {user: {segment: early}}, serve: on}\n",
	"segments/testers.yaml": "include: [u-1, u-2]\n",
	"segments/early.yaml":   "include: {list: early.txt}\nexclude: [u-9]\n",
	"segments/early.txt":    "# The first ones\nu-1\n u-2\nu-3",
}

// TestFiles makes the edits in testdata/*.txtar. The comment of each archive holds the
// edits, one a line; its files replace those of small. What comes of them follows in the
// file "want": the text of each file that changed, or the error.
func TestFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no tests: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fsys := make(fstest.MapFS)
			for file, text := range small {
				fsys[file] = &fstest.MapFile{Data: []byte(text)}
			}
			for _, f := range archive.Files {
				if f.Name != "want" {
					fsys[f.Name] = &fstest.MapFile{Data: f.Data}
				}
			}
			var out strings.Builder
			for line := range strings.Lines(string(archive.Comment)) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					out.WriteString("> " + line + "\n" + outcome(t, fsys, line))
				}
			}
			want := &archive.Files[len(archive.Files)-1]
			if want.Name != "want" {
				t.Fatal(`the last file isn't "want"`)
			}
			if *update {
				want.Data = []byte(out.String())
				if err := os.WriteFile(name, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			} else if string(want.Data) != out.String() {
				t.Errorf("got\n%s\nwant\n%s", out.String(), want.Data)
			}
		})
	}
}

// outcome makes an edit, and describes what comes of it.
func outcome(t *testing.T, fsys fstest.MapFS, line string) string {
	text, reason, _ := strings.Cut(line, " because ")
	e, err := edit.Parse(text)
	var r *edit.Result
	if err == nil {
		e.Reason = reason
		r, err = edit.Apply(fsys, "flags", []edit.Edit{e})
	}
	if err != nil {
		out := "error: " + err.Error() + "\n"
		if problems := ci.Problems(nil); errors.As(err, &problems) {
			for _, p := range problems {
				out += "  " + p.Error() + "\n"
			}
		}
		return out
	}
	out := ""
	for _, note := range r.Notes {
		out += "note: " + note + "\n"
	}
	for _, c := range r.Changes {
		out += "== " + c.Path + "\n" + strings.TrimSuffix(string(c.After), "\n") + "\n"
		if !strings.HasSuffix(string(c.After), "\n") {
			out += "(no line break at the end)\n"
		}
	}
	if len(r.Changes) == 0 {
		out += "nothing to do\n"
	}
	return out
}
