package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/serin-flags/serin/bundle"
)

// restore sets the payloads to publish to those of the revision p.Rollback.
func (p *publisher) restore(ctx context.Context, cur *state) error {
	if cur.release == nil {
		return errors.New("there is nothing to roll back: nothing is published")
	}
	old, err := p.find(ctx, cur)
	if err != nil {
		return err
	}
	if err := p.restoreLists(ctx, cur, old); err != nil {
		return err
	}
	if err := p.restoreFiles(ctx, old); err != nil {
		return err
	}
	p.files = make(map[string]file)
	var total int64
	for _, namespace := range sorted(old.payloads()) {
		listed := old.targets.Signed.Targets[path.Join(namespace, bundle.PayloadName)]
		if total += listed.Length; total > bundle.MaxPayloads {
			return fmt.Errorf("revision %d: %w", old.revision, bundle.ErrTooLarge)
		}
		data, err := p.payload(ctx, cur, namespace, hex.EncodeToString(listed.Hashes["sha256"]), listed.Length)
		if err != nil {
			return fmt.Errorf("reading %s of revision %d, which %s: %w", namespace, old.revision, old.origin(), err)
		}
		p.files[namespace] = newFile(data)
	}
	if len(p.files) == 0 {
		return fmt.Errorf("revision %d has no namespaces", old.revision)
	}
	p.Provenance.Commit, p.Provenance.CommitTime = old.provenance.Commit, old.provenance.CommitTime
	p.Provenance.Dirty = old.provenance.Dirty
	p.Provenance.RollbackOf = old.revision
	return nil
}

// restoreLists sets the lists to publish to those of a revision.
func (p *publisher) restoreLists(ctx context.Context, cur *state, old record) error {
	published := cur.release.Lists()
	p.lists = make(map[string]*bundle.List)
	var total int64
	for _, hash := range old.lists() {
		listed := old.targets.Signed.Targets[bundle.ListPath(hash)]
		if total += listed.Length; total > bundle.MaxPayloads {
			return fmt.Errorf("revision %d: %w", old.revision, bundle.ErrTooLarge)
		}
		if p.lists[hash] = published[hash]; p.lists[hash] != nil {
			continue
		}
		data, err := p.target(ctx, bundle.ListObject(hash), hash, listed.Length)
		if err != nil {
			return fmt.Errorf("reading a list of revision %d, which %s: %w", old.revision, old.origin(), err)
		}
		p.lists[hash] = bundle.NewList(data)
	}
	return nil
}

// restoreFiles sets the further files to publish to those of a revision.
func (p *publisher) restoreFiles(ctx context.Context, old record) error {
	p.further = make(map[string]file)
	for name, target := range furtherOf(&old.targets.Signed) {
		data, err := p.target(ctx, furtherName(name, hashOf(target)), hashOf(target), target.Length)
		if err != nil {
			return fmt.Errorf("reading %s of revision %d: %w", name, old.revision, err)
		}
		p.further[name] = newFile(data)
	}
	return nil
}

// origin says how else the content of a revision can be published.
func (r record) origin() string {
	if r.provenance.Commit == "" {
		return "can be published again from its files"
	}
	return "can be published again from commit " + r.provenance.Commit
}

// find returns the revision to go back to. It must have been published, and keys that
// are trusted now must have signed its payloads, in it or in a later revision: a key
// may have been replaced because it was stolen.
func (p *publisher) find(ctx context.Context, cur *state) (record, error) {
	c, err := newChain(&source{store: p.Store}, cur.release, cur.root.Metadata)
	if err != nil {
		return record{}, err
	}
	if c.at.revision < p.Rollback {
		return record{}, fmt.Errorf("revision %d was never published: the newest is %d", p.Rollback, c.at.revision)
	}
	signed := make(map[string]bool) // SHA-256 of payloads
	for {
		if c.signed(c.at) {
			for namespace, hash := range c.at.payloads() {
				signed[namespace+" "+hash] = true
			}
		}
		if c.at.revision <= p.Rollback {
			break
		}
		err := c.back(ctx)
		if errors.Is(err, errFirst) {
			break
		}
		if err != nil {
			return record{}, err
		}
	}
	if c.at.revision != p.Rollback {
		return record{}, fmt.Errorf("revision %d isn't in the history, which 'serin log' prints", p.Rollback)
	}
	for namespace, hash := range c.at.payloads() {
		if !signed[namespace+" "+hash] {
			return record{}, fmt.Errorf(
				"refusing revision %d, because only a key that is no longer trusted has signed its %s; it %s",
				p.Rollback, namespace, c.at.origin())
		}
	}
	return c.at, nil
}

// payload returns a payload from the published release or the store, verified.
func (p *publisher) payload(ctx context.Context, cur *state, namespace, hash string, length int64) ([]byte, error) {
	for _, payload := range cur.release.Payloads() {
		if payload.Namespace == namespace && payload.SHA256 == hash {
			return payload.Data, nil
		}
	}
	data, err := p.target(ctx, payloadName(namespace, hash), hash, length)
	if err != nil {
		return nil, err
	}
	if _, err := bundle.CompilePayload(data, slices.Collect(maps.Values(p.lists))...); err != nil {
		return nil, fmt.Errorf("clients refuse it: %w", err)
	}
	return data, nil
}

// target returns a payload or a list from the store, verified.
func (p *publisher) target(ctx context.Context, name, hash string, length int64) ([]byte, error) {
	data, err := p.get(ctx, name, length)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("the object is gone")
	case errors.Is(err, bundle.ErrTooLarge):
		return nil, errors.New("the object was changed")
	case err != nil:
		return nil, err
	}
	if digest := sha256.Sum256(data); int64(len(data)) != length || hex.EncodeToString(digest[:]) != hash {
		return nil, errors.New("the object was changed")
	}
	return data, nil
}

// payloadName returns the name of a payload with the given SHA-256.
func payloadName(namespace, hash string) string {
	return path.Join("targets", namespace, hash+"."+bundle.PayloadName)
}
