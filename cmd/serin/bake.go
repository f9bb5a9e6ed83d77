package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk/s3source"
	"github.com/spf13/cobra"
)

func bakeCommand() *cobra.Command {
	var f sourceFlags
	var out string
	var namespaces []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bake URL --root FILE --out DIR",
		Short: "Write a verified copy for a program to start from",
		Long: `Bake downloads a published environment, verifies it as clients do, and writes
to DIR the files that lead from the pinned root to its flags. It prints the
revision. A program that embeds the copy (go:embed), or ships it, passes it to
the SDK as Config.Baked. It then has flags before it reaches the source, or if it
never does.

DIR is replaced if it contains such a copy; any other content is left alone.`,
		Example: `  serin bake s3://acme-flags/shop/production --root root.json --out internal/flags/baked`,
		Args:    oneWord("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !published(args[0]) {
				return usagef("%s is not a URL: bake takes the URL of a published environment", args[0])
			}
			if out == "" {
				return usagef("no folder to write to: name one with --out")
			}
			for _, namespace := range namespaces {
				if !bundle.ValidNamespace(namespace) {
					return usagef("--namespace: %q is not a namespace", namespace)
				}
			}
			f.namespaces = namespaces
			copied, err := f.copy(cmd, args[0])
			if err != nil {
				return err
			}
			if err := copied.Write(out); err != nil {
				if errors.Is(err, release.ErrNotCopy) {
					return &hintedError{err, "name a folder that doesn't exist yet, or empty it"}
				}
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), newReleaseJSON(copied.Release))
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "there %s of %s in %s, verified and valid until %s\n",
				are(len(copied.Release.Payloads()), "namespace"), copied.Release.Environment(), out,
				when(copied.Release.Expires()))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), copied.Release.Revision())
			return err
		},
	}
	f.registerRoot(cmd)
	registerEnv(cmd, &f.env, "the environment that the root must be for")
	cmd.Flags().StringVar(&out, "out", "", "the folder to write")
	cmd.Flags().StringArrayVar(&namespaces, "namespace", nil, "a namespace to copy; may repeat (default: all)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// copy downloads and verifies what is to be written.
func (f *sourceFlags) copy(cmd *cobra.Command, url string) (*release.Copy, error) {
	source, err := s3source.FromURL(cmd.Context(), url)
	if err != nil {
		return nil, err
	}
	_, verifier, err := f.verifier()
	if err != nil {
		return nil, err
	}
	copied, err := release.Pull(cmd.Context(), source, verifier, time.Now())
	if err != nil {
		return nil, hintPull(fmt.Errorf("pulling %s: %w", shown(url), err), verifier.Environment())
	}
	if err := checkPayloads(copied.Release.Payloads()); err != nil {
		return nil, fmt.Errorf("verifying %s: %w", shown(url), err)
	}
	return copied, nil
}
