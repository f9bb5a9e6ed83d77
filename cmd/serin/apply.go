package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

func applyCommand() *cobra.Command {
	var r editRun
	var file string
	cmd := &cobra.Command{
		Use:   "apply EDIT…",
		Short: "Make small edits of flag files, and show who changes",
		Long: `Apply edits flag files. Comments, order and style stay as they are. If the folder
has a flags.lock, it is updated as by 'serin lock'. Apply prints the changed lines
and who gets a different value. If the flags wouldn't pass 'serin check' any more,
it writes nothing.

Each EDIT is one argument, in quotes:

  ` + strings.Join(edit.Forms(), "\n  ") + `

Edits of a flag may end with "in ENVIRONMENT", except expire. Names with spaces
stand in quotes of their own. Serve sets the default, which is served if no rule
matches. Shares that aren't given stay, as far as they add up. Step adds a step to a
ramp: at=TIME or after=DURATION, and gate=approval if a person must approve it. The
date "never" removes a flag's expiry.

With --edits, the edits are the lines of a file.`,
		Example: `  serin apply 'disable new-cart'
  serin apply 'share new-checkout "beta in two cities" on=30%' --dry-run
  serin apply 'add u-17 to segments/testers' 'serve new-cart on in staging' --branch testers`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case file != "" && len(args) > 0:
				return usagef("write edits as arguments, or name a file with --edits, not both")
			case file == "" && len(args) == 0:
				return usagef("name an edit, such as 'serin apply \"disable new-cart\"'; the edits are:\n%s",
					strings.Join(edit.Forms(), "\n"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			edits, err := editsOf(cmd, file, args)
			if err != nil {
				return err
			}
			_, err = r.run(cmd, edits)
			return err
		},
	}
	r.register(cmd)
	cmd.Flags().StringVar(&file, "edits", "",
		`read the edits from this `+"`FILE`"+`, one a line; "-" is standard input`)
	return cmd
}

// editsOf reads the edits in a file or, if that is "", in arguments.
func editsOf(cmd *cobra.Command, file string, args []string) ([]edit.Edit, error) {
	if file != "" {
		in := cmd.InOrStdin()
		if file != "-" {
			f, err := os.Open(file)
			if err != nil {
				return nil, fmt.Errorf("reading the edits: %w", err)
			}
			defer f.Close()
			in = f
		}
		text, err := readReport(in, "-")
		if err != nil {
			return nil, fmt.Errorf("reading the edits: %w", err)
		}
		edits, err := edit.ParseLines(text)
		if err != nil {
			return nil, fmt.Errorf("reading the edits in %s: %w", file, err)
		}
		return edits, nil
	}
	edits := make([]edit.Edit, len(args))
	for i, arg := range args {
		var err error
		if edits[i], err = edit.Parse(arg); err != nil {
			return nil, hintQuotes(args, err)
		}
	}
	return edits, nil
}

// hintQuotes turns the error of a malformed edit into one of wrong usage, which says so
// if its words came as several arguments.
func hintQuotes(args []string, err error) error {
	if _, whole := edit.Parse(strings.Join(args, " ")); len(args) > 1 && whole == nil {
		return usagef("an edit is one argument: put quotes around it, serin apply '%s'", strings.Join(args, " "))
	}
	return &usageError{fmt.Sprint(err)}
}
