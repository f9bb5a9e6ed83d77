package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// initProject has init write flag files to a new project.
func initProject(t *testing.T) (project string) {
	t.Helper()
	project = t.TempDir()
	var stderr bytes.Buffer
	if status := run(t.Context(), []string{"init", filepath.Join(project, "flags")}, strings.NewReader(""),
		io.Discard, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	return project
}

// TestInit checks that editors find the schema of every file that init writes.
func TestInit(t *testing.T) {
	project := initProject(t)
	dir := filepath.Join(project, "flags")
	first := regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`)
	files := 0
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		files++
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		line := first.FindSubmatch(data)
		if line == nil || !exists(filepath.Join(filepath.Dir(name), string(line[1]))) {
			t.Errorf("%s names no schema that exists:\n%s", name, data)
		}
		if at := bytes.IndexByte(data, '@'); at >= 0 {
			t.Errorf("%s: a word is not replaced: %s", name, data[at:])
		}
		return nil
	})
	if err != nil || files < 9 {
		t.Errorf("%d files, %v", files, err)
	}
	checkEditor(t, project)
}

// testDevOfInit edits a file that init wrote while dev serves it.
func testDevOfInit(t *testing.T) {
	dir := filepath.Join(initProject(t), "flags")
	s := startServer(t, "dev", dir, "--listen", "127.0.0.1:0")
	eventually(t, `"value":false`, func() string { return s.ask(t, "new-cart") })
	eventually(t, "ok: 7 cases", s.stderr.String)
	flag := filepath.Join(dir, "shop", "new-cart.yaml")
	data, err := os.ReadFile(flag)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, flag, strings.Replace(string(data), "default: off", "default: on", 1))
	eventually(t, `"value":true`, func() string { return s.ask(t, "new-cart") })
	// A new name is one for editors as well.
	segment := filepath.Join(dir, "segments", "partners.yaml")
	writeFile(t, segment, "include: [u-7]\nlint: {unused-segment: new}\n")
	eventually(t, "renewed "+filepath.Join(dir, ".schema"), s.stderr.String)
	if data, err = os.ReadFile(filepath.Join(dir, ".schema", "condition.json")); err != nil ||
		!bytes.Contains(data, []byte(`"partners"`)) {
		t.Errorf("the schemas don't know the new segment, %v", err)
	}
}

// checkEditor holds that the settings for VS Code name schemas that exist, and
// all that exist but the one that the others refer to.
func checkEditor(t *testing.T, project string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(project, ".vscode", "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var settings struct {
		Schemas map[string]json.RawMessage `json:"yaml.schemas"`
	}
	if err := json.Unmarshal(data, &settings); err != nil {
		t.Fatal(err)
	}
	for name := range settings.Schemas {
		if !exists(filepath.Join(project, name)) {
			t.Errorf("there is no schema %s", name)
		}
	}
	schemas, err := filepath.Glob(filepath.Join(project, "flags", ".schema", "*.json"))
	if err != nil || len(schemas)-1 != len(settings.Schemas) {
		t.Errorf("the settings name %d of %d schemas, %v", len(settings.Schemas), len(schemas), err)
	}
}
