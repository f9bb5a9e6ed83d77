package ci

import (
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// ReleasesFile is the name of the file, beside serin.yaml, that keeps how far releases have
// got. "serin guard" and "serin release" write it.
const ReleasesFile = source.ReleasesName

// How far releases have got. Package guard documents these types.
type (
	// A Plan is a guarded ramp of one flag in one environment.
	Plan = plan.Plan
	// A ReleaseLine is a line of [ReleasesFile].
	ReleaseLine = plan.Line
	// A Share is a share in billionths, which is written as a percentage.
	Share = plan.Share
	// ReleaseLines are lines of [ReleasesFile], by what plan they are of.
	ReleaseLines = plan.Lines
)

// The states of a [ReleaseLine].
const (
	ReleaseRunning  = plan.Running  // it goes on
	ReleaseHeld     = plan.Held     // it keeps its share
	ReleaseBack     = plan.Back     // it was rolled back
	ReleaseFinished = plan.Finished // it reached its last step
)

// WholeShare is the share of everybody.
const WholeShare Share = share.Whole

// LoadReleases loads the estate at the root of fsys as [LoadFS] does, but [ReleasesFile] needn't
// fit the plans: it is going to be changed.
func LoadReleases(fsys fs.FS, dir string) (*Estate, error) { return load(fsys, dir, moving) }

// Plans returns the plans that guards advance in an environment, sorted by flag.
func (e *Estate) Plans(environment string) []*Plan { return e.flags.Plans(environment) }

// Releases returns the lines of [ReleasesFile]. Don't modify them.
func (e *Estate) Releases() ReleaseLines { return e.flags.Known.Releases }

// WithReleases returns the estate as it is if [ReleasesFile] has these lines. Lines that don't
// fit their plans count nonetheless: see [Estate.Misfit].
func (e *Estate) WithReleases(lines ReleaseLines) *Estate {
	return &Estate{files: e.files, flags: e.flags.WithReleases(lines), tests: e.tests}
}

// Misfit returns why a line of [ReleasesFile] doesn't fit the plans, with the way out, or "".
func (e *Estate) Misfit(line ReleaseLine) string { return e.flags.Misfit(line) }

// A PrunedReleases is [ReleasesFile] without the lines of plans that are gone.
type PrunedReleases struct {
	File    string // as a user would type it
	After   []byte // what is left of it
	Removed []ReleaseLine
}

// PruneReleases returns what is left of [ReleasesFile] in the folder dir without the lines of
// plans that are gone. It writes nothing. Errors are those of [Load].
func PruneReleases(dir string) (PrunedReleases, error) {
	e, err := loadDir(dir, locking)
	if err != nil {
		return PrunedReleases{}, err
	}
	p := PrunedReleases{File: filepath.Join(dir, ReleasesFile)}
	kept := make(ReleaseLines)
	for _, line := range e.Releases().Sorted() {
		if f := e.flags.ByKey[line.Flag]; f != nil && f.Plan(line.Environment) != nil {
			kept[line.Key()] = line
		} else {
			p.Removed = append(p.Removed, line)
		}
	}
	p.After = kept.Format()
	return p, nil
}

// AtShare returns the split of a guarded ramp whose release has got as far as a share, as compiling
// does. It doesn't change s.
func AtShare(s *evaluator.Split, cleared Share) *evaluator.Split { return lang.AtShare(s, cleared) }

// ParseReleases reads [ReleasesFile] from where no estate is. Its error is that of the first
// line that is wrong.
func ParseReleases(data []byte) (ReleaseLines, error) {
	lines, errs := plan.Parse(data)
	if len(errs) > 0 {
		return nil, fmt.Errorf("line %d: %w", errs[0].Line, errs[0].Err)
	}
	return lines, nil
}

// NewReleaseLine returns the line of a plan that has cleared nothing. Its count is 0: it is a
// line of a file once one of its methods has returned it.
func NewReleaseLine(p *Plan) ReleaseLine { return plan.NewLine(p) }
