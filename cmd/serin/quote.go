package main

import (
	"fmt"
	"io"

	"github.com/serin-flags/serin/internal/display"
	"github.com/spf13/cobra"
)

func quoteCommand() *cobra.Command {
	var title string
	var limit int
	cmd := &cobra.Command{
		Use:   "quote FILE",
		Short: "Print a file as a code block of a Markdown report",
		Long: `Quote prints the text of FILE ("-" is standard input) as a block of code in
Markdown, for a report that "serin comment" posts. Nothing in the text can end the
block, and characters that would disturb a terminal are spelled out. Only whole
lines are left out if the text is too long.`,
		Example: `  serin check flags 2>&1 | serin quote --title 'Problems in the flag files' - >> report.md`,
		Args:    oneWord("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit <= 0 {
				return usagef("--limit must be a positive number of bytes")
			}
			text, err := readReport(cmd.InOrStdin(), args[0])
			if err != nil {
				return fmt.Errorf("reading the text: %w", err)
			}
			heading := ""
			if title != "" {
				heading = "### " + display.Markdown(title) + "\n\n"
			}
			_, err = io.WriteString(cmd.OutOrStdout(), heading+display.Fence(display.Cut(text, limit))+"\n")
			return err
		},
	}
	cmd.Flags().StringVar(&title, "title", "", "a heading for the block")
	cmd.Flags().IntVar(&limit, "limit", 20_000, "how many bytes of text to print at most")
	return cmd
}
