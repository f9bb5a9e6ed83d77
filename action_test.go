//go:build unix

package serin_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin"
)

// An action is ci/action.yml, of which the tests run the steps as GitHub's runner
// does: those with a script, and a cache. The other one installs Go.
type action struct {
	Inputs map[string]struct {
		Required bool
		Default  string
	}
	Runs struct {
		Steps []step
	}
}

type step struct {
	ID, Name, Uses, If, Run, Shell string
	Env, With                      map[string]string
}

func readAction(t *testing.T) action {
	t.Helper()
	data, err := os.ReadFile("ci/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	for _, s := range a.Runs.Steps {
		if s.Run == "" && !strings.HasPrefix(s.Uses, "actions/setup-go@") &&
			!strings.HasPrefix(s.Uses, "actions/cache@") {
			t.Errorf("step %q: this test doesn't know how to use %q", s.Name, s.Uses)
		}
		if strings.Contains(s.Run, "${{") {
			t.Errorf("step %q: an expression within a script can be made to say anything", s.Name)
		}
	}
	return a
}

// A job is one use of the action.
type job struct {
	workspace string
	inputs    map[string]string
	env       []string // beside that of the steps
	bin       string   // a folder of programs that come before others
	ref       string   // of the action
	cache     string   // the folder that holds what jobs have put into the cache; "": there is none
	rebuild   bool     // the command is built, although there is one
}

// An outcome is what came of a job.
type outcome struct {
	err     error  // of the step that failed
	log     string // of all steps
	summary string
	outputs map[string]string
	steps   []string // the names of those that ran
}

// run runs the action's steps for a job.
func (a action) run(t *testing.T, j job) outcome {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	// With a command that is up to date, go build is spared the linking.
	built := filepath.Join(temp, "serin-bin")
	if err := os.Mkdir(built, 0o777); err != nil {
		t.Fatal(err)
	}
	if !j.rebuild {
		if err := os.Link(command(t), filepath.Join(built, "serin")); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string) string { return filepath.Join(temp, "runner-"+name) }
	values := map[string]string{
		"github.action_path": filepath.Join(here, "ci"), "github.action_ref": j.ref, "github.token": "ghs_of-the-job",
		"runner.temp":                   temp,
		"steps.cache.outputs.cache-hit": "", "steps.download.outputs.verified": "",
	}
	for name, input := range a.Inputs {
		values["inputs."+name] = substitute(t, input.Default, values)
		if value, ok := j.inputs[name]; ok {
			values["inputs."+name] = value
		} else if input.Required {
			t.Fatalf("the input %q is required", name)
		}
	}
	for name := range j.inputs {
		if _, ok := a.Inputs[name]; !ok {
			t.Fatalf("the action has no input %q", name)
		}
	}
	var log bytes.Buffer
	o := outcome{outputs: make(map[string]string)}
	var saved func()
	for _, s := range a.Runs.Steps {
		if !holds(t, s.If, values) {
			continue
		}
		if strings.HasPrefix(s.Uses, "actions/cache@") && j.cache != "" {
			hit := false
			hit, saved = restore(t, j.cache, substitute(t, s.With["key"], values),
				substitute(t, s.With["path"], values))
			values["steps."+s.ID+".outputs.cache-hit"] = fmt.Sprint(hit)
		}
		if s.Run == "" {
			continue
		}
		o.steps = append(o.steps, s.Name)
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", s.Run)
		cmd.Dir = j.workspace
		path := j.bin + ":" + os.Getenv("PATH")
		for _, line := range lines(t, file("path")) {
			path = line + ":" + path
		}
		cmd.Env = append(os.Environ(), j.env...)
		cmd.Env = append(cmd.Env, "PATH="+path, "RUNNER_TEMP="+temp, "GITHUB_PATH="+file("path"),
			"GITHUB_OUTPUT="+file("output"), "GITHUB_STEP_SUMMARY="+file("summary"), "GITHUB_ACTIONS=true",
			"RUNNER_OS=Linux", "RUNNER_ARCH=X64")
		for name, value := range s.Env {
			cmd.Env = append(cmd.Env, name+"="+substitute(t, value, values))
		}
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Run(); err != nil {
			o.err = fmt.Errorf("step %q: %w", s.Name, err)
			break
		}
		for _, line := range lines(t, file("output")) {
			name, value, _ := strings.Cut(line, "=")
			values["steps."+s.ID+".outputs."+name] = value
		}
	}
	if saved != nil && o.err == nil {
		saved()
	}
	o.log = log.String()
	o.summary = strings.Join(lines(t, file("summary")), "\n")
	for _, line := range lines(t, file("output")) {
		name, value, _ := strings.Cut(line, "=")
		o.outputs[name] = value
	}
	if left, err := filepath.Glob(filepath.Join(temp, "serin-keys-*")); err != nil || len(left) > 0 {
		t.Errorf("keys were left behind in %v, %v", left, err)
	}
	return o
}

// restore fills a folder with what a cache has under a key. The function keeps what is in
// the folder in the end, unless the cache has it.
func restore(t *testing.T, cache, key, folder string) (hit bool, save func()) {
	t.Helper()
	place := filepath.Join(cache, key)
	if _, err := os.Stat(place); err == nil {
		if err := errors.Join(os.RemoveAll(folder), os.CopyFS(folder, os.DirFS(place))); err != nil {
			t.Fatal(err)
		}
		return true, nil
	}
	return false, func() {
		if err := os.CopyFS(place, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
	}
}

// The jobs that publish need the whole history, to tell older commits from newer ones.
func TestTemplatesFetchHistory(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string
				With map[string]any
			}
		}
	}
	if err := yaml.Unmarshal([]byte(serin.Workflow), &workflow); err != nil {
		t.Fatal(err)
	}
	checkout := workflow.Jobs["publish"].Steps[0]
	if !strings.HasPrefix(checkout.Uses, "actions/checkout@") || checkout.With["fetch-depth"] != 0 ||
		checkout.With["filter"] != "blob:none" {
		t.Errorf("for GitHub: %+v", checkout)
	}
	data, err := os.ReadFile("ci/gitlab.yml")
	if err != nil {
		t.Fatal(err)
	}
	var jobs map[string]struct{ Variables map[string]string }
	if err := yaml.Unmarshal(data, &jobs); err != nil {
		t.Fatal(err)
	}
	if got := jobs["flags:publish"].Variables["GIT_DEPTH"]; got != "0" {
		t.Errorf("for GitLab: GIT_DEPTH is %q", got)
	}
}

// lines returns the lines of a file, none if it isn't there.
func lines(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

var expression = regexp.MustCompile(`\$\{\{ ([a-z._-]+) \}\}`)

// substitute replaces expressions by their values.
func substitute(t *testing.T, text string, values map[string]string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		name := expression.FindStringSubmatch(e)[1]
		value, ok := values[name]
		if !ok {
			t.Fatalf("%s: there is no such value", e)
		}
		return value
	})
}

var comparison = regexp.MustCompile(`^([a-z._-]+) (==|!=) '([a-z]+)'$`)

// holds reports whether a condition of a step does: comparisons joined by either
// && or ||.
func holds(t *testing.T, condition string, values map[string]string) bool {
	t.Helper()
	if condition == "" {
		return true
	}
	sign := "||"
	if strings.Contains(condition, "&&") {
		sign = "&&"
	}
	for part := range strings.SplitSeq(condition, " "+sign+" ") {
		m := comparison.FindStringSubmatch(part)
		value, ok := values[m[1]]
		if !ok {
			t.Fatalf("%s: there is no such value", part)
		}
		if ((value == m[3]) == (m[2] == "==")) == (sign == "||") {
			return sign == "||"
		}
	}
	return sign == "&&"
}
