package main

import (
	"os"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

func renameCommand() *cobra.Command {
	var r editRun
	cmd := &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Give a flag another key, and every user the variant they had",
		Long: `Rename gives the flag OLD the key NEW. It renames the flag's file and its tests, and
changes the conditions, tests and layers that refer to it. Users are assigned to
variants by the flag's key, so its splits get "salt: OLD": everyone keeps their
variant. Like 'serin apply', it updates flags.lock, and shows what changes and who
is affected.

Programs that ask for OLD serve their own default once that is published.`,
		Example: `  serin rename new-cart cart
  serin rename new-cart cart --branch rename-cart`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("rename takes two keys, OLD and NEW, such as 'serin rename new-cart cart'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			old, new := args[0], args[1]
			r.renames = map[string]string{new: old}
			_, err := r.make(cmd, "rename "+old+" "+new, func(root *os.Root, dir string) (*edit.Result, error) {
				return edit.Rename(root.FS(), dir, old, new)
			})
			return err
		},
	}
	r.register(cmd)
	return cmd
}
