package main

import (
	"github.com/spf13/cobra"
)

// oneWord makes a command take one word beside its flags, called what.
func oneWord(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("no %s: write '%s %s'", what, cmd.Parent().CommandPath(), cmd.Use)
		}
		return oneWordAtMost(what)(cmd, args)
	}
}

// oneWordAtMost makes a command take one word, called what, or none.
func oneWordAtMost(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("more than one %s: %q and %q", what, args[0], args[1])
		}
		return nil
	}
}

// noWord makes a command take nothing but flags; what a word is meant for is
// the flag of that name.
func noWord(flag string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("unexpected argument %q: write --%s %s", args[0], flag, args[0])
		}
		return nil
	}
}
