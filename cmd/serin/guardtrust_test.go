//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/ci/guard"
)

// A guarded is a folder with a published plan at 1%, which the guard may move.
type guarded struct {
	dir string
}

// newGuarded publishes a plan whose guard is text. The current folder is that of the guard.
func newGuarded(t *testing.T, text string) guarded {
	t.Helper()
	g := guarded{t.TempDir()}
	t.Chdir(g.dir)
	t.Setenv("SERIN_ENV", "production")
	for name, text := range map[string]string{
		"flags/serin.yaml":         "environments: [production]\n",
		"flags/context.yaml":       "attributes:\n  user: {type: string, unit: true}\n",
		"flags/guards/slo.yaml":    text,
		"flags/shop/cart.yaml":     cartPlan,
		"flags/" + "releases.lock": cartLine,
	} {
		g.write(t, name, text)
	}
	g.must(t, "keys", "init", "keys", "--env", "production")
	g.must(t, "publish", "flags", "--to", "file://"+g.dir+"/store", "--keys", "keys")
	return g
}

const (
	cartPlan = `type: string
default: old
rules:
  - name: ramp
    serve: {ramp: new, steps: [{to: 1%}, {to: 5%, after: 4h}, {to: 100%, after: 24h}], start: 2026-11-01T10:00, guard: slo}
`
	cartLine = "cart production ramp plan=a5959c0075a7 share=1% since=2026-11-01T10:00:00Z by=robot count=4\n"
)

func (g guarded) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o777); err != nil {
		t.Fatal(err)
	}
}

// run runs a command, and returns its exit status and what it prints.
func (g guarded) run(t *testing.T, args ...string) (status int, printed string) {
	t.Helper()
	var out bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &out, &out)
	return status, out.String()
}

func (g guarded) must(t *testing.T, args ...string) string {
	t.Helper()
	status, out := g.run(t, args...)
	if status != 0 {
		t.Fatalf("serin %s: status %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// guard runs the guard.
func (g guarded) guard(t *testing.T, args ...string) (status int, printed string) {
	t.Helper()
	return g.run(t, append([]string{"guard", "flags", "--to", "file://" + g.dir + "/store", "--keys", "keys"},
		args...)...)
}

// has returns the files below the folder that contain a text, but for keys.
func (g guarded) has(t *testing.T, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(g.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// git runs git in the folder, with nothing of the user's configuration.
func (g guarded) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=Ann",
		"GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// secret is what must never appear: the token of a source, of a cloud and of the CI system.
const secret = "canary-b7d41c"

// TestSourceRefuses holds that a source that refuses its credentials, or can't prove who it is,
// is an error that names it, that the share stays, and that nobody sees the credentials.
func TestSourceRefuses(t *testing.T) {
	var asked []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"status":"error","errorType":"auth","error":"bad %s"}`, r.Header.Get("Authorization"))
	})
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	defer plain.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS() // with a certificate that nobody has signed
	defer secure.Close()
	for _, tt := range []struct {
		name, url, want string
		asks            bool
	}{
		{"authentication", plain.URL, "HTTP 401: it wants other credentials than this deployment has for it", true},
		{"TLS", secure.URL, "certificate signed by unknown authority", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked = nil
			g := newGuarded(t, fmt.Sprintf(`environments: [production]
sources: {prom: {prometheus: %q}}
metrics: [{name: latency, value: {prom: 'latency{arm="$arm"}[$window]'}, max: 0.8}]
`, tt.url))
			t.Setenv("SERIN_GUARD_CREDENTIALS", tt.url+" bearer "+secret)
			for _, more := range []string{"", "--json"} {
				status, out := g.guard(t, strings.Fields(more)...)
				if status != 0 || !strings.Contains(out, tt.want) || strings.Contains(out, secret) {
					t.Errorf("status %d, and it prints\n%s", status, out)
				}
			}
			if asks := len(asked) > 0; asks != tt.asks || asks && asked[0] != "Bearer "+secret {
				t.Errorf("the server was asked with %q", asked)
			}
			if status := g.must(t, "release", "cart", "--from", "flags"); !strings.Contains(status,
				`cart in production: 1% get "new"`) {
				t.Errorf("the share is not as it was:\n%s", status)
			}
			if files := g.has(t, secret); files != nil {
				t.Errorf("the credentials are in %q", files)
			}
		})
	}
}

// TestEvidenceHasNoSecrets holds that evidence has no credentials, even if a source sends them
// back and a command prints all of its environment.
func TestEvidenceHasNoSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"status":"error","errorType":"bad_data","error":"parse error, %s"}`,
			r.Header.Get("Authorization"))
	}))
	defer server.Close()
	g := newGuarded(t, fmt.Sprintf(`environments: [production]
sources: {prom: {prometheus: %q}}
metrics:
  - {name: latency, value: {prom: 'latency{arm="$arm"}[$window]'}, max: 0.8}
  - {name: smoke, command: {run: [./smoke.sh]}}
`, server.URL))
	g.write(t, "smoke.sh", "#!/bin/sh\nenv\nexit 1\n")
	t.Setenv("SERIN_GUARD_CREDENTIALS", server.URL+" bearer "+secret)
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "SERIN_GITLAB_TOKEN",
		"SERIN_WEBHOOK_TOKEN", "SERIN_KEY_PASSPHRASE"} {
		t.Setenv(name, secret)
	}
	status, out := g.guard(t, "--json")
	if status != 4 || strings.Contains(out, secret) {
		t.Errorf("status %d, and it prints\n%s", status, out)
	}
	files, err := filepath.Glob("flags/releases/cart/*.json")
	if err != nil || len(files) != 1 {
		t.Fatalf("the evidence is in %q, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HTTP 400: parse error, Bearer (hidden)", "PATH="} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the evidence doesn't have %q:\n%s", want, data)
		}
	}
	if files := g.has(t, secret); files != nil {
		t.Errorf("the credentials are in %q", files)
	}
}

// TestCommandsHideCredentials holds that the output of a command has no credentials of sources,
// even if it finds the file that they are in.
func TestCommandsHideCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	text := "https://one.example.com bearer " + secret + "-token\nhttps://two.example.com basic user:" + secret +
		"-password\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := guardOptions(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"cat " + file, "sed s/user:/user/ " + file,
		"printf 'user:" + secret + "-password' | base64"} {
		out, err := options.Runner.Run(t.Context(),
			guard.Command{Run: []string{"sh", "-c", script}, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.Output, "(hidden)") || strings.Contains(out.Output, secret) {
			t.Errorf("%s prints\n%s", script, out.Output)
		}
	}
}

// TestChangedUnderneath holds that nothing is overwritten that somebody else has written after
// it was read.
func TestChangedUnderneath(t *testing.T) {
	name := filepath.Join(t.TempDir(), "releases.lock")
	if err := unchanged(name, nil); err != nil {
		t.Errorf("a file that isn't there: %v", err)
	}
	if err := unchanged(name, []byte("a\n")); err == nil {
		t.Error("a file that somebody has deleted counts as unchanged")
	}
	if err := os.WriteFile(name, []byte("b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unchanged(name, []byte("b\n")); err != nil {
		t.Errorf("a file that nobody has touched: %v", err)
	}
	for _, before := range []string{"", "a\n"} {
		if err := unchanged(name, []byte(before)); err == nil ||
			!strings.Contains(err.Error(), "was changed by somebody else") {
			t.Errorf("%q became another text: %v", before, err)
		}
	}
}

// TestEditChangedUnderneath holds the same for what edits files: either all are as they were
// read, or none is written.
func TestEditChangedUnderneath(t *testing.T) {
	dir := t.TempDir()
	flag, lock := filepath.Join(dir, "flag.yaml"), filepath.Join(dir, "releases.lock")
	for name, text := range map[string]string{flag: "a\n", lock: "of somebody else\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := new(editRun).write(releaseCommand(), dir, "", []edit.Change{
		{Path: flag, Before: []byte("a\n"), After: []byte("b\n")}, {Path: lock, Before: []byte("as read\n"), After: []byte("ours\n")},
	})
	if err == nil || !strings.Contains(err.Error(), lock+" was changed by somebody else") {
		t.Errorf("the error is %v", err)
	}
	for name, want := range map[string]string{flag: "a\n", lock: "of somebody else\n"} {
		if data, err := os.ReadFile(name); err != nil || string(data) != want {
			t.Errorf("%s has %q, %v", name, data, err)
		}
	}
}

// TestWebhook holds that a message that fails doesn't stop those about other plans, and that no
// error has the URL.
func TestWebhook(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct{ Flag, Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		got = append(got, message.Flag+": "+message.Text)
		if message.Flag == "one" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	g := guardRun{webhook: server.URL + "/hunter2"}
	var moved []*guard.Decision
	for _, flag := range []string{"one", "two"} {
		moved = append(moved, &guard.Decision{Plan: &ci.Plan{Flag: flag, Environment: "production"},
			Action: guard.Finish, Reason: "done"})
	}
	err := g.post(t.Context(), moved)
	if err == nil || err.Error() != "posting to the webhook about one: it answered 503 Service Unavailable" {
		t.Errorf("error %v", err)
	}
	if want := []string{"one: one in production: finished at 0%: done\n",
		"two: two in production: finished at 0%: done\n"}; !slices.Equal(got, want) {
		t.Errorf("the messages are %q", got)
	}
	server.Close()
	if err := g.post(t.Context(), moved); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a server that is gone: error %v", err)
	}
}
