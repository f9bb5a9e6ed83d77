package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
)

// A Copy is everything a client needs to get from a pinned root to one release.
// Programs ship with one to have flags before they reach the source.
type Copy struct {
	Release   *bundle.Release
	confirmed time.Time         // when the source had nothing newer
	objects   map[string][]byte // by name in the source
}

// Pull downloads and verifies the namespaces that v asks for, as a client without a
// cache does.
func Pull(ctx context.Context, src bundle.Source, v *bundle.Verifier, now time.Time) (*Copy, error) {
	r := recorder{src, make(map[string][]byte)}
	release, err := v.Update(ctx, r, nil, now)
	if err != nil {
		return nil, err
	}
	return &Copy{release, now, r.objects}, nil
}

// A recorder is a source that keeps the objects it returns.
type recorder struct {
	bundle.Source
	objects map[string][]byte
}

func (r recorder) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	object, err := r.Source.Fetch(ctx, name, etag, limit)
	if err == nil {
		r.objects[name] = object.Data
	}
	return object, err
}

// CopyLabel is the name of the file that describes a copy on disk. [Copy.Write]
// replaces only folders that have it.
const CopyLabel = "baked.json"

// ErrNotCopy is wrapped by the error of [Copy.Write] if the folder holds anything
// but a copy.
var ErrNotCopy = errors.New("the folder holds something other than a copy")

// copyLabel is the content of the file CopyLabel.
type copyLabel struct {
	Environment string    `json:"environment"`
	Revision    int64     `json:"revision"`
	Expires     time.Time `json:"expires"`
	Confirmed   time.Time `json:"confirmed"` // when the source had nothing newer
	Namespaces  []string  `json:"namespaces"`
}

// Write replaces the folder dir with the copy. The folder must not exist yet, be
// empty, or hold only a copy. It is replaced as a whole, so that it never mixes two
// copies.
func (c *Copy) Write(dir string) error {
	if err := replaceable(dir); err != nil {
		return fmt.Errorf("writing copy to %s: %w", dir, err)
	}
	if err := c.replace(filepath.Clean(dir)); err != nil {
		return fmt.Errorf("writing copy to %s: %w", dir, err)
	}
	return nil
}

func (c *Copy) replace(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return err
	}
	sweepBaked(filepath.Dir(dir))
	// In the same file system, so that it can be renamed.
	temp, err := os.MkdirTemp(filepath.Dir(dir), bakePattern)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	fresh, old := filepath.Join(temp, "new"), filepath.Join(temp, "old")
	label := copyLabel{Environment: c.Release.Environment(), Revision: c.Release.Revision(),
		Expires:   c.Release.Expires(),
		Confirmed: c.confirmed.UTC().Truncate(time.Second), Namespaces: []string{}}
	for _, p := range c.Release.Payloads() {
		label.Namespaces = append(label.Namespaces, p.Namespace)
	}
	data, err := json.MarshalIndent(label, "", "  ")
	if err != nil {
		return err
	}
	if err := writeIn(fresh, CopyLabel, append(data, '\n')); err != nil {
		return err
	}
	for name, data := range c.objects {
		if err := writeIn(fresh, name, data); err != nil {
			return err
		}
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		_ = os.Rename(old, dir) // the old copy is better than none
		return err
	}
	return nil
}

// bakePattern is the pattern of the temporary folders of copies.
const bakePattern = ".serin-bake-*"

// sweepBaked removes the temporary folders that were left behind in a folder by processes
// that were killed. Failing to do so does no harm.
func sweepBaked(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if ours, _ := filepath.Match(bakePattern, entry.Name()); !ours || !entry.IsDir() {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(filepath.Join(dir, entry.Name()))
		}
	}
}

// writeIn writes a file below dir and creates the folders it needs.
func writeIn(dir, name string, data []byte) error {
	if !fs.ValidPath(name) { // not reached: bundle asks for no other names
		return fmt.Errorf("%q is not a valid name", name)
	}
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o666)
}

// replaceable returns an error if a folder holds anything but a copy.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == CopyLabel }) {
		return fmt.Errorf("%w: it has no %s", ErrNotCopy, CopyLabel)
	}
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && (name == "." || name == "targets" || strings.HasPrefix(name, "targets/")) {
			return err
		}
		if !e.Type().IsRegular() || !partOfCopy(name) {
			return fmt.Errorf("%w: %s", ErrNotCopy, name)
		}
		return nil
	})
}

// partOfCopy reports whether a file of that name may be part of a copy.
func partOfCopy(name string) bool {
	if strings.HasPrefix(name, "targets/") {
		return isPayload(name)
	}
	return name == CopyLabel || name == "timestamp.json" ||
		strings.HasSuffix(name, ".root.json") || strings.HasSuffix(name, ".snapshot.json") ||
		strings.HasSuffix(name, ".targets.json")
}
