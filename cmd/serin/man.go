package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all verbs",
		Long: `Man writes a manual page for each verb into DIR, which it creates. To read them with
man(1), write them to share/man/man1 below one of the folders that "man --path"
prints. The releases of serin contain them.`,
		Example: `  serin man ~/.local/share/man/man1`,
		Args:    oneWord("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil {
				return fmt.Errorf("writing manual pages: %w", err)
			}
			header := &doc.GenManHeader{Section: "1", Source: "serin " + version(), Manual: "Serin"}
			if err := doc.GenManTree(cmd.Root(), header, args[0]); err != nil {
				return fmt.Errorf("writing manual pages: %w", err)
			}
			return nil
		},
	}
}
