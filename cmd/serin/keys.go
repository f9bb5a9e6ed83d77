package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/serin-flags/serin/ci/release"
	"github.com/spf13/cobra"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make signing keys",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return usagef("keys takes a verb: init")
		},
	}
	cmd.AddCommand(keysInitCommand())
	return cmd
}

func keysInitCommand() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use:   "init DIR --env E",
		Short: "Make the keys of an environment",
		Long: `Init makes the root and the online key of one environment, and root.json, which
clients pin. It never overwrites a file.`,
		Args: oneWord("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if env == "" {
				return usagef("no environment: name it with --env or SERIN_ENV")
			}
			files, err := release.InitKeys(args[0], env)
			if errors.Is(err, fs.ErrExist) {
				err = &hintedError{err, "keys are made once; each environment has a folder of its own"}
			}
			if err != nil {
				return err
			}
			for _, f := range files {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), f.Path); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "  %s\n", f.Purpose)
			}
			return nil
		},
	}
	registerEnv(cmd, &env, "the environment")
	return cmd
}
