package main

import (
	"strings"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

// A switchRun is what enable and disable have in common: they edit one flag and, if they
// are asked to, publish at once.
type switchRun struct {
	editRun
	publish bool
	release publishOptions
}

func (s *switchRun) register(cmd *cobra.Command) {
	s.editRun.register(cmd)
	registerEnv(cmd, &s.release.env, "the one environment (default: all; --publish needs one)")
	cmd.Flags().BoolVar(&s.publish, "publish", false, "then publish the folder, as 'serin publish' does")
	s.release.registerAfterEdit(cmd)
}

// run makes the edit, and publishes it.
func (s *switchRun) run(cmd *cobra.Command, e edit.Edit) error {
	if !s.publish {
		if err := s.release.unused(); err != nil {
			return err
		}
	} else if missing := s.release.missing(); missing != "" {
		return usagef("%s", missing)
	}
	if _, err := s.editRun.run(cmd, []edit.Edit{e}); err != nil || !s.publish || s.dryRun {
		return err
	}
	dir, err := s.dir()
	if err != nil {
		return err
	}
	opts, err := s.release.options(cmd, []string{dir})
	if err != nil {
		return err
	}
	opts.Provenance.Reason = s.reason
	opts.Provenance = opts.Provenance.Signable()
	return s.release.publication.run(cmd, opts, "published", "publish")
}

func disableCommand() *cobra.Command {
	var s switchRun
	cmd := &cobra.Command{
		Use:   "disable FLAG --reason TEXT",
		Short: "Switch a flag off, and publish that at once",
		Long: `Disable is for the moment a flag causes harm. It sets "enabled: false", so that
everyone gets the flag's off_variant (by default, its default), whatever the rules
say. The reason becomes a comment above that line. Like 'serin apply', it updates
flags.lock and shows who gets a different value.

Without --env, the flag is disabled in all environments. With --publish, the folder
is then published to the environment E, with the reason in its log. Tests that fail
are printed, but don't stop that. Everything else in the folder is published too.`,
		Example: `  serin disable new-cart --reason 'card payments fail'
  serin disable new-cart --reason 'card payments fail' --commit --publish \
    --env production --to s3://flags --keys keys/production`,
		Args: oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.reason = strings.TrimSpace(s.reason); s.reason == "" {
				return usagef("no --reason: say why, for those who find the flag disabled")
			}
			s.release.lenient = true
			return s.run(cmd, edit.Disable(args[0], s.release.env, s.reason))
		},
	}
	s.register(cmd)
	cmd.Flags().StringVar(&s.reason, "reason", "", "why; one line")
	return cmd
}

func enableCommand() *cobra.Command {
	var s switchRun
	cmd := &cobra.Command{
		Use:   "enable FLAG",
		Short: "Undo what disable did",
		Long: `Enable makes the rules of a flag count again. It removes what 'serin disable' has
added to the file, or sets "enabled: true". Like 'serin apply', it updates flags.lock
and shows who gets a different value.

With --env, it enables the flag in that environment. With --publish, the folder is
then published there; tests that fail stop that.`,
		Example: `  serin enable new-cart
  serin enable new-cart --publish --env production --to s3://flags --keys keys/production`,
		Args: oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.run(cmd, edit.Enable(args[0], s.release.env))
		},
	}
	s.register(cmd)
	cmd.Flags().StringVar(&s.reason, "reason", "", "why, for the commit and the log; one line")
	return cmd
}
