// Package importtest helps test importers: it writes an imported folder, holds what every
// imported folder must fulfil, and asks its flags.
package importtest

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/evaluator"
)

// A Folder is an imported folder.
type Folder struct {
	Dir   string
	Plan  *importer.Plan
	Flags *evaluator.Program // without overrides; nil if every flag is refused
}

// Import writes what imp becomes to a folder, which must have no problems, warnings, failing
// tests, or anything to lock; a second import must change nothing.
func Import(t testing.TB, imp *importer.Import) *Folder {
	t.Helper()
	return Into(t, t.TempDir(), imp)
}

// A Read is how an importer reads a file.
type Read = func([]byte, importer.Options) (*importer.Import, error)

// File imports a file into a new folder.
func File(t testing.TB, read Read, path string) *Folder {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Text(t, read, string(data))
}

// Text imports the text of a file into a new folder.
func Text(t testing.TB, read Read, text string) *Folder {
	t.Helper()
	imp, err := read([]byte(text), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Import(t, imp)
}

// Refuses holds that one flag of a text is refused, at a place and for a reason.
func Refuses(t testing.TB, read Read, text, place, reason string) {
	t.Helper()
	imp, err := read([]byte(text), importer.Options{})
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	refused := Import(t, imp).Plan.Import.Refused
	if len(refused) != 1 || refused[0].Place != place || !strings.Contains(refused[0].Reason, reason) {
		t.Errorf("%s: %v, not %s: %s", text, refused, place, reason)
	}
}

// Unreadable holds that texts are refused as a whole.
func Unreadable(t testing.TB, read Read, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := read([]byte(text), importer.Options{}); err == nil {
			t.Errorf("%q is read without error", text)
		}
	}
}

// Fuzz imports whatever is read without an error.
func Fuzz(f *testing.F, read Read) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if imp, err := read(data, importer.Options{}); err == nil {
			Import(t, imp)
		}
	})
}

// Into is [Import] for a folder that may have been imported to before.
func Into(t testing.TB, dir string, imp *importer.Import) *Folder {
	t.Helper()
	f := &Folder{Dir: dir}
	var err error
	if f.Plan, err = importer.Make(os.DirFS(f.Dir), f.Dir, imp, false); err != nil {
		t.Fatalf("making the plan: %v", err)
	}
	for name, data := range f.Plan.Files {
		path := filepath.Join(f.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.Plan.Import.Flags) == 0 {
		return f
	}
	estate, err := ci.Load(f.Dir)
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	if warnings := estate.Lint(ci.LintOptions{}); len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	update, err := ci.Lock(f.Dir, nil)
	if err != nil || !bytes.Equal(update.Before, update.After) {
		t.Errorf("the lock file doesn't fit: %v", err)
	}
	f.Flags = f.Compile(t, estate, "")
	again, err := importer.Make(os.DirFS(f.Dir), f.Dir, imp, false)
	if err == nil {
		delete(again.Files, importer.ReportFile) // imp has changed: refused flags are gone
	}
	if err != nil || len(again.Files) > 0 || len(again.Kept) > 0 {
		t.Errorf("importing again: %v, kept %v, and would write %v", err, again.Kept,
			slices.Sorted(maps.Keys(again.Files)))
	}
	return f
}

// Compile compiles an environment of the folder.
func (f *Folder) Compile(t testing.TB, estate *ci.Estate, environment string) *evaluator.Program {
	t.Helper()
	payloads, err := estate.Compile(environment)
	if err != nil {
		t.Fatal(err)
	}
	program, err := ci.Program(payloads)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// Refused returns why a flag was refused, or "".
func (f *Folder) Refused(key string) string {
	for _, r := range f.Plan.Import.Refused {
		if r.Flag == key {
			return r.Error()
		}
	}
	return ""
}

// Ask evaluates a flag for a context in JSON. It reports false if there is no such flag.
func (f *Folder) Ask(t testing.TB, key string, context map[string]any, at time.Time) (evaluator.Result, bool) {
	t.Helper()
	if f.Flags == nil || f.Flags.Flag(key) == nil {
		return evaluator.Result{}, false
	}
	data, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := evaluator.DecodeContext(data)
	if err != nil {
		t.Fatal(err)
	}
	ctx.Now = at.Unix()
	return f.Flags.Flag(key).Evaluate(&ctx), true
}

// Replay asks for the decisions of a file, which another system recorded. Each must be the
// same, there must be more than a thousand, and no flag may have been refused.
func (f *Folder) Replay(t testing.TB, file string) {
	t.Helper()
	for _, r := range f.Plan.Import.Refused {
		t.Errorf("%s is refused: %v", r.Flag, &r.Refusal)
	}
	decisions, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer decisions.Close()
	estate, err := ci.Load(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	result, err := importer.Verify(estate, "", decisions)
	if err != nil {
		t.Fatal(err)
	}
	if result.Same < 1000 || result.Different > 0 {
		t.Errorf("%d decisions agree, %d differ", result.Same, result.Different)
		for _, a := range result.Lines {
			if a.Different > 0 {
				t.Logf("%+v", a)
			}
		}
	}
}
