package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/serin-flags/serin/ci"
	"github.com/spf13/cobra"
)

// lockOptions are the flags of lock.
type lockOptions struct {
	dryRun, asJSON bool
	restart        []string // the flags of --anew
}

func lockCommand() *cobra.Command {
	var o lockOptions
	cmd := &cobra.Command{
		Use:   "lock [DIR]",
		Short: "Keep users in their variants while shares change",
		Long: `Lock writes flags.lock into DIR (by default "flags"). It records the positions of
each variant in each split by a unit, and of each flag in each layer. If shares
were edited, it moves as few users as possible to other variants, and prints what
it moves. The first time, nobody moves.

It also removes lines of releases.lock whose plans are gone. If there are some, and no
flags.lock, it does nothing else.

Commit the file together with the flags. Once there is one, 'serin check' and
everything else that loads the folder refuse flags that don't agree with it.

Lock compares with the lock file it finds. To compare with the published flags,
restore that branch's file first: git checkout origin/main -- flags/flags.lock`,
		Example: `  serin lock
  serin lock --dry-run
  serin lock --anew new-checkout`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := estateArg(args)
			if published(dir) {
				return usagef("%s is a URL: name a folder of flag files", dir)
			}
			return o.run(cmd, dir)
		},
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would move, and write nothing")
	cmd.Flags().StringArrayVar(&o.restart, "anew", nil,
		"a flag whose splits start again in the order of the file; may repeat; layer:NAME for a layer")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// run locks the flags of a folder. A folder without flags.lock from which lines of releases.lock
// are to be removed gets none by the way: it is a choice to have one.
func (o *lockOptions) run(cmd *cobra.Command, dir string) error {
	update, err := ci.Lock(dir, o.restart)
	if err != nil {
		return hintEstate(dir, err)
	}
	pruned, err := ci.PruneReleases(dir)
	if err != nil {
		return err
	}
	if len(pruned.Removed) == 0 || update.Before != nil || len(o.restart) > 0 {
		if err := o.finish(cmd, update); err != nil {
			return err
		}
	} else if o.asJSON {
		none := &ci.LockUpdate{File: update.File}
		if err := writeJSON(cmd.OutOrStdout(), newLockJSON(none, false)); err != nil {
			return err
		}
	}
	return o.prune(cmd, pruned)
}

// finish prints the update, and writes it.
func (o *lockOptions) finish(cmd *cobra.Command, u *ci.LockUpdate) error {
	same := u.Before != nil && bytes.Equal(u.Before, u.After)
	if !same && !o.dryRun {
		if err := replaceFile(u.File, u.After); err != nil {
			return fmt.Errorf("writing %s: %w", u.File, err)
		}
	}
	switch splits := count(u.Splits, "split"); {
	case same:
		fmt.Fprintf(cmd.ErrOrStderr(), "nothing to do: %s fits the flags\n", u.File)
	case o.dryRun:
		fmt.Fprintf(cmd.ErrOrStderr(), "would write %s: %s, %s\n", u.File, splits, count(len(u.Changes), "change"))
	default:
		fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s: %s, %s\n", u.File, splits, count(len(u.Changes), "change"))
	}
	for _, r := range u.Renames {
		fmt.Fprintf(cmd.ErrOrStderr(),
			"note: flag %q seems to be renamed %q: its users are assigned again, because they are assigned by the key; "+
				"to keep them in their variants, write salt: %s in its splits, or rename with 'serin rename %s %s'\n",
			r.Old, r.New, r.Old, r.Old, r.New)
	}
	if o.asJSON {
		return writeJSON(cmd.OutOrStdout(), newLockJSON(u, !same && !o.dryRun))
	}
	for _, c := range u.Changes {
		if err := writeLockChange(cmd.OutOrStdout(), c); err != nil {
			return err
		}
	}
	return nil
}

// prune removes the lines of releases.lock whose plans are gone.
func (o *lockOptions) prune(cmd *cobra.Command, p ci.PrunedReleases) error {
	if len(p.Removed) == 0 {
		return nil
	}
	for _, line := range p.Removed {
		fmt.Fprintf(cmd.ErrOrStderr(), "removed  the release of flag %q in %s, which has no plan any more\n",
			line.Flag, line.Environment)
	}
	if o.dryRun {
		return nil
	}
	if err := replaceFile(p.File, p.After); err != nil {
		return fmt.Errorf("writing %s: %w", p.File, err)
	}
	return nil
}

// writeLockChange prints what becomes of a split.
func writeLockChange(w io.Writer, c ci.LockChange) error {
	_, err := fmt.Fprintf(w, "%-8s %s: %s\n", c.Kind, c.What, c.Shares)
	if err == nil && c.Kind == ci.LockAnew && len(c.Moves) == 0 {
		_, err = fmt.Fprintln(w, "         all users are reassigned: the unit, the salt or the hash has changed")
	}
	for _, m := range c.Moves {
		if err == nil {
			_, err = fmt.Fprintf(w, "         %s %s → %s\n", m.Share(), m.From, m.To)
		}
	}
	return err
}

// A lockJSON is an update as --json prints it.
type lockJSON struct {
	File    string           `json:"file"`
	Written bool             `json:"written"`
	Splits  int              `json:"splits"`
	Renames []lockRenameJSON `json:"renames,omitempty"`
	Changes []lockChangeJSON `json:"changes"`
}

type lockRenameJSON struct {
	Old string `json:"old"`
	New string `json:"new"`
}

type lockChangeJSON struct {
	Flag        string         `json:"flag,omitempty"`
	Environment string         `json:"environment,omitempty"`
	Rule        string         `json:"rule,omitempty"`
	Layer       string         `json:"layer,omitempty"`
	Change      string         `json:"change"`
	Shares      string         `json:"shares"`
	Moves       []lockMoveJSON `json:"moves"`
	Pieces      int            `json:"pieces"`
}

type lockMoveJSON struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Share     string `json:"share"`
	Positions uint64 `json:"positions"`
}

func newLockJSON(u *ci.LockUpdate, written bool) lockJSON {
	out := lockJSON{File: u.File, Written: written, Splits: u.Splits, Changes: make([]lockChangeJSON, len(u.Changes))}
	for _, r := range u.Renames {
		out.Renames = append(out.Renames, lockRenameJSON(r))
	}
	for i, c := range u.Changes {
		moves := make([]lockMoveJSON, len(c.Moves))
		for i, m := range c.Moves {
			moves[i] = lockMoveJSON{m.From, m.To, m.Share(), m.Positions}
		}
		out.Changes[i] = lockChangeJSON{c.Flag, c.Environment, c.Rule, c.Layer, c.Kind.String(), c.Shares,
			moves, c.Pieces}
	}
	return out
}
