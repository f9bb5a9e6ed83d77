package ci

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/serin-flags/serin/internal/suggest"
)

// An estate is a folder of flag files that have been checked. It is immutable
// and safe for concurrent use.
type estate struct {
	known      *vocabulary
	flags      []*flag // by namespace, then key
	byKey      map[string]*flag
	namespaces []string
}

// A loader makes an estate of parsed files, each kind after those it speaks of.
type loader struct {
	files   *files
	locking bool
	known   *vocabulary
}

// readEstate reads the flag files among files, and what these refer to. What is
// wrong with them is recorded; an error means that a file couldn't be read. With
// locking there is a lock to update, if only an empty one.
func readEstate(files *files, locking bool) (*estate, error) {
	l := loader{files: files, locking: locking}
	e := l.estate()
	return e, l.known.lists.err
}

func (l *loader) estate() *estate {
	l.known = &vocabulary{
		config:      config{unit: defaultUnit, zone: time.UTC},
		configFile:  filepath.Join(l.files.dir, "serin.yaml"),
		contextFile: filepath.Join(l.files.dir, "context.yaml"),
		attributes:  make(map[string]*attribute),
		segments:    make(map[string]*segment),
		layers:      make(map[string]*layer),
		zones:       new(zones),
		lists:       newLists(l.files),
		flags:       make(map[string]bool),
	}
	l.readNames()
	l.readLock()
	configChecker := l.readConfig()
	l.readContext(configChecker)
	l.readSegments()
	l.readLayers()
	e := &estate{known: l.known, byKey: make(map[string]*flag)}
	l.readFlags(e)
	e.checkPublic(configChecker.reader)
	l.reserve(e)
	e.checkPrerequisites()
	return e
}

// readNames makes known what files there are for others to refer to.
func (l *loader) readNames() {
	for _, s := range l.files.byRole[flagFile] {
		l.known.flags[s.stem()] = true
	}
	l.known.flagKeys = slices.Sorted(maps.Keys(l.known.flags))
}

func (l *loader) readConfig() checker {
	s := l.files.single(configFile)
	c := l.known.checker(s)
	if s != nil {
		l.known.configFile, l.known.configSource = s.shown, s
		if s.root != nil {
			l.known.config = c.config(s.root)
		}
	}
	return c
}

func (l *loader) readContext(config checker) {
	s := l.files.single(contextFile)
	if s == nil {
		l.known.broken = true
		l.files.problem(l.known.contextFile, "the file is missing; it declares the attributes that rules may speak of")
		return
	}
	l.known.contextFile, l.known.contextSource = s.shown, s
	c := l.known.checker(s)
	if s.root == nil {
		l.known.broken = true
		return
	}
	c.context(s.root)
	l.known.broken = len(l.known.attributes) == 0 && len(s.problems) > 0
	l.known.checkUnit(config, c, s.root)
}

func (l *loader) readSegments() {
	var list []*segment
	for _, s := range l.files.byRole[segmentFile] {
		seg := &segment{name: s.stem(), source: s}
		if other, dup := l.known.segments[seg.name]; dup {
			s.problem("segment %q is defined in %s too", seg.name, other.source.shown)
			continue
		}
		l.known.segments[seg.name] = seg
		l.known.segmentNames = append(l.known.segmentNames, seg.name)
		list = append(list, seg)
	}
	slices.Sort(l.known.segmentNames)
	for _, seg := range list {
		l.known.checker(seg.source).segment(seg)
	}
	l.known.checkSegments()
}

func (l *loader) readFlags(e *estate) {
	sources := l.files.byRole[flagFile]
	if len(sources) == 0 {
		l.files.problem(l.files.dir, "the folder holds no flag files, such as NAMESPACE/KEY.yaml")
	}
	flags := make(map[*source]*flag, len(sources))
	var mu sync.Mutex
	parallel(sources, func(s *source) {
		f := l.known.checker(s).flag()
		mu.Lock()
		flags[s] = f
		mu.Unlock()
	})
	for _, s := range sources {
		f := flags[s]
		if other, dup := e.byKey[f.key]; dup {
			s.problem("flag %q is defined in %s too; keys are unique across the estate", f.key, other.source.shown)
			continue
		}
		e.byKey[f.key] = f
		e.flags = append(e.flags, f)
	}
	slices.SortFunc(e.flags, func(a, b *flag) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.key, b.key))
	})
	for _, f := range e.flags {
		e.namespaces = append(e.namespaces, f.namespace)
	}
	e.namespaces = slices.Compact(e.namespaces)
}

// readLock reads the lock file, if there is one.
func (l *loader) readLock() {
	switch list := l.files.byRole[lockFile]; {
	case len(list) > 0:
		l.known.lock = readLock(list[0], l.locking)
	case l.locking:
		l.known.lock = &lock{shown: filepath.Join(l.files.dir, LockFile)}
	}
}

// keys returns the keys of all flags, sorted.
func (e *estate) keys() []string {
	keys := make([]string, len(e.flags))
	for i, f := range e.flags {
		keys[i] = f.key
	}
	slices.Sort(keys)
	return keys
}

// checkEnvironment returns an error unless name is an environment, or "".
func (e *estate) checkEnvironment(name string) error {
	if name == "" {
		return nil
	}
	return e.known.checkEnvironment(name)
}

// checkEnvironment returns an error unless name is an environment.
func (v *vocabulary) checkEnvironment(name string) error {
	if slices.Contains(v.environments, name) {
		return nil
	}
	if len(v.environments) == 0 {
		return fmt.Errorf("environment %q: %s lists no environments; write there: environments: [%s]", name, v.configFile, name)
	}
	return fmt.Errorf("environment %q is not listed in %s%s", name, v.configFile, suggest.DidYouMean(name, slices.Values(v.environments)))
}

// sources yields the files of the estate that warnings can be about, but lists
// of ids.
func (e *estate) sources() iter.Seq[*source] {
	return func(yield func(*source) bool) {
		list := []*source{e.known.configSource, e.known.contextSource}
		for _, name := range e.known.segmentNames {
			list = append(list, e.known.segments[name].source)
		}
		for _, y := range e.sortedLayers() {
			list = append(list, y.source)
		}
		for _, f := range e.flags {
			list = append(list, f.source)
		}
		for _, s := range list {
			if s != nil && !yield(s) {
				return
			}
		}
	}
}

// sortedLayers returns the layers by name.
func (e *estate) sortedLayers() []*layer {
	return slices.SortedFunc(maps.Values(e.known.layers), func(a, b *layer) int { return cmp.Compare(a.name, b.name) })
}

// usedLists returns the lists of ids that files refer to, by path.
func (e *estate) usedLists() []*idList {
	var list []*idList
	for _, path := range slices.Sorted(maps.Keys(e.known.lists.byPath)) {
		if l := e.known.lists.byPath[path]; l.ids != nil {
			list = append(list, l)
		}
	}
	return list
}
