package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
	"github.com/spf13/cobra"
)

func showCommand() *cobra.Command {
	var from, env string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show FLAG",
		Short: "Print a flag as it applies in an environment",
		Long: `Show prints FLAG as a flag file, as it applies in the environment that --env
names, or without overrides, and says which environments override it. Comments
mark the keys that the environment replaces. --from names the flag folder (by default "flags").`,
		Example: `  serin show new-checkout --env staging`,
		Args:    oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if from == "" {
				from = defaultEstate
			}
			estate, err := loadEstate(from)
			if err != nil {
				return err
			}
			f, err := estate.Effective(args[0], env)
			if err != nil {
				return err
			}
			if asJSON {
				return writeFlagJSON(cmd.OutOrStdout(), f)
			}
			title := f.File
			if env != "" {
				title += " in " + env
			} else if len(f.Overriding) > 0 {
				title += ", which " + strings.Join(f.Overriding, ", ") +
					plural(len(f.Overriding), " overrides", " override") + ": see --env"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "# %s\n%s", title, f.YAML())
			return err
		},
	}
	variableFlag(cmd, &from, "from", `the folder of flag files (default "flags")`)
	registerEnv(cmd, &env, "the environment (default: none, without overrides)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object with the compiled flag instead")
	return cmd
}

func writeFlagJSON(w io.Writer, f ci.EffectiveFlag) error {
	return writeJSON(w, struct {
		Key         string         `json:"key"`
		Namespace   string         `json:"namespace"`
		Environment string         `json:"environment,omitempty"`
		File        string         `json:"file"`
		Description string         `json:"description,omitempty"`
		Owner       string         `json:"owner,omitempty"`
		Expires     string         `json:"expires,omitempty"`
		Replaced    []string       `json:"replaced,omitempty"`
		Overriding  []string       `json:"overriding,omitempty"`
		Compiled    evaluator.Flag `json:"compiled"`
	}{f.Key, f.Namespace, f.Environment, f.File, f.Description, f.Owner, f.Expires, f.Replaced, f.Overriding,
		f.Compiled})
}
