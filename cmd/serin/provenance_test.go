package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin"

	"github.com/serin-flags/serin/internal/syncbuf"
)

// gitIn runs git in dir, as nobody in particular.
func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_NAME=a writer", "GIT_AUTHOR_EMAIL=writer@example.com",
		"GIT_COMMITTER_NAME=a merger", "GIT_COMMITTER_EMAIL=merger@example.com",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// noPipeline hides the CI system that the tests may run in.
func noPipeline(t *testing.T) {
	for _, name := range []string{
		"GITHUB_SHA", "GITHUB_ACTOR", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT",
		"CI_COMMIT_SHA", "CI_COMMIT_AUTHOR", "CI_JOB_URL", "CI_PIPELINE_URL", "GITLAB_USER_NAME", "GITLAB_USER_LOGIN",
	} {
		t.Setenv(name, "")
	}
}

// serinJSON runs a command, as a process of its own with more variables, and
// decodes what it prints.
func serinJSON(t *testing.T, into any, variables []string, args ...string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Args[0] = "serin" // by which TestMain knows what to be
	cmd.Env = append(os.Environ(), variables...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("serin %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

func TestProvenanceByGit(t *testing.T) {
	noPipeline(t)
	repo, out, keys := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "keys")
	if err := os.CopyFS(repo, serin.Estate); err != nil {
		t.Fatal(err)
	}
	gitIn(t, repo, "init", "-q")
	gitIn(t, repo, "add", ".")
	gitIn(t, repo, "commit", "-q", "-m", "flags")
	commit := gitIn(t, repo, "rev-parse", "HEAD")
	if status := run(t.Context(), []string{"keys", "init", keys, "--env", "production"}, nil, &syncbuf.Buffer{},
		&syncbuf.Buffer{}); status != 0 {
		t.Fatal("no keys")
	}
	// The first of what log prints, of which JSON can't fill the embedded part.
	type entry struct {
		Revision int64
		originJSON
	}
	publish := func() entry {
		t.Helper()
		var report publishJSON
		serinJSON(t, &report, nil, "publish", filepath.Join(repo, "flags"), "--env", "production", "--to",
			"file://"+out, "--keys", keys, "--json")
		var log struct{ Revisions []entry }
		serinJSON(t, &log, nil, "log", "file://"+out+"/production", "--root",
			filepath.Join(keys, "root.json"), "--json")
		newest := log.Revisions[0]
		if newest.Revision != report.Revision || newest.Content != report.Content {
			t.Errorf("published %+v, logged %+v", report, newest)
		}
		return newest
	}
	if p := publish(); p.Commit != commit || p.Author != "a writer" || p.Dirty || p.RunURL != "" {
		t.Errorf("after the commit: %+v", p)
	}
	writeFile(t, filepath.Join(repo, "elsewhere.txt"), "not a flag")
	writeFile(t, filepath.Join(repo, "flags", "new", "new.yaml"), "type: boolean\ndefault: off\n")
	if p := publish(); p.Commit != commit || !p.Dirty {
		t.Errorf("with a change: %+v", p)
	}
	gitIn(t, repo, "add", "flags")
	gitIn(t, repo, "commit", "-q", "-m", "new")
	if err := os.Remove(filepath.Join(repo, "flags", "new", "new.yaml")); err != nil {
		t.Fatal(err)
	}
	gitIn(t, repo, "commit", "-q", "-a", "-m", "old", "--author", "x\x1b[2J\u202ey <x@example.com>")
	if p := publish(); p.Dirty || p.Author != "x[2Jy" || strings.Contains(p.Author, "@") {
		t.Errorf("after a commit by someone strange: %+v", p)
	}
}

// One commit gives the same payloads and the same content hash, whoever builds it,
// where, when, and whatever the files' times, modes and order in the folder.
func TestReproducible(t *testing.T) {
	noPipeline(t)
	files := make(map[string][]byte)
	err := fs.WalkDir(serin.Estate, "flags", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path], err = fs.ReadFile(serin.Estate, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(files))
	build := func(names []string, mode fs.FileMode, age time.Duration, zone string) (string, map[string][]byte) {
		dir, out, keys := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "keys")
		for _, name := range names {
			path := filepath.Join(dir, name)
			writeFile(t, path, string(files[name]))
			then := time.Now().Add(-age)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, then, then); err != nil {
				t.Fatal(err)
			}
		}
		if status := run(t.Context(), []string{"keys", "init", keys, "--env", "production"}, nil, &syncbuf.Buffer{},
			&syncbuf.Buffer{}); status != 0 {
			t.Fatal("no keys")
		}
		var report publishJSON
		serinJSON(t, &report, []string{"TZ=" + zone}, "publish", filepath.Join(dir, "flags"), "--env", "production",
			"--to", "file://"+out, "--keys", keys, "--json")
		payloads := make(map[string][]byte)
		for _, name := range report.Objects {
			if strings.HasPrefix(name, "targets/") {
				if payloads[name], err = os.ReadFile(filepath.Join(out, "production", name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return report.Content, payloads
	}
	content, payloads := build(names, 0o644, 0, "UTC")
	if len(payloads) < 2 || len(content) != 64 {
		t.Fatalf("content %q of %d payloads", content, len(payloads))
	}
	slices.Reverse(names)
	again, same := build(names, 0o600, 1000*time.Hour, "Asia/Shanghai")
	if again != content {
		t.Errorf("content %s, and then %s", content, again)
	}
	if diff := cmp.Diff(payloads, same); diff != "" {
		t.Errorf("payloads differ:\n%s", diff)
	}
}
