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
	maxRoot      = 512 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 2_000_000
	maxTargets   = 5_000_000

	// MaxPayloads limits the total length of a release's payloads, in bytes.
	MaxPayloads = 64 << 20
	// MaxState limits the length of a state, in bytes: [Verifier.Restore]
	// accepts no more, and [Release.State] returns no more.
	MaxState = 32 << 20
)

// maxRotations limits how many newer roots one update follows. If there are more,
// the update continues with the last of these. If that makes a release, the next
// UpdateRoot follows further roots, and so does an Update if timestamp.json has
// changed.
const maxRotations = 256

// errUnchanged says that there is no newer timestamp.json.
var errUnchanged = errors.New("unchanged")

// A client is one run of the TUF client workflow.
type client struct {
	src Source
	// now is when the run began: expiry is judged by it, unless it is ignored.
	now          time.Time
	ignoreExpiry bool
}

// trusted is verified metadata. Each update works on its own copy, so that a
// failed update changes nothing.
type trusted struct {
	root      *rootMetadata
	chain     []*rootMetadata // the roots after the pinned one
	timestamp *timestampMetadata
	snapshot  *snapshotMetadata
	targets   *targetsMetadata
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
	return &Error{Expired, name, fmt.Errorf("version %d expired at %s", h.version, h.expires.Format(time.RFC3339))}
}

// updateRoot follows the chain of roots to its end (TUF 5.3) and reports
// whether there was a newer one.
func (c client) updateRoot(ctx context.Context, t *trusted) (bool, error) {
	before := t.root
	for range maxRotations {
		name := fmt.Sprintf("%d.root.json", t.root.version+1)
		obj, err := c.fetch(ctx, name, "", maxRoot)
		if class, _ := ClassOf(err); class == NotFound {
			break
		}
		if err != nil {
			return false, err
		}
		next, err := nextRoot(name, obj.Data, t.root)
		if err != nil {
			return false, err
		}
		t.root = next
		// Clipped, because the release before has the same chain.
		t.chain = append(t.chain[:len(t.chain):len(t.chain)], next)
	}
	if t.root != before {
		t.forget()
	}
	return t.root != before, nil
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
		return nil, &Error{Malformed, name, fmt.Errorf("environment %q instead of %q", next.environment, root.environment)}
	}
	return next, nil
}

// forget drops metadata that no key of the new root signed, and its versions with
// it, so that a thief who signed version 2^53 with a stolen key hasn't stopped
// updates for good (TUF 5.3.11).
func (t *trusted) forget() {
	vouched := func(h header, role string) bool {
		_, err := verified("", h.raw, t.root, role)
		return err == nil
	}
	if t.timestamp != nil && !vouched(t.timestamp.header, roleTimestamp) {
		t.timestamp = nil
	}
	if t.snapshot != nil && !vouched(t.snapshot.header, roleSnapshot) {
		t.snapshot = nil
	}
	if t.targets != nil && !vouched(t.targets.header, roleTargets) {
		t.targets = nil
	}
}

// updateTimestamp verifies raw as the next timestamp.json (TUF 5.4). If its version
// is that of the trusted one, the trusted one stays, and the error is errUnchanged,
// unless the root was rotated: its keys may not have signed what is listed.
func (c client) updateTimestamp(t *trusted, raw []byte, rotated bool) error {
	const name = "timestamp.json"
	if err := c.checkExpiry(fmt.Sprintf("%d.root.json", t.root.version), t.root.header); err != nil {
		return err
	}
	e, err := verified(name, raw, t.root, roleTimestamp)
	if err != nil {
		return err
	}
	next, err := parseTimestamp(e)
	if err != nil {
		return &Error{Malformed, name, err}
	}
	if old := t.timestamp; old != nil {
		if next.version < old.version {
			return &Error{Rollback, name, fmt.Errorf("version %d after %d", next.version, old.version)}
		}
		if next.version == old.version {
			if rotated {
				return c.checkExpiry(name, old.header)
			}
			return errUnchanged
		}
		if next.snapshot.version < old.snapshot.version {
			return &Error{Rollback, name, fmt.Errorf("snapshot %d after %d", next.snapshot.version, old.snapshot.version)}
		}
	}
	t.timestamp = next
	return c.checkExpiry(name, next.header)
}

// updateSnapshot makes t.snapshot the one that t.timestamp lists (TUF 5.5).
func (c client) updateSnapshot(ctx context.Context, t *trusted) error {
	l := t.timestamp.snapshot
	name := fmt.Sprintf("%d.snapshot.json", l.version)
	old := t.snapshot
	if old == nil || old.version != l.version || l.check(old.raw) != nil {
		raw, err := c.fetchListed(ctx, name, l, maxSnapshot)
		if err != nil {
			return err
		}
		e, err := verified(name, raw, t.root, roleSnapshot)
		if err != nil {
			return err
		}
		if t.snapshot, err = parseSnapshot(e); err != nil {
			return &Error{Malformed, name, err}
		}
	}
	if err := checkVersion(name, t.snapshot.header, l.version); err != nil {
		return err
	}
	if old != nil {
		for file, was := range old.meta {
			// A file that is gone has version 0.
			if is := t.snapshot.meta[file]; is.version < was.version {
				return &Error{Rollback, name, fmt.Errorf("%s %d after %d", file, is.version, was.version)}
			}
		}
	}
	return c.checkExpiry(name, t.snapshot.header)
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
		e, err := verified(name, raw, t.root, roleTargets)
		if err != nil {
			return err
		}
		if t.targets, err = parseTargets(e); err != nil {
			return &Error{Malformed, name, err}
		}
	}
	if err := checkVersion(name, t.targets.header, l.version); err != nil {
		return err
	}
	if t.targets.version < minRevision {
		return &Error{Rollback, name, fmt.Errorf("revision %d, but %d is the least accepted", t.targets.version, minRevision)}
	}
	return c.checkExpiry(name, t.targets.header)
}
