package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/spf13/cobra"
)

// publish publishes what decisions move, and returns those that it has: a plan that somebody
// else has moved in the meantime is left for the next look.
func (g *guardRun) publish(ctx context.Context, decisions []*guard.Decision) (moved []*guard.Decision, err error) {
	opts := g.opts
	opts.Content = plans.Move(func(_ context.Context, s plans.State) (lines []ci.ReleaseLine, err error) {
		moved = nil
		for _, d := range decisions {
			line, _ := d.Line(g.by)
			if now := s.Lines[d.Plan.Key()]; now.Count+1 != line.Count || !s.Has(d.Plan) {
				continue
			}
			moved, lines = append(moved, d), append(lines, line)
		}
		return lines, nil
	})
	var reasons []string
	for _, d := range decisions {
		reasons = append(reasons, d.String())
	}
	opts.Provenance.Reason = strings.Join(reasons, "; ")
	opts.Provenance = opts.Provenance.Signable()
	g.etag = ""
	_, err = release.Publish(ctx, opts)
	if errors.Is(err, plans.ErrNothing) {
		return nil, nil
	}
	return moved, err
}

// dropLost returns the decisions without those that were to move a plan and weren't published,
// because somebody else had moved it in the meantime. Nobody is told of what didn't happen.
func (g *guardRun) dropLost(cmd *cobra.Command, decisions []guard.Decision, moved,
	published []*guard.Decision) (kept []guard.Decision) {
	for i := range decisions {
		d := &decisions[i]
		if slices.Contains(moved, d) && !slices.Contains(published, d) {
			fmt.Fprintf(cmd.ErrOrStderr(),
				"note: flag %q: somebody else moved its release in the meantime; the next look decides again\n",
				d.Plan.Flag)
			continue
		}
		kept = append(kept, *d)
	}
	return kept
}
