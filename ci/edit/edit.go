// Package edit makes small changes to the files of a flag folder: it enables and
// disables flags, changes shares, adds members to segments, and so on.
//
// Start at [Parse] and [Apply]. An edit changes the bytes that it is about and no
// others, so comments, order, quotes and line breaks stay as they are. Apply reads a
// folder and writes nothing: it returns what the files are to contain, together with
// the updated lock file, after it has checked the whole folder as "serin check" does.
package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/overlay"
	"github.com/serin-flags/serin/ci/internal/splice"
)

// A Result is what edits do to a folder.
type Result struct {
	// Changes are the files that differ, sorted by path, without the lock file. There
	// are none if everything is already as the edits say.
	Changes []Change
	// Lock is the update of the lock file, nil if the folder has none or it stays.
	Lock *ci.LockUpdate
	// Old and New are the folder before and after.
	Old, New *ci.Estate
	// Notes are what people should know, one line each.
	Notes []string
}

// A Change is a new content of a file.
type Change struct {
	Path string // as a user would type it
	// Was is the path that the file had before, if that was another one.
	Was           string
	Before, After []byte // Before is nil if there is no such file
}

// A BrokenError says that an edit would leave the folder with problems.
type BrokenError struct {
	Edit string
	// Problems are at places of the files as they would be.
	Problems ci.Problems
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%q isn't possible: the flag files would have a problem (nothing was written)", e.Edit)
}

// Unwrap returns the problems.
func (e *BrokenError) Unwrap() error { return e.Problems }

// Apply makes edits, one after the other, to the estate at the root of fsys, which users
// know as dir and which is as [ci.LoadFS] needs it. An error means that nothing is to be
// written: the folder has problems ([ci.Problems]) or would have some ([BrokenError]),
// or an edit is about something that doesn't exist.
func Apply(fsys fs.FS, dir string, edits []Edit) (*Result, error) {
	estate, err := ci.LoadFS(fsys, dir)
	if err != nil {
		return nil, err
	}
	e := &editing{dir: dir, fsys: overlay.FS{Below: fsys}, first: estate, estate: estate}
	for _, edit := range edits {
		e.reason = edit.Reason
		e.environment = edit.environment
		if err := estate.CheckEnvironment(edit.environment); err != nil {
			return nil, err
		}
		if err := edit.verb.do(e, edit.words); err != nil {
			return nil, fmt.Errorf("%s: %w", edit, err)
		}
		if err := e.reload(edit.String()); err != nil {
			return nil, err
		}
	}
	return e.result(estate)
}

// An editing is a folder that is being edited.
type editing struct {
	dir    string
	fsys   overlay.FS
	first  *ci.Estate       // as it was, without the overlay
	estate *ci.Estate       // as it is now
	locks  []*ci.LockUpdate // one for each edit that moves users
	notes  []string
	moved  map[string]string // files that have another path, and their old ones

	// Of the edit that is being made:
	environment, reason string
}

// reload loads the edited folder, and updates the lock file if it has one that doesn't
// fit any more.
func (e *editing) reload(edit string) error {
	if _, missing := fs.Stat(e.fsys, ci.LockFile); missing == nil {
		update, err := e.first.RelockFS(e.fsys, e.fsys.Files)
		if err != nil {
			return broken(edit, err)
		}
		if len(update.Changes) > 0 {
			e.locks = append(e.locks, update)
			e.fsys = e.fsys.Put(ci.LockFile, update.After)
		}
	}
	estate, err := e.first.ReloadFS(e.fsys, e.fsys.Files)
	if err != nil {
		return broken(edit, err)
	}
	e.estate = estate
	return nil
}

// broken returns the error of loading a folder after an edit.
func broken(edit string, err error) error {
	if problems := ci.Problems(nil); errors.As(err, &problems) {
		return &BrokenError{edit, problems}
	}
	return fmt.Errorf("%s: %w", edit, err)
}

// result compares the folder with what it was.
func (e *editing) result(old *ci.Estate) (*Result, error) {
	r := &Result{Old: old, New: e.estate, Notes: e.notes}
	for name, after := range e.fsys.Files {
		if name == ci.LockFile || after == nil { // it is r.Lock, or has moved
			continue
		}
		c, err := e.change(name, after)
		if err != nil {
			return nil, err
		}
		if c.Was != "" || !bytes.Equal(c.Before, after) {
			r.Changes = append(r.Changes, c)
		}
	}
	slices.SortFunc(r.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	switch len(e.locks) {
	case 0:
		return r, nil
	case 1:
		r.Lock = e.locks[0]
		return r, nil
	}
	// Users move once, from where they were to where they end.
	var err error
	r.Lock, r.New, err = e.relocked()
	return r, err
}

// change returns what becomes of a file.
func (e *editing) change(name string, after []byte) (Change, error) {
	c := Change{Path: e.shown(name), After: after}
	before := name
	if was, moved := e.moved[name]; moved {
		c.Was, before = e.shown(was), was
	}
	var err error
	if c.Before, err = fs.ReadFile(e.fsys.Below, before); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Change{}, fmt.Errorf("reading %s: %w", e.shown(name), err)
	}
	return c, nil
}

// relocked updates the lock file for all edits at once.
func (e *editing) relocked() (*ci.LockUpdate, *ci.Estate, error) {
	all := overlay.FS{Below: e.fsys.Below, Files: maps.Clone(e.fsys.Files)}
	delete(all.Files, ci.LockFile)
	update, err := ci.LockFS(all, e.dir, nil)
	if err != nil {
		return nil, nil, err
	}
	estate, err := ci.LoadFS(all.Put(ci.LockFile, update.After), e.dir)
	return update, estate, err
}

// shown returns a path as a user would type it.
func (e *editing) shown(name string) string { return filepath.Join(e.dir, filepath.FromSlash(name)) }

func (e *editing) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// open opens a file to edit it.
func (e *editing) open(name string) (*splice.Doc, error) {
	data, err := fs.ReadFile(e.fsys, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", e.shown(name), err)
	}
	return splice.Open(name, e.dir, data)
}

// flag returns a flag as it is in an environment, its file, and the file's path.
func (e *editing) flag(key, environment string) (f ci.EffectiveFlag, doc *splice.Doc, name string, err error) {
	if f, err = e.estate.Effective(key, environment); err != nil {
		return f, nil, "", err
	}
	if name, err = filepath.Rel(e.dir, f.File); err != nil {
		return f, nil, "", err
	}
	name = filepath.ToSlash(name)
	doc, err = e.open(name)
	return f, doc, name, err
}

// save takes over an edited file.
func (e *editing) save(name string, doc *splice.Doc) { e.fsys = e.fsys.Put(name, doc.Bytes()) }

// in returns the path of a flag's key, in the environment that the edit is about.
func (e *editing) in(environment string, path ...any) splice.Path {
	if environment == "" {
		return path
	}
	return append(splice.Path{"environments", environment}, path...)
}
