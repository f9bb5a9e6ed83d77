package sdk

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
)

// A cache is a folder with the last good release: its metadata in state.json, each
// payload and list in a file named after its SHA-256, and when the source last confirmed it in
// confirmed.json. Every file is written under a temporary name, synced and renamed,
// state.json after the payloads. So the folder contains a complete release at any
// moment. What the client has verified beyond that release, in updates that failed, is
// in a file of its own: see saveSeen.
//
// Several processes may write. None of them replaces a newer release than its own: a
// source that lags behind must not undo what another client has seen. A process checks
// that before it writes. If two write at the same moment, the last one to rename
// state.json wins, and the other one sees that with its next poll. No process removes payloads that another may be about to refer to.
type cache struct {
	dir string
	// config is that of the client's verifier, which must not learn from what
	// other processes have seen while it runs: their sources may be ahead.
	config bundle.VerifierConfig
	// state is the state.json that this process has written, or has found to be newer
	// than its own; nil: none.
	state fs.FileInfo
	// seen are the names of the files of which the verifier remembers everything.
	seen []string
}

const (
	stateFile     = "state.json"
	confirmedFile = "confirmed.json"
	seenPrefix    = "seen-"
	seenSuffix    = ".json"
	payloadSuffix = ".payload"
	tempPrefix    = "serin-"
	tempSuffix    = ".tmp"

	maxConfirmation = 1 << 10 // bytes

	// cacheGrace is how long a file is kept that state.json doesn't refer to.
	// Another process needs far less time between writing a payload and the
	// state.json that refers to it.
	cacheGrace = time.Hour
)

// restore returns the state to start with: the newer one of the disk cache and the
// baked-in copy, either of which may be missing, or the empty state.
func (c *Client) restore(baked fs.FS) *state {
	s := &state{}
	if c.interval > 0 {
		s.next = time.Now()
	}
	if c.cache != nil {
		if problem := exposed(c.cache.dir); problem != "" {
			c.log.Warn("others can write to the disk cache: they can delete it, or hide what was seen before a restart",
				"folder", c.cache.dir, "reason", problem)
		}
		c.cache.sweep()
		err := errors.Join(c.startFrom(s, "disk cache", c.loadCache), c.recall(s))
		if err != nil {
			s.cacheErr = fmt.Errorf("reading disk cache: %w", err)
		}
	}
	if s.release != nil {
		s.saved = s.release
		s.confirmed = c.cache.confirmed(s.release)
	}
	if baked != nil {
		cached := s.release
		load := func() (*bundle.Release, error) { return c.loadBaked(baked) }
		if err := c.startFrom(s, "baked-in copy", load); err != nil {
			s.bakedErr = fmt.Errorf("reading baked-in copy: %w", err)
		}
		if s.release != cached {
			s.confirmed = time.Time{} // the age of a copy is unknown
		}
	}
	if !s.confirmed.IsZero() {
		c.record.confirmed.Store(&s.confirmed)
	}
	if s.snapshot != nil {
		c.log.Info("serving flags from the "+s.origin, "revision", s.snapshot.revision, "flags",
			s.snapshot.program.Len())
	}
	return s
}

// startFrom makes s serve the release that load returns, unless that is nil or isn't
// newer than what s has.
func (c *Client) startFrom(s *state, origin string, load func() (*bundle.Release, error)) error {
	err := c.guard(origin, func() error {
		release, err := load()
		if err != nil || release == nil || s.release != nil && !newer(release, s.release) {
			return err
		}
		snapshot, err := newSnapshot(release, nil, &c.record, c.guard)
		if err != nil {
			return err
		}
		s.snapshot, s.release, s.updated, s.origin = snapshot, release, wallClock(), origin
		return nil
	})
	if err != nil {
		s.count(err)
		c.log.Warn(origin+" not used", "error", err)
	}
	return err
}

// recall makes the verifier remember what the disk cache has of what was seen.
func (c *Client) recall(s *state) error {
	err := c.guard("disk cache", func() error { return c.cache.loadSeen(c.verifier) })
	if err != nil {
		s.count(err)
		c.log.Warn("part of the disk cache not used", "error", err)
	}
	return err
}

// count counts an error of a class.
func (s *state) count(err error) {
	if class, ok := bundle.ClassOf(err); ok {
		s.errors[class]++
	}
}

func (c *Client) loadCache() (*bundle.Release, error) { return c.cache.load(c.verifier) }

// loadBaked returns the release in a baked-in copy, which may have expired.
func (c *Client) loadBaked(copy fs.FS) (*bundle.Release, error) {
	// Without entity tags: those of a copy mean nothing to the source.
	release, err := c.verifier.UpdateIgnoreExpiry(c.ctx, fsSource{fsys: copy, untagged: true})
	var refused *bundle.Error
	if errors.As(err, &refused) && refused.Class == bundle.NotFound && refused.Object == "timestamp.json" {
		err = fmt.Errorf("%w; Config.Baked must be the folder that serin bake wrote: see fs.Sub", err)
	}
	return release, err
}

// load returns the release in the folder, nil if there is none.
func (d *cache) load(v *bundle.Verifier) (*bundle.Release, error) {
	if info, err := os.Stat(d.dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: set Config.CacheDir to a folder", d.dir)
	}
	data, err := readFile(filepath.Join(d.dir, stateFile), bundle.MaxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return v.Restore(data, func(sum string, length int64) ([]byte, error) {
		return readFile(filepath.Join(d.dir, sum+payloadSuffix), length)
	})
}

// store writes r to the folder, unless that has a newer release. confirmed is when the
// source last had nothing newer than r; zero: unknown.
func (d *cache) store(r *bundle.Release, confirmed time.Time) error {
	v, err := bundle.NewVerifier(d.config)
	if err != nil {
		return err
	}
	// Replace a release that can't be read or verified.
	found, _ := os.Stat(filepath.Join(d.dir, stateFile))
	if held, err := d.load(v); err == nil && held != nil && newer(held, r) {
		d.state = found
		return nil
	}
	state, err := r.State()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	keep := make(map[string]bool)
	for sum, data := range contents(r) {
		name := sum + payloadSuffix
		keep[name] = true
		if _, err := d.put(name, data); err != nil {
			return err
		}
	}
	if d.state, err = d.put(stateFile, state); err != nil {
		return err
	}
	d.confirm(r, confirmed)
	d.clean(keep)
	return nil
}

// contents returns the payloads and lists of a release, by SHA-256.
func contents(r *bundle.Release) map[string][]byte {
	all := make(map[string][]byte)
	for _, p := range r.Payloads() {
		all[p.SHA256] = p.Data
	}
	for sum, l := range r.Lists() {
		all[sum] = l.Data
	}
	return all
}

// A confirmation is the content of confirmed.json.
type confirmation struct {
	// The versions of the release that was confirmed. They say whether the file
	// belongs to state.json, which is written before it.
	Root      int64 `json:"root"`
	Timestamp int64 `json:"timestamp"`
	// Confirmed is when the source last had nothing newer; zero: unknown.
	Confirmed time.Time `json:"confirmed,omitzero"`
}

// confirm saves when the source last had nothing newer than r, for [Status].Age after
// a restart; zero: unknown. If that fails, r will seem older than it is. Confirm also
// touches the files, so that programs that remove old files leave them alone. It
// reports whether all files are there, and nobody has replaced state.json.
func (d *cache) confirm(r *bundle.Release, at time.Time) (whole bool) {
	v := r.Versions()
	if data, err := json.Marshal(confirmation{v.Root.Version, v.Timestamp.Version, at.UTC()}); err == nil {
		_, _ = d.replace(confirmedFile, data, false)
	}
	if at.IsZero() {
		at = time.Unix(0, 0)
	}
	// Clients built before confirmed.json existed may share the folder. They take
	// the time of state.json for it.
	state := filepath.Join(d.dir, stateFile)
	whole = !errors.Is(os.Chtimes(state, at, at), fs.ErrNotExist)
	if info, err := os.Stat(state); err == nil {
		whole = d.state != nil && os.SameFile(info, d.state) && info.Size() == d.state.Size()
	}
	now := time.Now()
	for sum := range contents(r) {
		if errors.Is(os.Chtimes(filepath.Join(d.dir, sum+payloadSuffix), now, now), fs.ErrNotExist) {
			whole = false
		}
	}
	return whole
}

// clockSlack is how far ahead a time on the disk may be: clocks of machines differ, and
// this one may have been set.
const clockSlack = time.Minute

// confirmed returns when the source last had nothing newer than r, which the folder
// holds; zero: unknown, also if that is in the future. Like everything on the disk
// it isn't trusted, but it can only make verified flags seem fresher or older.
func (d *cache) confirmed(r *bundle.Release) time.Time {
	at := d.readConfirmed(r)
	if time.Until(at) > clockSlack {
		return time.Time{}
	}
	return at
}

func (d *cache) readConfirmed(r *bundle.Release) time.Time {
	var saved confirmation
	v := r.Versions()
	data, err := readFile(filepath.Join(d.dir, confirmedFile), maxConfirmation)
	if err == nil && json.Unmarshal(data, &saved) == nil {
		if saved.Root == v.Root.Version && saved.Timestamp == v.Timestamp.Version {
			return saved.Confirmed
		}
	}
	// An older client has written state.json: see confirm.
	info, err := os.Stat(filepath.Join(d.dir, stateFile))
	if err != nil || info.ModTime().Unix() == 0 {
		return time.Time{}
	}
	return info.ModTime()
}

// newer reports whether a supersedes b. The root's version comes first, because a new
// root may restart the other numbers.
func newer(a, b *bundle.Release) bool {
	va, vb := a.Versions(), b.Versions()
	return cmp.Or(
		cmp.Compare(va.Root.Version, vb.Root.Version),
		cmp.Compare(va.Timestamp.Version, vb.Timestamp.Version),
	) > 0
}

// put makes data the content of the file called name, durably, and returns that file.
func (d *cache) put(name string, data []byte) (fs.FileInfo, error) {
	path := filepath.Join(d.dir, name)
	// Compare an existing file instead of trusting its name. The new time keeps
	// other processes from removing it.
	info, err := os.Stat(path)
	if old, err1 := readFile(path, int64(len(data))); err == nil && err1 == nil && bytes.Equal(old, data) {
		if now := time.Now(); os.Chtimes(path, now, now) == nil {
			return info, nil
		}
	}
	if info, err = d.replace(name, data, true); err != nil {
		return nil, err
	}
	return info, syncDir(d.dir)
}

// replace makes data the content of the file called name, atomically, and returns the new
// file. If sync is set, the content is on the disk before the name refers to it.
func (d *cache) replace(name string, data []byte, sync bool) (info fs.FileInfo, err error) {
	f, err := os.CreateTemp(d.dir, tempPrefix+"*"+tempSuffix)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	if err == nil {
		info, err = f.Stat()
	}
	if err1 := f.Close(); err == nil {
		err = err1
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(d.dir, name))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return info, err
}

// clean removes old payloads that nothing refers to any more, and files that killed
// writers left behind.
func (d *cache) clean(keep map[string]bool) {
	d.remove(func(name string) bool { return !keep[name] && (isPayload(name) || isTemporary(name)) })
}

// sweep removes the files that killed writers left behind. A client that starts does, so
// that they don't pile up while there is no new revision.
func (d *cache) sweep() { d.remove(isTemporary) }

// remove removes the old files with certain names. If it can't remove one, the next call
// tries again.
func (d *cache) remove(which func(name string) bool) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		if !which(name) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > cacheGrace {
			os.Remove(filepath.Join(d.dir, name))
		}
	}
}

// isPayload reports whether a file has the name of a payload. The folder may contain other
// files, too.
func isPayload(name string) bool {
	sum, ok := strings.CutSuffix(name, payloadSuffix)
	return ok && isSHA256(sum)
}

// isTemporary reports whether a file has the name of one of our temporary files.
func isTemporary(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

func isSHA256(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == sha256.Size
}

// syncDir makes renames in a folder durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // there is no such operation
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
