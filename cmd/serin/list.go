package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/internal/served"
	"github.com/spf13/cobra"
)

func listCommand() *cobra.Command {
	var env, owner, at string
	var stale, hashed, asJSON bool
	cmd := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List the flags: owners, shares, next changes, expiries",
		Long: `List prints a line for each flag of DIR (by default "flags"): what it serves now to
users who match no rule with a condition, when a ramp changes that, when the flag
expires, and which environments override it.

--stale lists those that have expired or whose ramps have ended, unless their
files silence the lint that says so. --hash lists those that use the hash of another
system, for which 'serin rehash' has a way out.`,
		Example: `  serin list --owner team-checkout --env production
  serin list --stale`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			now, err := parseTime(at)
			if err != nil {
				return err
			}
			dir := estateArg(args)
			estate, err := loadEstate(dir)
			if err != nil {
				return err
			}
			flags, err := listed(estate, env, now)
			if err != nil {
				return err
			}
			flags = slices.DeleteFunc(flags, func(f listedFlag) bool {
				return cmd.Flags().Changed("owner") && f.Owner != owner || stale && len(f.Stale) == 0 ||
					hashed && len(f.Hashes) == 0
			})
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Flags []listedFlag `json:"flags"`
				}{flags})
			}
			return writeList(cmd.OutOrStdout(), flags)
		},
	}
	registerEnv(cmd, &env, "the environment (default: none, without overrides)")
	cmd.Flags().StringVar(&owner, "owner", "", `only flags of this owner; "" is those without one`)
	cmd.Flags().BoolVar(&stale, "stale", false, "only flags that have expired or whose ramps have ended")
	cmd.Flags().BoolVar(&hashed, "hash", false, "only flags that use the hash of another system")
	cmd.Flags().StringVar(&at, "at", "", "the time, as 2026-12-01T02:00:00Z or in Unix seconds (default: now)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// A listedFlag is a flag as list --json prints it.
type listedFlag struct {
	Key       string `json:"key"`
	Namespace string `json:"namespace"`
	File      string `json:"file"`
	Type      string `json:"type"`
	Owner     string `json:"owner,omitempty"`
	Disabled  bool   `json:"disabled,omitempty"`
	Layer     string `json:"layer,omitempty"` // only who is in the flag's part of it gets what rules serve
	// Conditional are the rules with a condition that come before what Serves says.
	Conditional []served.Rule  `json:"conditional,omitempty"`
	Serves      []served.Share `json:"serves"`
	NextChange  *time.Time     `json:"next_change,omitempty"`
	Expires     string         `json:"expires,omitempty"`
	Overriding  []string       `json:"overriding,omitempty"`
	Stale       []string       `json:"stale,omitempty"`  // the lints that say so
	Hashes      []string       `json:"hashes,omitempty"` // of other systems, sorted
	// Release is how far the flag's release has got in the environment, if it has one there.
	Release *listedRelease `json:"release,omitempty"`
}

// A listedRelease is how far a release has got.
type listedRelease struct {
	Share string      `json:"share"`
	State guard.State `json:"state"`
	Why   string      `json:"why,omitempty"`
}

// releasesOf returns the releases of an environment by flag.
func releasesOf(estate *ci.Estate, env string) map[string]*listedRelease {
	releases := make(map[string]*listedRelease)
	for _, p := range estate.Plans(env) {
		line := estate.Releases().Get(p)
		releases[p.Flag] = &listedRelease{line.Share.String(), line.State, line.Why}
	}
	return releases
}

// listed returns the flags of an estate, as they are in an environment at a time.
func listed(estate *ci.Estate, env string, now int64) ([]listedFlag, error) {
	stale := make(map[string][]string)
	for _, p := range estate.Lint(ci.LintOptions{Now: time.Unix(now, 0)}) {
		if (p.Lint == "expired-flag" || p.Lint == "finished-ramp") && !slices.Contains(stale[p.File], p.Lint) {
			stale[p.File] = append(stale[p.File], p.Lint)
		}
	}
	flags, releases := []listedFlag{}, releasesOf(estate, env)
	for _, key := range estate.Keys() {
		f, err := estate.Effective(key, env)
		if err != nil {
			return nil, err
		}
		l := listedFlag{
			Key: key, Namespace: f.Namespace, File: f.File, Type: f.Compiled.Type.String(), Owner: f.Owner,
			Disabled: f.Compiled.Disabled, Expires: f.Expires, Overriding: f.Overriding, Stale: stale[f.File],
			Hashes: edit.Hashes(&f.Compiled), Release: releases[key],
		}
		if r := f.Compiled.Reserved; r != nil {
			l.Layer = r.Layer
		}
		l.Conditional, l.Serves = served.Now(&f.Compiled, now)
		if change := served.NextChange(&f.Compiled, now); change != 0 {
			t := time.Unix(change, 0).UTC()
			l.NextChange = &t
		}
		flags = append(flags, l)
	}
	return flags, nil
}

// writeList prints flags as a table.
func writeList(w io.Writer, flags []listedFlag) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FLAG\tTYPE\tOWNER\tSERVES\tNEXT CHANGE\tEXPIRES\tOVERRIDDEN IN")
	for _, f := range flags {
		next := ""
		if f.NextChange != nil {
			next = f.NextChange.Format("2006-01-02 15:04 UTC")
		}
		expires := f.Expires
		if slices.Contains(f.Stale, "expired-flag") {
			expires += " (expired)"
		}
		cells := []string{f.Key, f.Type, f.Owner, f.serves(), next, expires, strings.Join(f.Overriding, ", ")}
		for i, cell := range cells {
			cells[i] = display.Line(cmp.Or(cell, "-"))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// serves says in words what is served.
func (f listedFlag) serves() string {
	if f.Disabled {
		return f.Serves[0].Variant + " (disabled)"
	}
	text := served.Words(f.Serves)
	if len(f.Conditional) > 0 {
		var splits []string
		for _, r := range f.Conditional {
			if len(r.Serves) > 1 {
				splits = append(splits, served.Words(r.Serves))
			}
		}
		before := count(len(f.Conditional), "rule")
		if len(splits) > 0 {
			before += " (" + strings.Join(splits, "; ") + ")"
		}
		text = before + ", else " + text
	}
	if f.Layer != "" {
		text += " (in layer " + f.Layer + ")"
	}
	if slices.Contains(f.Stale, "finished-ramp") {
		text += " (ramp ended)"
	}
	if r := f.Release; r != nil && r.State != guard.Running {
		text += " (release " + r.State.Words() + ")"
	} else if r != nil {
		text += " (release at " + r.Share + ")"
	}
	if len(f.Hashes) > 0 {
		text += " (by " + strings.Join(f.Hashes, ", ") + ")"
	}
	return text
}
