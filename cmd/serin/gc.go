package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/spf13/cobra"
)

// defaultKeep is how long gc keeps what isn't published any more.
const defaultKeep = "90d"

// gcOptions are the flags of gc.
type gcOptions struct {
	sourceFlags
	to, keys, keep string
	dryRun, asJSON bool
}

func gcCommand() *cobra.Command {
	var o gcOptions
	cmd := &cobra.Command{
		Use:   "gc --to URL --env E --root FILE",
		Short: "Remove published objects that nothing refers to",
		Long: `Gc removes what publications leave behind: payloads that no revision of the last
--keep refers to, old snapshots, and the metadata of publishers that lost a race or
failed. It keeps everything younger than --keep, what rollbacks to revisions of that
time need, and the whole history that 'serin log' prints. It first verifies what is
published, and removes nothing if that fails. Publishers may be at work meanwhile.`,
		Example: `  serin gc --to s3://flags --env production --root keys/production/root.json --dry-run`,
		Args:    noWord("to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := o.options(cmd)
			if err != nil {
				return err
			}
			report, err := release.GC(cmd.Context(), opts)
			if err != nil {
				return o.hint(err)
			}
			return o.write(cmd, report)
		},
	}
	registerEnv(cmd, &o.env, "the environment")
	cmd.Flags().StringVar(&o.to, "to", "", "where environments are published: s3://bucket/prefix or file:///path")
	o.registerRoot(cmd)
	cmd.Flags().StringVar(&o.keys, "keys", "", "a folder with root.json, instead of --root; it needs no private key")
	cmd.Flags().StringVar(&o.keep, "keep", defaultKeep,
		"how far back rollbacks are possible, in days or hours, such as 90d or 2160h; at least 1d")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be removed, and remove nothing")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// options opens the store and reads the root.
func (o *gcOptions) options(cmd *cobra.Command) (release.GCOptions, error) {
	var none release.GCOptions
	switch {
	case o.env == "":
		return none, usagef("no environment: name it with --env or SERIN_ENV")
	case o.to == "":
		return none, usagef("no --to: name where environments are published, such as s3://bucket/prefix")
	case o.keys != "" && cmd.Flags().Changed("root"):
		return none, usagef("--root and --keys name the root twice: use one of them")
	}
	keep, err := parseKeep(o.keep)
	if err != nil {
		return none, err
	}
	if o.keys != "" {
		o.root = filepath.Join(o.keys, "root.json")
	}
	root, _, err := o.verifier()
	if err != nil {
		return none, err
	}
	store, err := openStore(cmd.Context(), o.to, o.env)
	if err != nil {
		return none, err
	}
	return release.GCOptions{Store: store, Root: root, Keep: keep, DryRun: o.dryRun}, nil
}

// hint says what to do if what is published is refused.
func (o *gcOptions) hint(err error) error {
	if class, ok := bundle.ClassOf(err); ok && class == bundle.Expired {
		return &hintedError{err, "renew or publish first"}
	}
	return hintPull(err, o.env)
}

// days matches a number of days.
var days = regexp.MustCompile(`^([0-9]{1,5})d$`)

// parseKeep reads a length of time such as 90d or 2160h.
func parseKeep(text string) (time.Duration, error) {
	keep, err := time.ParseDuration(text)
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // five digits at most
		keep, err = time.Duration(n)*24*time.Hour, nil
	}
	if err != nil || keep < release.MinKeep {
		return 0, usagef("--keep must be at least 1d, in days or hours such as 90d or 2160h, not %q", text)
	}
	return keep, nil
}

// write prints what was removed.
func (o *gcOptions) write(cmd *cobra.Command, r release.GCReport) error {
	done := "removed"
	if o.dryRun {
		done = "would remove"
	}
	for _, name := range r.Restored {
		fmt.Fprintf(cmd.ErrOrStderr(), "put back %s, which a publication began to use meanwhile\n", name)
	}
	where := fmt.Sprintf("%s/%s", strings.TrimSuffix(shown(o.to), "/"), o.env)
	if len(r.Removed) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "nothing to do: %s has no unused objects older than %s\n", where, o.keep)
	} else {
		fmt.Fprintf(cmd.ErrOrStderr(),
			"%s %s of %s: %s; revision %d is published, and rollbacks are possible to %d and later\n", done,
			count(len(r.Removed), "object"), where, count(int(r.Bytes), "byte"), r.Revision, r.Oldest)
	}
	if o.asJSON {
		return writeJSON(cmd.OutOrStdout(), gcJSON{
			r.Environment, r.Revision, r.Oldest, list(r.Removed), r.Bytes, list(r.Restored),
		})
	}
	for _, name := range r.Removed {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), name); err != nil {
			return err
		}
	}
	return nil
}

// A gcJSON is a report as --json prints it.
type gcJSON struct {
	Environment string   `json:"environment"`
	Revision    int64    `json:"revision"`
	Oldest      int64    `json:"oldest"`
	Removed     []string `json:"removed"`
	Bytes       int64    `json:"bytes"`
	Restored    []string `json:"restored"`
}
