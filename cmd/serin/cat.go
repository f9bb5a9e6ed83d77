package main

import (
	"github.com/serin-flags/serin/evaluator"
	"github.com/spf13/cobra"
)

func catCommand() *cobra.Command {
	var f sourceFlags
	cmd := &cobra.Command{
		Use:   "cat SRC",
		Short: "Print compiled flags as JSON",
		Long: `Cat prints the compiled flags of SRC as JSON, namespace by namespace. It compiles
a folder, and verifies a published environment.`,
		Args: oneWord("SRC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			namespaces := make(map[string]evaluator.Ruleset, len(c.payloads))
			for _, p := range c.payloads {
				namespaces[p.Namespace] = p.Ruleset
			}
			return writeJSON(cmd.OutOrStdout(), struct {
				Environment string                       `json:"environment,omitempty"`
				Revision    int64                        `json:"revision,omitempty"`
				Namespaces  map[string]evaluator.Ruleset `json:"namespaces"`
			}{c.environment, c.revision, namespaces})
		},
	}
	f.register(cmd)
	return cmd
}
