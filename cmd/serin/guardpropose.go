package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/internal/gitexec"
)

// An approver keeps a branch for each step that waits for nothing but an approval: merging it
// approves the step. It touches neither the work tree nor the branch that is checked out.
type approver struct {
	ctx      context.Context
	dir, env string
	by       string
	lock     string            // the path of releases.lock in the repository
	mine     ci.ReleaseLines   // of HEAD
	branches map[string]bool   // of this environment that exist
	kept     map[string]string // those that count, by the flag
}

// approvals is where branches with approvals are, by environment and flag.
const approvals = "serin/approve/"

// propose brings the branches up to date, and returns them by the flag.
func (g *guardRun) propose(ctx context.Context, decisions []guard.Decision) (map[string]string, error) {
	a := &approver{ctx: ctx, dir: g.dir, env: g.env, by: g.by, kept: make(map[string]string)}
	err := a.open()
	for i := range decisions {
		if err == nil {
			err = a.branch(&decisions[i])
		}
	}
	if err == nil {
		err = a.prune()
	}
	if err != nil {
		return nil, fmt.Errorf("preparing approvals: %w", err)
	}
	return a.kept, nil
}

// open reads the branches, and the lines of HEAD.
func (a *approver) open() error {
	top, err := topLevel(a.ctx, a.dir)
	if err != nil {
		return err
	}
	if top == "" {
		return fmt.Errorf("%s isn't in a git repository, so there is no place for a branch", a.dir)
	}
	prefix, err := a.git("", "rev-parse", "--show-prefix")
	if err != nil {
		return err
	}
	a.lock = prefix + ci.ReleasesFile
	list, err := a.git("", "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/"+approvals+a.env+"/")
	if err != nil {
		return err
	}
	a.branches = make(map[string]bool)
	for _, name := range strings.Fields(list) {
		a.branches[name] = true
	}
	if _, err := a.git("", "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		return errors.New("the repository has no commit yet")
	}
	a.mine, err = a.lines("HEAD")
	return err
}

// branch brings the branch for a plan up to date, if it has one or needs one.
func (a *approver) branch(d *guard.Decision) error {
	name := approvals + a.env + "/" + d.Plan.Flag
	line, last, ok := d.Approval(a.by)
	// A newer line in the files is for the next publication to bring: it may be the approval.
	if !ok || !last && !a.branches[name] || a.mine[line.Key()].Count >= line.Count {
		return nil
	}
	a.kept[d.Plan.Flag] = name
	if a.branches[name] && a.current(name, line) {
		return nil
	}
	commit, err := a.commit(line, fmt.Sprintf("flags: approve %v of %s in %s\n\n%s", line.Approved, line.Flag, line.Environment, d.Text()))
	if err != nil {
		return err
	}
	_, err = a.git("", "branch", "--quiet", "--force", "--no-track", name, commit)
	return err
}

// current reports whether a branch has a line, and would bring it to HEAD without a conflict.
func (a *approver) current(name string, line ci.ReleaseLine) bool {
	there, err := a.lines(name)
	if err != nil {
		return false
	}
	before, err := a.lines(name + "^")
	if err != nil {
		return false
	}
	has := there[line.Key()]
	has.By, has.Since = line.By, line.Since // which change without a meaning before the first step
	return has.String() == line.String() && before[line.Key()].String() == a.mine[line.Key()].String()
}

// commit makes a commit on HEAD that changes one line, and returns its hash.
func (a *approver) commit(line ci.ReleaseLine, message string) (string, error) {
	merged, _ := a.mine.Merge(ci.ReleaseLines{line.Key(): line})
	blob, err := a.git(string(merged.Format()), "hash-object", "-w", "--stdin")
	if err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp("", "serin-index-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	index := "GIT_INDEX_FILE=" + filepath.Join(temp, "index")
	if _, err := a.run("", []string{index}, "read-tree", "HEAD"); err != nil {
		return "", err
	}
	if _, err := a.run("", []string{index}, "update-index", "--add", "--cacheinfo", "100644,"+blob+","+a.lock); err != nil {
		return "", err
	}
	tree, err := a.run("", []string{index}, "write-tree")
	if err != nil {
		return "", err
	}
	return a.git(message, "commit-tree", tree, "-p", "HEAD", "-F", "-")
}

// prune deletes the branches that approve nothing any more.
func (a *approver) prune() error {
	for _, name := range a.kept {
		delete(a.branches, name)
	}
	for name := range a.branches {
		if _, err := a.git("", "branch", "--quiet", "--delete", "--force", name); err != nil {
			return err
		}
	}
	return nil
}

// lines returns the lines of releases.lock in a revision, none if it has no such file.
func (a *approver) lines(revision string) (ci.ReleaseLines, error) {
	entry, err := a.git("", "ls-tree", "--full-tree", revision, "--", a.lock)
	if err != nil || entry == "" {
		return nil, err
	}
	text, err := a.git("", "cat-file", "blob", revision+":"+a.lock)
	if err != nil {
		return nil, err
	}
	lines, err := ci.ParseReleases([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("reading %s in %s: %w", a.lock, revision, err)
	}
	return lines, nil
}

func (a *approver) git(stdin string, args ...string) (string, error) {
	return a.run(stdin, nil, args...)
}

// run runs git with a text as its input, and returns what it prints.
func (a *approver) run(stdin string, env []string, args ...string) (string, error) {
	cmd := gitexec.Command(a.ctx, a.dir, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("git %s: %s", args[0], gitexec.Words(exit.Stderr))
	}
	return strings.TrimSuffix(string(out), "\n"), err
}
