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
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/internal/gitexec"
)

// A proposer keeps branches for people to merge: one with the newer lines and the evidence, and
// one for each step that waits for nothing but an approval, whose merging approves it. It
// touches neither the work tree nor the branch that is checked out.
type proposer struct {
	ctx      context.Context
	dir, env string
	by       string
	prefix   string            // the path of the flag folder in the repository, "" or with a slash at its end
	mine     ci.ReleaseLines   // of HEAD
	branches map[string]bool   // of this environment that exist
	kept     map[string]bool   // those that count
	approves map[string]string // those with approvals, by the flag
}

// propose brings the branches up to date, and returns those with approvals by the flag. moved is
// what this look has published.
func (g *guardRun) propose(ctx context.Context, decisions []guard.Decision,
	moved []*guard.Decision) (map[string]string, error) {
	a := &proposer{ctx: ctx, dir: g.dir, env: g.env, by: g.by, kept: make(map[string]bool),
		approves: make(map[string]string)}
	err := a.open()
	if err == nil {
		err = a.report(g.lines(moved), moved)
	}
	for i := range decisions {
		if err == nil {
			err = a.approve(&decisions[i])
		}
	}
	if err == nil {
		err = a.prune()
	}
	if err != nil {
		return nil, fmt.Errorf("preparing branches: %w", err)
	}
	return a.approves, nil
}

// name returns the name of a branch.
func (a *proposer) name(rest string) string { return "serin/" + a.env + "/" + rest }

// open reads the branches, and the lines of HEAD.
func (a *proposer) open() error {
	top, err := topLevel(a.ctx, a.dir)
	if err != nil {
		return err
	}
	if top == "" {
		return fmt.Errorf("%s isn't in a git repository, so there is no place for a branch", a.dir)
	}
	if a.prefix, err = a.git("", "rev-parse", "--show-prefix"); err != nil {
		return err
	}
	list, err := a.git("", "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/"+a.name(""))
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

// lock returns the path of releases.lock in the repository.
func (a *proposer) lock() string { return a.prefix + ci.ReleasesFile }

// records returns the pathspec of all evidence.
func (a *proposer) records() string { return ":(top,literal)" + a.prefix + plans.RecordsDir }

// report keeps the branch with the lines that are newer than those of HEAD, and with the
// evidence that HEAD doesn't have: that of this look, and what the branch had before.
func (a *proposer) report(lines ci.ReleaseLines, moved []*guard.Decision) error {
	name := a.name("releases")
	merged, newer := a.mine.Merge(lines)
	files, err := a.evidence(name, moved)
	if err != nil || len(newer) == 0 && len(files) == 0 {
		return err
	}
	a.kept[name] = true
	if len(newer) > 0 {
		if files[a.lock()], err = a.blob(merged.Format()); err != nil {
			return err
		}
	}
	var body strings.Builder
	for _, line := range newer {
		fmt.Fprintln(&body, line)
	}
	for _, d := range moved {
		fmt.Fprintf(&body, "\n%s", d.Text())
	}
	tree, err := a.tree(files)
	if err != nil {
		return err
	}
	if a.branches[name] && a.same(tree, name) {
		return nil
	}
	return a.set(name, tree, fmt.Sprintf("flags: how far the releases of %s have got\n\n%s", a.env, body.String()))
}

// evidence returns the blobs of evidence that HEAD doesn't have, by the path.
func (a *proposer) evidence(branch string, moved []*guard.Decision) (map[string]string, error) {
	files := make(map[string]string)
	if a.branches[branch] {
		list, err := a.git("", "diff-tree", "-r", "-z", "--no-renames", "--diff-filter=A", "--full-index", "HEAD",
			branch, "--", a.records())
		if err != nil {
			return nil, err
		}
		fields := strings.Split(strings.TrimSuffix(list, "\x00"), "\x00")
		for i := 0; i+1 < len(fields); i += 2 { // :000000 100644 OLD NEW A, and then the path
			if words := strings.Fields(fields[i]); len(words) == 5 {
				files[fields[i+1]] = words[3]
			}
		}
	}
	for _, d := range moved {
		data, err := d.Evidence()
		if err != nil {
			return nil, err
		}
		if files[a.prefix+plans.RecordName(d.Plan.Flag, d.Time)], err = a.blob(data); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// same reports whether a tree and a branch have the same lines and evidence.
func (a *proposer) same(tree, branch string) bool {
	_, err := a.git("", "diff-tree", "-r", "--quiet", tree, branch, "--", ":(top,literal)"+a.lock(), a.records())
	return err == nil
}

// approve brings the branch that approves the next step of a plan up to date, if it has one or
// needs one.
func (a *proposer) approve(d *guard.Decision) error {
	name := a.name("approve/" + d.Plan.Flag)
	line, last, ok := d.Approval(a.by)
	// A newer line in the files is for the next publication to bring: it may be the approval.
	if !ok || !last && !a.branches[name] || a.mine[line.Key()].Count >= line.Count {
		return nil
	}
	a.kept[name], a.approves[d.Plan.Flag] = true, name
	if a.branches[name] && a.current(name, line) {
		return nil
	}
	merged, _ := a.mine.Merge(ci.ReleaseLines{line.Key(): line})
	blob, err := a.blob(merged.Format())
	if err != nil {
		return err
	}
	tree, err := a.tree(map[string]string{a.lock(): blob})
	if err != nil {
		return err
	}
	return a.set(name, tree,
		fmt.Sprintf("flags: approve %v of %s in %s\n\n%s", line.Approved, line.Flag, line.Environment, d.Text()))
}

// current reports whether a branch has a line, and would bring it to HEAD without a conflict.
func (a *proposer) current(name string, line ci.ReleaseLine) bool {
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

// blob stores a file, and returns its hash.
func (a *proposer) blob(data []byte) (string, error) {
	return a.git(string(data), "hash-object", "-w", "--stdin")
}

// tree stores the tree of HEAD with some other files, and returns its hash.
func (a *proposer) tree(files map[string]string) (string, error) {
	temp, err := os.MkdirTemp("", "serin-index-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(temp, "index")}
	if _, err := a.run("", index, "read-tree", "HEAD"); err != nil {
		return "", err
	}
	var list strings.Builder
	for path, blob := range files {
		fmt.Fprintf(&list, "100644 %s\t%s\x00", blob, path)
	}
	if _, err := a.run(list.String(), index, "update-index", "--add", "-z", "--index-info"); err != nil {
		return "", err
	}
	return a.run("", index, "write-tree")
}

// set has a branch be one commit on HEAD with a tree.
func (a *proposer) set(name, tree, message string) error {
	commit, err := a.git(message, "commit-tree", tree, "-p", "HEAD", "-F", "-")
	if err == nil {
		_, err = a.git("", "branch", "--quiet", "--force", "--no-track", name, commit)
	}
	return err
}

// prune deletes the branches that have nothing to say any more.
func (a *proposer) prune() error {
	for name := range a.branches {
		if a.kept[name] {
			continue
		}
		if _, err := a.git("", "branch", "--quiet", "--delete", "--force", name); err != nil {
			return err
		}
	}
	return nil
}

// lines returns the lines of releases.lock in a revision, none if it has no such file.
func (a *proposer) lines(revision string) (ci.ReleaseLines, error) {
	entry, err := a.git("", "ls-tree", "--full-tree", revision, "--", a.lock())
	if err != nil || entry == "" {
		return nil, err
	}
	text, err := a.git("", "cat-file", "blob", revision+":"+a.lock())
	if err != nil {
		return nil, err
	}
	lines, err := ci.ParseReleases([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("reading %s in %s: %w", a.lock(), revision, err)
	}
	return lines, nil
}

func (a *proposer) git(stdin string, args ...string) (string, error) {
	return a.run(stdin, nil, args...)
}

// run runs git with a text as its input, and returns what it prints.
func (a *proposer) run(stdin string, env []string, args ...string) (string, error) {
	cmd := gitexec.Command(a.ctx, a.dir, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("git %s: %s", args[0], gitexec.Words(exit.Stderr))
	}
	return strings.TrimSuffix(string(out), "\n"), err
}
