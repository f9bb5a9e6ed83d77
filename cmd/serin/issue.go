package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/serin-flags/serin/ci/comment"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

// unreadable is the exit status of issue if the edits can't be read, which is for the sender to
// correct.
const unreadable = 3

func issueCommand() *cobra.Command {
	var label string
	cmd := &cobra.Command{
		Use:   "issue FILE",
		Short: "Take the edits from the GitHub issue that a CI job runs for",
		Long: `Issue writes the edits of an issue to FILE, one on each line, for 'serin apply --edits',
and prints the number of the issue. The edits are the lines of its only code block, in
the words of 'serin apply'.

It refuses unless the job runs because somebody who may write to the repository has set
the label. It reads the issue as it was at that moment, not as it is now.

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
