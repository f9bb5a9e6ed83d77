package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	textdiff "github.com/rogpeppe/go-internal/diff"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

// An editRun is what the commands that edit flag files have in common: where the files
// are, and what becomes of the edit.
type editRun struct {
	from           string
	dryRun, commit bool
	branch         string
	reason         string            // for the message of the commit
	renames        map[string]string // of flags, the old keys by the new ones
}

func (r *editRun) register(cmd *cobra.Command) {
	variableFlag(cmd, &r.from, "from", `the folder of flag files (default "flags")`)
	cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "show what would change, and write nothing")
	cmd.Flags().BoolVar(&r.commit, "commit", false, "commit the changed files with git")
	cmd.Flags().StringVar(&r.branch, "branch", "", "create this branch, switch to it, and commit there")
}

// dir returns the folder of flag files.
func (r *editRun) dir() (string, error) {
	switch {
	case r.from == "":
		return defaultEstate, nil
	case published(r.from):
		return "", usagef("%s is a URL: name a folder of flag files", shown(r.from))
	}
	return r.from, nil
}

// run makes edits.
func (r *editRun) run(cmd *cobra.Command, edits []edit.Edit) (*edit.Result, error) {
	titles := make([]string, len(edits))
	for i, e := range edits {
		titles[i] = e.String()
	}
	return r.make(cmd, strings.Join(titles, "; "), func(fsys *os.Root, dir string) (*edit.Result, error) {
		return edit.Apply(fsys.FS(), dir, edits)
	})
}

// make asks apply what the files are to contain, shows it, and writes and commits them.
// title is the first line of the commit's message.
func (r *editRun) make(cmd *cobra.Command, title string,
	apply func(*os.Root, string) (*edit.Result, error)) (*edit.Result, error) {
	defer holdBallast(editBallast)()
	dir, err := r.dir()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, hintEstate(dir, fmt.Errorf("opening flag files: %w", err))
	}
	defer root.Close()
	result, err := apply(root, dir)
	if broken := (*edit.BrokenError)(nil); errors.As(err, &broken) {
		_ = broken.Problems.Write(cmd.ErrOrStderr()) // as in report: nobody to tell
		return nil, errors.New(broken.Error())
	}
	if err != nil {
		return nil, hintEstate(dir, err)
	}
	changes := fileChanges(result)
	for _, note := range result.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
	}
	if len(changes) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "nothing to do: the files in %s are like that already\n", dir)
		return result, nil
	}
	if err := r.show(cmd, dir, result); err != nil {
		return nil, err
	}
	if r.dryRun {
		fmt.Fprintf(cmd.ErrOrStderr(), "would write %s\n", names(changes))
		return result, nil
	}
	return result, r.write(cmd, dir, title, changes)
}

// fileChanges returns the files that are written, with the lock file last.
func fileChanges(result *edit.Result) []edit.Change {
	changes := result.Changes
	if l := result.Lock; l != nil && string(l.Before) != string(l.After) {
		last := edit.Change{Path: l.File, Before: l.Before, After: l.After}
		changes = append(changes[:len(changes):len(changes)], last)
	}
	return changes
}

func names(changes []edit.Change) string {
	var list []string
	for _, c := range changes {
		list = append(list, c.Path)
	}
	return strings.Join(list, ", ")
}

// show prints the changed lines, what moves in the lock file, and who gets a different
// value.
func (r *editRun) show(cmd *cobra.Command, dir string, result *edit.Result) error {
	out := cmd.OutOrStdout()
	for _, c := range result.Changes {
		if _, err := io.WriteString(out, textDiff(c)); err != nil {
			return err
		}
	}
	if result.Lock != nil && len(result.Lock.Changes) > 0 {
		fmt.Fprintln(out)
		for _, c := range result.Lock.Changes {
			if err := writeLockChange(out, c); err != nil {
				return err
			}
		}
	}
	report, err := compareEstates(cmd.Context(), result.Old, result.New, r.renames)
	if err != nil {
		return err
	}
	if !r.dryRun {
		report.New = dir // whose files examples can be tried on
	}
	fmt.Fprintln(out)
	return report.Text(out)
}

// compareEstates compares two folders in each environment.
func compareEstates(ctx context.Context, old, new *ci.Estate, renames map[string]string) (diff.Report, error) {
	environments := new.Environments()
	if len(environments) == 0 {
		environments = []string{""}
	}
	c := diff.Config{Now: time.Now().Unix()}
	for _, env := range environments {
		pair := diff.Pair{Environment: env, Renames: renames}
		var err error
		if pair.Old, err = old.Compile(env); err != nil {
			return diff.Report{}, err
		}
		if pair.New, err = new.Compile(env); err != nil {
			return diff.Report{}, err
		}
		c.Pairs = append(c.Pairs, pair)
	}
	return diff.Compare(ctx, c)
}

// textDiff returns the changed lines of a file, with three lines around them.
func textDiff(c edit.Change) string {
	before := cmp.Or(c.Was, c.Path)
	if c.Before == nil {
		before = os.DevNull
	}
	text := string(textdiff.Diff(before, c.Before, c.Path, c.After))
	if text == "" {
		return fmt.Sprintf("renamed %s → %s\n", c.Was, c.Path)
	}
	_, text, _ = strings.Cut(text, "\n") // the command that would print this
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// write writes the files and, if it is asked to, commits them.
func (r *editRun) write(cmd *cobra.Command, dir, title string, changes []edit.Change) error {
	git := committer{ctx: cmd.Context(), dir: dir, branch: r.branch}
	commit := r.commit || r.branch != ""
	if commit {
		if err := git.prepare(changes); err != nil {
			return fmt.Errorf("%w (nothing was written)", err)
		}
	}
	if err := writeChanges(changes); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s\n", names(changes))
	if !commit {
		return nil
	}
	hash, err := git.commit(title, r.reason, changes)
	if err != nil {
		return &hintedError{fmt.Errorf("committing: %w", err), "the files are written; commit them yourself"}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "committed %s\n", hash)
	return nil
}

// writeChanges writes files, unless somebody has changed one of them since it was read.
func writeChanges(changes []edit.Change) error {
	for _, c := range changes {
		if err := unchanged(cmp.Or(c.Was, c.Path), c.Before); err != nil {
			return err
		}
	}
	for _, c := range changes {
		err := replaceFile(c.Path, c.After)
		if err == nil && c.Was != "" {
			err = os.Remove(c.Was)
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", c.Path, err)
		}
	}
	return nil
}
