// Package overlay shows a folder as it will be once some files have been written, so that
// it can be checked before anything is.
//
// Start at [FS].
package overlay

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

// An FS is a folder with some files in place of what is there.
type FS struct {
	Below fs.FS
	Files map[string][]byte // by path; nil: there is no such file
}

// Put returns an overlay with one more file, without one if data is nil.
func (o FS) Put(name string, data []byte) FS {
	files := maps.Clone(o.Files)
	if files == nil {
		files = make(map[string][]byte)
	}
	files[name] = data
	return FS{o.Below, files}
}

// Open implements [fs.FS].
func (o FS) Open(name string) (fs.File, error) {
	data, ok := o.Files[name]
	switch {
	case ok && data == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case ok:
		return &file{info{name: path.Base(name), size: int64(len(data))}, bytes.NewReader(data)}, nil
	}
	return o.Below.Open(name)
}

// ReadDir implements [fs.ReadDirFS].
func (o FS) ReadDir(name string) ([]fs.DirEntry, error) {
	added := o.within(name)
	list, err := fs.ReadDir(o.Below, name)
	if err != nil && (len(added) == 0 || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(e fs.DirEntry) bool {
		_, ok := o.Files[path.Join(name, e.Name())]
		return ok
	})
	for _, e := range list {
		delete(added, e.Name())
	}
	for _, i := range added {
		list = append(list, fs.FileInfoToDirEntry(i))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// within returns the files of the overlay in a folder, and the folders that lead to
// others, by name.
func (o FS) within(name string) map[string]info {
	list := make(map[string]info)
	for p, data := range o.Files {
		rest, ok := strings.CutPrefix(p, name+"/")
		if name == "." {
			rest, ok = p, true
		}
		if !ok || data == nil {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		list[first] = info{name: first, size: int64(len(data)), dir: deeper}
	}
	return list
}

// Stat implements [fs.StatFS].
func (o FS) Stat(name string) (fs.FileInfo, error) {
	if _, ok := o.Files[name]; !ok {
		return fs.Stat(o.Below, name)
	}
	f, err := o.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// ReadLink implements [fs.ReadLinkFS].
func (o FS) ReadLink(name string) (string, error) { return fs.ReadLink(o.Below, name) }

// Lstat implements [fs.ReadLinkFS].
func (o FS) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := o.Files[name]; ok {
		return o.Stat(name)
	}
	return fs.Lstat(o.Below, name)
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
