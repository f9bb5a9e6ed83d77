package ci

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/serin-flags/serin/ci/internal/editor"
	"github.com/serin-flags/serin/ci/internal/flagtest"
	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/lint"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// An Estate is a folder of flag files that have been checked. It is immutable
// and safe for concurrent use.
type Estate struct {
	files *source.Files
	flags *lang.Estate
	tests []*flagtest.Case // by file, then in the order written
}

// Load reads and checks the estate in the folder dir. If the files have errors, it
// returns all of them as [Problems]. Any other error means that the folder couldn't
// be read.
//
// If there is a lock file ([LockFile]), it decides which variants and flags have
// which positions of splits and layers. It must agree with the other files; [Lock]
// updates it.
//
// An estate has at most 100,000 files and folders and 256 MiB. A file has at most
// 1 MiB, and a list of ids or the lock file 64 MiB.
func Load(dir string) (*Estate, error) { return loadDir(dir, whole) }

func loadDir(dir string, p purpose) (*Estate, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening flag files: %w", err)
	}
	defer root.Close()
	return load(root.FS(), dir, p)
}

// LoadFS loads the estate at the root of fsys, as [Load] does. Messages name files
// below dir, which is how users know the folder. For a symbolic link that leads out
// of fsys, Open and Stat must return an error other than [fs.ErrNotExist].
func LoadFS(fsys fs.FS, dir string) (*Estate, error) { return load(fsys, dir, whole) }

// A purpose is what an estate is loaded for.
type purpose uint8

const (
	whole   purpose = iota
	locking         // to update the lock files, which needn't agree with the flags
	moving          // to move plans: releases.lock needn't agree with them
)

func load(fsys fs.FS, dir string, p purpose) (*Estate, error) {
	files, err := source.Read(fsys, dir)
	if err != nil {
		return nil, err
	}
	return loadFiles(files, dir, p)
}

func loadFiles(files *source.Files, dir string, p purpose) (*Estate, error) {
	flags, err := lang.Read(files, p == locking)
	return finish(files, flags, err, dir, p)
}

// finish makes an estate of flags that have been read with an error, and checks what concerns all
// files.
func finish(files *source.Files, flags *lang.Estate, err error, dir string, p purpose) (*Estate, error) {
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	e := &Estate{files, flags, flagtest.Read(files, flags)}
	if p == whole {
		flags.CheckReleases()
	}
	problems := files.Problems()
	if len(problems) == 0 && p != locking && flags.Known.Lock != nil {
		flags.Known.Lock.Check(flags.Divisions(), dir)
		problems = files.Problems()
	}
	if len(problems) > 0 {
		problems.Sort()
		return nil, problems
	}
	return e, nil
}

// LoadLocked reads and checks the estate in the folder dir as [Load] does once the lock
// file has been updated, which [Lock] does, and returns that update. Without a lock file,
// or if it fits, the update is nil. LoadLocked writes nothing.
func LoadLocked(dir string) (*Estate, *LockUpdate, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("opening flag files: %w", err)
	}
	defer root.Close()
	files, err := source.Read(root.FS(), dir)
	if err != nil {
		return nil, nil, err
	}
	if len(files.ByRole[source.LockFile]) == 0 {
		e, err := loadFiles(files, dir, whole)
		return e, nil, err
	}
	update, err := LockFS(root.FS(), dir, nil)
	if err != nil {
		return nil, nil, err
	}
	if bytes.Equal(update.Before, update.After) {
		update = nil
	} else {
		files.ByRole[source.LockFile][0].Data = update.After
	}
	e, err := loadFiles(files, dir, whole)
	return e, update, err
}

// Lock returns the update that makes the lock file in the folder dir fit the flag
// files and moves the fewest units. New splits get their positions in the order of
// the flag file. So do the splits of the flags that restart names, and the layers that it
// names as layer:NAME. Lock writes nothing. Errors are those of [Load].
func Lock(dir string, restart []string) (*LockUpdate, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening flag files: %w", err)
	}
	defer root.Close()
	return LockFS(root.FS(), dir, restart)
}

// LockFS is [Lock] for the flag folder at the root of fsys, with the same requirements as
// [LoadFS].
func LockFS(fsys fs.FS, dir string, restart []string) (*LockUpdate, error) {
	e, err := load(fsys, dir, locking)
	if err != nil {
		return nil, err
	}
	return e.flags.Known.Lock.Update(e.flags.Divisions(), restart)
}

// ReloadFS loads the estate at the root of fsys as [LoadFS] does. The folder is the one that e was
// loaded from, with other contents of some files by their paths, nil for those that are gone.
// Files that stay aren't parsed again, and of the flags only those are checked again that the others
// can touch.
func (e *Estate) ReloadFS(fsys fs.FS, contents map[string][]byte) (*Estate, error) {
	return e.reload(fsys, contents, whole)
}

// RelockFS is [LockFS] for what [Estate.ReloadFS] loads.
func (e *Estate) RelockFS(fsys fs.FS, contents map[string][]byte) (*LockUpdate, error) {
	next, err := e.reload(fsys, contents, locking)
	if err != nil {
		return nil, err
	}
	return next.flags.Known.Lock.Update(next.flags.Divisions(), nil)
}

func (e *Estate) reload(fsys fs.FS, contents map[string][]byte, p purpose) (*Estate, error) {
	if files, ok := e.files.With(fsys, contents); ok {
		flags, err := e.flags.Reread(files, p == locking)
		return finish(files, flags, err, e.files.Dir, p)
	}
	return load(fsys, e.files.Dir, p)
}

// LockLikeFS is [LockFS], but the splits of a flag in the environment to get the positions that
// those of the same rules have in the environment from.
func LockLikeFS(fsys fs.FS, dir, flag, from, to string) (*LockUpdate, error) {
	e, err := load(fsys, dir, locking)
	if err != nil {
		return nil, err
	}
	return e.flags.Known.Lock.UpdateLike(e.flags.Divisions(), flag, from, to)
}

// Environments returns the names of the environments, in the order of
// serin.yaml. It is empty if there are none.
func (e *Estate) Environments() []string { return slices.Clone(e.flags.Known.Environments) }

// Namespaces returns the namespaces that hold flags, sorted.
func (e *Estate) Namespaces() []string { return slices.Clone(e.flags.Namespaces) }

// Keys returns the keys of all flags, sorted.
func (e *Estate) Keys() []string { return e.flags.Keys() }

// CheckEnvironment returns an error unless name is an environment of the
// estate, or "".
func (e *Estate) CheckEnvironment(name string) error {
	return e.flags.CheckEnvironment(name)
}

// A Declaration is an attribute that context.yaml declares.
type Declaration struct {
	Name string
	Type evaluator.AttributeType
	Unit bool // splits may hash it
	// Description is what context.yaml says of it, "" for nothing.
	Description string
	// Listed says that a condition compares the attribute with a list of ids in a file.
	Listed bool
	// Values are those of its enum; for a list, those that it may contain. They
	// are empty if it has no enum.
	Values []evaluator.Value
}

// Attributes returns the attributes that context.yaml declares, in its order.
func (e *Estate) Attributes() []Declaration {
	list := make([]Declaration, 0, len(e.flags.Known.AttributeNames))
	for _, name := range e.flags.Known.AttributeNames {
		a := e.flags.Known.Attributes[name]
		d := Declaration{Name: name, Type: a.Type, Unit: a.Unit, Description: a.Description, Listed: a.Listed.Load()}
		for _, s := range a.Strings {
			d.Values = append(d.Values, evaluator.StringValue(s))
		}
		for _, i := range a.Ints {
			d.Values = append(d.Values, evaluator.IntValue(i))
		}
		list = append(list, d)
	}
	return list
}

// Schemas returns JSON Schemas for editors by their names, those of package schema. They
// also know the names that the estate's files can refer to, such as attributes and
// variants, so that an editor marks others. They accept the estate. Equal estates give
// equal schemas.
func (e *Estate) Schemas() (map[string][]byte, error) { return editor.Schemas(e.flags) }

// Lint warns of likely mistakes in valid files. Each warning has the name of a lint
// and [SeverityWarning]. A file can silence a lint by its name, with the reason. At
// most 500 warnings are returned for one file.
func (e *Estate) Lint(o LintOptions) Problems { return lint.Run(e.flags, o) }

// TestSamples returns the contexts of the estate's tests, in the order of their files, without
// those of populations.
func (e *Estate) TestSamples() []TestSample { return flagtest.Samples(e.tests) }

// Test runs the estate's tests. Tests that would run in an environment that the
// estate doesn't have fail.
func (e *Estate) Test(opts TestOptions) TestReport {
	return flagtest.Run(e.flags, e.tests, opts)
}
