package sdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/serin-flags/serin/bundle"
)

// FS returns the source of an environment in a file system, such as an [embed.FS] with
// the output of serin bake; use [fs.Sub] to name the folder. To start from a copy but
// follow another source, use [Config].Baked instead. FS(nil) is nil.
func FS(fsys fs.FS) bundle.Source {
	if fsys == nil {
		return nil
	}
	return fsSource{fsys: fsys}
}

type fsSource struct {
	fsys     fs.FS
	untagged bool // gives no entity tags
}

func (s fsSource) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if err := ctx.Err(); err != nil {
		return bundle.Object{}, err
	}
	data, err := s.read(name, limit)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return bundle.Object{}, fmt.Errorf("%w: %w", bundle.ErrNotFound, err)
	}
	if err != nil {
		return bundle.Object{}, err
	}
	if s.untagged {
		return bundle.Object{Data: data}, nil
	}
	return tagged(data, etag)
}

// read reads a regular file of at most limit bytes.
func (s fsSource) read(name string, limit int64) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	info, err := fs.Stat(s.fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readLimited(f, limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}
