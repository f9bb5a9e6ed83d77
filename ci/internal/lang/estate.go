// Package lang is the language of flag files: it checks what the files say and
// compiles it into rulesets.
//
// Start at [Read], which reads all files of an estate and records what is wrong
// with them. A [Checker] reads what several kinds of files have in common:
// conditions, shares, times, lists. The package refuses whatever it doesn't know.
// It doesn't warn of likely mistakes or run tests: packages lint and flagtest do.
package lang

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/guardfile"
	"github.com/serin-flags/serin/ci/internal/idlist"
	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/parallel"
	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/suggest"
)

// An Estate is a folder of flag files that have been checked. It is immutable
// and safe for concurrent use.
type Estate struct {
	Known      *Vocabulary
	Flags      []*Flag // by namespace, then key
	ByKey      map[string]*Flag
	Namespaces []string
}

// A loader makes an estate of parsed files. It reads each kind of file after the kinds
// that it refers to.
type loader struct {
	files   *source.Files
	locking bool
	known   *Vocabulary
	was     *Estate        // whose flags count where nothing about them has changed; nil: none do
	fresh   map[*Flag]bool // the flags that aren't those of was
}

// Read reads the flag files and what they refer to. It records what is wrong with
// them; an error means that a file couldn't be read. locking says that the lock is
// going to be updated: it exists then, if only empty.
func Read(files *source.Files, locking bool) (*Estate, error) {
	l := loader{files: files, locking: locking}
	e := l.estate()
	return e, l.known.Lists.Err()
}

// Reread is Read for files that [source.Files.With] made from those of e, which have no problems.
// It checks again only what the files that differ can touch.
func (e *Estate) Reread(files *source.Files, locking bool) (*Estate, error) {
	l := loader{files: files, locking: locking, was: e}
	next := l.estate()
	return next, l.known.Lists.Err()
}

func (l *loader) estate() *Estate {
	l.known = &Vocabulary{
		config:      config{Unit: defaultUnit, Zone: time.UTC},
		configPath:  filepath.Join(l.files.Dir, "serin.yaml"),
		contextPath: filepath.Join(l.files.Dir, "context.yaml"),
		Attributes:  make(map[string]*Attribute),
		Segments:    make(map[string]*segment),
		layers:      make(map[string]*layer),
		Guards:      make(map[string]*guardfile.Guard),
		zones:       new(phrase.Zones),
		Lists:       idlist.New(l.files),
		flags:       make(map[string]bool, len(l.files.ByRole[source.FlagFile])),
	}
	l.readNames()
	l.readLock()
	l.compare()
	l.readReleases()
	configChecker := l.readConfig()
	l.readContext(configChecker)
	l.readSegments()
	l.readLayers()
	l.readGuards()
	e := &Estate{Known: l.known, ByKey: make(map[string]*Flag, len(l.known.flags))}
	l.readFlags(e)
	e.checkPublic(configChecker)
	l.reserve(e)
	e.checkReferences(l.touched(e))
	return e
}

// readNames makes known what files there are for others to refer to.
func (l *loader) readNames() {
	for _, s := range l.files.ByRole[source.FlagFile] {
		l.known.flags[s.Stem()] = true
	}
	l.known.flagKeys = slices.Sorted(maps.Keys(l.known.flags))
}

func (l *loader) readConfig() Checker {
	s := l.files.Single(source.ConfigFile)
	c := l.known.Checker(s)
	if s != nil {
		l.known.configPath, l.known.ConfigFile = s.Shown, s
		if s.Root != nil {
			l.known.config = c.config(s.Root)
		}
	}
	return c
}

func (l *loader) readContext(config Checker) {
	s := l.files.Single(source.ContextFile)
	if s == nil {
		l.known.broken = true
		l.files.Problem(l.known.contextPath, "the file is missing; it declares the attributes that rules may use")
		return
	}
	l.known.contextPath, l.known.ContextFile = s.Shown, s
	c := l.known.Checker(s)
	if s.Root == nil {
		l.known.broken = true
		return
	}
	c.context(s.Root)
	l.known.broken = len(l.known.Attributes) == 0 && len(s.Problems) > 0
	l.known.checkUnit(config, c, s.Root)
}

func (l *loader) readSegments() {
	var list []*segment
	for _, s := range l.files.ByRole[source.SegmentFile] {
		seg := &segment{name: s.Stem(), File: s}
		if other, dup := l.known.Segments[seg.name]; dup {
			s.Problem("segment %q is defined in %s too", seg.name, other.File.Shown)
			continue
		}
		l.known.Segments[seg.name] = seg
		l.known.SegmentNames = append(l.known.SegmentNames, seg.name)
		list = append(list, seg)
	}
	slices.Sort(l.known.SegmentNames)
	for _, seg := range list {
		l.known.Checker(seg.File).segment(seg)
	}
}

// readGuards reads the guard files.
func (l *loader) readGuards() {
	for _, s := range l.files.ByRole[source.GuardFile] {
		if other, dup := l.known.Guards[s.Stem()]; dup {
			s.Problem("guard %q is defined in %s too", s.Stem(), other.File.Shown)
			continue
		}
		l.known.Guards[s.Stem()] = guardfile.Read(l.known.Checker(s).Reader, l.known.checkEnvironment)
	}
}

// A readFlag is a flag that has been read from a file. It is fresh if it was checked again.
type readFlag struct {
	file  *source.File
	flag  *Flag
	fresh bool
}

func (l *loader) readFlags(e *Estate) {
	sources := l.files.ByRole[source.FlagFile]
	if len(sources) == 0 {
		l.files.Problem(l.files.Dir, "the folder contains no flag files, such as NAMESPACE/KEY.yaml")
	}
	read := make([]readFlag, len(sources))
	todo := make([]*readFlag, len(sources))
	for i, s := range sources {
		read[i].file, todo[i] = s, &read[i]
	}
	parallel.Do(todo, func(r *readFlag) {
		if r.flag = l.kept(r.file); r.flag == nil {
			r.flag, r.fresh = l.known.Checker(r.file).flag(), true
		}
	})
	folded := make(map[string]*Flag, len(sources))
	e.Flags = make([]*Flag, 0, len(sources))
	for _, r := range read {
		s, f := r.file, r.flag
		if r.fresh && l.was != nil {
			l.fresh[f] = true
		}
		if other, dup := e.ByKey[f.Key]; dup {
			s.Problem("flag %q is defined in %s too; keys are unique across the estate", f.Key, other.File.Shown)
			continue
		}
		if other := folded[strings.ToLower(f.Key)]; other != nil {
			s.Problem("flag %q differs from the one in %s in case only", f.Key, other.File.Shown)
			continue
		}
		folded[strings.ToLower(f.Key)] = f
		e.ByKey[f.Key] = f
		e.Flags = append(e.Flags, f)
	}
	slices.SortFunc(e.Flags, func(a, b *Flag) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Key, b.Key))
	})
	for _, f := range e.Flags {
		e.Namespaces = append(e.Namespaces, f.Namespace)
	}
	e.Namespaces = slices.Compact(e.Namespaces)
}

// Read reads the lock file, if there is one.
func (l *loader) readLock() {
	switch list := l.files.ByRole[source.LockFile]; {
	case len(list) > 0:
		l.known.Lock = lock.Read(list[0], l.locking)
	case l.locking:
		l.known.Lock = &lock.File{Shown: filepath.Join(l.files.Dir, source.LockName)}
	}
}

// Keys returns the keys of all flags, sorted.
func (e *Estate) Keys() []string {
	keys := make([]string, len(e.Flags))
	for i, f := range e.Flags {
		keys[i] = f.Key
	}
	slices.Sort(keys)
	return keys
}

// CheckEnvironment returns an error unless name is an environment, or "".
func (e *Estate) CheckEnvironment(name string) error {
	if name == "" {
		return nil
	}
	return e.Known.checkEnvironment(name)
}

// checkEnvironment returns an error unless name is an environment.
func (v *Vocabulary) checkEnvironment(name string) error {
	if slices.Contains(v.Environments, name) {
		return nil
	}
	if len(v.Environments) == 0 {
		return fmt.Errorf("environment %q: %s lists no environments; write there: environments: [%s]", name,
			v.configPath, name)
	}
	return fmt.Errorf("environment %q is not listed in %s%s", name, v.configPath,
		suggest.DidYouMean(name, slices.Values(v.Environments)))
}

// Sources yields the files of the estate that warnings can be about, but lists
// of ids.
func (e *Estate) Sources() iter.Seq[*source.File] {
	return func(yield func(*source.File) bool) {
		list := []*source.File{e.Known.ConfigFile, e.Known.ContextFile}
		for _, name := range e.Known.SegmentNames {
			list = append(list, e.Known.Segments[name].File)
		}
		for _, y := range e.SortedLayers() {
			list = append(list, y.File)
		}
		for _, name := range slices.Sorted(maps.Keys(e.Known.Guards)) {
			list = append(list, e.Known.Guards[name].File)
		}
		for _, f := range e.Flags {
			list = append(list, f.File)
		}
		for _, s := range list {
			if s != nil && !yield(s) {
				return
			}
		}
	}
}

// SortedLayers returns the layers by name.
func (e *Estate) SortedLayers() []*layer {
	return slices.SortedFunc(maps.Values(e.Known.layers), func(a, b *layer) int { return cmp.Compare(a.Name, b.Name) })
}

// UsedLists returns the lists of ids that files refer to, by path.
func (e *Estate) UsedLists() []*idlist.List {
	var list []*idlist.List
	for _, path := range slices.Sorted(maps.Keys(e.Known.Lists.ByPath)) {
		if l := e.Known.Lists.ByPath[path]; l.IDs != nil {
			list = append(list, l)
		}
	}
	return list
}
