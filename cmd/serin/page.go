package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/ci/page"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/gitexec"
	"github.com/spf13/cobra"
)

// ofrepPath is what the path of a flag begins with.
const ofrepPath = "/ofrep/v1/evaluate/flags/"

// sampleBody is the body of a request, with a context.
const sampleBody = `{"context": {"targetingKey": "u-1"}}`

// folderModel returns the model of a page about a folder of flag files. reads is where code reads
// flags.
func folderModel(dir string, estate *ci.Estate, reads map[string][]string) (*page.Model, error) {
	s, err := folderSource(dir, estate)
	if err != nil {
		return nil, err
	}
	s.Reads = reads
	return page.New(s)
}

// folderSource returns what a folder of flag files knows.
func folderSource(dir string, estate *ci.Estate) (page.Source, error) {
	s := page.Source{Estate: estate}
	environments := estate.Environments()
	if len(environments) == 0 {
		environments = []string{""}
	}
	for _, name := range environments {
		payloads, err := estate.Compile(name)
		if err != nil {
			return s, err
		}
		s.Environments = append(s.Environments, page.Environment{
			Name: name, Payloads: payloads, Plans: estate.Plans(name), Lines: estate.Releases().Of(name),
		})
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return s, fmt.Errorf("opening flag files: %w", err)
	}
	defer root.Close()
	if s.Records, err = plans.ReadRecords(root.FS()); err != nil {
		return s, fmt.Errorf("reading the decisions about plans: %w", err)
	}
	return s, nil
}

// pageFlags are the flags of commands that make a page, about what it can know.
type pageFlags struct {
	history    string // a URL
	root       string
	repository string
	handles    string // a file
}

func (f *pageFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.history, "history", "",
		"the URL of the published environment whose history the page shows")
	variableFlag(cmd, &f.root, "root", "the pinned root.json that --history is verified against")
	cmd.Flags().StringVar(&f.handles, "handles", "", "what 'serin handles --json' printed: where code reads flags")
	cmd.Flags().StringVar(&f.repository, "repository", "",
		"the URL of the repository on GitHub or GitLab, for issues and files that propose edits; #BRANCH may follow")
}

// options returns the parts of a page about a folder that need more than a model.
func (f *pageFlags) options(dir string) page.Options {
	o := page.Options{Folder: dir, Repository: f.repository}
	if f.history != "" {
		o.History = historyOf(sourceFlags{root: f.root}, f.history)
	}
	return o
}

// reads returns where code reads flags, by their keys, nil if nothing is known.
func (f *pageFlags) reads() (map[string][]string, error) {
	if f.handles == "" {
		return nil, nil
	}
	data, err := os.ReadFile(f.handles)
	if err != nil {
		return nil, err
	}
	var found struct {
		Reads []readJSON `json:"reads"`
	}
	if err := json.Unmarshal(data, &found); err != nil {
		return nil, &hintedError{fmt.Errorf("reading %s: %w", f.handles, err), "'serin handles --json' prints it"}
	}
	reads := make(map[string][]string)
	for _, r := range found.Reads {
		reads[r.Flag] = append(reads[r.Flag], fmt.Sprintf("%s:%d", r.File, r.Line))
	}
	return reads, nil
}

// maxPageHistory is how many revisions a page shows.
const maxPageHistory = 100

// historyOf returns what reads the history of a published environment.
func historyOf(f sourceFlags, url string) func(context.Context, release.FlagName) (release.History, error) {
	return func(ctx context.Context, flag release.FlagName) (release.History, error) {
		return f.history(ctx, url, maxPageHistory, flag)
	}
}

// pageComparer returns what compares two revisions of a folder. A name that is "" stands for the
// files as they are.
func pageComparer(dir string) func(ctx context.Context, old, new string) (diff.Report, error) {
	return func(ctx context.Context, old, new string) (diff.Report, error) {
		load := func(name string) (*ci.Estate, error) {
			switch {
			case name == "":
				return loadEstate(dir)
			case strings.HasPrefix(name, "git:"):
				return readRevision(ctx, name, dir)
			}
			return nil, fmt.Errorf("a revision is written git:REV, not %q", name)
		}
		a, err := load(old)
		if err != nil {
			return diff.Report{}, err
		}
		b, err := load(new)
		if err != nil {
			return diff.Report{}, err
		}
		report, err := compareEstates(ctx, a, b, nil)
		report.Old, report.New = old, new
		return report, err
	}
}

// pageProposer returns what says what edits of a folder would do, and writes them.
func pageProposer(dir string) func(ctx context.Context, texts []string, write bool) (page.Proposal, error) {
	return func(ctx context.Context, texts []string, write bool) (page.Proposal, error) {
		edits := make([]edit.Edit, len(texts))
		for i, text := range texts {
			var err error
			if edits[i], err = edit.Parse(text); err != nil {
				return page.Proposal{}, err
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return page.Proposal{}, fmt.Errorf("opening flag files: %w", err)
		}
		defer root.Close()
		result, err := edit.Apply(root.FS(), dir, edits)
		if broken := (*edit.BrokenError)(nil); errors.As(err, &broken) {
			var text strings.Builder
			_ = broken.Problems.Write(&text) // to a strings.Builder, it doesn't fail
			return page.Proposal{}, fmt.Errorf("%w\n\n%s", err, text.String())
		}
		if err != nil {
			return page.Proposal{}, err
		}
		return pageProposal(ctx, result, dir, write)
	}
}

// proposedFile returns a new file of a folder as it is in the repository, nil if that isn't known.
func proposedFile(ctx context.Context, dir string, c edit.Change) *page.NewFile {
	prefix, err := gitexec.Command(ctx, dir, "rev-parse", "--show-prefix").Output()
	name, errName := filepath.Rel(dir, c.Path)
	if err != nil || errName != nil {
		return nil
	}
	return &page.NewFile{Path: strings.TrimSuffix(string(prefix), "\n") + filepath.ToSlash(name), Content: string(c.After)}
}

// pageProposal says what an edit does and, if it is asked to, writes it.
func pageProposal(ctx context.Context, result *edit.Result, dir string, write bool) (p page.Proposal, err error) {
	p.Notes = result.Notes
	changes := fileChanges(result)
	if len(changes) == 0 {
		return p, nil
	}
	for _, c := range changes {
		p.Patch += textDiff(c)
	}
	if len(changes) == 1 && changes[0].Before == nil && changes[0].Was == "" {
		p.New = proposedFile(ctx, dir, changes[0])
	}
	if p.Report, err = compareEstates(ctx, result.Old, result.New, nil); err != nil || !write {
		return p, err
	}
	if err := writeChanges(changes); err != nil {
		return p, err
	}
	for _, c := range changes {
		p.Wrote = append(p.Wrote, c.Path)
	}
	return p, nil
}
