package gittree

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// A tree is a folder in memory. Like [os.Root], it follows symbolic links that stay
// inside it. It must be complete before it is read.
type tree map[string]*entry // by path, "." for the folder itself

// An entry is a file, a folder or a symbolic link.
type entry struct {
	name   string
	mode   fs.FileMode
	data   []byte   // of a file; the target of a link
	names  []string // of a folder: its entries, sorted once the tree is complete
	object string   // of a file or link: the hash of its content
	size   int64
}

func newTree() tree { return tree{".": {name: ".", mode: fs.ModeDir | 0o755}} }

// add adds an entry and the folders that contain it.
func (t tree) add(name string, e *entry) {
	e.name = path.Base(name)
	t[name] = e
	for child := name; child != "."; {
		dir := path.Dir(child)
		parent, ok := t[dir]
		if !ok {
			parent = &entry{name: path.Base(dir), mode: fs.ModeDir | 0o755}
			t[dir] = parent
		}
		parent.names = append(parent.names, path.Base(child))
		if ok {
			return
		}
		child = dir
	}
}

// sort completes the tree.
func (t tree) sort() {
	for _, e := range t {
		slices.Sort(e.names)
	}
}

// maxLinks is how many symbolic links are followed in a row.
const maxLinks = 40

var (
	errOutside = errors.New("the link leads out of the folder")
	errLinks   = errors.New("too many links lead to each other")
)

// find returns the entry called name, following links.
func (t tree) find(name string) (*entry, error) {
	links := 0
	rest, at := strings.Split(name, "/"), "."
	for len(rest) > 0 {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		e, ok := t[next]
		if !ok {
			return nil, fs.ErrNotExist
		}
		if e.mode&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return nil, errLinks
		}
		to := path.Join(at, string(e.data))
		if strings.HasPrefix(string(e.data), "/") || to == ".." || strings.HasPrefix(to, "../") {
			return nil, errOutside
		}
		rest, at = append(strings.Split(to, "/"), rest...), "."
	}
	return t[at], nil
}

// Open implements [fs.FS].
func (t tree) Open(name string) (fs.File, error) {
	e, err := (*entry)(nil), fs.ErrInvalid
	if fs.ValidPath(name) {
		e, err = t.find(name)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if e.mode.IsDir() {
		return &folder{entry: e, tree: t, path: name}, nil
	}
	return &file{entry: e, Reader: bytes.NewReader(e.data)}, nil
}

// A file is an open file.
type file struct {
	*entry
	*bytes.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return info{f.entry}, nil }
func (f *file) Close() error               { return nil }

// A folder is an open folder.
type folder struct {
	*entry
	tree tree
	path string
	read int // entries
}

func (f *folder) Stat() (fs.FileInfo, error) { return info{f.entry}, nil }
func (f *folder) Close() error               { return nil }

func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.path, Err: errors.New("is a directory")}
}

// ReadDir implements [fs.ReadDirFile]. It doesn't follow links.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	names := f.names[f.read:]
	if n > 0 && len(names) == 0 {
		return nil, io.EOF
	}
	if n > 0 {
		names = names[:min(n, len(names))]
	}
	f.read += len(names)
	list := make([]fs.DirEntry, len(names))
	for i, name := range names {
		list[i] = fs.FileInfoToDirEntry(info{f.tree[path.Join(f.path, name)]})
	}
	return list, nil
}

// An info describes an entry. The size of a link is the length of its target's name.
type info struct{ *entry }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return int64(len(i.data)) }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
