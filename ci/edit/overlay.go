package edit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// An overlay is a folder with some files in place of what is there.
type overlay struct {
	below fs.FS
	files map[string][]byte // by path; nil: there is no such file
}

// put returns an overlay with one more file, without one if data is nil.
func (o overlay) put(name string, data []byte) overlay {
	files := maps.Clone(o.files)
	if files == nil {
		files = make(map[string][]byte)
	}
	files[name] = data
	return overlay{o.below, files}
}

// Open implements [fs.FS].
func (o overlay) Open(name string) (fs.File, error) {
	data, ok := o.files[name]
	switch {
	case ok && data == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case ok:
		return &file{info{name: path.Base(name), size: int64(len(data))}, bytes.NewReader(data)}, nil
	}
	return o.below.Open(name)
}

// ReadDir implements [fs.ReadDirFS].
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	added := o.within(name)
	list, err := fs.ReadDir(o.below, name)
	if err != nil && (len(added) == 0 || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(e fs.DirEntry) bool {
		_, ok := o.files[path.Join(name, e.Name())]
		return ok
	})
	for _, i := range added {
		if !slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == i.name }) {
			list = append(list, fs.FileInfoToDirEntry(i))
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// within returns the files of the overlay in a folder, and the folders that lead to
// others.
func (o overlay) within(name string) []info {
	var list []info
	for p, data := range o.files {
		rest, ok := strings.CutPrefix(p, name+"/")
		if name == "." {
			rest, ok = p, true
		}
		if !ok || data == nil {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		i := info{name: first, size: int64(len(data))}
		if deeper {
			i = info{name: first, dir: true}
		}
		if !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	return list
}

// Stat implements [fs.StatFS].
func (o overlay) Stat(name string) (fs.FileInfo, error) {
	if _, ok := o.files[name]; !ok {
		return fs.Stat(o.below, name)
	}
	f, err := o.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// ReadLink implements [fs.ReadLinkFS].
func (o overlay) ReadLink(name string) (string, error) { return fs.ReadLink(o.below, name) }

// Lstat implements [fs.ReadLinkFS].
func (o overlay) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := o.files[name]; ok {
		return o.Stat(name)
	}
	return fs.Lstat(o.below, name)
}

// A file is an open file in memory.
type file struct {
	info info
	io.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// An info describes a file in memory, or a folder.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string { return i.name }
func (i info) Size() int64  { return i.size }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.dir }
func (i info) Sys() any           { return nil }
