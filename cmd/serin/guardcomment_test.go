//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A forge answers as GitHub and GitLab do about the request that brought a commit, which is
// number 7, and its comments.
type forge struct {
	mu     sync.Mutex
	commit string // that was asked about
	body   string // of the comment
	writes int
	broken bool // answers nothing
}

func (f *forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken || r.Header.Get("Authorization") != "Bearer "+secret && r.Header.Get("Private-Token") != secret {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, secret)
		return
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/repos/acme/shop/commits/"),
		strings.HasPrefix(path, "/projects/12/repository/commits/"):
		f.commit = filepath.Base(filepath.Dir(path))
		fmt.Fprint(w, `[{"number": 7, "iid": 7, "merged_at": "2026-11-30T10:00:00Z"}]`)
	case r.Method == http.MethodGet && f.body == "":
		fmt.Fprint(w, `[]`)
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode([]map[string]any{{"id": 3, "body": f.body}})
	case path == "/repos/acme/shop/issues/7/comments" || path == "/repos/acme/shop/issues/comments/3" ||
		path == "/projects/12/merge_requests/7/notes" || path == "/projects/12/merge_requests/7/notes/3":
		var sent struct{ Body string }
		_ = json.NewDecoder(r.Body).Decode(&sent)
		f.body = sent.Body
		f.writes++
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestGuardComments holds that the request that brought a plan says how its release stands, and
// that a failure to say so changes nothing else.
func TestGuardComments(t *testing.T) {
	for _, service := range []string{"GitHub", "GitLab"} {
		t.Run(service, func(t *testing.T) {
			g := newGuarded(t, "environments: [production]\nmetrics: [{name: smoke, command: {run: [./smoke.sh]}}]\n")
			g.write(t, "smoke.sh", "#!/bin/sh\necho '```'\n. ./verdict\n")
			g.write(t, "verdict", "exit 0\n")
			g.write(t, "flags/guards/cart.yaml",
				"environments: [production]\nmetrics: [{name: smoke, command: {run: [./smoke.sh]}}]\n")
			g.git(t, "init", "-q", "-b", "main")
			g.git(t, "add", "flags")
			g.git(t, "commit", "-q", "-m", "Begin")
			commit := g.git(t, "rev-parse", "HEAD")
			g.write(t, "flags/guards/cart.yaml",
				"environments: [production]\nmetrics: [{name: smoke, command: {run: [./smoke.sh, x]}}]\n")
			g.git(t, "commit", "-q", "-a", "-m", "Edit a guard of the same name")

			f := &forge{}
			server := httptest.NewServer(f)
			defer server.Close()
			for name, value := range map[string]map[string]string{
				"GitHub": {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": secret, "GITHUB_REPOSITORY": "acme/shop",
					"GITHUB_API_URL": server.URL},
				"GitLab": {"GITHUB_ACTIONS": "", "GITLAB_CI": "true", "SERIN_GITLAB_TOKEN": secret,
					"CI_PROJECT_ID": "12", "CI_API_V4_URL": server.URL},
			}[service] {
				t.Setenv(name, value)
			}
			if status, out := g.guard(t, "--comment"); status != 0 || strings.Contains(out, "no comment") {
				t.Fatalf("status %d\n%s", status, out)
			}
			for _, want := range []string{
				"<!-- serin: release cart in production -->\n### The release of cart in production\n",
				"cart in production: 5% get \"new\" since ", "cart in production: 1% → 5%: ", "- smoke: pass: ", "▸ 5%",
			} {
				if !strings.Contains(f.body, want) {
					t.Errorf("the comment doesn't have %q:\n%s", want, f.body)
				}
			}
			if f.commit != commit {
				t.Errorf("asked about commit %s, not %s", f.commit, commit)
			}
			if status, out := g.guard(t, "--comment"); status != 0 || strings.Count(f.body, "###") != 1 {
				t.Errorf("status %d, and the second comment is\n%s\n%s", status, f.body, out)
			}

			// The comment can't be written, and the guard does its work.
			f.broken = true
			g.write(t, "verdict", "exit 1\n")
			status, out := g.guard(t, "--comment", "--json")
			if status != 4 || !strings.Contains(out, `warning: flag "cart": no comment: `) ||
				strings.Contains(out, secret) {
				t.Errorf("with a token that may not comment: status %d\n%s", status, out)
			}
			f.broken = false
			if status, out := g.guard(t, "--comment"); status != 0 || !strings.Contains(f.body, "0% get \"new\"") ||
				!strings.Contains(f.body, "rolled back") {
				t.Errorf("status %d, and the comment is\n%s\n%s", status, f.body, out)
			}
			writes := f.writes
			if g.guard(t, "--comment"); f.writes != writes {
				t.Error("the same comment is written again")
			}
			if files := g.has(t, secret); files != nil {
				t.Errorf("the token is in %q", files)
			}

			// A part of the history doesn't tell which commit it was.
			g.git(t, "clone", "-q", "--depth", "1", "file://"+g.dir, "shallow")
			t.Chdir(filepath.Join(g.dir, "shallow"))
			status, out = g.run(t, "guard", "flags", "--to", "file://"+g.dir+"/store", "--keys", "../keys", "--comment")
			if status != 0 || !strings.Contains(out, "fetch-depth: 0") {
				t.Errorf("in a shallow clone: status %d\n%s", status, out)
			}
		})
	}
}
