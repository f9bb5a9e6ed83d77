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
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

// newCart is the flag that the pull requests are about.
const newCart = `description: The cart with one page
type: boolean
default: off
rules:
  - name: part of everybody
    serve: {on: 10%, off: rest}
`

// A team is a git repository with flags, its main branch published to S3 by the
// action, and a program that follows.
type team struct {
	action  action
	s3      s3test.Server
	dir     string // the clone that people and jobs work in
	key     string // the content of online.key, which only jobs have
	offline string // the folder with the root key, which no job has
	request *pullRequest
	event   string // the file with GitHub's event
	api     string
}

// TestFlow goes the way of a change: a branch, a bad edit refused, a good one
// compared, merged, published and seen by a running program; and what a schedule
// does.
func TestFlow(t *testing.T) {
	t.Parallel()
	f := newTeam(t)
	if o := f.publish(t, "publish"); o.err != nil || o.outputs["revision"] != "1" {
		t.Fatalf("publishing main: %v, revision %q\n%s", o.err, o.outputs["revision"], o.log)
	}
	client := f.follow(t)
	before := onShare(client)
	if before < 0.08 || before > 0.12 {
		t.Fatalf("%v of the users have the flag, not 10%%", before)
	}

	t.Run("bad edit", f.badEdit)
	t.Run("good edit", f.goodEdit)
	t.Run("too many users", f.tooMany)
	t.Run("fork", f.fork)
	t.Run("cure", f.cure)

	f.git(t, "switch", "main")
	f.git(t, "merge", "--no-ff", "-m", "Merge the ramp", "more-users")
	o := f.publish(t, "publish")
	if o.err != nil || o.outputs["revision"] != "2" {
		t.Fatalf("publishing what was merged: %v, revision %q\n%s", o.err, o.outputs["revision"], o.log)
	}
	for deadline := time.Now().Add(time.Minute); client.Snapshot().Revision() < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("the program doesn't see revision 2: %+v", client.Status())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if after := onShare(client); after < 0.27 || after > 0.33 {
		t.Errorf("%v of the users have the flag, not 30%%", after)
	}
	if o := f.publish(t, "renew"); o.err != nil || o.outputs["revision"] != "2" {
		t.Errorf("renewing: %v, revision %q\n%s", o.err, o.outputs["revision"], o.log)
	}
	f.trail(t)
	f.rotate(t, client)
	f.leak(t)
	if o := f.publish(t, "deploy"); o.err == nil || !strings.Contains(o.log, "check, publish, renew, guard or edit") {
		t.Errorf("\"do: deploy\" isn't refused: %v\n%s", o.err, o.log)
	}
}

// leak puts the online key into git, whose jobs then fail. Renewals go on.
func (f *team) leak(t *testing.T) {
	f.write(t, "keys/production/online.key", f.key)
	f.git(t, "add", "--force", "keys/production/online.key")
	for what, o := range map[string]outcome{"check": f.check(t, nil), "publish": f.publish(t, "publish")} {
		if o.err == nil || !strings.Contains(o.log, "error: git tracks a private key: keys/production/online.key") {
			t.Errorf("%s with a key in git: %v\n%s", what, o.err, o.log)
		}
	}
	if o := f.publish(t, "renew"); o.err != nil {
		t.Errorf("renewing with a key in git: %v\n%s", o.err, o.log)
	}
	f.git(t, "rm", "--quiet", "--cached", "keys/production/online.key")
}

// onShare returns the share of users that have new-cart.
func onShare(client *sdk.Client) float64 {
	flag := sdk.Bool("new-cart", false)
	on := 0
	const users = 5000
	for i := range users {
		if flag.Get(client, sdk.User("u-"+strconv.Itoa(i))) {
			on++
		}
	}
	return float64(on) / users
}

func newTeam(t *testing.T) *team {
	f := &team{action: readAction(t), s3: s3test.Start(t), dir: filepath.Join(t.TempDir(), "shop"),
		request: &pullRequest{t: t}}
	f.s3.CreateBucket(t, "flags")
	server := httptest.NewServer(f.request)
	t.Cleanup(server.Close)
	f.api = server.URL
	f.event = filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(f.event, []byte(`{"pull_request": {"number": 4}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f.write(t, "flags/serin.yaml", "environments: [production]\n")
	f.write(t, "flags/context.yaml", "attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n")
	f.write(t, "flags/shop/new-cart.yaml", newCart)
	f.write(t, "flags/shop/new-cart.test.yaml",
		"- name: somebody\n  population: {count: 1000}\n  expect: {share: {off: 80%}, within: 15%}\n")
	f.write(t, ".gitignore", "*.key\nflags.md\nflags.junit.xml\n")
	f.offline = filepath.Join(t.TempDir(), "keys")
	f.serin(t, "keys", "init", f.offline, "--env", "production")
	f.takeKeys(t)
	f.git(t, "init", "--initial-branch", "main")
	f.commit(t, "Begin with flags")
	return f
}

// takeKeys copies what is public from the folder with the keys to the repository,
// and the online key to the secrets.
func (f *team) takeKeys(t *testing.T) {
	t.Helper()
	roots, err := filepath.Glob(filepath.Join(f.offline, "*root.json"))
	if err != nil || len(roots) == 0 {
		t.Fatal(roots, err)
	}
	for _, name := range append(roots, filepath.Join(f.offline, "online.key")) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) == ".key" {
			f.key = string(data)
		} else {
			f.write(t, filepath.Join("keys", "production", filepath.Base(name)), string(data))
		}
	}
}

// serin runs the command and returns what it prints.
func (f *team) serin(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command(t), args...)
	cmd.Env = append(os.Environ(), f.s3.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("serin %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (f *team) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// git runs git with nothing of the user's configuration, and returns what it
// prints.
func (f *team) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=author", "GIT_AUTHOR_EMAIL=author@example.com",
		"GIT_COMMITTER_NAME=author", "GIT_COMMITTER_EMAIL=author@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (f *team) commit(t *testing.T, message string) {
	t.Helper()
	f.git(t, "add", "--all")
	f.git(t, "commit", "--quiet", "-m", message)
}

// propose makes a branch with another version of the flag, and checks out what
// GitHub has a pull request's jobs check out: its merge into main.
func (f *team) propose(t *testing.T, branch, flag string) {
	t.Helper()
	f.git(t, "switch", "--quiet", "-c", branch, "main")
	f.write(t, "flags/shop/new-cart.yaml", flag)
	f.commit(t, "Edit new-cart")
	f.git(t, "switch", "--quiet", "--detach", "main")
	f.git(t, "merge", "--quiet", "--no-ff", "-m", "Merge for the job", branch)
}

// check runs the job of a pull request.
func (f *team) check(t *testing.T, inputs map[string]string) outcome {
	t.Helper()
	all := map[string]string{"do": "check", "environments": "production"}
	for name, value := range inputs {
		all[name] = value
	}
	return f.action.run(t, job{workspace: f.dir, inputs: all, env: []string{
		"GITHUB_EVENT_NAME=pull_request", "GITHUB_EVENT_PATH=" + f.event,
		"GITHUB_REPOSITORY=acme/shop", "GITHUB_API_URL=" + f.api,
	}})
}

// publish runs the job of the main branch.
func (f *team) publish(t *testing.T, do string) outcome {
	t.Helper()
	return f.action.run(t, job{workspace: f.dir, env: append(f.s3.Env(), "GITHUB_EVENT_NAME=push",
		"GITHUB_SERVER_URL=https://github.example", "GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=77"),
		inputs: map[string]string{
			"do": do, "environment": "production", "to": "s3://flags/shop", "keys": "keys/production",
			"online-key": f.key,
		}})
}

// follow opens a client of what is published.
func (f *team) follow(t *testing.T) *sdk.Client {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(f.dir, "keys", "production", "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{
		Source:      s3source.New(f.s3.Client(t), "flags", "shop/production"),
		Root:        root,
		Interval:    100 * time.Millisecond,
		InitTimeout: time.Minute, // however busy the machine is
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// rotate replaces the online key. The program follows with the root that it pins.
func (f *team) rotate(t *testing.T, client *sdk.Client) {
	t.Helper()
	f.serin(t, "keys", "rotate", f.offline, "--online", "new")
	old := f.key
	f.takeKeys(t)
	f.commit(t, "Replace the online key")
	if o := f.publish(t, "publish"); o.err != nil || f.key == old {
		t.Fatalf("publishing with another online key: %v\n%s", o.err, o.log)
	}
	checked := time.Now()
	for deadline := checked.Add(time.Minute); ; {
		st := client.Status()
		if st.State == sdk.Fresh && st.Checked.After(checked) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the program doesn't follow to the new key: %+v", st)
		}
		time.Sleep(10 * time.Millisecond)
	}
	out := f.serin(t, "verify", "s3://flags/shop/production", "--root",
		filepath.Join(f.dir, "keys", "production", "root.json"))
	if !strings.Contains(out, "root       version 2 ") {
		t.Errorf("the root isn't version 2:\n%s", out)
	}
}

// trail holds that the log tells who published what, and from where.
func (f *team) trail(t *testing.T) {
	t.Helper()
	out := f.serin(t, "log", "s3://flags/shop/production", "--root",
		filepath.Join(f.dir, "keys", "production", "root.json"))
	latest, _, _ := strings.Cut(out, "revision 1\n")
	for _, want := range []string{
		"revision 2\n", "commit   " + f.git(t, "rev-parse", "HEAD"), "author   author",
		"run      https://github.example/acme/shop/actions/runs/77", "~ shop",
	} {
		if !strings.Contains(latest, want) {
			t.Errorf("the log of revision 2 doesn't say %q:\n%s", want, out)
		}
	}
}

func (f *team) badEdit(t *testing.T) {
	f.propose(t, "beta", strings.Replace(newCart, "    serve:", "    when: {citty: shenzhen}\n    serve:", 1))
	o := f.check(t, nil)
	if o.err == nil {
		t.Errorf("a flag that names an unknown attribute passes\n%s", o.log)
	}
	const problem = `flags/shop/new-cart.yaml:6:12: rule "part of everybody": attribute "citty" is not declared`
	for where, text := range map[string]string{"log": o.log, "summary": o.summary, "comment": f.request.comment(t)} {
		if !strings.Contains(text, problem) || !strings.Contains(text, `did you mean "city"?`) {
			t.Errorf("the %s doesn't name the problem:\n%s", where, text)
		}
	}
	annotated(t, o.log, "flags/shop/new-cart.yaml", "6", "12")
}

// annotated holds that the problem matcher finds a place in a log.
func annotated(t *testing.T, log, file, line, column string) {
	t.Helper()
	data, err := os.ReadFile("ci/problems.json")
	if err != nil {
		t.Fatal(err)
	}
	var matchers struct {
		ProblemMatcher []struct {
			Pattern []struct {
				Regexp             string
				File, Line, Column int
			}
		}
	}
	if err := json.Unmarshal(data, &matchers); err != nil {
		t.Fatal(err)
	}
	p := matchers.ProblemMatcher[0].Pattern[0]
	re := regexp.MustCompile(p.Regexp)
	for text := range strings.Lines(log) {
		if m := re.FindStringSubmatch(strings.TrimSuffix(text, "\n")); m != nil && m[p.File] == file &&
			m[p.Line] == line && m[p.Column] == column {
			return
		}
	}
	t.Errorf("nothing would be annotated at %s:%s:%s", file, line, column)
}

func (f *team) goodEdit(t *testing.T) {
	f.propose(t, "more-users", strings.Replace(newCart, "10%", "30%", 1))
	o := f.check(t, map[string]string{"fail-over": "25%"})
	if o.err != nil {
		t.Fatalf("a good edit is refused: %v\n%s", o.err, o.log)
	}
	comment := f.request.comment(t)
	if n := f.request.count(); n != 1 {
		t.Errorf("there are %d comments, not the one again", n)
	}
	for _, want := range []string{
		"new-cart", "20%", "production", "### Checks that pass\n\n```text\n$ serin check flags\n",
		"[unused-attribute]", "1 of 1 rule reached (100%)", "$ serin test flags --env production\nok: ",
	} {
		if !strings.Contains(comment, want) {
			t.Errorf("the comment doesn't say %q:\n%s", want, comment)
		}
	}
	if strings.Contains(comment, "citty") {
		t.Error("the comment still speaks of the bad edit")
	}
}

func (f *team) tooMany(t *testing.T) {
	f.propose(t, "everybody", strings.Replace(newCart, "{on: 10%, off: rest}", "on", 1))
	o := f.check(t, map[string]string{"fail-over": "25%"})
	if o.err == nil {
		t.Errorf("a change for 90%% of the users passes with --fail-over 25%%\n%s", o.log)
	}
	if comment := f.request.comment(t); !strings.Contains(comment, "### Refused\n\n```text\nerror: ") ||
		!strings.Contains(comment, "25") {
		t.Errorf("the comment doesn't say that the change is refused:\n%s", comment)
	}
}

// cure mends flags that are on the main branch and pass no check, as after a new
// version of the command.
func (f *team) cure(t *testing.T) {
	f.git(t, "switch", "--quiet", "main")
	f.write(t, "flags/shop/new-cart.yaml", "tipe: boolean\n")
	f.commit(t, "Break new-cart")
	f.propose(t, "cure", newCart)
	o := f.check(t, nil)
	if o.err != nil {
		t.Errorf("what mends the flags is refused: %v\n%s", o.err, o.log)
	}
	if comment := f.request.comment(t); !strings.Contains(comment, "### Flags: not compared\n\nthere ") {
		t.Errorf("the comment doesn't say that nothing was compared:\n%s", comment)
	}
	if o := f.check(t, map[string]string{"fail-over": "25%"}); o.err == nil {
		t.Errorf("a change that can't be compared passes with --fail-over 25%%\n%s", o.log)
	}
	f.git(t, "switch", "--quiet", "main")
	f.git(t, "reset", "--quiet", "--hard", "HEAD~1")
}

// fork has a token that may only read, as the jobs of pull requests from forks.
func (f *team) fork(t *testing.T) {
	f.propose(t, "from-a-fork", strings.Replace(newCart, "10%", "11%", 1))
	f.request.readOnly(true)
	defer f.request.readOnly(false)
	o := f.check(t, nil)
	if o.err != nil || !strings.Contains(o.log, "::notice title=No comment") {
		t.Errorf("a job that may not comment: %v\n%s", o.err, o.log)
	}
	if !strings.Contains(o.summary, "new-cart") {
		t.Errorf("the summary doesn't name the flag:\n%s", o.summary)
	}
}

// A pullRequest answers as GitHub's API does for the comments of one pull request.
type pullRequest struct {
	t      *testing.T
	mu     sync.Mutex
	bodies []string
	closed bool // to writing
}

func (p *pullRequest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer ghs_of-the-job" {
		p.t.Errorf("%s %s: the token is %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}
	if r.Method == http.MethodGet {
		type comment struct {
			ID   int    `json:"id"`
			Body string `json:"body"`
		}
		list := []comment{}
		for i, body := range p.bodies {
			list = append(list, comment{i + 1, body})
		}
		if err := json.NewEncoder(w).Encode(list); err != nil {
			p.t.Error(err)
		}
		return
	}
	if p.closed {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	var sent struct{ Body string }
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &sent)
	}
	switch {
	case err != nil:
		p.t.Error(err)
	case r.Method == http.MethodPost && r.URL.Path == "/repos/acme/shop/issues/4/comments":
		p.bodies = append(p.bodies, sent.Body)
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPatch && r.URL.Path == "/repos/acme/shop/issues/comments/1" && len(p.bodies) > 0:
		p.bodies[0] = sent.Body
	default:
		p.t.Errorf("%s %s: not a request of GitHub's API", r.Method, r.URL.Path)
	}
}

// comment returns the only comment.
func (p *pullRequest) comment(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bodies) == 0 {
		t.Fatal("there is no comment")
	}
	return p.bodies[0]
}

func (p *pullRequest) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.bodies)
}

func (p *pullRequest) readOnly(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = yes
}
