package edit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/ci/internal/splice"
)

// formatOrder are the orders of the outermost keys, by what a file is for.
var formatOrder = map[source.Role][]string{
	source.ConfigFile:  {"environments", "unit", "time_zone", "public", "lint"},
	source.ContextFile: {"attributes", "lint"},
	source.FlagFile:    keyOrder,
	source.SegmentFile: segmentOrder,
	source.LayerFile:   {"description", "by", "salt", "hash", "positions", "lint", "holdout", "shares"},
	source.GuardFile: {"description", "environments", "sources", "exposures", "metrics", "min", "no_data", "watch",
		"alpha", "lint"},
	source.TestFile: nil,
}

// Format returns the files of the estate at the root of fsys that aren't in canonical
// style, as they would be. names are paths below the estate; without any, all files are
// looked at. Flags may have problems, but files that can't be parsed are [ci.Problems].
// Notes name the files that can't be formatted without touching more than the style.
func Format(fsys fs.FS, dir string, names ...string) (changes []Change, notes []string, err error) {
	if len(names) == 0 {
		if names, err = formattable(fsys); err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", dir, err)
		}
	}
	var problems ci.Problems
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", dir, err)
		}
		c := Change{Path: filepath.Join(dir, filepath.FromSlash(name)), Before: data}
		doc, err := splice.Open(name, dir, data)
		if wrong := ci.Problems(nil); errors.As(err, &wrong) {
			problems = append(problems, wrong...)
			continue
		}
		if err = doc.Format(formatOrder[source.RoleOf(name)]); err != nil {
			notes = append(notes, err.Error())
		}
		if c.After = doc.Bytes(); string(c.After) != string(data) {
			changes = append(changes, c)
		}
	}
	if len(problems) > 0 {
		return nil, nil, problems
	}
	return changes, notes, nil
}

// formattable returns the paths of all files that have a style.
func formattable(fsys fs.FS) ([]string, error) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		_, ours := formatOrder[source.RoleOf(p)]
		switch {
		case err != nil:
			return err
		case p != "." && strings.HasPrefix(path.Base(p), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && ours:
			names = append(names, p)
		}
		return nil
	})
	return names, err
}
