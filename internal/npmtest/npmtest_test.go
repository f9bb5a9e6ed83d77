//go:build unix

package npmtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// project writes an npm project that needs no registry: its one package is a
// folder beside it.
func project(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range map[string]string{
		"package.json":      `{"name": "project", "dependencies": {"one": "file:one"}}`,
		"one/package.json":  `{"name": "one", "version": "1.0.0"}`,
		"package-lock.json": `{"name": "project", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "project", "dependencies": {"one": "file:one"}}, "node_modules/one": {"resolved": "one", "link": true}, "one": {"version": "1.0.0"}}}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInstallOnceForAll(t *testing.T) {
	dir := project(t)
	t.Run("together", func(t *testing.T) {
		for i := range 4 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				Install(t, dir)
			})
		}
	})
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "one", "package.json")); err != nil {
		t.Fatal(err)
	}

	// What npm would remove is still there after a second call: it didn't run.
	mark := filepath.Join(dir, "node_modules", "mark")
	if err := os.WriteFile(mark, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	Install(t, dir)
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("packages that were up to date were installed again: %v", err)
	}
}

func TestInstallAgainWhenPinsChange(t *testing.T) {
	dir := project(t)
	Install(t, dir)
	mark := filepath.Join(dir, "node_modules", "mark")
	if err := os.WriteFile(mark, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(dir, "package-lock.json")
	pins, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, append(pins, '\n'), 0o666); err != nil {
		t.Fatal(err)
	}
	Install(t, dir)
	if _, err := os.Stat(mark); err == nil {
		t.Error("the lock file changed, but the packages weren't installed again")
	}
}

func TestInstallFailsWithAClearSentence(t *testing.T) {
	t.Run("no lock file", func(t *testing.T) {
		dir := project(t)
		if err := os.Remove(filepath.Join(dir, "package-lock.json")); err != nil {
			t.Fatal(err)
		}
		err := install(t.Context(), "npm", dir)
		if err == nil || !strings.Contains(err.Error(), "package-lock.json must be there") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("pins that contradict package.json", func(t *testing.T) {
		dir := project(t)
		manifest := `{"name": "project", "dependencies": {"two": "file:two"}}`
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(manifest), 0o666); err != nil {
			t.Fatal(err)
		}
		err := install(t.Context(), "npm", dir)
		if err == nil || !strings.Contains(err.Error(), "npm ci") {
			t.Errorf("got %v", err)
		}
	})
}
