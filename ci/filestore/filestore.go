// Package filestore publishes to a folder, such as one that a web server serves.
package filestore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/regular"
)

const (
	// lockName is the file whose lock is held while an object is replaced.
	lockName = ".serin.lock"
	// tempPrefix and tempSuffix are of the files that become objects.
	tempPrefix, tempSuffix = ".serin-", ".tmp"
	// lockPoll is the pause between attempts to take a lock that another
	// publisher holds. Locks are held for a few disk writes.
	lockPoll = 5 * time.Millisecond
)

// store is a [release.Store] over a folder. An entity tag is the hash of the content.
type store struct{ dir string }

var _ release.ListStore = store{}

// New returns a [release.ListStore] over the folder dir, which the first write creates if it
// doesn't exist. Writes are atomic and survive a crash of the machine. No name, and no
// symbolic link, leads out of dir.
//
// Several processes may write at once if the file system has hard links and locks, as
// all local ones of Unix and Windows do. Files in dir whose names start with a dot
// belong to the store.
func New(dir string) release.ListStore { return store{dir} }

// Get implements [release.Store].
func (s store) Get(_ context.Context, name string, limit int64) (data []byte, etag string, err error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	return read(root, name, limit)
}

func read(root *os.Root, name string, limit int64) (data []byte, etag string, err error) {
	file, err := regular.OpenIn(root, filepath.FromSlash(name))
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	data, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, "", err
	}
	if int64(len(data)) > limit {
		return nil, "", fmt.Errorf("reading %s: %w: more than %d bytes", name, bundle.ErrTooLarge, limit)
	}
	return data, tag(sha256.Sum256(data)), nil
}

// tag spells a hash as an HTTP entity tag.
func tag(hash [sha256.Size]byte) string { return fmt.Sprintf("%q", fmt.Sprintf("%x", hash)) }

// Put implements [release.Store].
func (s store) Put(ctx context.Context, name string, data []byte, opts release.PutOptions) error {
	if err := s.put(ctx, name, data, opts); err != nil {
		return fmt.Errorf("in folder %s: %w", s.dir, err)
	}
	return nil
}

func (s store) put(ctx context.Context, name string, data []byte, opts release.PutOptions) error {
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	folder := path.Dir(name)
	if err := root.MkdirAll(filepath.FromSlash(folder), 0o777); err != nil {
		return err
	}
	sweep(root, folder)
	temp := filepath.FromSlash(path.Join(folder, tempPrefix+rand.Text()+tempSuffix))
	if err := writeSynced(root, temp, data); err != nil {
		return err
	}
	defer root.Remove(temp) // fails if temp was renamed; what is left over is swept up later
	if opts.IfNoneMatch {
		err = create(root, temp, name)
	} else {
		err = replace(ctx, root, temp, name, opts.IfMatch)
	}
	if err != nil {
		return err
	}
	return syncFolders(root, folder)
}

// abandoned is the age of a temporary file whose writer is no longer alive. A write takes
// seconds.
const abandoned = time.Hour

// sweep removes the temporary files in a folder that writers left behind when they were
// killed. Failing to do so does no harm.
func sweep(root *os.Root, folder string) {
	entries, err := fs.ReadDir(root.FS(), folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !isTemporary(entry) || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = root.Remove(filepath.FromSlash(path.Join(folder, entry.Name())))
		}
	}
}

// List implements [release.ListStore].
func (s store) List(ctx context.Context, f func(release.Listed) error) error {
	root, err := os.OpenRoot(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no write has created it yet
	}
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		temporary := isTemporary(entry)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			return nil
		case err != nil:
			return err
		case !entry.Type().IsRegular(), entry.Name()[0] == '.' && !temporary:
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return f(release.Listed{Name: name, Modified: info.ModTime(), Size: info.Size(), Temporary: temporary})
	})
}

// isTemporary reports whether a put may have made this file and not renamed it yet.
func isTemporary(entry fs.DirEntry) bool {
	return entry != nil && strings.HasPrefix(entry.Name(), tempPrefix) && strings.HasSuffix(entry.Name(), tempSuffix)
}

// Modified implements [release.ListStore].
func (s store) Modified(_ context.Context, name string) (time.Time, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return time.Time{}, err
	}
	defer root.Close()
	info, err := root.Lstat(filepath.FromSlash(name))
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// Remove implements [release.ListStore]. Folders stay.
func (s store) Remove(_ context.Context, name string) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(filepath.FromSlash(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// create links the file temp to name. Unlike a rename, this fails if name exists.
func create(root *os.Root, temp, name string) error {
	err := root.Link(temp, filepath.FromSlash(name))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s exists already", release.ErrConflict, name)
	}
	return err
}

// replace renames the file temp to name, on the condition that the file there has
// the entity tag etag, unless that is empty.
func replace(ctx context.Context, root *os.Root, temp, name, etag string) error {
	unlock, err := lock(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	if etag != "" {
		found, err := hash(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s is gone", release.ErrConflict, name)
		}
		if err != nil {
			return err
		}
		if found != etag {
			return fmt.Errorf("%w: %s was changed", release.ErrConflict, name)
		}
	}
	return root.Rename(temp, filepath.FromSlash(name))
}

// hash returns the entity tag of the file called name, whatever its length.
func hash(root *os.Root, name string) (etag string, err error) {
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return tag([sha256.Size]byte(h.Sum(nil))), nil
}

func writeSynced(root *os.Root, name string, data []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		root.Remove(name) // the first error is the one to report
	}
	return err
}

// syncFolders flushes the entries of folder, and of those above it, to the disk.
func syncFolders(root *os.Root, folder string) error {
	if runtime.GOOS == "windows" {
		return nil // folders can't be synced there
	}
	for ; ; folder = path.Dir(folder) {
		file, err := root.Open(filepath.FromSlash(folder))
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
		if folder == "." {
			return nil
		}
	}
}

// lock waits until it holds the lock of root. The operating system releases the lock
// if the process dies.
func lock(ctx context.Context, root *os.Root) (unlock func(), err error) {
	file, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		locked, err := tryLock(file)
		if locked {
			return func() { file.Close() }, nil
		}
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("locking %s: %w", file.Name(), err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}
