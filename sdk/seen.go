package sdk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-flags/serin/bundle"
)

// maxSeen limits how many files of what was seen are read. A process leaves one, and the
// next one to start and write replaces it.
const maxSeen = 64

// loadSeen makes v remember what the files in the folder have of what was seen. What is
// damaged adds nothing, and does no harm.
func (d *cache) loadSeen(v *bundle.Verifier) error {
	info, err := os.Stat(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return nil // the release couldn't be read either
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if isSeen(e.Name()) && len(names) < maxSeen {
			names = append(names, e.Name())
		}
	}
	// Twice, because one file may have the roots that another has lost.
	for range 2 {
		err, d.seen = nil, nil
		for _, name := range names {
			read, err1 := d.loadSeenFile(v, name)
			if read {
				d.seen = append(d.seen, name)
			}
			err = errors.Join(err, err1)
		}
	}
	return err
}

// loadSeenFile makes v remember what a file has. It reports whether it could read that:
// all of it, or what damage has left. A file of a later version of this package, or of
// another root, isn't for this process to remove.
func (d *cache) loadSeenFile(v *bundle.Verifier, name string) (read bool, err error) {
	data, err := readFile(filepath.Join(d.dir, name), bundle.MaxState)
	if err == nil {
		err = v.Remember(data)
		read = err == nil || seenName(data) != name
	}
	if err != nil {
		return read, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// seenName returns the name of the file with that content.
func seenName(data []byte) string {
	sum := sha256.Sum256(data)
	return seenPrefix + hex.EncodeToString(sum[:]) + seenSuffix
}

// saveSeen writes what v has verified beyond the release r, which the folder has, and
// reports whether there was anything; r may be nil. A file is named after its content
// and never changes. It replaces those that this process has read or written before,
// but none that another process has written since, so no version is ever lost.
func (d *cache) saveSeen(v *bundle.Verifier, r *bundle.Release) (any bool, err error) {
	data, err := v.Seen(r)
	if err != nil {
		return true, err
	}
	var keep []string
	if data != nil {
		if err := os.MkdirAll(d.dir, 0o700); err != nil {
			return true, err
		}
		name := seenName(data)
		if _, err := d.put(name, data); err != nil {
			return true, err
		}
		keep = []string{name}
	}
	for _, name := range d.seen {
		if !slices.Contains(keep, name) {
			os.Remove(filepath.Join(d.dir, name)) // if it stays, it does no harm
		}
	}
	d.seen = keep
	return data != nil, nil
}

func isSeen(name string) bool {
	sum, ok := strings.CutPrefix(name, seenPrefix)
	if !ok {
		return false
	}
	sum, ok = strings.CutSuffix(sum, seenSuffix)
	return ok && isSHA256(sum)
}
