package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/gitexec"
)

// A lineage decides whether flag files may replace what is published, by the git
// history of the folder dir.
type lineage struct {
	dir   string
	ours  release.Provenance
	notes io.Writer // gets a note if the history doesn't say
	noted string    // the last note
}

// supersedes is the [release.Options.Supersedes] of a publication from ours.
func (l *lineage) supersedes(ctx context.Context, revision int64, published release.Provenance) error {
	if l.ours.Commit == "" || published.Commit == "" {
		return nil // there is nothing to compare
	}
	relation, why := l.compare(ctx, published.Commit)
	what := fmt.Sprintf("commit %s, which is published as revision %d", published.Commit, revision)
	switch relation {
	case later:
		return nil
	case earlier:
		return &hintedError{fmt.Errorf("refusing to go back: commit %s is an ancestor of %s", l.ours.Commit, what),
			"'serin rollback' goes back; --force-older REASON publishes the older commit, and records the reason"}
	case diverged:
		l.note("note: commit %s has diverged from %s: neither is an ancestor of the other", l.ours.Commit, what)
		return nil
	}
	if ours, theirs := l.ours.CommitTime, timeOf(published); !ours.IsZero() && theirs.After(ours) {
		return &hintedError{
			fmt.Errorf("refusing to go back: %s, so commit %s (%s) may be an ancestor of %s (%s)",
				why, l.ours.Commit, when(ours), what, when(theirs)),
			"fetch the whole history (in CI: fetch-depth 0 or GIT_DEPTH 0), or use --force-older REASON",
		}
	}
	l.note("note: can't tell whether commit %s is an ancestor of %s: %s", l.ours.Commit, what, why)
	return nil
}

// note prints a note unless it was the last one: each attempt asks again.
func (l *lineage) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != l.noted {
		l.noted = text
		fmt.Fprintln(l.notes, text)
	}
}

// timeOf returns the time to compare the commit of p by: the commit's or, for revisions
// that lack it, that of the publication. Rollbacks and renewals are later than their
// commit by any amount of time, so for these it is zero.
func timeOf(p release.Provenance) time.Time {
	if p.CommitTime.IsZero() && p.RollbackOf == 0 && p.RenewalOf == 0 {
		return p.Time
	}
	return p.CommitTime
}

// A relation says where a commit stands to another one.
type relation int

const (
	unknown relation = iota
	later            // or the same
	earlier
	diverged
)

// compare returns the relation of our commit to the published one and, if it is
// unknown, why.
func (l *lineage) compare(ctx context.Context, published string) (relation, string) {
	if published == l.ours.Commit {
		return later, ""
	}
	if _, err := l.git(ctx, "rev-parse", "--git-dir"); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return unknown, "git isn't installed"
		}
		return unknown, "git finds no repository that it may read"
	}
	shallow, err := l.git(ctx, "rev-parse", "--is-shallow-repository")
	ours, theirs := l.resolve(ctx, l.ours.Commit), l.resolve(ctx, published)
	switch {
	case err != nil:
		return unknown, "git failed"
	case (ours == "" || theirs == "") && shallow == "true":
		return unknown, "this clone is shallow"
	case ours == "":
		return unknown, "this clone doesn't have our commit"
	case theirs == "":
		return unknown, "this clone doesn't have the published commit"
	}
	for _, try := range []struct {
		ancestor, descendant string
		found                relation
	}{{theirs, ours, later}, {ours, theirs, earlier}} {
		_, err := l.git(ctx, "merge-base", "--is-ancestor", try.ancestor, try.descendant)
		if err == nil {
			return try.found, ""
		}
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			return unknown, "git failed"
		}
	}
	if shallow == "true" {
		return unknown, "this clone is shallow"
	}
	return diverged, ""
}

// objectName matches what may be the name of a commit and nothing else: provenance may
// hold anything, such as the name of a branch.
var objectName = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// resolve returns the full name of a commit that the repository has, or "".
func (l *lineage) resolve(ctx context.Context, commit string) string {
	if !objectName.MatchString(commit) {
		return ""
	}
	full, err := l.git(ctx, "rev-parse", "--verify", "--quiet", commit+"^{commit}")
	if err != nil || !strings.HasPrefix(full, commit) {
		return ""
	}
	return full
}

// git runs git on what the repository has. It fetches nothing and asks nobody.
func (l *lineage) git(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	cmd := gitexec.Command(ctx, l.dir, args...)
	cmd.Env = append(cmd.Env, "GIT_NO_LAZY_FETCH=1")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}
