package main

import (
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/spf13/cobra"
)

func catCommand() *cobra.Command {
	var f sourceFlags
	cmd := &cobra.Command{
		Use:   "cat [SRC]",
		Short: "Print compiled flags as JSON",
		Long: `Cat prints the compiled flags of SRC (by default the folder flags) as JSON,
namespace by namespace. It compiles a folder, and verifies a published environment.`,
		Args: oneWordAtMost("SRC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := sourceOr(cmd, strings.Join(args, ""))
			if err != nil {
				return err
			}
			c, err := f.open(cmd.Context(), src)
			if err != nil {
				return err
			}
			namespaces := make(map[string]evaluator.Ruleset, len(c.payloads))
			var public []string
			for _, p := range c.payloads {
				namespaces[p.Namespace] = p.Ruleset
				if p.Public {
					public = append(public, p.Namespace)
				}
			}
			return writeJSON(cmd.OutOrStdout(), struct {
				Environment string                       `json:"environment,omitempty"`
				Revision    int64                        `json:"revision,omitempty"`
				Public      []string                     `json:"public,omitempty"` // of the namespaces
				Namespaces  map[string]evaluator.Ruleset `json:"namespaces"`
			}{c.environment, c.revision, public, namespaces})
		},
	}
	f.register(cmd)
	return cmd
}
