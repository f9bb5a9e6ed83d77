package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/spf13/cobra"
)

// releaseHelp is what the help of all verbs of release ends with.
const releaseHelp = `

The command edits releases.lock, for a pull request. With --publish it first publishes
the new line to --to, and nothing else in the folder.`

func holdCommand() *cobra.Command {
	var r releaseRun
	cmd := &cobra.Command{
		Use:   "hold FLAG --reason TEXT",
		Short: "Keep the share of a release until it is resumed",
		Long: `Hold keeps a release at the share that it has. The guard leaves it alone until
'serin release resume'.` + releaseHelp,
		Example: `  serin release hold search-index --reason 'holidays'`,
		Args:    oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.needsReason(); err != nil {
				return err
			}
			r.move = func(_ *ci.Plan, l ci.ReleaseLine, now time.Time, by string) (ci.ReleaseLine, error) {
				if l.State != guard.Running {
					return l, fmt.Errorf("the release is %s already", l.State.Words())
				}
				return l.Hold(r.reason, now, by), nil
			}
			return r.run(cmd, "hold", args[0])
		},
	}
	r.register(cmd)
	r.registerReason(cmd)
	return cmd
}

func resumeCommand() *cobra.Command {
	var r releaseRun
	var start string
	cmd := &cobra.Command{
		Use:   "resume FLAG",
		Short: "Let a release go on that is held or was rolled back",
		Long: `Resume lets a held release go on from its share, and a finished one to which steps
were added. One that was rolled back begins again with its first step, now or at the
time of --start; the same users come first. What was measured before doesn't count any
more.` + releaseHelp,
		Example: `  serin release resume search-index
  serin release resume search-index --start 2026-12-07T10:00:00Z`,
		Args: oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := time.Now()
			if start != "" {
				var err error
				if at, err = time.Parse(time.RFC3339, start); err != nil {
					return usagef("--start is a time with an offset, such as 2026-12-07T10:00:00Z")
				}
				if year := at.UTC().Year(); year < 2000 || year > 9999 {
					return usagef("--start is in the year %d", year)
				}
			}
			r.move = func(p *ci.Plan, l ci.ReleaseLine, now time.Time, by string) (ci.ReleaseLine, error) {
				switch {
				case l.State == guard.Finished && l.Share >= p.Steps[len(p.Steps)-1].To:
					return l, errors.New("the release is finished; replace the ramp by what it serves")
				case l.State == guard.Running:
					return l, errors.New("the release is neither held nor rolled back")
				case start != "" && l.State != guard.RolledBack:
					return l, errors.New(
						"--start is for a release that was rolled back; this one goes on from its share")
				}
				return l.Resume(p, at, now, by), nil
			}
			return r.run(cmd, "resume", args[0])
		},
	}
	r.register(cmd)
	cmd.Flags().StringVar(&start, "start", "", "when a release that was rolled back begins again (default: now)")
	r.registerReason(cmd)
	return cmd
}

func backCommand() *cobra.Command {
	var r releaseRun
	var to string
	cmd := &cobra.Command{
		Use:   "back FLAG --reason TEXT",
		Short: "Roll a release back",
		Long: `Back sets the share of a release to 0% or, with --to-share, to that of an earlier
step. It stays there until 'serin release resume'.` + releaseHelp,
		Example: `  serin release back search-index --reason 'searches fail' --publish \
    --env production --to s3://flags --keys keys/production`,
		Args: oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.needsReason(); err != nil {
				return err
			}
			var share guard.Share
			if err := share.UnmarshalText([]byte(to)); err != nil {
				return usagef("--to-share: %v", err)
			}
			r.move = func(p *ci.Plan, l ci.ReleaseLine, now time.Time, by string) (ci.ReleaseLine, error) {
				step, ok := p.Cleared(share)
				switch {
				case !ok:
					return l, fmt.Errorf("no step of the plan reaches %v", share)
				case share >= l.Share && l.Share > 0, l.State == guard.RolledBack && share == l.Share:
					return l, fmt.Errorf("the release is at %v already", l.Share)
				}
				return l.RollBack(p, step, r.reason, now, by), nil
			}
			return r.run(cmd, "roll back", args[0])
		},
	}
	r.register(cmd)
	cmd.Flags().StringVar(&to, "to-share", "0%", "the share to go back to")
	r.registerReason(cmd)
	return cmd
}

func approveCommand() *cobra.Command {
	var r releaseRun
	cmd := &cobra.Command{
		Use:   "approve FLAG",
		Short: "Approve the next step of a release that needs it",
		Long: `Approve lets a release take its next step if that has "gate: approval". The guard
clears it once everything else is as the plan asks.` + releaseHelp,
		Example: `  serin release approve search-index --branch approve-search-index`,
		Args:    oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.move = func(p *ci.Plan, l ci.ReleaseLine, now time.Time, by string) (ci.ReleaseLine, error) {
				n, ok := p.Cleared(l.Share)
				switch {
				case !ok || l.State == guard.Finished || n == len(p.Steps):
					return l, errors.New("the release has no next step")
				case !p.Steps[n].Approval:
					return l, fmt.Errorf("the next step, to %v, needs no approval", p.Steps[n].To)
				case l.Approved >= p.Steps[n].To:
					return l, fmt.Errorf("the next step, to %v, is approved already", p.Steps[n].To)
				}
				return l.Approve(p.Steps[n].To, now, by), nil
			}
			return r.run(cmd, "approve the next step of", args[0])
		},
	}
	r.register(cmd)
	return cmd
}

func replanCommand() *cobra.Command {
	var r releaseRun
	cmd := &cobra.Command{
		Use:   "replan FLAG",
		Short: "Accept that the cleared steps of a running release were edited",
		Long: `Replan fits releases.lock to a plan whose cleared steps were edited, or whose rule was
renamed. The release gets the share of the last step that isn't above the one that it
has, and the output shows who moves. Later steps can be edited without it.` + releaseHelp,
		Example: `  serin release replan search-index`,
		Args:    oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.publish {
				return usagef("the plan is published with the folder, by 'serin publish': replan doesn't take --publish")
			}
			r.move = func(p *ci.Plan, l ci.ReleaseLine, now time.Time, by string) (ci.ReleaseLine, error) {
				if l.Count == 0 || p.Fits(l) == nil {
					return l, errors.New("releases.lock fits the plan")
				}
				steps, _ := p.Cleared(l.Share)
				return l.Replan(p, steps, now, by), nil
			}
			return r.run(cmd, "replan", args[0])
		},
	}
	r.register(cmd)
	return cmd
}
