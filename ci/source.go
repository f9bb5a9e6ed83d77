package ci

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// The bounds of an estate. They are far above what people write and keep what a
// mistaken or hostile folder can cost within reason.
const (
	maxEntries   = 100_000   // files and folders, those passed over included
	maxFileSize  = 1 << 20   // bytes of a file
	maxListSize  = 64 << 20  // bytes of a list file
	maxTotalSize = 256 << 20 // bytes of all files
)

// A role is what a file is for, which follows from its path.
type role uint8

const (
	noRole role = iota // passed over
	configFile
	contextFile
	segmentFile
	layerFile
	flagFile
	testFile
	listFile  // read when something refers to it
	lockFile  // LockFile
	misplaced // a file of ours in a place where it means nothing
)

// A source is one file of the estate.
type source struct {
	path  string // below the estate, with slashes
	shown string // as a user would type it
	role  role
	data  []byte // without byte order mark and carriage returns once parsed

	problems Problems
	silences []silence
	root     *node // nil if the file couldn't be parsed
}

// stem returns the file's name without its extension: the key of a flag, the
// name of a segment or layer.
func (s *source) stem() string {
	base := path.Base(s.path)
	base = strings.TrimSuffix(base, path.Ext(base))
	if s.role == testFile {
		base = strings.TrimSuffix(base, ".test")
	}
	return base
}

// folder returns the folder that holds the file, "" for the estate itself.
func (s *source) folder() string {
	if dir := path.Dir(s.path); dir != "." {
		return dir
	}
	return ""
}

// roleOf says what the file at that path is for.
func roleOf(p string) role {
	base, dir := path.Base(p), path.Dir(p)
	if p == LockFile {
		return lockFile
	}
	switch strings.ToLower(path.Ext(base)) {
	case ".yaml", ".yml", ".json":
	case ".txt":
		return listFile
	default:
		return noRole
	}
	stem := strings.TrimSuffix(base, path.Ext(base))
	switch {
	case dir == "." && stem == "serin":
		return configFile
	case dir == "." && stem == "context":
		return contextFile
	case dir == ".", strings.HasPrefix(dir, "segments/"), strings.HasPrefix(dir, "layers/"):
		return misplaced
	case dir == "segments":
		return segmentFile
	case dir == "layers":
		return layerFile
	case strings.HasSuffix(stem, ".test"):
		return testFile
	}
	return flagFile
}

// files are the files of an estate.
type files struct {
	fsys   fs.FS
	dir    string    // as a user would type it
	all    []*source // by path
	byRole map[role][]*source
	total  int      // bytes of those that are read
	extra  Problems // of no file that exists
}

// readFiles reads and parses the files of the estate at the root of fsys, which
// users know as dir, all but list files. What is wrong with a file stands in its
// problems; an error means that the folder as a whole couldn't be read.
func readFiles(fsys fs.FS, dir string) (*files, error) {
	sources, total, err := readSources(fsys, dir)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(sources, func(a, b *source) int { return cmp.Compare(a.shown, b.shown) })
	parallel(sources, (*source).parse)
	f := &files{fsys: fsys, dir: dir, all: sources, byRole: make(map[role][]*source), total: total}
	for _, s := range sources {
		f.byRole[s.role] = append(f.byRole[s.role], s)
	}
	return f, nil
}

// single returns the only file of a role, nil if there is none.
func (f *files) single(r role) *source {
	list := f.byRole[r]
	if len(list) == 0 {
		return nil
	}
	for _, s := range list[1:] {
		s.problem("%s is the same in another format; keep one of them", list[0].shown)
	}
	return list[0]
}

// problem records a problem of a file that doesn't exist.
func (f *files) problem(file, format string, args ...any) {
	f.extra = append(f.extra, Problem{File: file, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

// problems returns those of all files.
func (f *files) problems() Problems {
	problems := f.extra
	for _, s := range f.all {
		problems = append(problems, s.problems...)
	}
	return problems
}

// readSources reads the files of the estate at the root of fsys, which users
// know as dir, all but list files. What is wrong with a file stands in its
// problems; an error means that the folder as a whole couldn't be read. total is
// the number of bytes.
func readSources(fsys fs.FS, dir string) (sources []*source, total int, err error) {
	entries := 0
	err = fs.WalkDir(fsys, ".", func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("it holds more than %d files; is it a folder of flag files?", maxEntries)
		}
		if p != "." && strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		s := &source{path: p, shown: filepath.Join(dir, filepath.FromSlash(p)), role: roleOf(p)}
		if !s.admit(fsys, entry, dir) {
			if len(s.problems) > 0 {
				sources = append(sources, s)
			}
			return nil
		}
		sources = append(sources, s)
		return nil
	})
	if err == nil {
		total, err = readContents(fsys, sources)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", dir, err)
	}
	return sources, total, nil
}

// readContents reads the files that are right so far, and returns how many bytes they
// come to.
func readContents(fsys fs.FS, sources []*source) (total int, err error) {
	var mu sync.Mutex
	parallel(sources, func(s *source) {
		mu.Lock()
		failed := err != nil
		mu.Unlock()
		if failed || s.role == listFile || len(s.problems) > 0 {
			return
		}
		why := s.read(fsys)
		mu.Lock()
		defer mu.Unlock()
		if total += len(s.data); total > maxTotalSize && why == nil {
			why = errTooLarge
		}
		if err == nil {
			err = why
		}
	})
	return total, err
}

var errTooLarge = fmt.Errorf("its files come to more than %d MiB", maxTotalSize>>20)

// admit reports whether the directory entry is a file to read. If it is one
// that can't be read it says so in s.problems.
func (s *source) admit(fsys fs.FS, entry fs.DirEntry, dir string) bool {
	mode := entry.Type()
	if mode&fs.ModeSymlink != 0 {
		info, err := fs.Stat(fsys, s.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.problem("the symbolic link leads nowhere")
			return false
		case err != nil:
			s.problem("the symbolic link leads out of %s; the files of an estate lie in its folder", dir)
			return false
		case info.IsDir():
			s.problem("the symbolic link leads to a folder; only links to files are followed")
			return false
		}
		mode = info.Mode().Type()
	}
	switch {
	case mode.IsDir() || s.role == noRole:
		return false
	case !mode.IsRegular():
		s.problem("not a regular file")
		return false
	case s.role == misplaced && s.folder() == "":
		s.problem("a flag file lies in a folder, which is its namespace: move it to %s", filepath.Join(dir, "NAMESPACE", path.Base(s.path)))
		return false
	case s.role == misplaced:
		kind, _, _ := strings.Cut(s.path, "/")
		s.problem("%s have no namespaces: move it to %s", kind, filepath.Join(dir, kind, path.Base(s.path)))
		return false
	}
	return true
}

// read reads the file into s.data, if it isn't too large.
func (s *source) read(fsys fs.FS) error {
	f, err := fsys.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	limit := maxFileSize
	switch s.role {
	case listFile:
		limit = maxListSize
	case lockFile:
		limit = maxLockSize
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return err
	}
	if len(data) > limit {
		hint := ""
		if limit == maxFileSize {
			hint = "; put long lists of ids into files of their own: {list: ids.txt}"
		}
		s.problem("the file is larger than %d MiB%s", limit>>20, hint)
		return nil
	}
	s.data = data
	return nil
}

// problem records a problem of the file as a whole.
func (s *source) problem(format string, args ...any) {
	s.problems = append(s.problems, Problem{File: s.shown, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

// maxFileProblems bounds the problems that are reported for one file.
const maxFileProblems = 500

// tooManyProblems takes the place of the first problem that isn't reported.
const tooManyProblems = "there are more problems in this file than are shown"

// full reports whether enough is said about the file.
func (s *source) full() bool { return len(s.problems) > maxFileProblems }

// problemAt records a problem at a place of the file.
func (s *source) problemAt(line, column int, message string) {
	if !s.full() { // to find a line takes time
		s.add(newProblem(s.shown, line, column, s.line(line), message))
	}
}

// add records a problem, unless enough is said about the file.
func (s *source) add(p Problem) {
	if s.full() {
		return
	}
	if len(s.problems) == maxFileProblems {
		p.Message = tooManyProblems
	}
	s.problems = append(s.problems, p)
}

// line returns the line of that number, counted from 1.
func (s *source) line(number int) string {
	rest := s.data
	for ; number > 1; number-- {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return ""
		}
		rest = rest[i+1:]
	}
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return strings.ToValidUTF8(string(rest), "\ufffd")
}

// position returns the line and column of the byte at offset.
func (s *source) position(offset int) (line, column int) {
	before := s.data[:offset]
	line = 1 + bytes.Count(before, []byte{'\n'})
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
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
