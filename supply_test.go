package serin_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	for _, name := range append(files, "ci/action.yml", "ci/releases.yml", "docs/workflows.md") {
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
		if ownCache := strings.Contains(key.Key, "$CI_MERGE_REQUEST_IID"); checks != ownCache ||
			!checks && (cache.Kind != yaml.SequenceNode || len(cache.Content) > 0) {
			t.Errorf("job %s has the cache of %s with the key %q", name, holder, key.Key)
		}
	}
}

// TestReleases holds that a release has the command for every system, and a file that says
// where it comes from.
func TestReleases(t *testing.T) {
	var config struct {
		Builds []struct {
			ID, Main     string
			Env          []string
			Goos, Goarch []string
		}
		SBOMs    []struct{ Artifacts string }
		Checksum struct {
			Name string `yaml:"name_template"`
		}
	}
	readYAML(t, ".goreleaser.yaml", &config)
	b := config.Builds[0]
	if b.Main != "./cmd/serin" || !slices.Equal(b.Goos, []string{"linux", "darwin", "windows"}) ||
		!slices.Equal(b.Goarch, []string{"amd64", "arm64"}) ||
		!slices.Contains(b.Env, "CGO_ENABLED=0") {
		t.Errorf("the command is built as %+v", b)
	}
	if len(config.SBOMs) != 1 || config.SBOMs[0].Artifacts != "binary" {
		t.Errorf("the bills of materials are %+v", config.SBOMs)
	}
	var workflow struct {
		Jobs map[string]struct {
			Permissions map[string]string
			Steps       []struct {
				Uses string
				With map[string]any
			}
		}
	}
	readYAML(t, ".github/workflows/release.yml", &workflow)
	job := workflow.Jobs["release"]
	last := job.Steps[len(job.Steps)-1]
	if job.Permissions["attestations"] != "write" ||
		!strings.HasPrefix(last.Uses, "actions/attest-build-provenance@") ||
		last.With["subject-checksums"] != "dist/"+config.Checksum.Name {
		t.Errorf("what is released isn't attested: %+v", job)
	}
	for _, step := range job.Steps {
		if strings.HasPrefix(step.Uses, "actions/setup-go@") && step.With["cache"] != false {
			t.Error("a release may contain what another job put into the cache")
		}
	}
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
