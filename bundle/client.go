package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits on the length of objects, in bytes. Those of root, snapshot and targets
// are the ones of other TUF clients, so that none refuses what another accepts. A
// target takes about 200 bytes.
const (
	// MaxRoot limits the length of a root, in bytes.
	MaxRoot      = 512 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 2_000_000
	maxTargets   = 5_000_000

	// MaxPayloads limits the total length of a release's payloads, in bytes.
	MaxPayloads = 64 << 20
	// MaxState limits the length of a state, in bytes: [Verifier.Restore]
	// accepts no more, and [Release.State] returns no more.
	MaxState = 32 << 20
)

const (
	// maxRotations limits how many newer roots one update follows. If there are more,
	// the update continues with the last of these, and so does the next one: the
	// verifier remembers them even if the update fails.
	maxRotations = 256
	// maxHistory is maxRotations for updates that can't count on a next one: those of
	// UpdateIgnoreExpiry and of Restore.
	maxHistory = 1 << 16
)

// errUnchanged says that there is no newer timestamp.json.
var errUnchanged = errors.New("unchanged")

// A client is one run of the TUF client workflow.
type client struct {
	src Source
	// now is when the run began: expiry is judged by it, unless it is ignored.
	now          time.Time
	ignoreExpiry bool
}

// fetch reads an object. Its errors are of type *[Error].
func (c client) fetch(ctx context.Context, name, etag string, limit int64) (Object, error) {
	obj, err := c.src.Fetch(ctx, name, etag, limit)
	if err == nil && int64(len(obj.Data)) > limit {
		err = ErrTooLarge
	}
	if err == nil {
		return obj, nil
	}
	class := Network
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, ErrNotFound):
		class = NotFound
	case errors.Is(err, ErrTooLarge):
		class = Malformed
	}
	return Object{}, &Error{class, name, err}
}

// fetchListed reads the object that l lists, and checks its length and hashes.
func (c client) fetchListed(ctx context.Context, name string, l listing, limit int64) ([]byte, error) {
	if l.length > limit {
		return nil, &Error{Malformed, name, ErrTooLarge}
	}
	if l.length > 0 {
		limit = l.length
	}
	obj, err := c.fetch(ctx, name, "", limit)
	if err != nil {
		if l.length > 0 && errors.Is(err, ErrTooLarge) {
			return nil, &Error{Signature, name, fmt.Errorf("more than the %d bytes listed", l.length)}
		}
		return nil, err
	}
	if err := l.check(obj.Data); err != nil {
		return nil, &Error{Signature, name, err}
	}
	return obj.Data, nil
}

// poll reads timestamp.json. If that of last, which may be nil, is still the
// newest, the error is errUnchanged.
func (c client) poll(ctx context.Context, last *Release) (Object, error) {
	if last == nil {
		return c.fetch(ctx, "timestamp.json", "", maxTimestamp)
	}
	obj, err := c.fetch(ctx, "timestamp.json", last.etag, maxTimestamp)
	if last.etag != "" && errors.Is(err, ErrNotModified) || err == nil && bytes.Equal(obj.Data, last.timestamp.raw) {
		return Object{}, errUnchanged
	}
	return obj, err
}

// verified opens metadata and checks that a threshold of the role's keys, as
// root lists them, signed it.
func verified(name string, raw []byte, root *rootMetadata, role string) (envelope, error) {
	e, err := open(raw)
	if err != nil {
		return envelope{}, &Error{Malformed, name, err}
	}
	if err := root.roles[role].verify(e); err != nil {
		return envelope{}, &Error{Signature, name, err}
	}
	return e, nil
}

// openAs is verified, and then parses the metadata.
func openAs[M any](
	name string, raw []byte, root *rootMetadata, role string, parse func(envelope) (M, error),
) (M, error) {
	var none M
	e, err := verified(name, raw, root, role)
	if err != nil {
		return none, err
	}
	m, err := parse(e)
	if err != nil {
		return none, &Error{Malformed, name, err}
	}
	return m, nil
}

// checkVersion checks that the version of an object is want.
func checkVersion(name string, h header, want int64) error {
	if h.version < want {
		return &Error{Rollback, name, fmt.Errorf("version %d instead of %d", h.version, want)}
	}
	if h.version > want {
		return &Error{Malformed, name, fmt.Errorf("version %d instead of %d", h.version, want)}
	}
	return nil
}

func (c client) checkExpiry(name string, h header) error {
	if c.ignoreExpiry || h.expires.After(c.now) {
		return nil
	}
	return &Error{Expired, name, fmt.Errorf("version %d expired at %s; this machine's clock says %s: it must be "+
		"renewed, or the clock corrected",
		h.version, h.expires.Format(time.RFC3339), c.now.UTC().Format(time.RFC3339))}
}

// updateRoot follows the chain of roots to its end (TUF 5.3). If it fails, t has got
// as far as the chain is good.
func (c client) updateRoot(ctx context.Context, t *trusted) error {
	before := t.root
	defer func() {
		if t.root != before {
			t.forget()
		}
	}()
	limit := maxRotations
	if c.ignoreExpiry {
		limit = maxHistory
	}
	for range limit {
		name := fmt.Sprintf("%d.root.json", t.root.version+1)
		obj, err := c.fetch(ctx, name, "", MaxRoot)
		if class, _ := ClassOf(err); class == NotFound {
			break
		}
		if err != nil {
			return err
		}
		next, err := nextRoot(name, obj.Data, t.root)
		if err != nil {
			return err
		}
		t.root = next
		// Clipped, because a release may have the same chain.
		t.chain = append(t.chain[:len(t.chain):len(t.chain)], next)
	}
	return nil
}

// nextRoot verifies the root that follows root.
func nextRoot(name string, raw []byte, root *rootMetadata) (*rootMetadata, error) {
	e, err := verified(name, raw, root, roleRoot)
	if err != nil {
		return nil, err
	}
	next, err := parseRoot(e)
	if err != nil {
		return nil, &Error{Malformed, name, err}
	}
	if err := next.roles[roleRoot].verify(e); err != nil {
		return nil, &Error{Signature, name, fmt.Errorf("by its own keys: %w", err)}
	}
	if err := checkVersion(name, next.header, root.version+1); err != nil {
		return nil, err
	}
	if next.environment != root.environment {
		return nil, &Error{Malformed, name,
			fmt.Errorf("environment %q instead of %q", next.environment, root.environment)}
	}
	return next, nil
}

// updateTimestamp verifies raw as the next timestamp.json (TUF 5.4). If it is the
// trusted one, that stays. Like the steps after it, it trusts metadata before it looks
// at its expiry: expired metadata isn't used, but what is older isn't accepted any more.
func (c client) updateTimestamp(t *trusted, raw []byte) error {
	const name = "timestamp.json"
	if err := c.checkExpiry(fmt.Sprintf("%d.root.json", t.root.version), t.root.header); err != nil {
		return err
	}
	next, err := openAs(name, raw, t.root, roleTimestamp, parseTimestamp)
	if err != nil {
		return err
	}
	if old := t.timestamp; old != nil {
		if next.version < old.version {
			return &Error{Rollback, name, fmt.Errorf("version %d after %d", next.version, old.version)}
		}
		if err := checkConflict(name, next.header, old.header); err != nil {
			return err
		}
		if next.snapshot.version < old.snapshot.version {
			return &Error{Rollback, name,
				fmt.Errorf("snapshot %d after %d", next.snapshot.version, old.snapshot.version)}
		}
		if next.version == old.version {
			next = old
		}
	}
	t.timestamp = next
	return c.checkExpiry(name, next.header)
}

// checkConflict checks that next isn't another file of the version of old.
func checkConflict(name string, next, old header) error {
	if next.version == old.version && next.content != old.content {
		return &Error{Conflict, name, fmt.Errorf("another file was signed as version %d before", old.version)}
	}
	return nil
}

// updateSnapshot makes t.snapshot the one that t.timestamp lists (TUF 5.5).
func (c client) updateSnapshot(ctx context.Context, t *trusted) error {
	l := t.timestamp.snapshot
	name := fmt.Sprintf("%d.snapshot.json", l.version)
	if old := t.snapshot; old == nil || old.version != l.version || l.check(old.raw) != nil {
		raw, err := c.fetchListed(ctx, name, l, maxSnapshot)
		if err != nil {
			return err
		}
		next, err := openAs(name, raw, t.root, roleSnapshot, parseSnapshot)
		if err != nil {
			return err
		}
		if err := checkVersion(name, next.header, l.version); err != nil {
			return err
		}
		if old != nil {
			if err := checkSnapshot(name, next, old); err != nil {
				return err
			}
		}
		t.snapshot = next
	}
	return c.checkExpiry(name, t.snapshot.header)
}

// checkSnapshot checks that next may follow old.
func checkSnapshot(name string, next, old *snapshotMetadata) error {
	if err := checkConflict(name, next.header, old.header); err != nil {
		return err
	}
	for file, was := range old.meta {
		// A file that is gone has version 0.
		if is := next.meta[file]; is.version < was.version {
			return &Error{Rollback, name, fmt.Errorf("%s %d after %d", file, is.version, was.version)}
		}
	}
	return nil
}

// updateTargets makes t.targets the one that t.snapshot lists (TUF 5.6).
func (c client) updateTargets(ctx context.Context, t *trusted, minRevision int64) error {
	l := t.snapshot.meta["targets.json"]
	name := fmt.Sprintf("%d.targets.json", l.version)
	if old := t.targets; old == nil || old.version != l.version || l.check(old.raw) != nil {
		raw, err := c.fetchListed(ctx, name, l, maxTargets)
		if err != nil {
			return err
		}
		next, err := openAs(name, raw, t.root, roleTargets, parseTargets)
		if err != nil {
			return err
		}
		if err := checkVersion(name, next.header, l.version); err != nil {
			return err
		}
		if old != nil {
			if err := checkConflict(name, next.header, old.header); err != nil {
				return err
			}
		}
		t.targets = next
	}
	if t.targets.version < minRevision {
		return &Error{Rollback, name, fmt.Errorf("revision %d, but MinRevision is %d: publish a newer one, or lower "+
			"MinRevision",
			t.targets.version, minRevision)}
	}
	return c.checkExpiry(name, t.targets.header)
}
