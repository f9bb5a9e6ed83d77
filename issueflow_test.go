//go:build unix

package serin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/ci/comment"
	"github.com/serin-flags/serin/ci/edit"
)

// An issueTeam is a team that takes edits from issues. Jobs work in clones of their own.
type issueTeam struct {
	*team
	remote, api string // the bare repository, and the forge's API
	bin, state  string // folders of programs that stand for others, and of what these have done
	mu          sync.Mutex
	asked       []string // paths of the API
}

// ghIssue stands for GitHub's command: it keeps a file for each pull request that is opened,
// and for each comment on an issue.
const ghIssue = `#!/bin/bash
set -eu
[ "$GH_TOKEN" = ghs_of-the-app ] && [ "$GH_REPO" = acme/shop ]
what="$1 $2"; shift 2
if [ "$what" = 'issue comment' ]; then
  [ "$2 $3" = '--body-file -' ]; cat > "STATE/comment-$1"; exit
fi
while [ $# -gt 0 ]; do
  case $1 in
    --head) head=$2 ;;
    --title) title=$2 ;;
    --base) [ "$2" = main ] ;;
    --state | --json | --jq | --body-file) ;;
    *) exit 1 ;;
  esac
  shift 2
done
file=STATE/${head//\//_}
case $what in
  'pr list') if [ -e "$file" ]; then echo 1; else echo 0; fi ;;
  'pr create') [ ! -e "$file" ]; { echo "$title"; cat; } > "$file" ;;
esac
`

func newIssueTeam(t *testing.T) *issueTeam {
	f := &issueTeam{team: &team{action: readAction(t), dir: filepath.Join(t.TempDir(), "shop")}, bin: t.TempDir(),
		state: t.TempDir()}
	f.write(t, "flags/serin.yaml", "environments: [production, staging]\n")
	f.write(t, "flags/context.yaml", "attributes:\n  user: {type: string, unit: true}\n")
	f.write(t, "flags/segments/testers.yaml", "include: [u-1]\n")
	f.write(t, "flags/shop/new-cart.yaml", newCart)
	f.write(t, "flags/shop/vip.yaml",
		"type: boolean\ndefault: off\nrules:\n  - {name: a, when: {user: {segment: testers}}, serve: on}\n")
	f.git(t, "init", "--quiet", "--initial-branch", "main")
	f.commit(t, "Begin with flags")
	f.remote = filepath.Join(t.TempDir(), "acme", "shop.git")
	f.git(t, "clone", "--quiet", "--bare", f.dir, f.remote)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.api = server.URL
	if err := os.WriteFile(filepath.Join(f.bin, "gh"), []byte(strings.ReplaceAll(ghIssue, "STATE", f.state)),
		0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

// ServeHTTP answers as GitHub does about who may do what. What an issue says now is something
// else than in the event.
func (f *issueTeam) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r.URL.Path)
	f.mu.Unlock()
	permission := map[string]string{"/ada": "admin", "/grace": "write", "/tom": "read", "/tess": "none"}
	login := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/repos/acme/shop/collaborators"), "/permission")
	switch {
	case r.Header.Get("Authorization") != "Bearer ghs_of-the-app":
		w.WriteHeader(http.StatusUnauthorized)
	case strings.Contains(r.URL.Path, "/issues/"):
		fmt.Fprint(w, `{"number": 7, "body": "`+"```\\nserve new-cart on\\n```"+`"}`)
	case permission[login] == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		fmt.Fprintf(w, `{"permission": %q}`, permission[login])
	}
}

// An issueEvent is what GitHub tells a job.
type issueEvent struct {
	name, action, label, sender, body string
}

// write writes the event as GitHub does, and returns the path of the file.
func (e issueEvent) write(t *testing.T) string {
	t.Helper()
	event, err := json.Marshal(map[string]any{
		"action": e.action, "label": map[string]any{"name": e.label}, "sender": map[string]any{"login": e.sender},
		"issue": map[string]any{"number": 7, "body": e.body, "title": "$(touch pwned)"},
	})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(name, event, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// edit runs the job for an event.
func (f *issueTeam) edit(t *testing.T, e issueEvent) outcome {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "shop")
	f.git(t, "clone", "--quiet", f.remote, clone)
	o := f.action.run(t, job{workspace: clone, bin: f.bin, env: []string{
		"GITHUB_EVENT_NAME=" + e.name, "GITHUB_EVENT_PATH=" + e.write(t), "GITHUB_REF_NAME=main",
		"GITHUB_SERVER_URL=file://" + filepath.Dir(filepath.Dir(f.remote)), "GITHUB_REPOSITORY=acme/shop",
		"GITHUB_API_URL=" + f.api,
		"SERIN_ONLINE_KEY=", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
	}, inputs: map[string]string{"do": "edit", "token": "ghs_of-the-app"}})
	if strings.Contains(o.log, "ghs_of-the-app") {
		t.Errorf("the log has the token:\n%s", o.log)
	}
	for _, dir := range []string{clone, filepath.Dir(clone), f.state} {
		if found, _ := filepath.Glob(filepath.Join(dir, "pwned*")); len(found) > 0 {
			t.Errorf("%q ran a command", e.body)
		}
	}
	return o
}

// proposal returns the flag on the branch of the issue, "" if there is none, and removes both
// the branch and the pull request.
func (f *issueTeam) proposal(t *testing.T) (flag, request string) {
	t.Helper()
	if f.git(t, "ls-remote", f.remote, "refs/heads/serin/*") == "" {
		return "", ""
	}
	f.git(t, "fetch", "--quiet", f.remote, "serin/edit/7")
	flag = f.git(t, "show", "FETCH_HEAD:flags/shop/new-cart.yaml") + "\n" +
		f.git(t, "show", "FETCH_HEAD:flags/segments/testers.yaml")
	if changed := f.git(t, "diff", "--name-only", "main", "FETCH_HEAD"); strings.Contains("\n"+changed, "\n.") ||
		!strings.HasPrefix(changed, "flags/") {
		t.Errorf("the branch changes %s", changed)
	}
	f.git(t, "--git-dir", f.remote, "update-ref", "-d", "refs/heads/serin/edit/7")
	name := filepath.Join(f.state, "serin_edit_7")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	return flag, string(data)
}

func block(edits string) string {
	return "### Edits\r\n\r\n```text\r\n" + edits + "\r\n```\r\n\r\n### Why\r\n\r\nIt works.\r\n"
}

// TestEditByIssue turns issues into pull requests, of which nothing but edits comes.
func TestEditByIssue(t *testing.T) {
	t.Parallel()
	f := newIssueTeam(t)
	o := f.edit(t, issueEvent{"issues", "labeled", "flag-edit", "grace",
		block("share new-cart 'part of everybody' on=30%\r\nadd u-2 to segments/testers")})
	flag, request := f.proposal(t)
	if o.err != nil || !strings.Contains(flag, "serve: {on: 30%, off: rest}") || !strings.Contains(flag, "u-2") {
		t.Fatalf("%v: the flag is\n%s\n%s", o.err, flag, o.log)
	}
	if !strings.HasPrefix(request, "Flags: edits of issue #7\nCloses #7\n\n```text\nshare new-cart ") ||
		!strings.Contains(request, "20% get a different value") {
		t.Errorf("the pull request is\n%s", request)
	}
	// What the issue says now, after somebody has edited it, doesn't count, and isn't asked for.
	if i := slices.IndexFunc(f.asked, func(path string) bool { return strings.Contains(path, "/issues/") }); i >= 0 ||
		strings.Contains(flag, "default: on") {
		t.Errorf("the job asked for %v", f.asked)
	}

	// A problem is told on the issue.
	o = f.edit(t, issueEvent{"issues", "labeled", "flag-edit", "ada", block("disable new-card")})
	comment, _ := os.ReadFile(filepath.Join(f.state, "comment-7"))
	if flag, _ := f.proposal(t); o.err == nil || flag != "" ||
		!strings.Contains(string(comment), `there is no flag "new-card" (did you mean "new-cart"?)`) {
		t.Errorf("%v, the comment is\n%s", o.err, comment)
	}
	o = f.edit(t, issueEvent{"issues", "labeled", "flag-edit", "ada", block("enable new-cart")})
	comment, _ = os.ReadFile(filepath.Join(f.state, "comment-7"))
	if flag, _ := f.proposal(t); o.err == nil || flag != "" || !strings.Contains(string(comment), "nothing to do") {
		t.Errorf("%v, the comment is\n%s", o.err, comment)
	}
}

// TestIssuesOfOthers refuses all events but one.
func TestIssuesOfOthers(t *testing.T) {
	t.Parallel()
	f := newIssueTeam(t)
	good := block("disable new-cart")
	for i, c := range []struct {
		event issueEvent
		want  string
	}{
		{issueEvent{"issues", "labeled", "flag-edit", "tom", good}, `the permission of "tom" is "read"`},
		{issueEvent{"issues", "edited", "flag-edit", "ada", good}, "doesn't run because an issue got the label"},
		{issueEvent{"issues", "labeled", "flag-edit", "tess", good}, `the permission of "tess" is "none"`},
		{issueEvent{"issues", "labeled", "flag-edit", "mallory", good}, "responded with 404"},
		{issueEvent{"issues", "labeled", "flag-edit", "../../../users/ada", good}, "responded with 404"},
		{issueEvent{"issues", "labeled", "flag-edit", "", good}, "no issue or no sender"},
		{issueEvent{"issues", "labeled", "bug", "ada", good}, "doesn't run because an issue got the label"},
		{issueEvent{"issues", "opened", "flag-edit", "ada", good}, "doesn't run because an issue got the label"},
		{issueEvent{"issue_comment", "labeled", "flag-edit", "ada", good}, `needs the event "issues"`},
		{issueEvent{"pull_request_target", "labeled", "flag-edit", "ada", good}, `needs the event "issues"`},
	} {
		env := map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": c.event.name, "GITHUB_EVENT_PATH": c.event.write(t),
			"GITHUB_REPOSITORY": "acme/shop", "GITHUB_API_URL": f.api, "GITHUB_TOKEN": "ghs_of-the-app",
		}
		if _, err := comment.Labelled(t.Context(), func(name string) string { return env[name] },
			"flag-edit"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.event, err)
		}
		if i > 1 {
			continue // a job takes long
		}
		o := f.edit(t, c.event)
		if flag, _ := f.proposal(t); o.err == nil || flag != "" || !strings.Contains(o.log, c.want) {
			t.Errorf("%+v: %v\n%s", c.event, o.err, o.log)
		}
		if _, err := os.Stat(filepath.Join(f.state, "comment-7")); err == nil {
			t.Errorf("%+v gets a comment", c.event)
		}
	}
}

// TestHostileIssues holds that whatever an issue says, nothing runs and nothing but flags changes.
func TestHostileIssues(t *testing.T) {
	t.Parallel()
	f := newIssueTeam(t)
	for i, edits := range []string{
		"$(touch pwned)", "::set-output name=x::y\n::add-mask::new-cart", "disable $(touch${IFS}pwned)",
		"--branch pwned",
		"add \"$(touch pwned)\" to segments/../../pwned", "disable new-cart\n```\n```\ndisable vip",
		"`touch pwned`", "disable new-cart; touch pwned", "disable new-cart && touch pwned", "--help", "-",
		"disable new-cart --commit",
		"add x to segments/../shop/new-cart", "disable ../../../etc/passwd",
		"share new-cart 'part of everybody' on=$(touch${IFS}pwned)",
		"${{ github.token }}", "disable new-cart ${{ secrets.SERIN_ONLINE_KEY }}",
		"disable new-cart\x1b[2J", "disable new-cart\u202e", "disable new-cart\x00", "publish", "rename new-cart x",
		strings.Repeat("disable new-cart\n", 60), strings.Repeat("x", 65_000),
		"add '" + strings.Repeat("y", 2000) + "' to segments/testers",
	} {
		parsed, err := edit.ParseMarkdown(block(edits))
		if err == nil {
			_, err = edit.Apply(os.DirFS(filepath.Join(f.dir, "flags")), "flags", parsed)
		}
		if err == nil {
			t.Errorf("%.80q is possible", edits)
		}
		if i > 5 {
			continue // a job takes long
		}
		o := f.edit(t, issueEvent{"issues", "labeled", "flag-edit", "ada", block(edits)})
		if flag, request := f.proposal(t); o.err == nil || flag != "" {
			t.Errorf("%.80q comes to\n%s\n%s", edits, flag, request)
		}
		// The runner obeys no line between these two.
		_, log, _ := strings.Cut(o.log, "::stop-commands::")
		pause, log, _ := strings.Cut(log, "\n")
		log, _, ended := strings.Cut(log, "\n::"+pause+"::\n")
		if !ended || !strings.HasPrefix(pause, "serin-") ||
			strings.Contains(strings.Replace(o.log, log, "", 1), "::add-mask") {
			t.Errorf("%.80q: the runner would obey it:\n%s", edits, o.log)
		}
	}
	// IDs may be anything. They stay IDs.
	o := f.edit(t, issueEvent{"issues", "labeled", "flag-edit", "ada",
		block("add '$(touch pwned)`touch pwned`' to segments/testers\nadd '@acme/all ``` <img src=x>' to segments/testers")})
	flag, request := f.proposal(t)
	if o.err != nil || !strings.Contains(flag, "$(touch pwned)`touch pwned`") || strings.Contains(flag, "enabled") {
		t.Errorf("%v\n%s\n%s", o.err, flag, o.log)
	}
	if !strings.Contains(request, "\n````text\n") {
		t.Errorf("the pull request is\n%s", request)
	}
}

// TestEditWorkflow holds that the workflow runs only when an issue gets the label, has no key, and
// puts nothing of an issue into a command line.
func TestEditWorkflow(t *testing.T) {
	var w struct {
		On          map[string]struct{ Types []string }
		Permissions map[string]string
		Jobs        map[string]struct {
			If          string
			Environment any
			Permissions map[string]string
			Steps       []step
		}
	}
	if err := yaml.Unmarshal([]byte(serin.Edits), &w); err != nil {
		t.Fatal(err)
	}
	job, ok := w.Jobs["edit"]
	if !ok || len(w.Jobs) != 1 || len(w.On) != 1 || !slices.Equal(w.On["issues"].Types, []string{"labeled"}) ||
		len(w.Permissions) > 0 {
		t.Errorf("%+v", w)
	}
	want := map[string]string{"contents": "write", "pull-requests": "write", "issues": "write"}
	if job.Environment != nil || fmt.Sprint(job.Permissions) != fmt.Sprint(want) ||
		job.If != "github.event.label.name == 'flag-edit'" {
		t.Errorf("%+v", job)
	}
	if secrets := regexp.MustCompile(`secrets\.\w+`).FindAllString(serin.Edits, -1); !slices.Equal(secrets,
		[]string{"secrets.SERIN_APP_KEY"}) {
		t.Errorf("the job has %v", secrets)
	}
	for _, event := range regexp.MustCompile(`github\.event\.[\w.]+`).FindAllString(serin.Edits, -1) {
		if event != "github.event.label.name" && event != "github.event.issue.number" {
			t.Errorf("the workflow uses %s", event)
		}
	}
	for _, s := range job.Steps {
		if s.Run != "" {
			t.Errorf("the workflow has a script: %q", s.Run)
		}
		if s.Uses != "./ci" && !regexp.MustCompile(`^actions/[\w-]+@[0-9a-f]{40}$`).MatchString(s.Uses) {
			t.Errorf("the step %s isn't pinned", s.Uses)
		}
	}
	var form map[string]any
	if err := yaml.Unmarshal([]byte(serin.EditIssue), &form); err != nil {
		t.Fatal(err)
	}
	if form["labels"] != nil {
		t.Error("the form sets labels for anybody who opens an issue")
	}
}
