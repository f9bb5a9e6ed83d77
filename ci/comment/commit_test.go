package comment

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const hash = "0123456789abcdef0123456789abcdef01234567"

// TestOfCommit holds which request gets the comment about a commit, and that there is one
// comment for each topic.
func TestOfCommit(t *testing.T) {
	const merged = `"2026-11-30T10:00:00Z"`
	for _, test := range []struct {
		name, list, answer string
		env                func(t *testing.T, api string) func(string) string
		want               string // how the comment is written; "": there is no request
	}{
		{
			"GitHub", "/repos/acme/shop/commits/" + hash + "/pulls",
			`[{"number": 5, "merged_at": null}, {"number": 7, "merged_at": ` + merged + `}]`,
			func(t *testing.T, api string) func(string) string { return onGitHub(t, api, `{}`) },
			"POST /repos/acme/shop/issues/7/comments",
		},
		{
			"GitLab", "/api/v4/projects/12/repository/commits/" + hash + "/merge_requests",
			`[{"id": 99, "iid": 7, "merged_at": ` + merged + `}, {"id": 98, "iid": 5, "merged_at": ` + merged + `}]`,
			func(_ *testing.T, api string) func(string) string { return onGitLab(api) },
			"POST /api/v4/projects/12/merge_requests/7/notes",
		},
		{
			"not merged", "/repos/acme/shop/commits/" + hash + "/pulls", `[{"number": 5}, {"number": 7}]`,
			func(t *testing.T, api string) func(string) string { return onGitHub(t, api, `{}`) },
			"POST /repos/acme/shop/issues/5/comments",
		},
		{
			"pushed to main", "/repos/acme/shop/commits/" + hash + "/pulls", `[]`,
			func(t *testing.T, api string) func(string) string { return onGitHub(t, api, `{}`) }, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &service{t: t}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != test.list {
					s.ServeHTTP(w, r)
					return
				}
				if !json.Valid([]byte(test.answer)) || r.Header.Get("Authorization") != "Bearer "+token &&
					r.Header.Get("Private-Token") != token {
					t.Errorf("%s %s, %v", r.Method, r.URL, r.Header)
				}
				w.Write([]byte(test.answer))
			}))
			defer server.Close()
			get := func(topic string) *Request {
				r, err := OfCommit(t.Context(), test.env(t, server.URL), hash, topic)
				if test.want == "" && errors.Is(err, ErrNoOrigin) && !strings.Contains(err.Error(), token) {
					return nil
				}
				if err != nil || test.want == "" {
					t.Fatalf("%v, %v", r, err)
				}
				return r
			}
			cart := get("release cart in production")
			if cart == nil {
				return
			}
			for _, put := range []struct {
				of   *Request
				text string
			}{{cart, "one"}, {get("release index in production"), "two"}, {cart, "three"}, {cart, "three"}} {
				if err := put.of.Put(t.Context(), put.text); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"<!-- serin: release cart in production -->\nthree",
				"<!-- serin: release index in production -->\ntwo"}
			if strings.Join(s.bodies, "|") != strings.Join(want, "|") {
				t.Errorf("the comments are %q", s.bodies)
			}
			var written []string
			for _, call := range s.calls {
				if !strings.HasPrefix(call, "GET ") {
					written = append(written, call)
				}
			}
			if len(written) != 3 || written[0] != test.want {
				t.Errorf("comments were written by %q", written)
			}
		})
	}
}

func TestOfCommitRefused(t *testing.T) {
	for name, commit := range map[string]string{"short": "0123456", "a path": "../../user"} {
		if _, err := OfCommit(t.Context(), onGitLab("http://127.0.0.1:1"), commit, "x"); err == nil ||
			!strings.Contains(err.Error(), "full hash") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OfCommit(t.Context(), variables(nil), hash, "x"); !errors.Is(err, ErrNoRequest) {
		t.Errorf("outside of a job: %v", err)
	}
	for _, env := range []func(string) string{onGitHub(t, "http://127.0.0.1:1", `{}`), onGitLab("http://127.0.0.1:1")} {
		_, err := OfCommit(t.Context(), env, hash, "x")
		if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "commit 0123456789ab") {
			t.Errorf("a service that isn't there: %v", err)
		}
	}
}
