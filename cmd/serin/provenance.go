package main

import (
	"cmp"
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/gitexec"
	"github.com/spf13/cobra"
)

// gitTimeout bounds how long git may take to say where files come from.
const gitTimeout = 10 * time.Second

// provenanceFlags are the flags that say where what is published comes from. What
// isn't given is asked of git and of the CI system.
type provenanceFlags struct{ commit, author, runURL string }

func (f *provenanceFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.commit, "commit", "",
		"the commit to record (default: the commit of the files, from git or the CI system)")
	f.registerWho(cmd)
}

func (f *provenanceFlags) registerWho(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.author, "author", "", "the author to record (default: from git or the CI system)")
	cmd.Flags().StringVar(&f.runURL, "run-url", "",
		"the URL of the pipeline's run to record (default: from the CI system)")
}

// ofFolder returns the provenance of the files in dir.
func (f *provenanceFlags) ofFolder(ctx context.Context, dir string) release.Provenance {
	found := release.Provenance{Commit: git(ctx, dir, "rev-parse", "--verify", "HEAD"), RunURL: runURL()}
	if found.Commit != "" && f.commit == "" {
		found.Dirty = git(ctx, dir, "status", "--porcelain", "--", ".") != ""
	}
	if found.Commit == "" {
		found.Commit = firstVariable("GITHUB_SHA", "CI_COMMIT_SHA")
	}
	commit := cmp.Or(f.commit, found.Commit, "HEAD")
	stated := git(ctx, dir, "log", "-1", "--format=%ct %an", "--end-of-options", commit, "--")
	seconds, author, _ := strings.Cut(stated, " ")
	if unix, err := strconv.ParseInt(seconds, 10, 64); err == nil {
		found.CommitTime = time.Unix(unix, 0)
	}
	found.Author = cmp.Or(author, actor())
	return f.over(found)
}

// ofPerson returns the provenance of what is done by hand, without a commit.
func (f *provenanceFlags) ofPerson(ctx context.Context) release.Provenance {
	found := release.Provenance{Author: actor(), RunURL: runURL()}
	if found.Author == "" {
		found.Author = git(ctx, ".", "config", "user.name")
	}
	return f.over(found)
}

// over returns what was found, but what was given instead where it was.
func (f *provenanceFlags) over(found release.Provenance) release.Provenance {
	p := found.Signable()
	p.Commit, p.Author, p.RunURL = cmp.Or(f.commit, p.Commit), cmp.Or(f.author, p.Author), cmp.Or(f.runURL, p.RunURL)
	return p
}

// runURL returns the URL of the pipeline's run, or "".
func runURL() string {
	server, repository, id := os.Getenv("GITHUB_SERVER_URL"), os.Getenv("GITHUB_REPOSITORY"), os.Getenv("GITHUB_RUN_ID")
	if server != "" && repository != "" && id != "" {
		url := server + "/" + repository + "/actions/runs/" + id
		if attempt := os.Getenv("GITHUB_RUN_ATTEMPT"); attempt != "" {
			url += "/attempts/" + attempt
		}
		return url
	}
	return firstVariable("CI_JOB_URL", "CI_PIPELINE_URL")
}

// actor returns who the CI system says is at work, without an e-mail address.
func actor() string {
	name, _, _ := strings.Cut(firstVariable("GITHUB_ACTOR", "GITLAB_USER_NAME", "GITLAB_USER_LOGIN",
		"CI_COMMIT_AUTHOR"), "<")
	return strings.TrimSpace(name)
}

// firstVariable returns the first of some environment variables that isn't empty.
func firstVariable(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// git returns what git prints on its first line, or "" if it fails: without git,
// or outside a repository, there is nothing to be said.
func git(ctx context.Context, dir string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	out, err := gitexec.Command(ctx, dir, args...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
