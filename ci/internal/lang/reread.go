package lang

import (
	"slices"

	"github.com/serin-flags/serin/ci/internal/source"
)

// compare decides whether flags of the estate before can count. They can't if a file has changed
// that any flag may refer to.
func (l *loader) compare() {
	if l.was == nil {
		return
	}
	if (l.was.Known.Lock == nil) != (l.known.Lock == nil) || !l.sameNames() {
		l.was = nil
		return
	}
	l.known.zones = l.was.Known.zones.Clone()
	l.fresh = make(map[*Flag]bool)
}

// sameNames reports whether all files stay that any flag may refer to. The positions of the lock
// file and the lines of releases.lock are each about one flag.
func (l *loader) sameNames() bool {
	for role, list := range l.files.ByRole {
		switch role {
		case source.FlagFile, source.TestFile, source.LockFile, source.ReleasesFile:
			continue
		}
		if slices.ContainsFunc(list, func(s *source.File) bool { return !s.Kept }) {
			return false
		}
	}
	return true
}

// kept returns the flag of a file as it was checked before, or nil if it has to be checked again:
// its file or its positions have changed, or it refers to a layer or a list, which know of it in turn.
func (l *loader) kept(s *source.File) *Flag {
	if l.was == nil || !s.Kept {
		return nil
	}
	f := l.was.ByKey[s.Stem()]
	if f == nil || f.layer != nil {
		return nil
	}
	for _, b := range f.Bodies {
		for _, r := range b.Rules {
			if r.listed || !l.samePieces(r) {
				return nil
			}
		}
	}
	next := *f
	next.File, next.releases = s, l.known.Releases
	s.Silences = f.File.Silences
	return &next
}

// samePieces reports whether a rule has the positions that it had.
func (l *loader) samePieces(r *Rule) bool {
	d := r.Division
	return d == nil || slices.Equal(l.was.Known.Lock.Pieces(d), l.known.Lock.Pieces(d))
}

// touched returns the keys of the flags whose costs may differ from those before, with all that
// they refer to, or nil if those of any flag may. A flag's costs are its own and those of its
// prerequisites, so they are the fresh ones and the flags that lead to one.
func (l *loader) touched(e *Estate) map[string]bool {
	if l.was == nil {
		return nil
	}
	requires, requiredBy := make(map[string][]string), make(map[string][]string)
	keys := make(map[string]bool)
	for _, f := range e.Flags {
		if l.fresh[f] {
			keys[f.Key] = true
		}
		for _, b := range f.Bodies {
			for _, r := range b.Rules {
				for _, p := range r.Requires {
					requires[f.Key] = append(requires[f.Key], p.Key)
					requiredBy[p.Key] = append(requiredBy[p.Key], f.Key)
				}
			}
		}
	}
	spread(keys, requiredBy)
	spread(keys, requires)
	return keys
}

// spread adds to keys all that edges lead to from there.
func spread(keys map[string]bool, edges map[string][]string) {
	var queue []string
	for key := range keys {
		queue = append(queue, key)
	}
	for len(queue) > 0 {
		last := len(queue) - 1
		key := queue[last]
		queue = queue[:last]
		for _, next := range edges[key] {
			if !keys[next] {
				keys[next] = true
				queue = append(queue, next)
			}
		}
	}
}
