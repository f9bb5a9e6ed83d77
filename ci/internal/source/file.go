// Package source reads the files of an estate and parses their YAML.
//
// Start at [Read]. It returns every file with its role, its tree of nodes, and the
// problems found in it. A [Reader] reads values from nodes and records what is
// wrong with them at their places. The package knows which files there are, but
// not what flags, rules or segments mean: that is package lang.
//
// It refuses YAML that says something else than it seems to: duplicate keys,
// anchors, tags, several documents, values left empty. Sizes, depths and counts
// are bounded, and secrets are masked in all messages and quoted lines.
package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/parallel"
	"github.com/serin-flags/serin/ci/internal/problem"
)

// LockName is the name of the file, beside serin.yaml, that keeps who has which
// positions of splits and layers.
//
// It has a line for each, sorted, and an empty one before each flag and layer, so that
// edits of neighbours merge. Comments start with #:
//
//	new-checkout * "beta in two cities" by=user on:858993459 off:4294967296
//	layer:result-page by=user (holdout):214748364 result-cards:1932735283 (free):4294967296
//
// That is the flag, the environment whose rules it is ("*" for the flag's own),
// the rule, the unit, the salt unless it is the flag's key, and the hash if it is
// another than murmur3_x64_128. Then the positions from 0 on: whose they are, and
// where they end. Words with other characters than letters, digits and -_./@%+()
// stand in quotes, as in Go.
const LockName = "flags.lock"

// ReleasesName is the name of the file, beside serin.yaml, that keeps how far releases have
// got. Package plan has its format.
const ReleasesName = "releases.lock"

// maxLockSize bounds the lock files in bytes.
const maxLockSize = 64 << 20

// The bounds of an estate. They are far above what people write, and limit what a
// mistaken or hostile folder can cost.
const (
	maxEntries   = 100_000   // files and folders, including ignored ones
	maxFileSize  = 1 << 20   // bytes of a file
	maxListSize  = 64 << 20  // bytes of a list file
	maxTotalSize = 256 << 20 // bytes of all files
)

// A Role is what a file is for, which follows from its path.
type Role uint8

const (
	noRole       Role = iota // ignored
	ConfigFile               // serin.yaml
	ContextFile              // context.yaml
	SegmentFile              // segments/NAME.yaml
	LayerFile                // layers/NAME.yaml
	FlagFile                 // NAMESPACE/KEY.yaml
	TestFile                 // NAMESPACE/KEY.test.yaml
	ListFile                 // read when something refers to it
	LockFile                 // LockName
	GuardFile                // guards/NAME.yaml
	ReleasesFile             // ReleasesName
	misplaced                // a file of ours in a place where it means nothing
)

// A File is one file of the estate.
type File struct {
	Path  string // below the estate, with slashes
	Shown string // as a user would type it
	Role  Role
	Data  []byte // without byte order mark and carriage returns once parsed

	Problems problem.Problems
	Silences []problem.Silence
	Root     *Node // nil if the file couldn't be parsed
	Kept     bool  // its content is that of the file that [Files.With] made it from
}

// Stem returns the file's name without its extension: the key of a flag, the
// name of a segment or layer.
func (s *File) Stem() string {
	base := path.Base(s.Path)
	base = strings.TrimSuffix(base, path.Ext(base))
	if s.Role == TestFile {
		base = strings.TrimSuffix(base, ".test")
	}
	return base
}

// RoleOf says what the file at that path is for.
func RoleOf(p string) Role {
	base, dir := path.Base(p), path.Dir(p)
	switch p {
	case LockName:
		return LockFile
	case ReleasesName:
		return ReleasesFile
	}
	switch strings.ToLower(path.Ext(base)) {
	case ".yaml", ".yml", ".json":
	case ".txt":
		return ListFile
	default:
		return noRole
	}
	stem := strings.TrimSuffix(base, path.Ext(base))
	kind, _, _ := strings.Cut(dir, "/")
	switch {
	case dir == "." && stem == "serin":
		return ConfigFile
	case dir == "." && stem == "context":
		return ContextFile
	case kind == "releases" && dir != kind && path.Ext(base) == ".json":
		return noRole // evidence
	case dir == ".", kind == "releases", dir != kind && (kind == "segments" || kind == "layers" || kind == "guards"):
		return misplaced
	case dir == "segments":
		return SegmentFile
	case dir == "layers":
		return LayerFile
	case dir == "guards":
		return GuardFile
	case strings.HasSuffix(stem, ".test"):
		return TestFile
	}
	return FlagFile
}

// Files are the files of an estate.
type Files struct {
	Dir    string // as a user would type it
	ByRole map[Role][]*File
	fsys   fs.FS
	all    []*File          // by path
	extra  problem.Problems // of no file that exists

	mu    sync.Mutex
	total int   // bytes of those that are read
	err   error // why a list couldn't be read
}

// Read reads and parses the files of the estate at the root of fsys, which
// users know as dir, except list files. What is wrong with a file is in its
// problem.Problems; an error means that the folder as a whole couldn't be read.
func Read(fsys fs.FS, dir string) (*Files, error) {
	sources, total, err := readSources(fsys, dir)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(sources, func(a, b *File) int { return cmp.Compare(a.Shown, b.Shown) })
	parallel.Do(sources, (*File).parse)
	f := &Files{fsys: fsys, Dir: dir, all: sources, ByRole: make(map[Role][]*File), total: total}
	for _, s := range sources {
		f.ByRole[s.Role] = append(f.ByRole[s.Role], s)
	}
	return f, nil
}

// Single returns the only file of a role, nil if there is none.
func (f *Files) Single(r Role) *File {
	list := f.ByRole[r]
	if len(list) == 0 {
		return nil
	}
	for _, s := range list[1:] {
		s.Problem("%s is the same in another format; keep one of them", list[0].Shown)
	}
	return list[0]
}

// Problem records a problem of a missing file.
func (f *Files) Problem(file, format string, args ...any) {
	f.extra = append(f.extra, problem.Problem{File: file, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

// ReadList returns the content of a list file, without its byte order mark. It is safe
// for concurrent use. What is wrong with the file is recorded, and its content then
// empty; an error means that it couldn't be read.
func (f *Files) ReadList(s *File) (string, error) {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil || len(s.Problems) > 0 {
		return "", err
	}
	err = s.read(f.fsys)
	f.mu.Lock()
	if f.total += len(s.Data); f.total > maxTotalSize && err == nil {
		err = errTooLarge
	}
	if f.err == nil {
		f.err = err
	}
	f.mu.Unlock()
	defer func() { s.Data = nil }()
	if err != nil || len(s.Problems) > 0 || s.isUTF16() {
		return "", err
	}
	return string(bytes.TrimPrefix(s.Data, []byte("\ufeff"))), nil
}

// Problems returns the problems of all files.
func (f *Files) Problems() problem.Problems {
	problems := f.extra
	for _, s := range f.all {
		problems = append(problems, s.Problems...)
	}
	return problems
}

// readSources reads the files of the estate at the root of fsys, which users
// know as dir, except list files. What is wrong with a file is in its
// problems; an error means that the folder as a whole couldn't be read. total is
// the number of bytes.
func readSources(fsys fs.FS, dir string) (sources []*File, total int, err error) {
	entries, followed := 0, false
	var visit fs.WalkDirFunc
	visit = func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("it contains more than %d files; is it a folder of flag files?", maxEntries)
		}
		if p != "." && strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !followed && leadsToHidden(fsys, p, entry) {
			followed = true // once, so that there are no circles
			err := fs.WalkDir(fsys, p, visit)
			followed = false
			return err
		}
		s := &File{Path: p, Shown: filepath.Join(dir, filepath.FromSlash(p)), Role: RoleOf(p)}
		if !s.admit(fsys, entry, dir) {
			if len(s.Problems) > 0 {
				sources = append(sources, s)
			}
			return nil
		}
		sources = append(sources, s)
		return nil
	}
	err = fs.WalkDir(fsys, ".", visit)
	if err == nil {
		total, err = readContents(fsys, sources)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", dir, err)
	}
	return sources, total, nil
}

// leadsToHidden reports whether the directory entry is a symbolic link to a folder that
// a name with a dot at the start hides, such as ..data/shop: Kubernetes mounts volumes
// that way. What is there is read under the link's name, and under no other.
func leadsToHidden(fsys fs.FS, p string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return false
	}
	target, err := fs.ReadLink(fsys, p)
	if err != nil || path.IsAbs(target) {
		return false
	}
	target = path.Join(path.Dir(p), filepath.ToSlash(target))
	info, err := fs.Stat(fsys, p)
	return err == nil && info.IsDir() && fs.ValidPath(target) && strings.Contains("/"+target, "/.")
}

// readContents reads the files without problems, and returns how many bytes they have
// together.
func readContents(fsys fs.FS, sources []*File) (total int, err error) {
	var mu sync.Mutex
	parallel.Do(sources, func(s *File) {
		mu.Lock()
		failed := err != nil
		mu.Unlock()
		if failed || s.Role == ListFile || len(s.Problems) > 0 {
			return
		}
		why := s.read(fsys)
		mu.Lock()
		defer mu.Unlock()
		if total += len(s.Data); total > maxTotalSize && why == nil {
			why = errTooLarge
		}
		if err == nil {
			err = why
		}
	})
	return total, err
}

var errTooLarge = fmt.Errorf("its files take more than %d MiB together", maxTotalSize>>20)

// admit reports whether the directory entry is a file to read. If it is one
// that can't be read it says so in s.problems.
func (s *File) admit(fsys fs.FS, entry fs.DirEntry, dir string) bool {
	mode := entry.Type()
	if mode&fs.ModeSymlink != 0 {
		info, err := fs.Stat(fsys, s.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Problem("the symbolic link is broken")
			return false
		case err != nil:
			s.Problem("the symbolic link leads out of %s; the files of a flag folder must be inside it", dir)
			return false
		case info.IsDir():
			s.Problem("the symbolic link leads to a folder; only links to files are followed")
			return false
		}
		mode = info.Mode().Type()
	}
	switch {
	case mode.IsDir() || s.Role == noRole:
		return false
	case !mode.IsRegular():
		s.Problem("not a regular file")
		return false
	case s.Role == misplaced && s.Folder() == "":
		s.Problem("a flag file must be in a folder, its namespace: move it to %s",
			filepath.Join(dir, "NAMESPACE", path.Base(s.Path)))
		return false
	case s.Role == misplaced && strings.HasPrefix(s.Path, "releases/"):
		s.Problem("the folder releases has the evidence of releases, in releases/FLAG/TIME.json, and no flags: move them to another folder")
		return false
	case s.Role == misplaced:
		kind, _, _ := strings.Cut(s.Path, "/")
		s.Problem("%s have no namespaces: move it to %s", kind, filepath.Join(dir, kind, path.Base(s.Path)))
		return false
	}
	return true
}

// read reads the file into s.data, if it isn't too large.
func (s *File) read(fsys fs.FS) error {
	f, err := fsys.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	limit := maxFileSize
	switch s.Role {
	case ListFile:
		limit = maxListSize
	case LockFile, ReleasesFile:
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
		s.Problem("the file is larger than %d MiB%s", limit>>20, hint)
		return nil
	}
	if bytes.HasPrefix(data, []byte(lfsPointer)) {
		s.Problem("this is what Git LFS keeps in place of the file; " +
			"get the file with git lfs pull (in CI, let the checkout do it)")
		return nil
	}
	s.Data = data
	return nil
}

// lfsPointer begins what Git LFS keeps in a repository in place of a file.
const lfsPointer = "version https://git-lfs.github.com/spec/"

// Problem records a problem of the file as a whole.
func (s *File) Problem(format string, args ...any) {
	s.Problems = append(s.Problems,
		problem.Problem{File: s.Shown, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

// tooManyProblems takes the place of the first problem that isn't reported.
const tooManyProblems = "there are more problems in this file than are shown"

// full reports whether the file has too many problems to record more.
func (s *File) full() bool { return len(s.Problems) > problem.Max }

// Folder returns the folder of the file, "" for the estate itself.
func (s *File) Folder() string {
	if dir := path.Dir(s.Path); dir != "." {
		return dir
	}
	return ""
}

// ProblemAt records a problem at a place of the file.
func (s *File) ProblemAt(line, column int, message string) {
	if !s.full() { // to find a line takes time
		s.Add(problem.New(s.Shown, line, column, s.Line(line), message))
	}
}

// Has reports whether a problem with that message is recorded at n.
func (s *File) Has(n *Node, message string) bool {
	if len(s.Problems) == 0 {
		return false
	}
	message = problem.MaskSecrets(message)
	return slices.ContainsFunc(s.Problems, func(p problem.Problem) bool {
		return p.Line == n.Line() && p.Column == n.Column() && p.Message == message
	})
}

// Add records a problem, unless the file has too many.
func (s *File) Add(p problem.Problem) {
	if s.full() {
		return
	}
	if len(s.Problems) == problem.Max {
		p.Message = tooManyProblems
	}
	s.Problems = append(s.Problems, p)
}

// Line returns the line of that number, counted from 1.
func (s *File) Line(number int) string {
	rest := s.Data
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

// Position returns the line and column of the byte at offset.
func (s *File) Position(offset int) (line, column int) {
	before := s.Data[:offset]
	line = 1 + bytes.Count(before, []byte{'\n'})
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}
