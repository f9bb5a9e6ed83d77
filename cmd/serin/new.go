package main

import (
	"os"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

// defaultLife is how long a new flag lives, unless its expiry is given.
const defaultLife = 90 * 24 * time.Hour

func newCommand() *cobra.Command {
	var r editRun
	var f edit.NewFlag
	cmd := &cobra.Command{
		Use:   "new NAMESPACE/KEY",
		Short: "Write a new flag file to start from",
		Long: `New writes the file NAMESPACE/KEY.yaml: a flag without rules, which serves one variant
to everyone. It asks nothing, and it refuses to touch an existing flag.

A boolean flag serves "off". Flags of other types need their variants, and serve the
last one unless --default names another. The owner is that of the namespace's other
flags, if they agree on one, and the flag expires in 90 days.`,
		Example: `  serin new checkout/one-page --description 'One-page checkout'
  serin new search/page-size --type integer --variant large=48 --variant small=24 --expires never`,
		Args: oneWord("NAMESPACE/KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			i := strings.LastIndexByte(args[0], '/')
			if i <= 0 || i+1 == len(args[0]) {
				return usagef("%q isn't a namespace and a key, such as checkout/%s",
					args[0], strings.Trim(args[0], "/"))
			}
			f.Namespace, f.Key = args[0][:i], args[0][i+1:]
			switch f.Expires {
			case "":
				f.Expires = time.Now().Add(defaultLife).Format(time.DateOnly)
			case "never":
				f.Expires = ""
			}
			_, err := r.make(cmd, "new "+f.Key, func(root *os.Root, dir string) (*edit.Result, error) {
				return edit.New(root.FS(), dir, f)
			})
			return err
		},
	}
	r.register(cmd)
	cmd.Flags().StringVar(&f.Type, "type", "boolean", "boolean, string, integer, number or object")
	cmd.Flags().StringVar(&f.Description, "description", "", "what the flag is for")
	cmd.Flags().StringVar(&f.Owner, "owner", "", "who to ask (default: the owner of the namespace's other flags)")
	cmd.Flags().StringVar(&f.Expires, "expires", "",
		"the date after which the flag is debt, such as 2027-06-30, or never (default: in 90 days)")
	cmd.Flags().StringArrayVar(&f.Variants, "variant", nil, "a variant and its value, `NAME=VALUE`; may repeat")
	cmd.Flags().StringVar(&f.Default, "default", "", "the variant to serve (default: the last one)")
	return cmd
}
