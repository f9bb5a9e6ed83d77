package comment

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const token = "ghs_of-this-test"

// A service answers as GitHub and GitLab do when asked for comments.
type service struct {
	t      *testing.T
	mu     sync.Mutex
	bodies []string // the comment with number n is bodies[n-1]
	calls  []string // method and path of each request
	status int      // what writing is answered with, unless it is 0
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	if r.Header.Get("Authorization") != "Bearer "+token && r.Header.Get("Private-Token") != token {
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodGet {
		s.list(w, r)
		return
	}
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	var sent struct{ Body string }
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || sent.Body == "" {
		s.t.Errorf("%s %s: no body: %v", r.Method, r.URL, err)
	}
	if r.Method == http.MethodPost {
		s.bodies = append(s.bodies, sent.Body)
		w.WriteHeader(http.StatusCreated)
		return
	}
	n, err := strconv.Atoi(filepath.Base(r.URL.Path))
	if err != nil || n < 1 || n > len(s.bodies) {
		http.NotFound(w, r)
		return
	}
	s.bodies[n-1] = sent.Body
}

func (s *service) list(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	type comment struct {
		ID   int    `json:"id"`
		Body string `json:"body"`
	}
	list := []comment{}
	for n := (page-1)*size + 1; n <= min(page*size, len(s.bodies)); n++ {
		list = append(list, comment{n, s.bodies[n-1]})
	}
	if err := json.NewEncoder(w).Encode(list); err != nil {
		s.t.Error(err)
	}
}

// onGitHub is the environment of a job for pull request 7.
func onGitHub(t *testing.T, api, event string) func(string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(event), 0o600); err != nil {
		t.Fatal(err)
	}
	return variables(map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": token, "GITHUB_API_URL": api,
		"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": path,
	})
}

func onGitLab(api string) func(string) string {
	return variables(map[string]string{
		"GITLAB_CI": "true", "SERIN_GITLAB_TOKEN": token, "CI_API_V4_URL": api + "/api/v4",
		"CI_PROJECT_ID": "12", "CI_MERGE_REQUEST_IID": "7",
	})
}

func variables(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

const pull7 = `{"action": "synchronize", "pull_request": {"number": 7}}`

func TestPut(t *testing.T) {
	for _, test := range []struct {
		name           string
		env            func(t *testing.T, api string) func(string) string
		create, update string
	}{
		{
			"GitHub", func(t *testing.T, api string) func(string) string { return onGitHub(t, api, pull7) },
			"POST /repos/acme/shop/issues/7/comments", "PATCH /repos/acme/shop/issues/comments/131",
		},
		{
			"GitLab", func(_ *testing.T, api string) func(string) string { return onGitLab(api) },
			"POST /api/v4/projects/12/merge_requests/7/notes", "PUT /api/v4/projects/12/merge_requests/7/notes/131",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &service{t: t}
			for i := range 130 {
				s.bodies = append(s.bodies, fmt.Sprintf("comment %d, which speaks of %s", i, marker))
			}
			server := httptest.NewServer(s)
			defer server.Close()
			r, err := FromEnvironment(test.env(t, server.URL))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Put(t.Context(), "first"); err != nil {
				t.Fatal(err)
			}
			if got := s.calls[len(s.calls)-1]; got != test.create {
				t.Errorf("the first comment was written by %s, not %s", got, test.create)
			}
			s.bodies = append(s.bodies, "thanks")
			if err := r.Put(t.Context(), "second"); err != nil {
				t.Fatal(err)
			}
			if got := s.calls[len(s.calls)-1]; got != test.update {
				t.Errorf("the second was written by %s, not %s", got, test.update)
			}
			if len(s.bodies) != 132 || s.bodies[130] != marker+"second" || s.bodies[131] != "thanks" {
				t.Errorf("the comments are %q", s.bodies[130:])
			}
		})
	}
}

func TestPutRefused(t *testing.T) {
	for _, test := range []struct {
		status    int
		forbidden bool
		want      string
	}{
		{http.StatusForbidden, true, "may not write comments"},
		{http.StatusUnauthorized, true, "may not write comments"},
		{http.StatusInternalServerError, false, "responded with 500"},
		{http.StatusFound, false, "responded with 302"},
	} {
		s := &service{t: t, status: test.status}
		server := httptest.NewServer(s)
		r, err := FromEnvironment(onGitHub(t, server.URL, pull7))
		if err != nil {
			t.Fatal(err)
		}
		err = r.Put(t.Context(), "text")
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrForbidden) != test.forbidden {
			t.Errorf("status %d: error %v, not one with %q", test.status, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("status %d: the error holds the token: %v", test.status, err)
		}
		server.Close()
	}
}

// TestRedirect holds that the token goes to the API and to nobody else.
func TestRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was asked, with the headers %v", r.Host, r.URL, r.Header)
	}))
	defer elsewhere.Close()
	api := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer api.Close()
	r, err := FromEnvironment(onGitLab(api.URL))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Put(t.Context(), "text"); err == nil {
		t.Error("a redirect is no error")
	}
}

func TestFromEnvironment(t *testing.T) {
	const api = "https://api.example.com"
	github := func(name, value string) func(string) string {
		env := onGitHub(t, api, pull7)
		return func(n string) string {
			if n == name {
				return value
			}
			return env(n)
		}
	}
	for name, test := range map[string]struct {
		env       func(string) string
		noRequest bool
		want      string
	}{
		"nowhere":    {variables(nil), true, "neither GITHUB_ACTIONS nor GITLAB_CI"},
		"push":       {onGitHub(t, api, `{"ref": "refs/heads/main"}`), true, "doesn't run for a pull request"},
		"event":      {onGitHub(t, api, `{`), false, "reading the event"},
		"no event":   {github("GITHUB_EVENT_PATH", ""), false, "GITHUB_EVENT_PATH"},
		"no token":   {github("GITHUB_TOKEN", ""), false, "GITHUB_TOKEN"},
		"repository": {github("GITHUB_REPOSITORY", "a/b/c"), false, "GITHUB_REPOSITORY"},
		"api":        {github("GITHUB_API_URL", "api.example.com"), false, "GITHUB_API_URL"},
		"branch": {variables(map[string]string{"GITLAB_CI": "true", "CI_PROJECT_ID": "1"}), true,
			"doesn't run for a pull request"},
		"number": {variables(map[string]string{"GITLAB_CI": "true", "CI_PROJECT_ID": "../1",
			"CI_MERGE_REQUEST_IID": "2"}), false, "isn't a number"},
		"GitLab, token": {variables(map[string]string{"GITLAB_CI": "true", "CI_PROJECT_ID": "1",
			"CI_MERGE_REQUEST_IID": "2"}), false, "SERIN_GITLAB_TOKEN"},
	} {
		_, err := FromEnvironment(test.env)
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrNoRequest) != test.noRequest {
			t.Errorf("%s: error %v, not one with %q", name, err, test.want)
		}
	}
}

func TestFit(t *testing.T) {
	line := strings.Repeat("ä", 99) + "\n"
	long := strings.Repeat(line, 20)
	got := fit(long, 1000)
	if n := utf8.RuneCountInString(got); n > 1000 {
		t.Errorf("cut to %d characters, not 1000", n)
	}
	kept, _, ok := strings.Cut(got, "\n… cut here")
	if !ok || !strings.HasPrefix(long, kept) || len(kept) < 8*len(line) {
		t.Errorf("cut to %q", got)
	}
	if got := fit(long, 2000); got != long {
		t.Error("what fits was cut")
	}
}

// TestFitCloses holds that nothing after a cut is within a block of code or folded.
func TestFitCloses(t *testing.T) {
	line := strings.Repeat("ä", 99) + "\n"
	for start, end := range map[string]string{
		"````text\n```\n":                         "````\n",
		"```text\nx\n```\n":                       "",
		"<details><summary>x</summary>\n\n":       "\n</details>\n",
		"<details>\n</details>\n":                 "",
		"<details>\n\n```text\n</details>\n~~~\n": "```\n\n</details>\n",
	} {
		got := fit(start+strings.Repeat(line, 20), 1000)
		if want := line + end + "\n… cut here: the comment would be too long.\n"; !strings.HasSuffix(got, want) {
			t.Errorf("%q: cut to an end of %q", start, got[len(got)-150:])
		}
	}
}
