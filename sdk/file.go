package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/regular"
)

// File returns the source of an environment in a folder, such as
// /srv/flags/production. The folder may have been published to by its file URL, or be
// a volume that something else keeps in sync. The source is a [Watcher]. It notices
// files that are replaced or written in place, and symbolic links that are moved to
// another folder, as Kubernetes does with mounted volumes. The folder doesn't need to
// exist yet.
func File(dir string) (bundle.Source, error) {
	if dir == "" {
		return nil, errors.New("opening source: the name of the folder is empty")
	}
	if strings.Contains(dir, "://") {
		return nil, errors.New("opening source: the folder is a URL: use FromURL")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding folder %s: %w", dir, err)
	}
	return &fileSource{dir: abs}, nil
}

type fileSource struct{ dir string }

func (s *fileSource) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if err := ctx.Err(); err != nil {
		return bundle.Object{}, err
	}
	if !fs.ValidPath(name) {
		return bundle.Object{}, fmt.Errorf("%w: %q is not a valid name", bundle.ErrNotFound, name)
	}
	data, err := readFile(filepath.Join(s.dir, filepath.FromSlash(name)), limit)
	if errors.Is(err, fs.ErrNotExist) {
		return bundle.Object{}, fmt.Errorf("%w: %w", bundle.ErrNotFound, err)
	}
	if err != nil {
		return bundle.Object{}, err
	}
	return tagged(data, etag)
}

// tagged returns data as an object, or ErrNotModified if etag is its tag. The tag is a
// hash, because a file's content can change while its time and size stay the same. The
// only object that is read again and again is tiny.
func tagged(data []byte, etag string) (bundle.Object, error) {
	sum := sha256.Sum256(data)
	object := bundle.Object{Data: data, ETag: `"` + hex.EncodeToString(sum[:]) + `"`}
	if object.ETag == etag {
		return bundle.Object{}, bundle.ErrNotModified
	}
	return object, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readLimited(f, limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}
