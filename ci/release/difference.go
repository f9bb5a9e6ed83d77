package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/serin-flags/serin/bundle"
)

// DifferenceOptions specify which revisions [ReadDifference] reads.
type DifferenceOptions struct {
	Source bundle.Source // required
	Root   []byte        // required: the pinned root.json
	// Old and New are the revisions, in any order. If New is 0, it is the newest one. If Old is 0,
	// it is the one before New.
	Old, New int64
	// Limit is how many revisions before the newest are read at most; 0 means all. Each takes a
	// request.
	Limit int
}

// A Difference is the flags of two revisions, without the namespaces that are the same in both.
type Difference struct {
	Environment string
	Old, New    Published // without Files
}

// Decode returns the payloads, sorted by namespace.
func (d Difference) Decode() (old, new []bundle.Payload, err error) {
	if old, err = d.Old.Decode(); err == nil {
		new, err = d.New.Decode()
	}
	if err != nil {
		return nil, nil, err
	}
	for _, p := range slices.Concat(old, new) {
		if p.Environment != d.Environment {
			return nil, nil, fmt.Errorf("the flags of %s are of environment %q, not %q", p.Namespace, p.Environment,
				d.Environment)
		}
	}
	return old, new, nil
}

// A RevisionError says why a revision can't be read. It doesn't tell anything about its content.
type RevisionError struct {
	Revision int64
	Why      string // such as "was never published"
}

// Error returns a sentence without a full stop.
func (e *RevisionError) Error() string { return fmt.Sprintf("revision %d %s", e.Revision, e.Why) }

// ReadDifference reads two revisions that were published, and verifies them as [Log] does: the
// newest from the pinned root, and each other one by its hash in the one after it. Payloads and
// lists are verified by their hashes in these. It ignores expiry. Per revision, it reads no more
// than clients do.
//
// The error is a [*RevisionError] if a revision isn't in the history, or if its objects are gone
// or were changed.
func ReadDifference(ctx context.Context, opts DifferenceOptions) (Difference, error) {
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: opts.Root})
	if err != nil {
		return Difference{}, fmt.Errorf("reading the pinned root: %w", err)
	}
	newest, err := verifier.UpdateIgnoreExpiry(ctx, opts.Source)
	if err != nil {
		return Difference{}, fmt.Errorf("reading what is published: %w", err)
	}
	d := Difference{Environment: newest.Environment()}
	r := pastReader{source: opts.Source, newest: newest, limit: opts.Limit}
	if r.limit <= 0 || r.limit > maxRevisions {
		r.limit = maxRevisions
	}
	old, new, err := r.find(ctx, opts.Old, opts.New)
	if err != nil {
		return d, err
	}
	if d.Old, err = r.published(ctx, old, new.payloads()); err != nil {
		return d, err
	}
	d.New, err = r.published(ctx, new, old.payloads())
	return d, err
}

// A pastReader reads revisions that were published.
type pastReader struct {
	source bundle.Source
	newest *bundle.Release
	limit  int
}

// find returns the records of two revisions.
func (r *pastReader) find(ctx context.Context, old, new int64) (a, b record, err error) {
	root, err := parseRoot(r.newest.Metadata().Root)
	if err != nil {
		return a, b, err
	}
	c, err := newChain(r.source, r.newest, root.Metadata)
	if err != nil {
		return a, b, err
	}
	if new == 0 {
		new = c.at.revision
	}
	for _, revision := range []int64{old, new} {
		if revision < 0 || revision > c.at.revision {
			return a, b, &RevisionError{revision,
				fmt.Sprintf("was never published: the newest is revision %d", c.at.revision)}
		}
	}
	if old == 0 {
		if b, err = r.back(ctx, c, new); err != nil {
			return a, b, err
		}
		a, err = r.before(ctx, c)
		return a, b, err
	}
	first, second := max(old, new), min(old, new)
	if b, err = r.back(ctx, c, first); err != nil {
		return a, b, err
	}
	if a, err = r.back(ctx, c, second); err != nil {
		return a, b, err
	}
	if old > new {
		a, b = b, a
	}
	return a, b, nil
}

// back goes back to a revision.
func (r *pastReader) back(ctx context.Context, c *chain, revision int64) (record, error) {
	for c.at.revision > revision {
		if err := r.step(ctx, c, revision); err != nil {
			return record{}, err
		}
	}
	if c.at.revision < revision {
		return record{}, notInHistory(revision)
	}
	return c.at, nil
}

// before goes to the revision before the one that the chain is at.
func (r *pastReader) before(ctx context.Context, c *chain) (record, error) {
	if c.at.previous == nil {
		return record{}, &RevisionError{c.at.revision, "is the first one, so there is none to compare it with"}
	}
	err := r.step(ctx, c, c.at.previous.Revision)
	return c.at, err
}

// step goes one revision back, on the way to a revision.
func (r *pastReader) step(ctx context.Context, c *chain, to int64) error {
	if r.limit--; r.limit < 0 {
		return &RevisionError{to, fmt.Sprintf("is too far back: revision %d is the oldest that is read here",
			c.at.revision)}
	}
	at := c.at.revision
	err := c.back(ctx)
	var broken *brokenLink
	switch {
	case errors.Is(err, errFirst):
		return notInHistory(to)
	case errors.As(err, &broken) && errors.Is(broken.err, bundle.ErrNotFound):
		return &RevisionError{to, fmt.Sprintf("can't be read any more: the history goes back to revision %d only", at)}
	case errors.As(err, &broken):
		return &RevisionError{to, fmt.Sprintf("can't be verified: what is before revision %d isn't what was published", at)}
	}
	return err
}

func notInHistory(revision int64) error {
	return &RevisionError{revision, "isn't in the history, which 'serin log' prints"}
}

// published reads the payloads of a revision that differ from those of another one, by namespace,
// and the revision's lists.
func (r *pastReader) published(ctx context.Context, of record, other map[string]string) (Published, error) {
	p := Published{Revision: of.revision, Provenance: of.provenance, Payloads: make(map[string][]byte)}
	targets, hashes := of.targets.Signed.Targets, of.payloads()
	left := int64(bundle.MaxPayloads)
	for _, namespace := range sorted(hashes) {
		hash := hashes[namespace]
		if other[namespace] == hash {
			continue
		}
		listed := targets[path.Join(namespace, bundle.PayloadName)]
		data, err := r.target(ctx, of.revision, payloadName(namespace, hash), hash, listed.Length, &left)
		if err != nil {
			return p, err
		}
		p.Payloads[namespace] = data
	}
	if len(p.Payloads) == 0 {
		return p, nil
	}
	for _, hash := range of.lists() {
		list := r.newest.Lists()[hash]
		if list == nil {
			data, err := r.target(ctx, of.revision, bundle.ListObject(hash), hash,
				targets[bundle.ListPath(hash)].Length, &left)
			if err != nil {
				return p, err
			}
			list = bundle.NewList(data)
		}
		p.Lists = append(p.Lists, list)
	}
	return p, nil
}

// target reads an object of a revision and verifies it. left is how many bytes may still be read.
func (r *pastReader) target(ctx context.Context, revision int64, name, hash string, length int64,
	left *int64) ([]byte, error) {
	if *left -= length; *left < 0 {
		return nil, &RevisionError{revision, "is larger than clients accept"}
	}
	data, err := fetchTarget(ctx, r.source, name, hash, length)
	switch {
	case errors.Is(err, bundle.ErrNotFound):
		return nil, &RevisionError{revision, "can't be read any more: its flags were removed, as 'serin gc' does"}
	case errors.Is(err, errReplaced):
		return nil, &RevisionError{revision, "can't be read: its flags aren't those that were published"}
	case err != nil:
		return nil, fmt.Errorf("reading revision %d: %w", revision, err)
	}
	return data, nil
}

// errReplaced says that an object isn't the one that was published.
var errReplaced = errors.New("the object was changed")

// fetchTarget reads the object that has a hash and a length.
func fetchTarget(ctx context.Context, from bundle.Source, name, hash string, length int64) ([]byte, error) {
	object, err := from.Fetch(ctx, name, "", length)
	if errors.Is(err, bundle.ErrTooLarge) {
		return nil, errReplaced
	}
	if err != nil {
		return nil, err
	}
	if digest := sha256.Sum256(object.Data); hex.EncodeToString(digest[:]) != hash {
		return nil, errReplaced
	}
	return object.Data, nil
}
