package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/suggest"
	"github.com/spf13/cobra"
)

func releaseCommand() *cobra.Command {
	cmd := releaseStatusCommand()
	cmd.AddCommand(holdCommand(), resumeCommand(), backCommand(), approveCommand(), replanCommand())
	return cmd
}

// A releaseRun is what the verbs have in common that move the plan of a flag: they edit
// releases.lock and, if they are asked to, publish that at once.
type releaseRun struct {
	editRun
	store   publication // for publish
	publish bool
	notes   io.Writer
	// move returns the next line of a plan.
	move func(p *ci.Plan, l ci.ReleaseLine, now time.Time, by string) (ci.ReleaseLine, error)
}

func (r *releaseRun) register(cmd *cobra.Command) {
	r.editRun.register(cmd)
	registerEnv(cmd, &r.store.env, "the environment (default: the only one in which the flag has a plan)")
	cmd.Flags().BoolVar(&r.publish, "publish", false, "publish it at once, without the rest of the folder")
	r.store.registerAfterEdit(cmd)
}

// registerReason registers the flag for why.
func (r *releaseRun) registerReason(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.reason, "reason", "", "why; one line")
}

// needsReason returns an error unless there is a reason.
func (r *releaseRun) needsReason() error {
	if r.reason = strings.TrimSpace(r.reason); r.reason == "" {
		return usagef("no --reason: say why, for those who find the release like that")
	}
	return nil
}

// run moves the plan of a flag.
func (r *releaseRun) run(cmd *cobra.Command, verb, flag string) error {
	if !r.publish {
		if err := r.store.unused(); err != nil {
			return err
		}
	} else if !r.dryRun {
		if err := r.publishNow(cmd, verb, flag); err != nil {
			return err
		}
	}
	dir, err := r.dir()
	if err == nil && r.publish && !exists(dir) {
		fmt.Fprintf(cmd.ErrOrStderr(),
			"note: there is no folder %s; bring the line to main with 'serin guard DIR', which writes it\n", dir)
		return nil
	}
	if err != nil {
		return err
	}
	by := r.store.provenance.ofPerson(cmd.Context()).Author
	r.notes = cmd.ErrOrStderr()
	_, err = r.make(cmd, fmt.Sprintf("%s the release of %s", verb, flag),
		func(root *os.Root, dir string) (*edit.Result, error) {
			return r.edit(root, dir, flag, by)
		})
	return err
}

// edit returns the folder with the next line of the plan.
func (r *releaseRun) edit(root *os.Root, dir, flag, by string) (*edit.Result, error) {
	e, err := ci.LoadReleases(root.FS(), dir)
	if err != nil {
		return nil, err
	}
	p, err := findPlan(e, flag, r.store.env)
	if err != nil {
		return nil, err
	}
	lines := e.Releases()
	line := lines.Get(p)
	next, err := r.move(p, line, time.Now(), by)
	if err != nil {
		return nil, fmt.Errorf("flag %q in environment %s: %w", flag, p.Environment, err)
	}
	after := maps.Clone(lines)
	if after[p.Key()] = next; next.Count < line.Count { // it is published
		after[p.Key()] = line
		fmt.Fprintf(r.notes, "note: %s has a newer line, which counts once it is published: %v\n",
			filepath.Join(dir, ci.ReleasesFile), line)
	}
	name := ci.ReleasesFile
	before, err := root.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	change := edit.Change{Path: filepath.Join(dir, name), Before: before, After: after.Format()}
	return &edit.Result{Changes: []edit.Change{change}, Old: e, New: e.WithReleases(after)}, nil
}

// findPlan returns the plan of a flag in an environment, or in the only one in which it has one
// if that is "".
func findPlan(e *ci.Estate, flag, env string) (*ci.Plan, error) {
	environments := e.Environments()
	if env != "" {
		if err := e.CheckEnvironment(env); err != nil {
			return nil, err
		}
		environments = []string{env}
	}
	var found []*ci.Plan
	var keys []string
	for _, env := range environments {
		for _, p := range e.Plans(env) {
			keys = append(keys, p.Flag)
			if p.Flag == flag {
				found = append(found, p)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var in []string
		for _, p := range found {
			in = append(in, p.Environment)
		}
		return nil, usagef("flag %q has plans in %s: name one with --env", flag, strings.Join(in, " and "))
	case !slices.Contains(e.Keys(), flag):
		return nil, fmt.Errorf("there is no flag %q%s", flag, suggest.DidYouMean(flag, slices.Values(e.Keys())))
	}
	where := "in any environment"
	if env != "" {
		where = fmt.Sprintf("in environment %q", env)
	}
	return nil, fmt.Errorf("flag %q has no ramp that a guard advances %s%s", flag, where,
		suggest.DidYouMean(flag, slices.Values(keys)))
}

// publishNow publishes the next line of the plan, and has the file get the same one.
func (r *releaseRun) publishNow(cmd *cobra.Command, verb, flag string) error {
	opts, err := r.store.open(cmd)
	if err != nil {
		return err
	}
	opts.Provenance = r.store.provenance.ofPerson(cmd.Context())
	by := opts.Provenance.Author
	opts.Provenance.Reason = fmt.Sprintf("%s the release of %s", verb, flag) // for 'serin log'
	if r.reason != "" {
		opts.Provenance.Reason += ": " + r.reason
	}
	opts.Provenance = opts.Provenance.Signable()
	move, now := r.move, time.Now()
	var line ci.ReleaseLine
	opts.Content = plans.Move(func(_ context.Context, s plans.State) ([]ci.ReleaseLine, error) {
		var keys []string
		for _, p := range s.Plans {
			if keys = append(keys, p.Flag); p.Flag != flag {
				continue
			}
			if line, err = move(p, s.Lines.Get(p), now, by); err != nil {
				return nil, fmt.Errorf("flag %q in environment %s: %w", flag, p.Environment, err)
			}
			return []ci.ReleaseLine{line}, nil
		}
		return nil, fmt.Errorf("flag %q has no published plan in environment %s%s", flag, r.store.env,
			suggest.DidYouMean(flag, slices.Values(keys)))
	})
	report, err := release.Publish(cmd.Context(), opts)
	if err != nil {
		return hintPublish(err)
	}
	r.store.explain(cmd.ErrOrStderr(), "published", report)
	r.move = func(*ci.Plan, ci.ReleaseLine, time.Time, string) (ci.ReleaseLine, error) { return line, nil }
	return nil
}
