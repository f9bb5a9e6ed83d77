package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/bundle"
)

// File returns the source of an environment in a folder, such as
// /srv/flags/production: what was published to a file URL, or a volume that
// something else keeps in sync. It is a [Watcher], which sees files that are
// replaced or written in place as well as symbolic links that are set to
// another folder, as Kubernetes does with mounted volumes. The folder need not
// exist yet.
func File(dir string) (bundle.Source, error) {
	if dir == "" {
		return nil, errors.New("name of the folder is empty")
	}
	if strings.Contains(dir, "://") {
		return nil, errors.New("folder is a URL, which FromURL takes")
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

// tagged returns data as an object, unless that is what etag stands for. Times and
// sizes of files can stay the same when the content doesn't, and the one object
// that is asked for again and again is tiny.
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
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path) // opening a pipe would block
	}
	f, err := os.Open(path)
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
