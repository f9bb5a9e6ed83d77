package ci

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/internal/suggest"
)

// An Estate is a folder of flag files that have been checked. It is immutable
// and safe for concurrent use.
type Estate struct {
	known      *vocabulary
	flags      []*flag // by namespace, then key
	byKey      map[string]*flag
	namespaces []string
	tests      []*testCase // by file, then in the order written
}

// Load reads and checks the estate in the folder dir. If anything is wrong with
// the files the error is [Problems], all that there are; any other error says
// that the folder couldn't be read.
//
// If there is a lock file ([LockFile]) it decides who has which positions of splits
// and layers, and must agree with the other files. [Lock] brings it up to date.
//
// Limits: 100,000 files and folders, 1 MiB a file, 64 MiB a list of ids or a lock
// file, and 256 MiB in all; within a file 50 levels, 1,000 keys of one mapping and 400,000
// words.
func Load(dir string) (*Estate, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening flag files: %w", err)
	}
	defer root.Close()
	return load(root.FS(), dir)
}

// LoadFS is [Load] of the estate at the root of fsys, which users know as dir:
// messages name files below it. Of a link that leads out of fsys, its Open and
// Stat return an error other than [fs.ErrNotExist].
func LoadFS(fsys fs.FS, dir string) (*Estate, error) { return load(fsys, dir) }

// load is Load of the estate at the root of fsys, which users know as dir.
func load(fsys fs.FS, dir string) (*Estate, error) { return loadTo(fsys, dir, false) }

// loadTo is load. To lock an estate is what "serin lock" does: then it need not
// agree with its lock file.
func loadTo(fsys fs.FS, dir string, lock bool) (*Estate, error) {
	sources, total, err := readSources(fsys, dir)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(sources, func(a, b *source) int { return cmp.Compare(a.shown, b.shown) })
	parallel(sources, (*source).parse)
	l := loader{dir: dir, locking: lock, roles: make(map[role][]*source), lists: &lists{fsys: fsys, dir: dir, total: total}}
	for _, s := range sources {
		l.roles[s.role] = append(l.roles[s.role], s)
	}
	estate := l.estate()
	if l.lists.err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, l.lists.err)
	}
	problems := l.problems(sources)
	if len(problems) == 0 && !lock {
		estate.checkLock(dir)
		problems = l.problems(sources)
	}
	if len(problems) > 0 {
		problems.sort()
		return nil, slices.Compact(problems) // environments find some again
	}
	return estate, nil
}

// problems returns those of all files.
func (l *loader) problems(sources []*source) Problems {
	problems := l.extra
	for _, s := range sources {
		problems = append(problems, s.problems...)
	}
	return problems
}

// parallel calls f for every item, on all cores, and waits.
func parallel[T any](items []T, f func(T)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(items)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(items)); i = next.Add(1) - 1 {
				f(items[i])
			}
		})
	}
	wg.Wait()
}

// A loader makes an estate of parsed files, each kind after those it speaks of.
type loader struct {
	dir     string
	locking bool
	roles   map[role][]*source
	lists   *lists
	known   *vocabulary
	extra   Problems // of no file that exists
}

func (l *loader) estate() *Estate {
	l.known = &vocabulary{
		config:      config{unit: defaultUnit, zone: time.UTC},
		configFile:  filepath.Join(l.dir, "serin.yaml"),
		contextFile: filepath.Join(l.dir, "context.yaml"),
		attributes:  make(map[string]*attribute),
		segments:    make(map[string]*segment),
		layers:      make(map[string]*layer),
		zones:       new(zones),
		lists:       l.lists,
		flags:       make(map[string]bool),
	}
	l.readNames()
	l.readLock()
	configChecker := l.readConfig()
	l.readContext(configChecker)
	l.readSegments()
	l.readLayers()
	e := &Estate{known: l.known, byKey: make(map[string]*flag)}
	l.readFlags(e)
	e.checkPublic(configChecker)
	l.reserve(e)
	e.checkPrerequisites()
	l.readTests(e)
	return e
}

// readNames makes known what files there are for others to refer to.
func (l *loader) readNames() {
	for _, s := range l.roles[flagFile] {
		l.known.flags[s.stem()] = true
	}
	l.known.flagKeys = slices.Sorted(maps.Keys(l.known.flags))
	l.lists.byPath = make(map[string]*idList, len(l.roles[listFile]))
	for _, s := range l.roles[listFile] {
		l.lists.byPath[s.path] = &idList{source: s}
	}
}

// single returns the only file of a role, nil if there is none.
func (l *loader) single(r role) *source {
	list := l.roles[r]
	if len(list) == 0 {
		return nil
	}
	for _, s := range list[1:] {
		s.problem("%s is the same in another format; keep one of them", list[0].shown)
	}
	return list[0]
}

func (l *loader) readConfig() checker {
	s := l.single(configFile)
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
	s := l.single(contextFile)
	if s == nil {
		l.known.broken = true
		l.problem(l.known.contextFile, "the file is missing; it declares the attributes that rules may speak of")
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

// problem records a problem of a file that doesn't exist.
func (l *loader) problem(file, format string, args ...any) {
	l.extra = append(l.extra, Problem{File: file, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

func (l *loader) readSegments() {
	var list []*segment
	for _, s := range l.roles[segmentFile] {
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

func (l *loader) readFlags(e *Estate) {
	sources := l.roles[flagFile]
	if len(sources) == 0 {
		l.problem(l.dir, "the folder holds no flag files, such as NAMESPACE/KEY.yaml")
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

// Environments returns the names of the environments, in the order of
// serin.yaml. It is empty if there are none.
func (e *Estate) Environments() []string { return slices.Clone(e.known.environments) }

// Unit returns the name of the attribute that a context's targeting key stands
// for, and by which splits are drawn that don't say otherwise.
func (e *Estate) Unit() string { return e.known.unit }

// TimeZone returns the time zone in which the estate's local times are meant.
func (e *Estate) TimeZone() *time.Location { return e.known.zone }

// Namespaces returns the namespaces that hold flags, sorted.
func (e *Estate) Namespaces() []string { return slices.Clone(e.namespaces) }

// Keys returns the keys of all flags, sorted.
func (e *Estate) Keys() []string {
	keys := make([]string, len(e.flags))
	for i, f := range e.flags {
		keys[i] = f.key
	}
	slices.Sort(keys)
	return keys
}

// CheckEnvironment returns an error unless name is an environment of the
// estate, or "".
func (e *Estate) CheckEnvironment(name string) error {
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
