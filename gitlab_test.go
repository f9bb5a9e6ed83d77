//go:build unix

package serin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"
)

// gitlabJobs are the jobs of ci/gitlab.yml, of which the tests run the scripts as
// GitLab's runner does, but for what installs the command.
func gitlabJobs(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("ci/gitlab.yml")
	if err != nil {
		t.Fatal(err)
	}
	var jobs map[string]struct {
		Before yaml.Node `yaml:"before_script"`
		Script []string
		After  []string `yaml:"after_script"`
	}
	if err := yaml.Unmarshal(data, &jobs); err != nil {
		t.Fatal(err)
	}
	lines := func(job string) (list []string) {
		for _, n := range jobs[job].Before.Content {
			if n.Tag != "!reference" {
				list = append(list, n.Value)
			}
		}
		return list
	}
	prepare, clean := lines(".serin:publish"), jobs[".serin:publish"].After
	scripts := make(map[string][]string)
	for _, name := range []string{"flags:check", "flags:publish", "flags:renew", "flags:guard"} {
		script := jobs[name].Script
		if name != "flags:check" {
			script = append(append(prepare[:len(prepare):len(prepare)], script...), clean...)
		}
		if len(script) == 0 {
			t.Fatalf("there is no job %q", name)
		}
		scripts[name] = script
	}
	return scripts
}

// TestGitLab goes the way of a change by the template for GitLab.
func TestGitLab(t *testing.T) {
	t.Parallel()
	jobs := gitlabJobs(t)
	f := newTeam(t)
	notes := &mergeRequest{t: t}
	server := httptest.NewServer(notes)
	defer server.Close()
	run := func(job string, env ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c",
			strings.Join(jobs[job], "\n"))
		cmd.Dir = f.dir
		cmd.Env = append(append(os.Environ(), f.s3.Env()...), "PATH="+filepath.Dir(command(t))+":"+os.Getenv("PATH"),
			"GITLAB_CI=true",
			"CI_PROJECT_DIR="+f.dir, "CI_API_V4_URL="+server.URL+"/api/v4", "CI_PROJECT_ID=12",
			"CI_MERGE_REQUEST_IID=4",
			"SERIN_FLAGS=flags", "SERIN_ENVIRONMENT=production", "SERIN_KEYS=keys/production",
			"SERIN_GITLAB_TOKEN=glpat-of-this-test",
			"SERIN_TO=s3://flags/shop", "SERIN_ONLINE_KEY="+f.key,
			"CI_MERGE_REQUEST_DIFF_BASE_SHA="+f.git(t, "rev-parse", "main"))
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	if out, err := run("flags:publish"); err != nil {
		t.Fatalf("publishing main: %v\n%s", err, out)
	}
	client := f.follow(t)
	f.propose(t, "more-users", strings.Replace(newCart, "10%", "30%", 1))
	merged := f.git(t, "rev-parse", "HEAD")
	out, err := run("flags:check", "SERIN_FAIL_OVER=25%")
	if err != nil {
		t.Errorf("a good edit: %v\n%s", err, out)
	}
	for _, want := range []string{"20%", "### Checks that pass\n\n```text\n$ serin check flags\n",
		"1 of 1 rule reached (100%)"} {
		if !strings.Contains(notes.note(), want) {
			t.Errorf("the comment on a good edit doesn't say %q:\n%s", want, notes.note())
		}
	}
	f.propose(t, "mistake", strings.Replace(newCart, "type: boolean", "type: bolean", 1))
	if out, err := run("flags:check"); err == nil ||
		!strings.Contains(notes.note(), "### Problems in the flag files\n\n```text\nflags/shop/new-cart.yaml:2:7: ") {
		t.Errorf("a mistake: %v, and the comment is:\n%s\n%s", err, notes.note(), out)
	}
	f.git(t, "switch", "--quiet", "--detach", merged)
	if out, err := run("flags:check", "SERIN_FAIL_OVER=5%"); err == nil ||
		!strings.Contains(notes.note(), "### Refused\n\n```text\nerror: ") {
		t.Errorf("a change for too many: %v, and the comment is:\n%s\n%s", err, notes.note(), out)
	}
	if out, err := run("flags:publish"); err != nil {
		t.Errorf("publishing: %v\n%s", err, out)
	}
	if err := client.Refresh(t.Context()); err != nil || client.Snapshot().Revision() != 2 {
		t.Errorf("the program sees revision %d, %v", client.Snapshot().Revision(), err)
	}
	f.git(t, "switch", "--quiet", "--detach", "main")
	if out, err := run("flags:publish"); err == nil || !strings.Contains(out, "refusing to go back: commit ") {
		t.Errorf("a late job of an older commit: %v\n%s", err, out)
	}
	if out, err := run("flags:renew"); err != nil {
		t.Errorf("renewing: %v\n%s", err, out)
	}
	if left, err := filepath.Glob(f.dir + ".tmp*"); err != nil || len(left) > 0 {
		t.Errorf("keys were left behind in %v, %v", left, err)
	}

	// What main has can't be read: the request that mends it is not refused.
	f.git(t, "switch", "--quiet", "main")
	f.write(t, "flags/shop/new-cart.yaml", strings.Replace(newCart, "type: boolean", "type: bolean", 1))
	f.commit(t, "Break main")
	f.propose(t, "mend", newCart)
	if out, err := run("flags:check"); err != nil ||
		!strings.Contains(notes.note(), "### Flags: not compared\n\nthere ") {
		t.Errorf("mending main: %v, and the comment is:\n%s\n%s", err, notes.note(), out)
	}
}

// A mergeRequest answers as GitLab's API does for the notes of one merge request,
// which has one at most.
type mergeRequest struct {
	t    *testing.T
	mu   sync.Mutex
	body string
}

// note returns the text of the note.
func (m *mergeRequest) note() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.body
}

func (m *mergeRequest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if got := r.Header.Get("Private-Token"); got != "glpat-of-this-test" {
		m.t.Errorf("%s %s: the token is %q", r.Method, r.URL, got)
	}
	const notes = "/api/v4/projects/12/merge_requests/4/notes"
	type note struct {
		ID   int    `json:"id"`
		Body string `json:"body"`
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		m.t.Error(err)
	}
	var sent note
	switch {
	case r.Method == http.MethodGet && r.URL.Path == notes:
		list := []note{}
		if m.body != "" {
			list = append(list, note{9, m.body})
		}
		err = json.NewEncoder(w).Encode(list)
	case r.Method == http.MethodPost && r.URL.Path == notes && m.body == "",
		r.Method == http.MethodPut && r.URL.Path == notes+"/9" && m.body != "":
		err = json.Unmarshal(data, &sent)
		m.body = sent.Body
	default:
		m.t.Errorf("%s %s: not a request of GitLab's API", r.Method, r.URL.Path)
	}
	if err != nil {
		m.t.Error(err)
	}
}
