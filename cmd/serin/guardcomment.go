package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/serin-flags/serin/ci/comment"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/internal/display"
	"github.com/spf13/cobra"
)

// comments writes how each release stands to the pull request that brought its plan. Whatever
// fails is only reported: publishing doesn't depend on it.
func (g *guardRun) comments(cmd *cobra.Command, decisions []*guard.Decision) {
	for _, d := range decisions {
		err := g.commentOn(cmd.Context(), d)
		switch {
		case errors.Is(err, comment.ErrNoOrigin):
			fmt.Fprintf(cmd.ErrOrStderr(), "note: flag %q: no comment: %v\n", d.Plan.Flag, err)
		case err != nil:
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: flag %q: no comment: %v\n", d.Plan.Flag, err)
		}
	}
}

// commentOn writes how one release stands.
func (g *guardRun) commentOn(ctx context.Context, d *guard.Decision) error {
	commit, err := g.lastChange(ctx, d.Plan.Flag)
	if err != nil {
		return err
	}
	request, err := comment.OfCommit(ctx, os.Getenv, commit,
		fmt.Sprintf("release %s in %s", d.Plan.Flag, d.Plan.Environment))
	if err != nil {
		return err
	}
	line, ok := d.Line(g.by)
	if !ok {
		line = g.state.Lines.Get(d.Plan)
	}
	var status strings.Builder
	if err := (&releaseStatus{now: d.Time, plan: d.Plan, line: line}).write(&status); err != nil {
		return err
	}
	return request.Put(ctx, fmt.Sprintf("### The release of %s in %s\n\n%s\n%s", display.Markdown(d.Plan.Flag),
		display.Markdown(d.Plan.Environment), display.Fence(status.String()), display.Fence(d.Text())))
}

// lastChange returns the commit that last changed the file of a flag.
func (g *guardRun) lastChange(ctx context.Context, flag string) (commit string, err error) {
	git := committer{ctx: ctx, dir: g.dir}
	shallow, err := git.git("rev-parse", "--is-shallow-repository")
	if err != nil {
		return "", err
	}
	if shallow == "true" {
		return "", errors.New(
			"the clone has only a part of the history; fetch all of it (fetch-depth: 0, GIT_DEPTH: \"0\")")
	}
	commit, err = git.git("log", "-1", "--format=%H", "--", ":(glob)**/"+flag+".yaml", ":(glob)**/"+flag+".yml",
		":(exclude,glob)guards/**", ":(exclude,glob)releases/**")
	if err == nil && commit == "" {
		err = fmt.Errorf("no commit in %s has its file", g.dir)
	}
	return commit, err
}
