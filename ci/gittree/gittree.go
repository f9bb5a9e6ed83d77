// Package gittree reads a folder from a revision of a git repository into memory,
// without checking it out. It runs the git command, which writes nothing, and ignores
// configuration and attributes that would change what is read.
//
// Start at [Parse] and [Source.Read].
package gittree

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/internal/gitexec"
)

// The limits of what is read, which are those of a flag folder.
const (
	maxFiles = 100_000
	maxFile  = 64 << 20  // bytes
	maxTotal = 256 << 20 // bytes
	maxList  = 64 << 20  // bytes of the list of files
)

// Prefix is the prefix of the names of sources.
const Prefix = "git:"

// A Source names a folder in a revision.
type Source struct {
	// Revision is anything that git accepts as a commit or a tree: a branch, a
	// tag, a hash, HEAD~3.
	Revision string
	// Path is the folder, with slashes, relative to the top of the repository
	// or, if it starts with "./" or "../", to the folder that git runs in. It is
	// empty if the name has no path.
	Path string
}

// Parse parses a name: git:REV or git:REV:PATH. As in git, a path that starts with
// "./" or "../" is relative to the current folder. Parse doesn't check that revision and
// path exist.
func Parse(name string) (Source, error) {
	rest, ok := strings.CutPrefix(name, Prefix)
	if !ok {
		return Source{}, fmt.Errorf("%q does not begin with %q", name, Prefix)
	}
	s := Source{Revision: rest}
	// No name of a revision has a colon, except ":/text" and "^{/text}", which
	// search commit messages and aren't supported.
	if i := strings.IndexByte(rest, ':'); i >= 0 {
		s.Revision, s.Path = rest[:i], rest[i+1:]
	}
	switch {
	case s.Revision == "":
		return Source{}, fmt.Errorf("%q names no revision; write git:main, git:HEAD~1 or git:main:path/to/flags", name)
	case strings.HasPrefix(s.Revision, "-"):
		return Source{}, fmt.Errorf("%q: the name of a revision does not begin with \"-\"", name)
	case strings.ContainsFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f }) || !utf8.ValidString(rest):
		return Source{}, fmt.Errorf("%q has characters that no name has", name)
	case path.IsAbs(s.Path) || strings.ContainsRune(s.Path, '\\'):
		return Source{}, fmt.Errorf(
			"%q: write the path from the top of the repository, with / between folders, or from here with ./ before it", name)
	case len(name) > 4096:
		return Source{}, errors.New("the name of a git source is longer than 4,096 bytes")
	}
	return s, nil
}

// Read returns the folder's files as they are in the revision. It runs git in the
// folder dir, which must be in the repository; "" is the current folder. It leaves out
// submodules, and files whose extension no flag folder uses (see ext).
//
// Opening a link that leads out of the folder is an error other than
// [fs.ErrNotExist]. Read fails if the revision or the folder doesn't exist, or if it is
// too large: it may have 100,000 files, with 64 MiB each and 256 MiB in total.
func (s Source) Read(ctx context.Context, dir string) (fs.FS, error) {
	g := git{ctx: ctx, dir: dir}
	object, err := g.resolve(s)
	if err != nil {
		return nil, err
	}
	t, err := g.list(object)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", s, err)
	}
	if err := g.fill(t); err != nil {
		return nil, fmt.Errorf("reading %s: %w", s, err)
	}
	t.sort()
	return t, nil
}

// String returns the name that [Parse] takes.
func (s Source) String() string {
	if s.Path == "" {
		return Prefix + s.Revision
	}
	return Prefix + s.Revision + ":" + s.Path
}

// ErrNoFolder reports that the revision doesn't have the folder.
var ErrNoFolder = errors.New("the revision has no such folder")

// git runs the git command in a folder.
type git struct {
	ctx context.Context
	dir string
}

func (g git) command(args ...string) *exec.Cmd { return gitexec.Command(g.ctx, g.dir, args...) }

// output runs a command and returns what it prints, up to a limit.
func (g git) output(limit int, args ...string) ([]byte, error) {
	cmd := g.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, missing(err)
	}
	out, err := io.ReadAll(io.LimitReader(stdout, int64(limit)+1))
	if err == nil && len(out) > limit {
		err = fmt.Errorf("git %s prints more than %d MiB", args[0], limit>>20)
		_ = cmd.Process.Kill() // Wait reports whether it ended
	}
	if waitErr := cmd.Wait(); err == nil && waitErr != nil {
		err = failed(args[0], stderr.Bytes(), waitErr)
	}
	return out, err
}

// missing adds what to do if git isn't installed.
func missing(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("running git, which sources that begin with git: are read by: %w", err)
	}
	return fmt.Errorf("running git: %w", err)
}

// failed turns git's error output into an error.
func failed(verb string, stderr []byte, err error) error {
	words := strings.TrimSpace(string(stderr))
	if strings.Contains(words, "dubious ownership") {
		return errors.New(gitexec.Words(stderr))
	}
	if words == "" {
		return fmt.Errorf("git %s: %w", verb, err)
	}
	if i := strings.LastIndexByte(words, '\n'); i >= 0 {
		words = words[i+1:]
	}
	if strings.Contains(words, "not a git repository") {
		return errors.New("this folder isn't in a git repository: run the command in one, or name a folder, without git: before it")
	}
	return fmt.Errorf("git %s: %s", verb, strings.TrimPrefix(words, "fatal: "))
}

// resolve returns the hash of the folder.
func (g git) resolve(s Source) (string, error) {
	if _, err := g.output(4096, "rev-parse", "--git-dir"); err != nil {
		return "", fmt.Errorf("reading %s: %w", s, err)
	}
	_, err := g.output(4096, "rev-parse", "--verify", "--quiet", "--end-of-options", s.Revision+"^{tree}")
	if err != nil && s.Revision == "HEAD" {
		return "", errors.New("the repository has no commit yet: commit the flag files first")
	}
	if err != nil {
		return "", fmt.Errorf(
			"the repository has no revision %q; a shallow clone has only the newest (git fetch --unshallow)",
			s.Revision)
	}
	// As in git, paths are relative to the top, or to the current folder.
	out, err := g.output(4096, "rev-parse", "--verify", "--quiet", "--end-of-options", s.Revision+":"+s.Path)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", s, ErrNoFolder)
	}
	object := strings.TrimSpace(string(out))
	kind, err := g.output(4096, "cat-file", "-t", object)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", s, err)
	}
	if strings.TrimSpace(string(kind)) != "tree" {
		return "", fmt.Errorf("reading %s: %w, but a file of that name", s, ErrNoFolder)
	}
	return object, nil
}

// list returns the folder's files without their content.
func (g git) list(object string) (tree, error) {
	out, err := g.output(maxList, "ls-tree", "-r", "-z", "-l", "--full-tree", object)
	if err != nil {
		return nil, err
	}
	t, total := newTree(), int64(0)
	for line := range strings.SplitSeq(string(out), "\x00") {
		if line == "" {
			continue
		}
		name, e, err := parseLine(line)
		switch {
		case err != nil:
			return nil, err
		case e == nil || e.mode.IsRegular() && !wanted(name):
			continue
		case e.size > maxFile:
			return nil, fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
		}
		if total += e.size; total > maxTotal {
			return nil, fmt.Errorf("its files take more than %d MiB together", maxTotal>>20)
		}
		t.add(name, e)
		if len(t) > maxFiles {
			return nil, fmt.Errorf("it contains more than %d files; is it a folder of flag files?", maxFiles)
		}
	}
	return t, nil
}

// wanted reports whether a flag folder can have a file with that name.
func wanted(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json", ".txt", ".lock":
		return true
	}
	return false
}

// parseLine reads "MODE TYPE HASH SIZE\tNAME". The entry is nil if it is a
// submodule.
func parseLine(line string) (name string, e *entry, err error) {
	head, name, ok := strings.Cut(line, "\t")
	fields := strings.Fields(head)
	if !ok || len(fields) != 4 || !fs.ValidPath(name) || name == "." {
		return "", nil, fmt.Errorf("git ls-tree prints %q, which is not understood", line)
	}
	if fields[1] != "blob" {
		return name, nil, nil
	}
	e = &entry{object: fields[2], mode: 0o644}
	if fields[0] == "120000" {
		e.mode = fs.ModeSymlink | 0o777
	}
	if e.size, err = strconv.ParseInt(fields[3], 10, 64); err != nil || e.size < 0 {
		return "", nil, fmt.Errorf("git ls-tree prints the size %q", fields[3])
	}
	return name, e, nil
}

// fill reads the content of the files.
func (g git) fill(t tree) error {
	var list []*entry
	var asked bytes.Buffer
	for _, e := range t {
		if !e.mode.IsDir() {
			list = append(list, e)
			asked.WriteString(e.object + "\n")
		}
	}
	cmd := g.command("cat-file", "--batch")
	cmd.Stdin = &asked
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return missing(err)
	}
	r := bufio.NewReaderSize(stdout, 1<<16)
	for _, e := range list {
		if err = e.fill(r); err != nil {
			_ = cmd.Process.Kill() // Wait reports whether it ended
			break
		}
	}
	if waitErr := cmd.Wait(); waitErr != nil && (err == nil || stderr.Len() > 0) {
		err = failed("cat-file", stderr.Bytes(), waitErr)
	}
	return err
}

// fill reads one response of git cat-file --batch: "HASH TYPE SIZE", the data, and a
// newline.
func (e *entry) fill(r *bufio.Reader) error {
	head, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("git cat-file ended early: %w", err)
	}
	if want := fmt.Sprintf("%s blob %d\n", e.object, e.size); head != want {
		return fmt.Errorf("git cat-file prints %q; is an object missing? (a partial clone fetches them: git fetch)",
			strings.TrimSpace(head))
	}
	e.data = make([]byte, e.size)
	if _, err := io.ReadFull(r, e.data); err != nil {
		return fmt.Errorf("git cat-file ended early: %w", err)
	}
	if _, err := r.Discard(1); err != nil {
		return fmt.Errorf("git cat-file ended early: %w", err)
	}
	return nil
}
