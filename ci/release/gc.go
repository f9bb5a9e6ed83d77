package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

const (
	// MinKeep is the shortest [GCOptions.Keep]. Publications, polls and pauses of
	// clients must be over by then.
	MinKeep = 24 * time.Hour
	// keepMetadata is how long metadata is kept at least. If somebody restores a
	// timestamp.json that hasn't expired, publishers can continue it, with versions
	// above all that came after it, because these are still there.
	keepMetadata = TimestampLifetime + 24*time.Hour
	// maxBatch is the total length of the payloads, in bytes, that are removed before
	// the published state is verified. They are held in memory.
	maxBatch = bundle.MaxPayloads
)

// A ListStore is a [Store] whose objects can be listed and removed, as [GC] needs it.
// Package filestore has one.
type ListStore interface {
	Store
	// List calls f for each object, in any order, until f returns an error, which
	// List returns. It may or may not list objects that are put or removed
	// meanwhile.
	List(ctx context.Context, f func(Listed) error) error
	// Modified returns when an object was put last, by the store's clock. If there is
	// no such object, its error wraps [fs.ErrNotExist].
	Modified(ctx context.Context, name string) (time.Time, error)
	// Remove removes an object. A missing one is not an error.
	Remove(ctx context.Context, name string) error
}

// A Listed is an object as [ListStore.List] finds it.
type Listed struct {
	Name     string
	Modified time.Time // when it was put last
	Size     int64     // in bytes
	// Temporary reports that this is no object, but something that a put of the store
	// left behind when it was interrupted.
	Temporary bool
}

// GCOptions specify what [GC] removes.
type GCOptions struct {
	Store ListStore // required
	Root  []byte    // required: the pinned root.json
	// Keep is how far back rollbacks must be possible, and how old an object must be
	// to be removed. It is at least [MinKeep].
	Keep time.Duration
	// DryRun does everything except removing.
	DryRun bool
	// Now is the clock. If it is nil, [time.Now] is used.
	Now func() time.Time
}

// A GCReport says what [GC] removed or, in a dry run, would have.
type GCReport struct {
	Environment string
	// Revision is the published revision, and Oldest the oldest one to which Keep
	// allows a rollback.
	Revision, Oldest int64
	// Removed are the names of the removed objects, in order, and Bytes is their
	// total length. Temporary is how many of them were left by interrupted puts.
	Removed   []string
	Bytes     int64
	Temporary int
	// Restored are the names of payloads that were removed while a publication began
	// to refer to them, and then put back.
	Restored []string
}

// GC removes objects that nothing refers to: targets metadata with numbers between two
// revisions of the history, which publishers left behind, snapshots older than the
// published one, and payloads to which no revision refers that was published at some
// time in the last Keep, nor any signed revision that is newer than what is published.
// It removes only objects that are older than Keep and, for metadata, older than 8
// days. It never removes roots, timestamp.json, revisions of the history, anything
// with a version above the published one, or objects whose names it doesn't know.
//
// It first verifies what is published from the pinned root, and then the history. It
// removes nothing if either fails, or if the history is broken within the last Keep.
//
// Publishers may be at work at the same time. They put payloads again before they
// refer to them, and GC looks at the age of an object right before it removes it. The
// rest of a race is resolved afterwards: GC puts back payloads that a publication
// refers to by then, and publishers look whether theirs are still there.
//
// After an error, GC can be called again.
func GC(ctx context.Context, opts GCOptions) (GCReport, error) {
	c, err := newCollector(opts)
	if err == nil {
		err = c.run(ctx)
	}
	if err != nil {
		return GCReport{}, fmt.Errorf("removing unused objects: %w", err)
	}
	return c.report, nil
}

// A collector is one call of [GC].
type collector struct {
	GCOptions
	verifier *bundle.Verifier
	report   GCReport
	cutoff   time.Time // what was put before is old

	snapshot int64 // the version of the published snapshot
	// linked are the revisions of the history, as far back as it goes, and lowest is
	// the last of them.
	linked map[int64]bool
	lowest int64
	live   map[string]bool // names of payloads to keep
	// backup holds the payloads that were removed since the last verification.
	backup      map[string][]byte
	backupBytes int64
}

func newCollector(opts GCOptions) (*collector, error) {
	switch {
	case opts.Store == nil:
		return nil, errors.New("a store is required")
	case opts.Keep < MinKeep:
		return nil, fmt.Errorf("keeping objects for %v is too short: the minimum is %v", opts.Keep, MinKeep)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: opts.Root})
	if err != nil {
		return nil, fmt.Errorf("reading the pinned root: %w", err)
	}
	return &collector{
		GCOptions: opts, verifier: verifier, cutoff: opts.Now().Add(-opts.Keep),
		linked: make(map[int64]bool), live: make(map[string]bool), backup: make(map[string][]byte),
	}, nil
}

func (c *collector) run(ctx context.Context) error {
	release, err := c.verifier.Update(ctx, &source{store: c.Store}, nil, c.Now())
	if err != nil {
		return fmt.Errorf("verifying what is published: %w", err)
	}
	c.report.Environment, c.report.Revision = release.Environment(), release.Revision()
	c.snapshot = release.Versions().Snapshot.Version
	if err := c.mark(ctx, release); err != nil {
		return err
	}
	var unused []Listed
	err = c.Store.List(ctx, func(object Listed) error {
		if c.unused(object) {
			unused = append(unused, object)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the objects: %w", err)
	}
	slices.SortFunc(unused, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	for _, object := range unused {
		if err := c.remove(ctx, object); err != nil {
			return errors.Join(err, c.restore(ctx))
		}
		if c.backupBytes >= maxBatch {
			if err := c.restore(ctx); err != nil {
				return err
			}
		}
	}
	return c.restore(ctx)
}

// mark follows the history and finds what must be kept.
func (c *collector) mark(ctx context.Context, release *bundle.Release) error {
	root, err := parseRoot(release.Metadata().Root)
	if err != nil {
		return err
	}
	history, err := newChain(&source{store: c.Store}, release, root.Metadata)
	if err != nil {
		return err
	}
	if err := c.markNewer(ctx, history); err != nil {
		return err
	}
	for recent := true; ; {
		at := history.at
		c.linked[at.revision], c.lowest = true, at.revision
		if recent {
			c.report.Oldest = at.revision
			c.keep(at)
			// The revision before this one was published until then, give or take
			// the fraction of a second that provenance leaves out.
			made := at.provenance.Time
			recent = made.IsZero() || !made.Before(c.cutoff.Truncate(time.Second))
		}
		err := history.back(ctx)
		var broken *brokenLink
		switch {
		case errors.Is(err, errFirst):
			return nil
		case errors.As(err, &broken) && !recent:
			return nil // nothing before is known, or touched
		case errors.As(err, &broken):
			return fmt.Errorf("the history is broken, so it isn't known what rollbacks need: %w", err)
		case err != nil:
			return err
		}
	}
}

// markNewer keeps what signed revisions above the published one refer to: if somebody
// restored an old timestamp.json, these were published.
func (c *collector) markNewer(ctx context.Context, history *chain) error {
	return c.Store.List(ctx, func(object Listed) error {
		version, ok := versionOf(object.Name, metadata.TARGETS)
		if !ok || version <= c.report.Revision {
			return nil
		}
		raw, err := history.fetch(ctx, version, maxTargets)
		switch {
		case errors.Is(err, bundle.ErrNotFound), errors.Is(err, bundle.ErrTooLarge):
			return nil
		case err != nil:
			return err
		}
		signed, err := signedPart(history.root, metadata.TARGETS, raw)
		if err != nil {
			return nil // anybody could have put it there
		}
		if r, err := newRecord(version, signed); err == nil {
			c.keep(r)
		}
		return nil
	})
}

// keep keeps the payloads and lists of a revision.
func (c *collector) keep(r record) {
	for namespace, hash := range r.payloads() {
		c.live[payloadName(namespace, hash)] = true
	}
	for _, hash := range r.lists() {
		c.live[bundle.ListObject(hash)] = true
	}
	for name, target := range furtherOf(&r.targets.Signed) {
		c.live[furtherName(name, hashOf(target))] = true
	}
}

// unused reports whether an object is old and nothing refers to it.
func (c *collector) unused(object Listed) bool {
	if !object.Modified.Before(c.cutoff) {
		return false
	}
	if object.Temporary || isPayload(object.Name) {
		return !c.live[object.Name]
	}
	if !object.Modified.Before(c.Now().Add(-keepMetadata)) {
		return false
	}
	if version, ok := versionOf(object.Name, metadata.SNAPSHOT); ok {
		return version < c.snapshot
	}
	version, ok := versionOf(object.Name, metadata.TARGETS)
	return ok && c.lowest < version && version < c.report.Revision && !c.linked[version]
}

// remove removes an object unless it was put again.
func (c *collector) remove(ctx context.Context, object Listed) error {
	var data []byte
	if isPayload(object.Name) && !c.DryRun {
		var err error
		data, _, err = c.Store.Get(ctx, object.Name, bundle.MaxPayloads)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, bundle.ErrTooLarge) {
			return fmt.Errorf("getting %s: %w", object.Name, err)
		}
	}
	modified, err := c.Store.Modified(ctx, object.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("asking for the age of %s: %w", object.Name, err)
	case !modified.Before(c.cutoff):
		return nil
	}
	if !c.DryRun {
		if data != nil {
			c.backup[object.Name] = data
			c.backupBytes += int64(len(data))
		}
		if err := c.Store.Remove(ctx, object.Name); err != nil {
			return fmt.Errorf("removing %s: %w", object.Name, err)
		}
	}
	c.report.Removed = append(c.report.Removed, object.Name)
	c.report.Bytes += object.Size
	if object.Temporary {
		c.report.Temporary++
	}
	return nil
}

// restore verifies what is published now, and puts back the payloads that it lacks.
func (c *collector) restore(ctx context.Context) error {
	if len(c.backup) == 0 {
		return nil
	}
	published := &source{store: c.Store, roots: c.backup}
	if _, err := c.verifier.Update(ctx, published, nil, c.Now()); err != nil {
		return fmt.Errorf("verifying what is published, after removing objects: %w", err)
	}
	for _, name := range published.lacking {
		err := c.Store.Put(ctx, name, c.backup[name], once(typePayload))
		if err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("putting back %s, which a publication needs: %w", name, err)
		}
		c.report.Restored = append(c.report.Restored, name)
	}
	clear(c.backup)
	c.backupBytes = 0
	return nil
}

// versionOf returns the version in the name of a role's metadata.
func versionOf(name, role string) (version int64, ok bool) {
	digits, ok := strings.CutSuffix(name, "."+role+".json")
	if !ok {
		return 0, false
	}
	version, err := strconv.ParseInt(digits, 10, 64)
	return version, err == nil && version > 0 && versionedName(version, role) == name
}

// isPayload reports whether a payload, a list or a further file can have this name.
func isPayload(name string) bool {
	folder, ok := strings.CutPrefix(path.Dir(name), "targets/")
	digits, base, _ := strings.Cut(path.Base(name), ".")
	hash, err := hex.DecodeString(digits)
	if err != nil || len(hash) != sha256.Size {
		return false
	}
	if isFurther(base) && name == furtherName(base, digits) {
		return true
	}
	if !ok {
		return false
	}
	if _, isList := bundle.ListOf(path.Join(folder, base)); isList {
		return bundle.ListObject(digits) == name
	}
	return bundle.ValidNamespace(folder) && payloadName(folder, digits) == name
}
