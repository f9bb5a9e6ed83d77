package main

import (
	"github.com/spf13/cobra"
)

func rollbackCommand() *cobra.Command {
	var o publication
	var revision int64
	var reason string
	cmd := &cobra.Command{
		Use:   "rollback --to URL --env E --revision N --keys DIR",
		Short: "Publish an earlier revision again",
		Long: `Rollback publishes the content of revision N again, under a new revision: clients
refuse to go back to an old one. It takes the content from what is published there,
and verifies it; the flag files stay as they are, and the next 'serin publish'
publishes them again. 'serin log' prints the revisions.`,
		Example: `  serin rollback --to s3://flags --env production --revision 41 --keys keys/production --reason 'checkout fails'`,
		Args:    noWord("revision"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if revision < 1 {
				return usagef("no --revision: name the one to publish again, which 'serin log' prints")
			}
			opts, err := o.open(cmd)
			if err != nil {
				return err
			}
			opts.Rollback = revision
			opts.Provenance = o.provenance.ofPerson(cmd.Context())
			opts.Provenance.Reason = reason
			return o.run(cmd, opts, "rolled back as", "roll back as")
		},
	}
	o.register(cmd)
	o.provenance.registerWho(cmd)
	cmd.Flags().Int64Var(&revision, "revision", 0, "the revision whose content to publish again")
	cmd.Flags().StringVar(&reason, "reason", "", "why, to be signed with it")
	return cmd
}
