//go:build unix

package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/internal/npmtest"
)

// TestEditor opens what init writes in the language server that editors use, and
// holds that it knows the schema of every file: by its first line, and by the
// settings for VS Code.
func TestEditor(t *testing.T) {
	const server = "../../testdata/js/editor"
	npmtest.Install(t, server)
	project := initProject(t)
	data, err := os.ReadFile(filepath.Join(project, ".vscode", "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(data, &settings); err != nil {
		t.Fatal(err)
	}
	firstLine := regexp.MustCompile(`^# yaml-language-server: .*\n`)
	for _, test := range []struct {
		name    string
		schemas json.RawMessage
		edit    func(string) string
	}{
		{"first line", json.RawMessage("{}"), func(text string) string { return text }},
		{"settings", settings["yaml.schemas"], func(text string) string { return firstLine.ReplaceAllString(text, "") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := wrongFiles(t, project, test.edit)
			type verdict struct{ Wrong, Right []string }
			got := make(map[string]verdict)
			out := npmtest.Run(t, server, "diagnose.mjs",
				map[string]any{"root": project, "schemas": test.schemas, "files": files})
			if err := json.NewDecoder(out).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if len(files) < 9 || len(got) != len(files) {
				t.Fatalf("of %d files there is word about %d", len(files), len(got))
			}
			for name, v := range got {
				if len(v.Wrong) != 1 || !strings.HasSuffix(v.Wrong[0], ": Property nonsense is not allowed.") {
					t.Errorf("%s with a key that doesn't exist: %q", name, v.Wrong)
				}
				if diff := cmp.Diff([]string{}, v.Right); diff != "" {
					t.Errorf("%s as it was written: %s", name, diff)
				}
			}
		})
	}
}

// TestEditorMarksTypos holds that the language server sees names that don't exist in the
// folder that init writes, and shows them where they are.
func TestEditorMarksTypos(t *testing.T) {
	const server = "../../testdata/js/editor"
	npmtest.Install(t, server)
	project := initProject(t)
	var files []wrongFile
	want := make(map[string]string)
	for _, typo := range []struct{ file, old, new, want string }{
		{"shop/new-cart.yaml", "plan: [", "plann: [", "15: Property plann is not allowed."},
		{"shop/new-cart.yaml", "[plus,", "[pluss,", `15: Value is not accepted. Valid values: "free", "plus", "business".`},
		{"shop/new-cart.yaml", "segment: staff", "segment: staf", `11: Value is not accepted. Valid values: "staff".`},
		{"shop/new-cart.yaml", "default: off", "default: of", `8: Value is not accepted. Valid values: "on", "off".`},
		{"shop/new-cart.yaml", "off: rest", "offf: rest", `17: Value is not accepted. Valid values: "on", "off".`},
		{"shop/new-cart.yaml", "off: rest", "off: 70%", `17: Value is not accepted. Valid values: "20%", "80%".`},
		{"shop/new-cart.yaml", "name: beta", "name: staff", `10: Two rules have the name "staff".`},
		{"shop/new-cart.yaml", "staging:", "stagging:", `19: Value is not accepted. Valid values: "production", "staging".`},
		{"shop/pay-button.yaml", "buy: 33%", "bye: 33%", `12: Value is not accepted. Valid values: "buy", "order", "pay".`},
		{"shop/new-cart.test.yaml", "environment: staging", "environment: stagging", `17: Value is not accepted. Valid values: "production", "staging".`},
	} {
		data, err := os.ReadFile(filepath.Join(project, "flags", typo.file))
		if err != nil {
			t.Fatal(err)
		}
		wrong := strings.Replace(string(data), typo.old, typo.new, 1)
		if wrong == string(data) {
			t.Fatalf("%s doesn't contain %q", typo.file, typo.old)
		}
		name := filepath.Join("flags", filepath.Dir(typo.file), strconv.Itoa(len(files))+"-"+filepath.Base(typo.file))
		files = append(files, wrongFile{name, wrong, string(data)})
		want[name] = typo.want
	}
	type verdict struct{ Wrong, Right []string }
	got := make(map[string]verdict)
	out := npmtest.Run(t, server, "diagnose.mjs",
		map[string]any{"root": project, "schemas": map[string]any{}, "files": files})
	if err := json.NewDecoder(out).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for name, want := range want {
		if v := got[name]; len(v.Wrong) != 1 || v.Wrong[0] != want || len(v.Right) > 0 {
			t.Errorf("%s: %q, and corrected %q, not %q", name, v.Wrong, v.Right, want)
		}
	}
}

// A wrongFile is a file of an estate, and the same with a key that no schema
// has.
type wrongFile struct {
	Name  string `json:"name"`
	Wrong string `json:"wrong"`
	Right string `json:"right"`
}

// wrongFiles returns the flag files below a folder, edited.
func wrongFiles(t *testing.T, project string, edit func(string) string) (files []wrongFile) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(project, "flags"), func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text, wrong := edit(string(data)), "nonsense: 1\n"
		if strings.HasSuffix(name, ".test.yaml") {
			wrong = "  nonsense: 1\n" // of the last test
		}
		below, err := filepath.Rel(project, name)
		files = append(files, wrongFile{below, text + wrong, text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
