package serin_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestActionsArePinned holds that workflows use other people's actions by commit: a tag
// can be moved to other code.
func TestActionsArePinned(t *testing.T) {
	files, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	uses := regexp.MustCompile(`uses: ?(.*)`)
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, name := range append(files, "ci/action.yml", "docs/workflows.md") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range uses.FindAllStringSubmatch(string(data), -1) {
			ours := match[1] == "./ci" || strings.HasPrefix(match[1], "serin-flags/")
			if !ours && !pinned.MatchString(match[1]) {
				t.Errorf("%s uses %s, which isn't a commit with its version", name, match[1])
			}
		}
	}
}

// TestCachesOfGitLab holds that the jobs that hold the key read nothing that a merge
// request could have written.
func TestCachesOfGitLab(t *testing.T) {
	data, err := os.ReadFile("ci/gitlab.yml")
	if err != nil {
		t.Fatal(err)
	}
	var jobs map[string]struct {
		Extends string
		Cache   yaml.Node
	}
	if err := yaml.Unmarshal(data, &jobs); err != nil {
		t.Fatal(err)
	}
	for name := range jobs {
		if name == "variables" {
			continue
		}
		// A job without a cache of its own has that of the job it extends.
		cache, holder := jobs[name].Cache, name
		for cache.Kind == 0 && jobs[holder].Extends != "" {
			holder = jobs[holder].Extends
			cache = jobs[holder].Cache
		}
		var key struct{ Key string }
		if cache.Kind == yaml.MappingNode {
			if err := cache.Decode(&key); err != nil {
				t.Fatal(err)
			}
		}
		checks := name == "flags:check"
		if ownCache := strings.Contains(key.Key, "$CI_MERGE_REQUEST_IID"); checks != ownCache || !checks && (cache.Kind != yaml.SequenceNode || len(cache.Content) > 0) {
			t.Errorf("job %s has the cache of %s with the key %q", name, holder, key.Key)
		}
	}
}
