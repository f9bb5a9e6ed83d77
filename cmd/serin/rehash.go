package main

import (
	"os"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

func rehashCommand() *cobra.Command {
	var r editRun
	cmd := &cobra.Command{
		Use:   "rehash FLAG",
		Short: "Move a flag from the hash of another system to Serin's own",
		Long: `Rehash removes "hash" and "positions" from the splits of a flag that kept the
assignment of another system, so that they use murmur3_x64_128. Its users are assigned
again, to the same shares: the output shows how many get another variant. Like
'serin apply', it updates flags.lock. 'serin list --hash' lists such flags.`,
		Example: `  serin rehash new-cart --dry-run
  serin rehash new-cart --branch rehash-new-cart`,
		Args: oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := r.make(cmd, "rehash "+args[0], func(root *os.Root, dir string) (*edit.Result, error) {
				return edit.Rehash(root.FS(), dir, args[0])
			})
			return err
		},
	}
	r.register(cmd)
	return cmd
}
