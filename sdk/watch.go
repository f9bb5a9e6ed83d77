package sdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// watchSettle is how long to wait for further changes before reporting
	// one: publishers write several files.
	watchSettle = 50 * time.Millisecond

	maxLinks    = 40 // symbolic links followed on one path, as in the kernel
	maxAttempts = 10
)

// Watch implements [Watcher].
func (s *fileSource) Watch(ctx context.Context, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", s.dir, err)
	}
	defer w.Close()
	path := filepath.Join(s.dir, "timestamp.json")
	names, err := arm(w, path)
	if err != nil {
		return fmt.Errorf("watching %s: %w", s.dir, err)
	}
	changed()
	settle := time.NewTimer(time.Hour)
	settle.Stop()
	defer settle.Stop()
	pending := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watching %s: %w", s.dir, err)
			}
			settle.Reset(watchSettle)
		case e := <-w.Events:
			if names[e.Name] && !pending {
				settle.Reset(watchSettle)
				pending = true
			}
		case <-settle.C:
			pending = false
			// Links on the path may have changed.
			if names, err = arm(w, path); err != nil {
				return fmt.Errorf("watching %s: %w", s.dir, err)
			}
			changed()
		}
	}
}

// arm makes w watch every folder where a change can affect what path leads to. It
// returns the names in them that matter.
func arm(w *fsnotify.Watcher, path string) (names map[string]bool, err error) {
	for range maxAttempts {
		folders, names, err := trail(path)
		if err != nil {
			return nil, err
		}
		err = rewatch(w, folders)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a folder was removed in the meantime
		}
		if err != nil {
			return nil, err
		}
		// Changes before the watches were set went unnoticed: look again.
		if now, _, err := trail(path); err == nil && maps.Equal(now, folders) {
			return names, nil
		}
	}
	return nil, errors.New("folders keep changing")
}

// rewatch makes w watch exactly these folders. A watch belongs to a folder, not to its
// name: if the folder was replaced by another of the same name, it needs a new watch.
func rewatch(w *fsnotify.Watcher, folders map[string]bool) error {
	for _, old := range w.WatchList() {
		if err := w.Remove(old); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
			return err
		}
	}
	for folder := range folders {
		if err := w.Add(folder); err != nil {
			return err
		}
	}
	return nil
}

// trail follows a path like the kernel does. It returns every name on it and the
// folders to watch: those that contain a symbolic link on the path, and the one that
// contains its end, or would contain the first missing part of it.
func trail(path string) (folders, names map[string]bool, err error) {
	folders, names = make(map[string]bool), make(map[string]bool)
	volume := filepath.VolumeName(path)
	root := volume + string(filepath.Separator)
	rest := split(path[len(volume):])
	links := 0
	for at := root; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		names[next] = true
		info, err := os.Lstat(next)
		if err != nil {
			folders[at] = true
			return folders, names, nil
		}
		if len(rest) == 0 {
			folders[at] = true
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = next
			continue
		}
		folders[at] = true
		if links++; links > maxLinks {
			return nil, nil, fmt.Errorf("more than %d symbolic links in %s", maxLinks, path)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return nil, nil, err
		}
		if filepath.IsAbs(target) {
			at = root
			target = target[len(filepath.VolumeName(target)):]
		}
		rest = append(split(target), rest...)
	}
	return folders, names, nil
}

// split returns the parts of a path.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == filepath.Separator })
}
