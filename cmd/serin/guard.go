package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/guard/command"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/spf13/cobra"
)

// A guardRun is one run of guard, or many.
type guardRun struct {
	publication
	every       time.Duration
	credentials string // the file
	webhook     string
	proposes    bool // keeps branches with approvals
	commenting  bool
	by          string

	opts    release.Options
	options guard.Options
	etag    string // of timestamp.json when the rest was read
	state   plans.State
	said    map[string]string // what was last printed, by flag
}

// shortestEvery is the shortest time between two looks.
const shortestEvery = 5 * time.Second

func guardCommand() *cobra.Command {
	g := guardRun{said: make(map[string]string)}
	cmd := &cobra.Command{
		Use:   "guard [DIR] --env E --to URL --keys DIR",
		Short: "Advance releases as far as the evidence allows, or roll them back",
		Long: `Guard looks at each release whose plan is published in environment E. It asks the
sources of the plan's guard, and then clears the next step, waits, holds the plan or
rolls it back. It never goes beyond the plan, and what can't be measured never counts
as a success. It needs no flag files: it changes what is published, and signs that.

With DIR, a flag folder, it also writes what has moved into DIR/releases.lock and its
evidence into DIR/releases, for a pull request.

With --propose, it keeps branches in the git repository of DIR: serin/ENV/releases with
the newer lines and the evidence, and serin/ENV/approve/FLAG for each step that waits
for nothing but an approval. Merging and publishing the latter is the approval.
Branches that have nothing to say any more are deleted.

With --comment, it says in the pull request or merge request that last changed the
flag's file how the release stands, in a single comment that each run replaces. It
finds the request as "serin comment" does, from a job of GitHub Actions or GitLab.

With --dry-run, it neither asks sources nor runs commands, and shows what it would look
at.

With --every it goes on until it is stopped. Without it, the exit status says what has
happened to the plan that fared worst: 0 if it waits or went on, 3 if it is held from
now on, 4 if it was rolled back, and 1 if something failed.

Credentials of Prometheus are in the file that --credentials names, or in the variable
SERIN_GUARD_CREDENTIALS, a line for each server:

  https://prometheus.example.com bearer TOKEN
  https://metrics.example.com:9090 basic USER:PASSWORD`,
		Example: `  serin guard --env production --to s3://flags --keys keys/production --every 15s
  serin guard flags --env production --to s3://flags --keys keys/production --dry-run
  serin guard flags --env production --to s3://flags --keys keys/production --propose --comment`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				g.dir = args[0]
			}
			return g.run(cmd)
		},
	}
	g.register(cmd)
	g.provenance.registerWho(cmd)
	cmd.Flags().DurationVar(&g.every, "every", 0, "look again and again, so far apart, such as 15s")
	cmd.Flags().StringVar(&g.credentials, "credentials", "", "the file with the credentials of sources")
	variableFlag(cmd, &g.webhook, "webhook", "post what has moved to this URL, as JSON")
	cmd.Flags().BoolVar(&g.proposes, "propose", false, "keep branches with the newer lines, and with approvals")
	cmd.Flags().BoolVar(&g.commenting, "comment", false, "comment on the pull request that brought the plan")
	return cmd
}

// run looks once, or until the command is stopped.
func (g *guardRun) run(cmd *cobra.Command) error {
	if err := g.prepare(cmd); err != nil {
		return err
	}
	if g.every == 0 {
		status, err := g.look(cmd)
		if status == 0 || err != nil && status == 1 {
			return err
		}
		if err != nil {
			report(cmd.ErrOrStderr(), err)
		}
		return statusError(status)
	}
	if g.options.Runner != nil {
		background := command.NewBackground(cmd.Context(), g.options.Runner, max(4*g.every, 10*time.Minute))
		defer background.Wait()
		g.options.Runner = background
	}
	ticker := time.NewTicker(g.every)
	defer ticker.Stop()
	var o outage
	for {
		if _, err := g.look(cmd); cmd.Context().Err() == nil {
			o.note(cmd.ErrOrStderr(), err, time.Now()) // and look again: what is wrong may pass
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-ticker.C:
		}
	}
}

// prepare opens the store, the keys and what it takes to ask sources.
func (g *guardRun) prepare(cmd *cobra.Command) (err error) {
	switch {
	case cmd.Flags().Changed("every") && g.every < shortestEvery:
		return usagef("--every is %v at least", shortestEvery)
	case g.dir != "" && published(g.dir):
		return usagef("%s is a URL: name a folder of flag files", shown(g.dir))
	case g.dir == "" && (g.proposes || g.commenting):
		return usagef("--propose and --comment need DIR, the flag folder in its git repository")
	}
	if g.opts, err = g.open(cmd); err != nil {
		return err
	}
	if g.webhook != "" {
		if err := checkWebhook(g.webhook); err != nil {
			return err
		}
	}
	g.opts.Provenance = g.provenance.ofPerson(cmd.Context())
	g.by = cmp.Or(g.opts.Provenance.Author, "guard")
	if g.dryRun {
		return nil // commands and queries may do anything
	}
	g.options, err = guardOptions(g.credentials)
	return err
}

// look looks at all plans once, publishes what moves, and returns the exit status.
func (g *guardRun) look(cmd *cobra.Command) (status int, err error) {
	ctx := cmd.Context()
	if err := g.read(ctx); err != nil {
		return 1, hintPublish(err)
	}
	decisions := guard.Run(ctx, g.state.Plans, g.state.Lines, g.options)
	if err := ctx.Err(); err != nil {
		return 1, context.Cause(ctx)
	}
	var moved []*guard.Decision
	for i := range decisions {
		if _, ok := decisions[i].Line(g.by); ok {
			moved = append(moved, &decisions[i])
		}
	}
	if len(moved) > 0 && !g.dryRun {
		published, err := g.publish(ctx, moved)
		if err != nil {
			return 1, hintPublish(err)
		}
		decisions = g.dropLost(cmd, decisions, moved, published)
		moved = published
	}
	for i := range decisions {
		status = worse(status, decisions[i].Status())
	}
	if g.dryRun {
		_, err := g.print(cmd, decisions, nil)
		return status, err
	}
	err = g.record(moved) // before anybody is told
	var approvals map[string]string
	if g.proposes {
		var failed error
		approvals, failed = g.propose(ctx, decisions, moved)
		err = errors.Join(err, failed)
	}
	told, failed := g.print(cmd, decisions, approvals)
	err = errors.Join(err, failed, g.post(ctx, moved))
	if g.commenting {
		g.comments(cmd, told)
	}
	return status, err
}

// worse returns the exit status that counts: of two that aren't 0 the higher one, but a failure
// hides neither that a plan is held nor that it was rolled back.
func worse(a, b int) int { return max(a, b) }

// read reads the published plans, unless they are those that it has.
func (g *guardRun) read(ctx context.Context) error {
	_, etag, err := g.opts.Store.Get(ctx, "timestamp.json", maxTimestamp)
	if err == nil && etag != "" && etag == g.etag {
		return nil
	}
	state, found, err := plans.Published(ctx, g.opts)
	if err != nil {
		return err
	}
	if found.Revision == 0 {
		return &hintedError{fmt.Errorf("nothing is published in environment %s", g.env),
			"publish the flags first: serin publish"}
	}
	g.state, g.etag = state, etag
	return nil
}

// maxTimestamp is more than timestamp.json ever has.
const maxTimestamp = 64 << 10

// print prints the decisions, and the branches that approve steps: with --every only those
// decisions that aren't as they were. It returns what it has printed.
func (g *guardRun) print(cmd *cobra.Command, decisions []guard.Decision,
	approvals map[string]string) (told []*guard.Decision, err error) {
	if len(decisions) == 0 && g.every == 0 && !g.asJSON {
		fmt.Fprintf(cmd.ErrOrStderr(), "no flag has a plan that a guard advances in environment %s\n", g.env)
	}
	for i := range decisions {
		d := &decisions[i]
		branch := approvals[d.Plan.Flag]
		said := string(d.Action) + d.From.String() + branch
		if d.Action == guard.Wait || d.Action == guard.Refuse {
			said += d.Reason
		}
		same := g.every > 0 && g.said[d.Plan.Flag] == said
		if !same {
			g.said[d.Plan.Flag] = said
			told = append(told, d)
		}
		switch {
		case g.asJSON:
			err = writeDecision(cmd.OutOrStdout(), d, branch)
		case !same:
			text := d.String() + "\n"
			if branch != "" {
				text += "  merging the branch " + branch + " approves it\n"
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
		}
		if err != nil {
			return told, err
		}
	}
	return told, nil
}

// A statusError is an exit status without words: they are printed already.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }
