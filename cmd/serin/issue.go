package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/serin-flags/serin/ci/comment"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

// The exit statuses of issue for edits that can't be read: the sender may be told so.
const unreadable = 3

func issueCommand() *cobra.Command {
	var label string
	cmd := &cobra.Command{
		Use:   "issue FILE",
		Short: "Take the edits from the GitHub issue that a CI job runs for",
		Long: `Issue writes the edits of an issue to FILE, one a line, for 'serin apply --edits', and
prints the issue's number. They are the lines of the one block of code in the issue,
and nothing but the edits that 'serin apply' knows.

It refuses unless the job runs because the issue got the label, and whoever set that
may write to the repository. The issue counts as it was when it got the label.

It uses GITHUB_TOKEN. The exit status is 3 if the edits can't be read.`,
		Example: `  serin issue edits.txt --label flag-edit && serin apply --edits edits.txt --branch edits`,
		Args:    oneWord("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			issue, err := comment.Labelled(cmd.Context(), os.Getenv, label)
			if err != nil {
				return err
			}
			edits, err := edit.ParseMarkdown(issue.Body)
			if err != nil {
				report(cmd.ErrOrStderr(), fmt.Errorf("issue #%d: %w", issue.Number, err))
				fmt.Fprintln(cmd.OutOrStdout(), issue.Number)
				return statusError(unreadable)
			}
			var lines strings.Builder
			for _, e := range edits {
				lines.WriteString(e.String() + "\n")
			}
			if err := replaceFile(args[0], []byte(lines.String())); err != nil {
				return fmt.Errorf("writing %s: %w", args[0], err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), issue.Number)
			return err
		},
	}
	cmd.Flags().StringVar(&label, "label", "flag-edit", "the label that the issue must have got")
	return cmd
}
