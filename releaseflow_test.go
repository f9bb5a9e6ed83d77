//go:build unix

package serin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin"
)

// The files of a release, whose second step waits for an approval.
var releaseFiles = map[string]string{
	"flags/guards/slo.yaml": "environments: [production]\nmetrics: [{name: smoke, command: {run: [./smoke.sh]}}]\n",
	"flags/search/index.yaml": `type: string
default: old
rules:
  - name: ramp
    serve: {ramp: new, steps: [{to: 1%}, {to: 5%, after: 4h, gate: approval}, {to: 100%, after: 24h}], start: 2026-11-01T10:00, guard: slo}
`,
	"flags/releases.lock": "index production ramp plan=a5959c0075a7 share=1% since=2026-11-01T10:00:00Z by=robot count=4\n",
	"smoke.sh":            "#!/bin/sh\nenv\n. ./verdict\n",
	"verdict":             "exit 0\n",
}

const (
	appToken   = "ghs_of-the-app"
	groupToken = "glpat-of-the-group"
)

// A releaseTeam is a team with a release, whose repository is at a forge. The guard's jobs
// work in clones of their own.
type releaseTeam struct {
	*team
	remote  string // the bare repository
	forge   *releaseForge
	server  string   // of the forge's API
	bin     string   // folder of programs that stand for others
	state   string   // folder of what these have done
	secrets []string // what no log may contain
}

func newReleaseTeam(t *testing.T) *releaseTeam {
	f := &releaseTeam{team: newTeam(t), forge: &releaseForge{}, bin: t.TempDir(), state: t.TempDir()}
	f.secrets = []string{appToken, groupToken, strings.TrimSpace(f.key)}
	for name, text := range releaseFiles {
		f.write(t, name, text)
	}
	if err := os.Chmod(filepath.Join(f.dir, "smoke.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.commit(t, "Release the index")
	f.remote = filepath.Join(t.TempDir(), "acme", "shop.git")
	f.git(t, "clone", "--quiet", "--bare", f.dir, f.remote)
	f.git(t, "remote", "add", "origin", f.remote)
	server := httptest.NewServer(f.forge)
	t.Cleanup(server.Close)
	f.server = server.URL
	if o := f.publish(t, "publish"); o.err != nil {
		t.Fatalf("publishing main: %v\n%s", o.err, o.log)
	}
	return f
}

// clone returns a new clone of the main branch, as jobs check it out.
func (f *releaseTeam) clone(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	f.git(t, "clone", "--quiet", f.remote, dir)
	return dir
}

// branches returns the guard's branches at the forge, with their commits.
func (f *releaseTeam) branches(t *testing.T) map[string]string {
	t.Helper()
	list := make(map[string]string)
	for line := range strings.Lines(f.git(t, "ls-remote", f.remote, "refs/heads/serin/*")) {
		commit, name, _ := strings.Cut(strings.TrimSpace(line), "\trefs/heads/")
		list[name] = commit
	}
	return list
}

// merge merges a branch at the forge, and publishes.
func (f *releaseTeam) merge(t *testing.T, branch string) {
	t.Helper()
	f.git(t, "fetch", "--quiet", "origin", branch)
	f.git(t, "merge", "--quiet", "--no-ff", "-m", "Merge "+branch, "FETCH_HEAD")
	f.git(t, "push", "--quiet", "origin", "main")
	if o := f.publish(t, "publish"); o.err != nil {
		t.Fatalf("publishing: %v\n%s", o.err, o.log)
	}
}

// verdict has the smoke test end with a status from now on.
func (f *releaseTeam) verdict(t *testing.T, status int) {
	t.Helper()
	f.write(t, "verdict", fmt.Sprintf("exit %d\n", status))
	f.commit(t, "Another verdict")
	f.git(t, "push", "--quiet", "origin", "main")
}

// hides holds that a log and what is pushed have no secrets.
func (f *releaseTeam) hides(t *testing.T, log string) {
	t.Helper()
	for _, secret := range f.secrets {
		if strings.Contains(log, secret) {
			t.Errorf("the log has the secret %s:\n%s", secret, log)
		}
		for branch := range f.branches(t) {
			out, err := exec.CommandContext(t.Context(), "git", "-C", f.remote, "grep", "-F", "-e", secret,
				branch).CombinedOutput()
			if err == nil {
				t.Errorf("%s has the secret %s: %s", branch, secret, out)
			}
		}
	}
}

// A releaseForge answers as GitHub and GitLab do about the request that brought a commit, which
// is number 4, and its comments.
type releaseForge struct {
	mu   sync.Mutex
	body string
}

func (f *releaseForge) comment() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.body
}

func (f *releaseForge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch path := r.URL.Path; {
	case r.Header.Get("Authorization") != "Bearer "+appToken && r.Header.Get("Private-Token") != groupToken:
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(path, "/pulls"), strings.HasSuffix(path, "/merge_requests"):
		fmt.Fprint(w, `[{"number": 4, "iid": 4, "merged_at": "2026-11-30T10:00:00Z"}]`)
	case r.Method == http.MethodGet:
		fmt.Fprint(w, `[]`)
	default:
		var sent struct{ Body string }
		_ = json.NewDecoder(r.Body).Decode(&sent)
		f.body = sent.Body
	}
}

// guard runs the job of ci/releases.yml.
func (f *releaseTeam) guard(t *testing.T, token string, env ...string) outcome {
	t.Helper()
	o := f.action.run(t,
		job{workspace: f.clone(t), bin: f.bin, env: append(append(f.s3.Env(), "GITHUB_EVENT_NAME=schedule",
			"GITHUB_SERVER_URL=file://"+filepath.Dir(filepath.Dir(f.remote)), "GITHUB_REPOSITORY=acme/shop",
			"GITHUB_RUN_ID=78",
			"GITHUB_REF_NAME=main", "GITHUB_API_URL="+f.server), env...), inputs: map[string]string{
			"do": "guard", "environment": "production", "to": "s3://flags/shop", "keys": "keys/production",
			"online-key": f.key, "token": token,
		}})
	f.hides(t, o.log)
	return o
}

// gh stands for GitHub's command: it keeps a file for each pull request that is opened.
const gh = `#!/bin/bash
set -eu
[ "$GH_TOKEN" = ` + appToken + ` ] && [ "$GH_REPO" = acme/shop ]
what="$1 $2"; shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --head) head=$2 ;;
    --title) title=$2 ;;
    --base) [ "$2" = main ] ;;
    --jq) [[ $2 == *'headRefOid == "'????????????????????????????????????????'"'* ]] ;;
    --state | --json | --body-file) ;;
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

// TestReleaseOnGitHub goes the way of a release whose guard runs on a schedule: the approval
// that the guard prepares, what it tells, what it brings to main, and a rollback.
func TestReleaseOnGitHub(t *testing.T) {
	t.Parallel()
	f := newReleaseTeam(t)
	if err := os.WriteFile(filepath.Join(f.bin, "gh"), []byte(strings.ReplaceAll(gh, "STATE", f.state)),
		0o755); err != nil {
		t.Fatal(err)
	}
	request := func(name string) string {
		data, err := os.ReadFile(filepath.Join(f.state, name))
		if err != nil {
			return ""
		}
		return string(data)
	}

	// Without the token of an app, nothing is proposed. Nor is it if the forge is down, but the
	// guard does its work.
	if o := f.guard(t, appToken, "GITHUB_SERVER_URL=file:///nowhere"); o.err != nil ||
		!strings.Contains(o.log, "::warning title=No pull requests::") ||
		!strings.Contains(o.log, "index in production: waits at 1%: ") {
		t.Fatalf("without a forge: %v\n%s", o.err, o.log)
	}
	if o := f.guard(t, "ghs_of-the-job"); o.err != nil ||
		!strings.Contains(o.log, "::notice title=No pull requests::") || len(f.branches(t)) > 0 {
		t.Fatalf("with the job's own token: %v, %v\n%s", o.err, f.branches(t), o.log)
	}

	o := f.guard(t, appToken)
	const approve, releases = "serin/production/approve/index", "serin/production/releases"
	first := f.branches(t)
	if o.err != nil || len(first) != 1 || first[approve] == "" {
		t.Fatalf("waiting for an approval: %v, %v\n%s", o.err, first, o.log)
	}
	if got := request("serin_production_approve_index"); !strings.HasPrefix(got,
		"flags: approve 5% of index in production\n```") ||
		!strings.Contains(got, "\n- smoke: pass: ") {
		t.Errorf("the pull request is\n%s", got)
	}
	if got := f.forge.comment(); !strings.Contains(got, "index in production: 1% get \"new\"") {
		t.Errorf("the comment is\n%s", got)
	}
	if o := f.guard(t, appToken); o.err != nil || f.branches(t)[approve] != first[approve] {
		t.Errorf("once more: %v, %v instead of %v\n%s", o.err, f.branches(t), first, o.log)
	}

	// Merged, the step is cleared, and the line goes to main.
	f.merge(t, approve)
	o = f.guard(t, appToken)
	if got := f.branches(t); o.err != nil || len(got) != 1 || got[releases] == "" ||
		!strings.Contains(o.log, "index in production: 1% → 5%: ") {
		t.Fatalf("after the approval: %v, %v\n%s", o.err, got, o.log)
	}
	if got := request("serin_production_releases"); !strings.HasPrefix(got,
		"flags: how far the releases of production have got\n```") ||
		!strings.Contains(got, "share=5% ") {
		t.Errorf("the pull request is\n%s", got)
	}

	// A rollback fails the job, after everything is told.
	f.verdict(t, 1)
	o = f.guard(t, appToken)
	if o.err == nil || !strings.Contains(o.log, "::error title=Rolled back::") ||
		!strings.Contains(f.forge.comment(), "rolled back") {
		t.Errorf("a failure: %v, and the comment is\n%s\n%s", o.err, f.forge.comment(), o.log)
	}
	f.merge(t, releases)
	if got := f.git(t, "ls-files", "flags/releases/index"); strings.Count(got, ".json") != 2 {
		t.Errorf("the evidence on main is\n%s", got)
	}
	if o := f.guard(t, appToken); o.err != nil || len(f.branches(t)) > 0 {
		t.Errorf("with nothing to say: %v, %v\n%s", o.err, f.branches(t), o.log)
	}
}

// TestReleaseOnGitLab does the same by the template for GitLab.
func TestReleaseOnGitLab(t *testing.T) {
	t.Parallel()
	script := strings.Join(gitlabJobs(t)["flags:guard"], "\n")
	f := newReleaseTeam(t)
	f.git(t, "-C", f.remote, "config", "receive.advertisePushOptions", "true")
	hook := "#!/bin/sh\nwhile read -r old new ref; do echo \"$ref $GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1\" >> " +
		f.state + "/pushed; done\n"
	if err := os.WriteFile(filepath.Join(f.remote, "hooks", "post-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	guard := func(env ...string) (string, error) {
		dir := f.clone(t)
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), f.s3.Env()...), "PATH="+filepath.Dir(command(t))+":"+os.Getenv("PATH"),
			"GITLAB_CI=true",
			"GITHUB_ACTIONS=", "CI_PROJECT_DIR="+dir, "CI_API_V4_URL="+f.server+"/api/v4", "CI_PROJECT_ID=12",
			"CI_PROJECT_URL=file://"+strings.TrimSuffix(f.remote, ".git"),
			"CI_DEFAULT_BRANCH=main", "SERIN_FLAGS=flags", "SERIN_ENVIRONMENT=production", "SERIN_KEYS=keys/production",
			"SERIN_GITLAB_TOKEN="+groupToken, "SERIN_TO=s3://flags/shop", "SERIN_ONLINE_KEY="+f.key)
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		f.hides(t, string(out))
		return string(out), err
	}
	pushed := func() string {
		data, err := os.ReadFile(filepath.Join(f.state, "pushed"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const approve, releases = "serin/production/approve/index", "serin/production/releases"
	if out, err := guard("CI_PROJECT_URL=file:///nowhere"); err != nil ||
		!strings.Contains(out, "index in production: waits at 1%: ") {
		t.Fatalf("without a forge: %v\n%s", err, out)
	}
	out, err := guard()
	first := f.branches(t)
	if err != nil || len(first) != 1 || first[approve] == "" || !strings.Contains(f.forge.comment(), "1% get \"new\"") {
		t.Fatalf("waiting for an approval: %v, %v\n%s", err, first, out)
	}
	if got := pushed(); got != "refs/heads/"+approve+" merge_request.create merge_request.target=main\n" {
		t.Errorf("pushed was\n%s", got)
	}
	if out, err := guard(); err != nil || f.branches(t)[approve] != first[approve] ||
		strings.Count(pushed(), "\n") != 1 {
		t.Errorf("once more: %v, %v, %s\n%s", err, f.branches(t), pushed(), out)
	}
	f.merge(t, approve)
	out, err = guard()
	if got := f.branches(t); err != nil || len(got) != 1 || got[releases] == "" ||
		!strings.Contains(pushed(), "refs/heads/"+releases+" merge_request.create ") {
		t.Fatalf("after the approval: %v, %v\n%s", err, got, out)
	}
	f.verdict(t, 1)
	if out, err := guard(); err == nil || !strings.Contains(f.forge.comment(), "rolled back") {
		t.Errorf("a failure: %v, and the comment is\n%s\n%s", err, f.forge.comment(), out)
	}
	f.merge(t, releases)
	if out, err := guard(); err != nil || len(f.branches(t)) > 0 {
		t.Errorf("with nothing to say: %v, %v\n%s", err, f.branches(t), out)
	}
}

// TestGuardStandsAlone holds that the guard's jobs neither wait for publications nor cancel
// them, and have the history that tells which request brought a plan.
func TestGuardStandsAlone(t *testing.T) {
	type workflow struct {
		Jobs map[string]struct {
			Concurrency map[string]any
			Steps       []struct {
				Uses string
				With map[string]any
			}
		}
	}
	var publishing, guarding workflow
	for text, to := range map[string]*workflow{serin.Workflow: &publishing, serin.Releases: &guarding} {
		if err := yaml.Unmarshal([]byte(text), to); err != nil {
			t.Fatal(err)
		}
	}
	guard := guarding.Jobs["guard"]
	group := fmt.Sprint(guard.Concurrency["group"])
	if group == fmt.Sprint(publishing.Jobs["publish"].Concurrency["group"]) ||
		!strings.Contains(group, "matrix.environment") || len(guard.Concurrency) != 1 {
		t.Errorf("for GitHub, the concurrency is %v", guard.Concurrency)
	}
	if with := guard.Steps[0].With; with["fetch-depth"] != 0 || with["filter"] != nil ||
		with["persist-credentials"] != false {
		t.Errorf("for GitHub, what is checked out is %v", with)
	}
	data, err := os.ReadFile("ci/gitlab.yml")
	if err != nil {
		t.Fatal(err)
	}
	var jobs map[string]struct {
		Resource  string `yaml:"resource_group"`
		Variables map[string]string
		Rules     []struct{ If string }
	}
	if err := yaml.Unmarshal(data, &jobs); err != nil {
		t.Fatal(err)
	}
	if job := jobs["flags:guard"]; job.Resource == jobs[".serin:publish"].Resource ||
		!strings.Contains(job.Resource, "$SERIN_ENVIRONMENT") || job.Variables["GIT_DEPTH"] != "0" {
		t.Errorf("for GitLab, the job is %+v", job)
	}
	// A schedule is for one of the two.
	for name, want := range map[string]string{"flags:guard": "&& $SERIN_GUARD",
		"flags:renew": "&& $SERIN_GUARD == null"} {
		if rules := jobs[name].Rules; len(rules) != 1 || !strings.HasSuffix(rules[0].If, want) {
			t.Errorf("the rules of %s are %v", name, rules)
		}
	}
}
