package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/serin-flags/serin/lambda/access"
	"github.com/spf13/cobra"
)

func clientsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clients",
		Short: "Make keys of endpoint clients, and check the file of them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return usagef("clients takes a verb: key or check")
		},
	}
	cmd.AddCommand(clientsKeyCommand(), clientsCheckCommand())
	return cmd
}

func clientsKeyCommand() *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:   "key [NAME]",
		Short: "Make a key for a client of an endpoint",
		Long: `Key prints a new key for a client of an endpoint. Nothing else ever shows it again. On
standard error it prints the hash of the key, for the file of 'serin serve --clients'
and SERIN_CLIENTS: with a NAME, a whole entry of a new client, and otherwise the hash
alone, to add to the keys of a client whose key you replace.

A key of kind server is for services, which speak for their users. One of kind client
is for browsers and apps, where anyone can read it.`,
		Example: `  serin clients key checkout --kind server
  serin clients key website --kind client | wl-copy`,
		Args: oneWordAtMost("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if kind != "server" && kind != "client" {
				return usagef("--kind is server or client, not %s", kind)
			}
			key, hash := access.NewKey()
			line := hash
			if len(args) > 0 {
				line = fmt.Sprintf("  - {name: %s, kind: %s, keys: [%q]}", args[0], kind, hash)
				if _, err := access.Parse("NAME", []byte("clients:\n"+line)); err != nil {
					return usagef("%q is not a name of letters, digits, \"-\", \"_\" and \".\"", args[0])
				}
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), key); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "\n%s\n", line)
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "server", "server or client")
	return cmd
}

func clientsCheckCommand() *cobra.Command {
	var f sourceFlags
	var from string
	cmd := &cobra.Command{
		Use:   "check FILE [--from SRC]",
		Short: "Check a file of clients",
		Long: `Check says what is wrong with a file of endpoint clients, line by line, before you
deploy it. With --from, clients may only see namespaces and flags that exist there. It
doesn't fetch the keys of token issuers.`,
		Args: oneWord("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			clients, err := access.Parse(args[0], data)
			if err != nil {
				return err
			}
			if from != "" {
				c, err := f.open(cmd.Context(), from)
				if err != nil {
					return err
				}
				if err := clients.CheckFlags(c.names()); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "ok: %s\n", count(clients.Len(), "client"))
			return nil
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&from, "from", "", "a folder of flag files, or the URL of a published environment")
	return cmd
}

// names returns the names of all namespaces and flags.
func (c content) names() map[string]bool {
	names := make(map[string]bool)
	for _, p := range c.payloads {
		names[p.Namespace] = true
		for i := range p.Ruleset.Flags {
			names[p.Ruleset.Flags[i].Key] = true
		}
	}
	return names
}

// gate returns what --clients says, and follows the file. Without it, anyone may ask.
func (o *serveOptions) gate(cmd *cobra.Command, log *slog.Logger) (*access.Gate, error) {
	if o.clients == "" {
		return nil, nil
	}
	gate, err := access.Open(cmd.Context(), o.clients, &o.gateways, log)
	if err != nil {
		return nil, &hintedError{err, "'serin clients check FILE' checks a file before you deploy it"}
	}
	go gate.Follow(cmd.Context())
	return gate, nil
}
