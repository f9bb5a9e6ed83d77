package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/internal/gitexec"
)

// A committer commits changed files with git, and nothing else that is staged or
// changed.
type committer struct {
	ctx    context.Context
	dir    string // of the flag files
	branch string // to create, "" for the current one
}

// git runs git and returns what it prints.
func (g committer) git(args ...string) (string, error) {
	out, err := gitexec.Command(g.ctx, g.dir, args...).Output()
	if err != nil {
		return "", errors.New(wordsOf(err))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// files returns the absolute paths of changed files, and the old ones of those that git
// knows and that have been renamed.
func (g committer) files(changes []edit.Change) ([]string, error) {
	var list []string
	for _, c := range changes {
		for _, name := range []string{c.Was, c.Path} {
			if name == "" {
				continue
			}
			full, err := filepath.Abs(name)
			if err != nil {
				return nil, err
			}
			if name == c.Was {
				if known, err := g.git("ls-files", "--", full); err != nil || known == "" {
					continue
				}
			}
			list = append(list, full)
		}
	}
	return list, nil
}

// prepare makes sure that the files can be committed, and creates the branch. A file
// that has other changes can't: the commit would contain them.
func (g committer) prepare(changes []edit.Change) error {
	top, err := topLevel(g.ctx, g.dir)
	if err != nil {
		return err
	}
	if top == "" {
		return fmt.Errorf("%s isn't in a git repository, so there is nothing to commit to", g.dir)
	}
	files, err := g.files(changes)
	if err != nil {
		return err
	}
	changed, err := g.git(append([]string{"status", "--porcelain", "-z", "--"}, files...)...)
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(changed, "\x00"); len(first) > 3 {
		return &hintedError{fmt.Errorf("%s has changes that aren't committed", first[3:]),
			"commit or stash them first, or leave out --commit and --branch"}
	}
	if g.branch == "" {
		return nil
	}
	_, err = g.git("switch", "--quiet", "--create", g.branch)
	return err
}

// commit commits the files and returns the commit's abbreviated hash and branch.
func (g committer) commit(title, reason string, changes []edit.Change) (string, error) {
	files, err := g.files(changes)
	if err != nil {
		return "", err
	}
	if _, err := g.git(append([]string{"add", "--"}, files...)...); err != nil {
		return "", err
	}
	message := []string{"commit", "--quiet", "-m", "flags: " + title}
	if reason != "" {
		message = append(message, "-m", reason)
	}
	if _, err := g.git(append(append(message, "--"), files...)...); err != nil {
		return "", err
	}
	hash, err := g.git("rev-parse", "--short", "HEAD")
	if err != nil {
		return "", err
	}
	branch, err := g.git("rev-parse", "--abbrev-ref", "HEAD")
	return hash + " on " + branch, err
}
