package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/gittree"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/spf13/cobra"
)

// diffFlags are the flags of diff.
type diffFlags struct {
	sourceFlags
	population, format, failOver, at string
}

func diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show which flags change, and for whom",
		Long: `Diff compares two flag folders: which flags differ and how, and who gets a
different value. OLD and NEW are folders of flag files, URLs of published
environments, or folders of a revision, git:REV or git:REV:PATH; without a path
that is the folder that the other one names, or ./flags.

For each flag that changed it says one of these: nobody gets a different value,
which is proved; a share of users, computed exactly, and of which users; how many
people the flags name; or an example, with the command that reproduces it. With
--population, a file of contexts, it also counts these people.

Folders are compared in each of their environments, or in that of --env. A revision
whose flag files have problems can't be compared with: diff says so, and fails only
with --fail-over, because NEW may fix them.`,
		Example: `  serin diff git:main flags
  serin diff git:main flags --format markdown --population users.ndjson --fail-over 5%
  serin diff s3://flags/production flags --root root.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("diff takes two sources, OLD and NEW, such as 'serin diff git:main flags'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1]) },
	}
	f.sourceFlags.registerRoot(cmd)
	registerEnv(cmd, &f.env, "the one environment to compare; of a published source, what it must be")
	cmd.Flags().StringVar(&f.population, "population", "", "a file of contexts to count, one JSON object a line")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, markdown (for a comment on a pull request) or json")
	cmd.Flags().StringVar(&f.failOver, "fail-over", "",
		"fail if a larger share of users than this, such as 5%, gets a different value, or an unknown share does; 0%: unless it is proved that nobody does")
	cmd.Flags().StringVar(&f.at, "at", "", "the time that shares are computed at, as for eval; without it, the present")
	return cmd
}

// run compares two sources and prints what differs.
func (f *diffFlags) run(cmd *cobra.Command, old, new string) error {
	write, ok := map[string]func(diff.Report, io.Writer) error{
		"text": diff.Report.Text, "markdown": diff.Report.Markdown, "json": diff.Report.JSON,
	}[f.format]
	if !ok {
		return usagef("--format is text, markdown or json, not %q", f.format)
	}
	var limit diff.Share
	var err error
	if f.failOver != "" {
		if limit, err = diff.ParseShare(f.failOver); err != nil {
			return usagef("--fail-over: %v", err)
		}
	}
	c := diff.Config{}
	if c.Now, err = parseTime(f.at); err != nil {
		return err
	}
	report, err := f.compare(cmd, c, old, new)
	if err != nil {
		return err
	}
	report.Old, report.New = shown(old), shown(new)
	if err := write(report, cmd.OutOrStdout()); err != nil {
		return err
	}
	if f.failOver == "" {
		return nil
	}
	return judgeShares(report.Over(limit), limit)
}

// judgeShares returns an error if there are flags of which too many users change.
func judgeShares(over []string, limit diff.Share) error {
	const most = 10
	if len(over) == 0 {
		return nil
	}
	more := ""
	if n := len(over) - most; n > 0 {
		over, more = over[:most], fmt.Sprintf(" and %d more", n)
	}
	list := strings.Join(over, ", ") + more
	err := fmt.Errorf("more than %s of users get a different value, or it isn't known how many: %s", limit, list)
	if limit.IsZero() {
		err = fmt.Errorf("it isn't proved that nobody gets a different value: %s", list)
	}
	return &hintedError{err, "if that is intended, raise --fail-over or leave it out"}
}

// compare reads both sources and compares them.
func (f *diffFlags) compare(cmd *cobra.Command, c diff.Config, old, new string) (diff.Report, error) {
	ctx := cmd.Context()
	screen := screenOf(ctx)
	screen.begin("reading " + old)
	a, why, err := f.readOld(cmd, old, new)
	if err != nil || why != "" {
		return diff.Report{NotCompared: why}, err
	}
	screen.begin("reading " + new)
	b, err := f.read(ctx, new, old)
	if err != nil {
		return diff.Report{}, err
	}
	var notes []string
	note := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		notes = append(notes, text)
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", text)
	}
	if err := noteMissing(note, a, b); err != nil {
		return diff.Report{}, err
	}
	if c.Pairs, err = f.pairs(note, a, b); err != nil {
		return diff.Report{}, err
	}
	for _, text := range needNotes(newNeeds(c.Pairs)) {
		note("%s", text)
	}
	for _, text := range publicChanges(c.Pairs) {
		note("%s", text)
	}
	if !a.published && !b.published && a.missing == nil && b.missing == nil {
		for _, text := range plans.Changes(f.lines(a), f.lines(b)) {
			note("%s", text)
		}
	}
	screen.begin("comparing")
	c.Progress = newProgress(screen, "counting people").show
	report, err := f.count(ctx, c)
	report.Notes = notes
	return report, err
}

// readOld reads the old source. If it is a revision whose files have problems, which what is new
// may be the cure for, it prints them and returns why nothing is compared, unless a share is
// asked for.
func (f *diffFlags) readOld(cmd *cobra.Command, old, new string) (s diffSource, why string, err error) {
	s, err = f.read(cmd.Context(), old, new)
	var problems ci.Problems
	if !strings.HasPrefix(old, gittree.Prefix) || !errors.As(err, &problems) {
		return s, "", err
	}
	_ = problems.Write(cmd.ErrOrStderr()) // as in report: nobody to tell
	why = fmt.Sprintf("there %s in the flag files of %s", are(len(problems), "problem"), old)
	if f.failOver == "" {
		return s, why, nil
	}
	return s, "", &hintedError{
		fmt.Errorf("nothing to compare with: %s", why),
		"this says nothing about what is new; without --fail-over it is no error",
	}
}

// count compares pairs, and counts the population, if there is one.
func (f *diffFlags) count(ctx context.Context, c diff.Config) (diff.Report, error) {
	if f.population == "" {
		return diff.Compare(ctx, c)
	}
	file, err := os.Open(f.population)
	if err != nil {
		return diff.Report{}, fmt.Errorf("opening the population: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return diff.Report{}, fmt.Errorf("opening the population: %w", err)
	}
	c.Population = diff.NewPopulation(file, f.population, info.Size())
	return diff.Compare(ctx, c)
}

// lines returns the lines of releases.lock that a folder has of what is compared.
func (f *diffFlags) lines(s diffSource) ci.ReleaseLines {
	if f.env == "" {
		return s.releases
	}
	return s.releases.Of(f.env)
}

// A diffSource is a source that was read. Of an estate nothing else is kept: one
// of many flags takes a lot of memory until it is compiled.
type diffSource struct {
	name         string
	environments []string // none: files that know none, which are the same in all
	payloads     map[string][]bundle.Payload
	releases     ci.ReleaseLines // of a folder
	published    bool
	missing      error // that a revision has no such folder: then there are no flags
}

// noteMissing says which source has no folder at all, as the branch has that the
// first flags are to be merged into. If neither has one its name is wrong.
func noteMissing(note func(string, ...any), old, new diffSource) error {
	if old.missing != nil && new.missing != nil {
		return old.missing
	}
	for _, s := range []diffSource{old, new} {
		if s.missing != nil {
			note("%v; it is taken for one without flags", s.missing)
		}
	}
	return nil
}

// read reads and compiles a source. other is what it is compared with.
func (f *diffFlags) read(ctx context.Context, src, other string) (diffSource, error) {
	s := diffSource{name: shown(src), payloads: make(map[string][]bundle.Payload)}
	if published(src) {
		c, err := f.open(ctx, src)
		s.published, s.environments, s.payloads[c.environment] = true, []string{c.environment}, c.payloads
		return s, err
	}
	load := func() (*ci.Estate, error) { return loadEstate(src) }
	if strings.HasPrefix(src, gittree.Prefix) {
		load = func() (*ci.Estate, error) { return readRevision(ctx, src, other) }
	}
	estate, err := load()
	if errors.As(err, new(*missingFolderError)) {
		s.missing = err
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if published(other) {
		if estate, err = f.asPublished(ctx, estate, other); err != nil {
			return s, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	s.environments, s.releases = estate.Environments(), estate.Releases()
	compiled := s.environments
	if f.env != "" {
		if err := estate.CheckEnvironment(f.env); err != nil {
			return s, fmt.Errorf("%s: %w", s.name, err)
		}
		compiled = []string{f.env}
	} else if len(compiled) == 0 {
		compiled = []string{""}
	}
	for _, env := range compiled {
		if s.payloads[env], err = estate.Compile(env); err != nil {
			return s, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return s, nil
}

// asPublished returns the estate as publishing it at a URL would: of each release the newer line
// of releases.lock counts. So a branch that is behind a release doesn't look like one that takes
// it back.
func (f *diffFlags) asPublished(ctx context.Context, e *ci.Estate, url string) (*ci.Estate, error) {
	_, verifier, err := f.verifier()
	if err != nil || len(e.Plans(verifier.Environment())) == 0 {
		return e, err
	}
	p, err := f.inspect(ctx, url)
	if err != nil {
		return nil, err
	}
	lines, err := plans.Merge(e, p.environment, p.state.Lines, func(string) {})
	if err != nil {
		return nil, err
	}
	all := maps.Clone(e.Releases())
	maps.Copy(all, lines)
	return e.WithReleases(all), nil
}

// in returns what a source has for an environment.
func (s *diffSource) in(env string) []bundle.Payload {
	if len(s.environments) == 0 {
		env = ""
	}
	return s.payloads[env]
}

// A missingFolderError says that a revision doesn't have the folder that the other
// source is.
type missingFolderError struct{ error }

func (e *missingFolderError) Unwrap() error { return e.error }

// readRevision loads the estate in a revision. If the source has no path it is the
// folder that the other source is.
func readRevision(ctx context.Context, src, other string) (*ci.Estate, error) {
	s, err := gittree.Parse(src)
	if err != nil {
		return nil, usagef("%v", err)
	}
	dir, named, given := "", s, s.Path
	if s.Path == "" {
		s.Path = "./"
		dir = defaultEstate
		if !published(other) && !strings.HasPrefix(other, gittree.Prefix) {
			dir = other
		}
		// The folder may not be there any more, but that of a revision.
		if !exists(dir) {
			dir, s.Path = "", "./"+strings.TrimPrefix(strings.ReplaceAll(dir, `\`, "/"), "./")
		}
		named.Path = dir
		if dir == "" {
			named.Path = s.Path
		}
	}
	fsys, err := s.Read(ctx, dir)
	if errors.Is(err, gittree.ErrNoFolder) {
		err = &hintedError{fmt.Errorf("reading %s: %w", named, gittree.ErrNoFolder),
			"name it: git:REV:path/to/flags, from the top of the repository"}
		if named.Path != given {
			err = &missingFolderError{err}
		}
	}
	if err != nil {
		return nil, err
	}
	return ci.LoadFS(fsys, named.String())
}

// pairs returns what is to be compared with what.
func (f *diffFlags) pairs(note func(string, ...any), old, new diffSource) ([]diff.Pair, error) {
	envs := []string{f.env}
	if f.env == "" {
		envs = commonEnvironments(note, old, new)
	}
	if len(envs) == 0 {
		return nil, fmt.Errorf("%s and %s have no environment in common", old.name, new.name)
	}
	list := make([]diff.Pair, len(envs))
	for i, env := range envs {
		list[i] = diff.Pair{Environment: env, Old: old.in(env), New: new.in(env)}
	}
	return list, nil
}

// commonEnvironments returns the environments that both sources have, in the order
// of the new one. Of one that only one has there is nothing to compare: that is
// said, unless the other one is published, and of one environment alone.
func commonEnvironments(note func(string, ...any), old, new diffSource) []string {
	a, b := old.environments, new.environments
	switch {
	case len(a) == 0 && len(b) == 0:
		return []string{""}
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	alone := func(name string, list, other []string) {
		for _, env := range list {
			if !slices.Contains(other, env) {
				note("environment %q is in %s alone, and not compared", env, name)
			}
		}
	}
	if !old.published && !new.published {
		alone(old.name, a, b)
		alone(new.name, b, a)
	}
	return keep(b, a)
}

// keep returns those of a list that another has too.
func keep(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(other, s) })
}
