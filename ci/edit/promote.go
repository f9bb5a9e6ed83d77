package edit

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/overlay"
	"github.com/serin-flags/serin/ci/internal/splice"
	"github.com/serin-flags/serin/evaluator"
)

// A Promotion is what it takes to make a flag in one environment what it is in another.
type Promotion struct {
	*Result
	// Prerequisites are the flags that the flag's rules ask for, directly or not, and that
	// differ between both environments; sorted.
	Prerequisites []string
	// Segments are those that the flag uses, directly or not, in the source; sorted. They are
	// the same in all environments.
	Segments []string
}

// Promote makes a flag in the environment target what it is in the environment source: the
// file says for the one what it says for the other, and flags.lock gives splits the same
// positions, so everybody gets the same variant in both. Comments and style stay. How far a
// guarded ramp has got isn't copied. Otherwise it is as [Apply].
func Promote(fsys fs.FS, dir, key, source, target string) (*Promotion, error) {
	estate, err := ci.LoadFS(fsys, dir)
	if err != nil {
		return nil, err
	}
	for _, env := range []string{source, target} {
		if err := estate.CheckEnvironment(env); err != nil {
			return nil, err
		}
	}
	if source == target || source == "" || target == "" {
		return nil, fmt.Errorf("%q and %q aren't two environments", source, target)
	}
	e := &editing{dir: dir, fsys: overlay.FS{Below: fsys}, first: estate, estate: estate}
	if err := e.promote(key, source, target); err != nil {
		return nil, err
	}
	if err := e.reloadLike("promote "+quoted(key)+" "+source+" "+target, key, source, target); err != nil {
		return nil, err
	}
	p := &Promotion{}
	if err := e.involved(p, key, source, target); err != nil {
		return nil, err
	}
	e.noteRelease(key, source, target)
	p.Result, err = e.result(estate)
	return p, err
}

// promote makes what the file says for the target what it says for the source.
func (e *editing) promote(key, source, target string) error {
	_, doc, name, err := e.flag(key, source)
	if err != nil {
		return err
	}
	from, to := splice.Path{"environments", source}, splice.Path{"environments", target}
	model := doc.Get(from)
	switch {
	case model == nil || len(model.Fields) == 0:
		if doc.Get(to) != nil {
			err = doc.Remove(removable(doc, to))
		}
	case doc.Get(to) == nil || doc.Get(to).Flow && !model.Flow:
		err = doc.Copy(from, to)
	default:
		err = e.promoteKeys(doc, from, to)
	}
	if err != nil {
		return err
	}
	e.save(name, doc)
	return nil
}

// promoteKeys makes the fields of one mapping those of another. Fields that are the same
// already stay as they are written.
func (e *editing) promoteKeys(doc *splice.Doc, from, to splice.Path) error {
	for _, f := range doc.Get(from).Fields {
		old := doc.Get(to).Get(f.Key.Text)
		if old != nil && old.Same(f.Value) {
			continue
		}
		if err := doc.Copy(child(from, f.Key.Text), child(to, f.Key.Text), keyOrder...); err != nil {
			return err
		}
	}
	for _, f := range slices.Clone(doc.Get(to).Fields) {
		if doc.Get(child(from, f.Key.Text)) == nil {
			if err := doc.Remove(child(to, f.Key.Text)); err != nil {
				return err
			}
		}
	}
	return nil
}

func child(path splice.Path, key string) splice.Path { return append(slices.Clone(path), key) }

// reloadLike loads the edited folder. If it has a lock file, the splits of a flag in the
// target get the positions that they have in the source.
func (e *editing) reloadLike(edit, key, source, target string) error {
	if _, err := fs.Stat(e.fsys, ci.LockFile); err == nil {
		update, err := ci.LockLikeFS(e.fsys, e.dir, key, source, target)
		if err != nil {
			return broken(edit, err)
		}
		if string(update.Before) != string(update.After) {
			e.locks = append(e.locks, update)
			e.fsys = e.fsys.Put(ci.LockFile, update.After)
		}
	}
	estate, err := ci.LoadFS(e.fsys, e.dir)
	if err != nil {
		return broken(edit, err)
	}
	e.estate = estate
	return nil
}

// involved finds the segments of a promoted flag, and the prerequisites that differ.
func (e *editing) involved(p *Promotion, key, source, target string) error {
	payloads, err := e.estate.Compile(source)
	if err != nil {
		return err
	}
	seen := make(map[string]bool) // "flag KEY" and "segment NAME"
	next := []string{"flag " + key}
	follow := func(refs evaluator.Refs) {
		for _, name := range refs.Flags {
			next = append(next, "flag "+name)
		}
		for _, name := range refs.Segments {
			next = append(next, "segment "+name)
		}
	}
	for len(next) > 0 {
		what := next[0]
		next = next[1:]
		if seen[what] {
			continue
		}
		seen[what] = true
		if name, ok := strings.CutPrefix(what, "segment "); ok {
			p.Segments = append(p.Segments, name)
			for i := range payloads {
				for _, s := range payloads[i].Ruleset.Segments {
					if s.Name == name && s.When != nil {
						follow(s.When.Refs())
					}
				}
			}
			continue
		}
		name := strings.TrimPrefix(what, "flag ")
		here, err := e.estate.Effective(name, source)
		if err != nil {
			return err
		}
		there, err := e.estate.Effective(name, target)
		if err != nil {
			return err
		}
		if name != key && !reflect.DeepEqual(here.Compiled, there.Compiled) {
			p.Prerequisites = append(p.Prerequisites, name)
		}
		follow(here.Compiled.Refs())
	}
	slices.Sort(p.Prerequisites)
	slices.Sort(p.Segments)
	return nil
}

// noteRelease says what becomes of a guarded ramp, whose progress isn't promoted.
func (e *editing) noteRelease(key, source, target string) {
	plan := func(env string) *ci.Plan {
		for _, p := range e.estate.Plans(env) {
			if p.Flag == key {
				return p
			}
		}
		return nil
	}
	here, there := plan(source), plan(target)
	switch {
	case there != nil:
		for _, line := range e.estate.Releases().Sorted() {
			if line.Flag == key && line.Environment == target {
				e.note("rule %q is a guarded ramp, which goes on in %s from where it has got there", there.Rule, target)
				return
			}
		}
		e.note("rule %q is a guarded ramp: in %s it starts from nothing, however far it has got in %s", there.Rule,
			target, source)
	case here != nil:
		e.note("rule %q is a guarded ramp in %s, but its guard doesn't count in %s: there it follows the clock",
			here.Rule, source, target)
	}
}
