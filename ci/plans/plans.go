// Package plans publishes how far plans have got, together with the flags.
//
// A published revision of an environment whose flags have plans carries two signed files
// beside the payloads: releases.lock, and releases.json, the plans with their guards. So a
// robot that moves a plan needs no checkout. Clients ignore both.
//
// [FromFiles], [Move] and [Restore] return functions for [release.Options.Content]: they make
// the content of a revision from flag files, from what is published, and from an earlier
// revision. They are called again whenever a publication has lost a race, with what is
// published then, so that nothing that others have published is lost.
package plans

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
)

// A Content is a [release.Options.Content].
type Content = func(ctx context.Context, published release.Published,
	restored *release.Published) (release.Content, error)

// A State is the plans of a revision, and how far they have got.
type State struct {
	Plans []*ci.Plan // sorted by flag
	Lines ci.ReleaseLines
}

// The paths of the files: [release.FileNames].
const (
	linesName = "releases.lock"
	plansName = "releases.json"
)

// file is releases.json.
type file struct {
	Format int        `json:"format"`
	Plans  []*ci.Plan `json:"plans"`
}

// format is the format of releases.json.
const format = 1

// Read reads the files of a revision. A revision without any has no plans.
func Read(files map[string][]byte) (State, error) {
	s := State{Lines: make(ci.ReleaseLines)}
	if data, ok := files[linesName]; ok {
		lines, err := ci.ParseReleases(data)
		if err != nil {
			return s, fmt.Errorf("reading the published %s: %w", linesName, err)
		}
		s.Lines = lines
	}
	if data, ok := files[plansName]; ok {
		var f file
		d := json.NewDecoder(bytes.NewReader(data))
		if err := d.Decode(&f); err != nil {
			return s, fmt.Errorf("reading the published %s: %w", plansName, err)
		}
		if f.Format != format {
			return s, fmt.Errorf("reading the published %s: its format is %d; update serin", plansName, f.Format)
		}
		for _, p := range f.Plans {
			if p == nil || p.Guard == nil || len(p.Steps) == 0 {
				return s, fmt.Errorf("reading the published %s: a plan is incomplete", plansName)
			}
		}
		s.Plans = f.Plans
	}
	return s, nil
}

// files returns the files of a revision.
func (s State) files() (map[string][]byte, error) {
	if len(s.Plans) == 0 && len(s.Lines) == 0 {
		return nil, nil
	}
	data, err := json.MarshalIndent(file{format, s.Plans}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", plansName, err)
	}
	lines := s.Lines.Format()
	if _, err := ci.ParseReleases(lines); err != nil { // or nobody could publish any more
		return nil, fmt.Errorf("%s couldn't be read again: %w", linesName, err)
	}
	return map[string][]byte{linesName: lines, plansName: append(data, '\n')}, nil
}

// FromFiles returns the content of flag files. Of each plan, the newer line counts: that of the
// files or the published one. Of two different lines with the same count, the more cautious one
// does. note is called with what this means for whoever publishes; it may
// be nil. A published line that doesn't fit the plan of the files is an error.
func FromFiles(e *ci.Estate, environment string, note func(string)) Content {
	if note == nil {
		note = func(string) {}
	}
	return func(_ context.Context, published release.Published, _ *release.Published) (release.Content, error) {
		was, err := Read(published.Files)
		if err != nil {
			return release.Content{}, err
		}
		state := State{Plans: e.Plans(environment)}
		if state.Lines, err = Merge(e, environment, was.Lines, note); err != nil {
			return release.Content{}, err
		}
		payloads, err := e.WithReleases(state.Lines).Compile(environment)
		if err != nil {
			return release.Content{}, err
		}
		files, err := state.files()
		return release.Content{Payloads: payloads, Files: files}, err
	}
}

// Merge returns the lines with which the flag files of an environment are published, where those
// of published are: of each plan the newer one of the files and of what is published. If somebody has moved the plan from the same line in both, the more cautious line
// counts: a pull request that was made before a release was rolled back doesn't bring it back.
// note is called with each line that isn't that of the files. A published line that counts and
// doesn't fit the plan of the files is an error.
func Merge(e *ci.Estate, environment string, published ci.ReleaseLines, note func(string)) (ci.ReleaseLines, error) {
	mine, known := e.Releases().Of(environment), make(ci.ReleaseLines)
	for _, p := range e.Plans(environment) {
		if line, ok := published[p.Key()]; ok {
			known[p.Key()] = line
		}
	}
	merged, newer := mine.Merge(known)
	for _, line := range newer {
		if why := e.Misfit(line); why != "" {
			return nil, fmt.Errorf("the published %s is newer: %s", linesName, why)
		}
		note(fmt.Sprintf("flag %q: the published line of %s is newer and counts: %v", line.Flag, linesName, line))
	}
	for _, other := range known.Sorted() {
		line, ok := mine[other.Key()].Settle(other)
		if !ok {
			continue
		}
		if why := e.Misfit(line); why != "" {
			return nil, fmt.Errorf("the published %s has moved in the meantime: %s", linesName, why)
		}
		note(fmt.Sprintf("flag %q: two have moved its release from the same line of %s; the more cautious line counts: %v",
			line.Flag, linesName, line))
		merged[line.Key()] = line
	}
	for _, line := range published.Sorted() {
		if _, ok := known[line.Key()]; !ok && line.State != ci.ReleaseFinished { // whose line nobody misses
			note(fmt.Sprintf("flag %q: no guard advances it in environment %s any more, so its published line doesn't count: %v",
				line.Flag, environment, line))
		}
	}
	return merged, nil
}

// ErrNothing says that a move changes nothing, so that there is nothing to publish.
var ErrNothing = errors.New("nothing has moved")

// Move returns the content of what is published after some plans have moved. move gets the
// published plans and lines, and returns the lines that change, each with a higher count than
// before. If it returns none, the publication ends with [ErrNothing].
func Move(move func(context.Context, State) ([]ci.ReleaseLine, error)) Content {
	return func(ctx context.Context, published release.Published, _ *release.Published) (release.Content, error) {
		state, err := Read(published.Files)
		if err != nil {
			return release.Content{}, err
		}
		changed, err := move(ctx, state)
		if err != nil {
			return release.Content{}, err
		}
		if len(changed) == 0 {
			return release.Content{}, ErrNothing
		}
		state.Lines = maps.Clone(state.Lines)
		for _, line := range changed {
			p := state.plan(line)
			if p == nil {
				return release.Content{},
					fmt.Errorf("flag %q has no published plan in environment %q", line.Flag, line.Environment)
			}
			if err := p.Fits(line); err != nil {
				return release.Content{}, fmt.Errorf("flag %q: %w", line.Flag, err)
			}
			if was := state.Lines[line.Key()]; line.Count <= was.Count {
				return release.Content{}, fmt.Errorf("flag %q: its line has moved in the meantime: %v", line.Flag, was)
			}
			state.Lines[line.Key()] = line
		}
		payloads, err := state.level(published)
		if err != nil {
			return release.Content{}, err
		}
		files, err := state.files()
		return release.Content{Payloads: payloads, Files: files, SameCommit: true}, err
	}
}

// plan returns the plan that a line is of, or nil.
func (s State) plan(line ci.ReleaseLine) *ci.Plan {
	i := slices.IndexFunc(s.Plans, func(p *ci.Plan) bool { return p.Key() == line.Key() })
	if i < 0 {
		return nil
	}
	return s.Plans[i]
}

// level returns the payloads of a revision with all plans at the shares of their lines.
func (s State) level(from release.Published) ([]bundle.Payload, error) {
	shares := make(map[string]*ci.ReleaseLine, len(s.Plans))
	for _, p := range s.Plans {
		line := s.Lines[p.Key()]
		shares[p.Flag] = &line
	}
	payloads, err := from.Decode()
	if err != nil {
		return nil, err
	}
	for _, payload := range payloads {
		for _, flags := range [][]evaluator.Flag{payload.Ruleset.Flags, payload.Ruleset.Prerequisites} {
			for _, f := range flags {
				if line := shares[f.Key]; line != nil {
					levelFlag(f, line)
				}
			}
		}
	}
	return payloads, nil
}

// levelFlag sets the guarded ramp of a flag to the share of a line.
func levelFlag(f evaluator.Flag, line *ci.ReleaseLine) {
	for i, r := range f.Rules {
		if r.Split != nil && r.Split.Ramp != nil && r.Split.Ramp.Guarded {
			f.Rules[i].Split = ci.AtShare(r.Split, line.Share)
		}
	}
}

// A Restoration says how [Restore] treats plans.
type Restoration struct {
	// Force gives plans the shares that they had, even if they were held or rolled back since.
	Force bool
	By    string    // who goes back
	Now   time.Time // when
	// Note, if not nil, is called with what becomes of each plan that doesn't keep its line.
	Note func(string)
}

// Restore returns the content of an earlier revision, for a rollback. Plans keep the lines that
// they have now, so one that was held or rolled back since stays at that share. If the earlier
// revision has another plan, it gets the lower share of both, and is held.
func Restore(r Restoration) Content {
	return func(_ context.Context, published release.Published, restored *release.Published) (release.Content, error) {
		now, err := Read(published.Files)
		if err != nil {
			return release.Content{}, err
		}
		state, err := Read(restored.Files)
		if err != nil {
			return release.Content{}, err
		}
		then := state.Lines
		state.Lines = maps.Clone(now.Lines)
		for _, p := range state.Plans {
			was, isOld := then[p.Key()]
			is, isNow := now.Lines[p.Key()]
			if !isOld && !isNow || isNow && !r.Force && p.Fits(is) == nil {
				continue
			}
			line := r.line(p, was, is, isNow, restored.Revision)
			state.Lines[p.Key()] = line
			if r.Note != nil {
				r.Note(fmt.Sprintf("flag %q: its plan is held at %v; 'serin release resume %s' goes on from there",
					p.Flag, line.Share, p.Flag))
			}
		}
		payloads, err := state.level(*restored)
		if err != nil {
			return release.Content{}, err
		}
		files, err := state.files()
		return release.Content{Payloads: payloads, Files: files}, err
	}
}

// line returns the line of a plan that a rollback brings back. was is its line in the earlier
// revision, and is the published one, which may be that of another plan.
func (r Restoration) line(p *ci.Plan, was, is ci.ReleaseLine, isNow bool, revision int64) ci.ReleaseLine {
	share := was.Share
	if isNow && !r.Force {
		share = min(share, is.Share)
	}
	steps, _ := p.Cleared(share)
	line := was
	line.Flag, line.Environment, line.Count = p.Flag, p.Environment, max(was.Count, is.Count)
	return line.Replan(p, steps, r.Now, r.By).Hold(fmt.Sprintf("rolled back to revision %d", revision), r.Now, r.By)
}

// Published reads and verifies what is published, without publishing anything. Of opts it needs
// the store, the keys and the environment.
func Published(ctx context.Context, opts release.Options) (State, release.Published, error) {
	var found release.Published
	opts.DryRun, opts.Payloads, opts.Rollback, opts.Renew = true, nil, 0, false
	opts.Content = func(_ context.Context, published release.Published, _ *release.Published) (release.Content, error) {
		found = published
		return release.Content{}, ErrNothing
	}
	if _, err := release.Publish(ctx, opts); !errors.Is(err, ErrNothing) {
		return State{}, found, err
	}
	s, err := Read(found.Files)
	return s, found, err
}

// Has reports whether a plan is the same in s, so that a decision about it still counts.
func (s State) Has(p *ci.Plan) bool {
	for _, other := range s.Plans {
		if other.Key() == p.Key() {
			return reflect.DeepEqual(other, p)
		}
	}
	return false
}
