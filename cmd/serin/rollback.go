package main

import (
	"time"

	"github.com/serin-flags/serin/ci/plans"
	"github.com/spf13/cobra"
)

func rollbackCommand() *cobra.Command {
	var o publication
	var revision int64
	var reason string
	var force bool
	cmd := &cobra.Command{
		Use:   "rollback --to URL --env E --revision N --keys DIR",
		Short: "Publish an earlier revision again",
		Long: `Rollback publishes the content of revision N again under a new revision, because
clients refuse to go back to an old one. It takes the content from the published
environment and verifies it. The flag files stay unchanged, and the next 'serin
publish' publishes them again. 'serin log' lists the revisions.

A release that was held or rolled back since then stays at its share, unless --force,
which needs a --reason, gives it the one that it had. It is held there.`,
		Example: `  serin rollback --to s3://flags --env production --revision 41 --keys keys/production \
    --reason 'checkout fails'`,
		Args: noWord("revision"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if revision < 1 {
				return usagef("no --revision: name the one to publish again; 'serin log' lists them")
			}
			if force && reason == "" {
				return usagef("--force needs a --reason")
			}
			opts, err := o.open(cmd)
			if err != nil {
				return err
			}
			warnOfTrackedKeys(cmd.Context(), cmd.ErrOrStderr(), o.keys)
			opts.Rollback = revision
			opts.Provenance = o.provenance.ofPerson(cmd.Context())
			opts.Provenance.Reason = reason
			opts.Content = plans.Restore(plans.Restoration{
				Force: force, By: opts.Provenance.Author, Now: time.Now(), Note: noting(cmd.ErrOrStderr()),
			})
			return o.run(cmd, opts, "rolled back as", "roll back as")
		},
	}
	o.register(cmd)
	o.provenance.registerWho(cmd)
	cmd.Flags().Int64Var(&revision, "revision", 0, "the revision whose content to publish again")
	cmd.Flags().StringVar(&reason, "reason", "", "the reason to record")
	cmd.Flags().BoolVar(&force, "force", false,
		"give releases the shares that they had, even if they were held or rolled back since")
	return cmd
}
