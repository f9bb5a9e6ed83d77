package main

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-flags/serin/ci/page"
	"github.com/serin-flags/serin/ci/release"
	"github.com/spf13/cobra"
)

func siteCommand() *cobra.Command {
	var f pageFlags
	var out, compare, at string
	cmd := &cobra.Command{
		Use:   "site [DIR] --out FOLDER",
		Short: "Write pages about the flags, for a web server",
		Long: `Site writes static pages about the flags of DIR (by default "flags") into the folder
--out: rules as sentences, what changes next, flags by environments, what needs
attention, who uses what, and a search. Any web server can serve them, such as GitHub
Pages. IDs are shown only as counts.

--compare adds who changes since a revision, and --history who published what.
'serin dev' shows the same pages, and also answers why a user gets a value.

The folder must be empty, or hold pages of an earlier run, which are replaced.`,
		Example: `  serin site --out public --compare git:main
  serin site flags --out public --history s3://flags/production --root root.json`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("name the folder to write into, such as --out public")
			}
			unix, err := parseTime(at)
			if err != nil {
				return err
			}
			now, dir := time.Unix(unix, 0), estateArg(args)
			estate, err := loadEstate(dir)
			if err != nil {
				return err
			}
			reads, err := f.reads()
			if err != nil {
				return err
			}
			s, err := folderSource(dir, estate)
			if err != nil {
				return err
			}
			o := f.options(dir)
			if o.History != nil {
				history, err := o.History(cmd.Context(), release.FlagName{})
				if err != nil {
					return err
				}
				s.Expires = history.Expires
				o.History = func(context.Context, release.FlagName) (release.History, error) { return history, nil }
			}
			s.Reads = reads
			m, err := page.New(s)
			if err != nil {
				return err
			}
			if compare != "" {
				o.Compare, o.Old = pageComparer(dir), compare
			}
			return writeSite(cmd, out, m, o, now)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "the folder to write into (required)")
	cmd.Flags().StringVar(&compare, "compare", "", "also show who changes since a revision, such as git:main")
	cmd.Flags().StringVar(&at, "at", "", "the time, as 2026-12-01T02:00:00Z or in Unix seconds (default: now)")
	return cmd
}

// writeSite writes pages and says how many.
func writeSite(cmd *cobra.Command, out string, m *page.Model, o page.Options, now time.Time) error {
	files := 0
	err := interruptible(cmd.Context(), func() (err error) {
		files, err = page.Write(context.WithoutCancel(cmd.Context()), out, m, o, now)
		return err
	})
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s into %s\n", count(files, "file"), out)
	}
	return err
}
