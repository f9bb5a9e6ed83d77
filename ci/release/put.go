package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// putPayloads puts the payloads, lists and files that the published revision doesn't have.
func (p *publisher) putPayloads(ctx context.Context, cur *state) error {
	published := cur.release.Lists()
	for _, hash := range sorted(p.lists) {
		if published[hash] != nil {
			continue
		}
		if err := p.putPayload(ctx, bundle.ListObject(hash), p.lists[hash].Data); err != nil {
			return err
		}
	}
	further := cur.further()
	for _, name := range sorted(p.further) {
		f := p.further[name]
		hash := hex.EncodeToString(f.sha256[:])
		if further[name] == hash {
			continue
		}
		if err := p.putPayload(ctx, furtherName(name, hash), f.data); err != nil {
			return err
		}
	}
	for _, namespaces := range [][]string{p.report.Added, p.report.Changed} {
		for _, namespace := range namespaces {
			file := p.files[namespace]
			name := payloadName(namespace, hex.EncodeToString(file.sha256[:]))
			if err := p.putPayload(ctx, name, file.data); err != nil {
				return err
			}
		}
	}
	return nil
}

// putPayload puts a payload once in all attempts. If its name is taken, it puts the
// payload again: the object may be damaged or planted, and if it isn't, it becomes
// young, so that [GC] leaves it alone.
func (p *publisher) putPayload(ctx context.Context, name string, data []byte) error {
	if _, ok := p.payloads[name]; ok {
		p.pending[name] = data
		return nil
	}
	opts := once(typePayload)
	err := p.put(ctx, name, data, opts)
	existed := errors.Is(err, ErrConflict)
	if existed {
		opts.IfNoneMatch = false
		err = p.put(ctx, name, data, opts)
	}
	if err != nil {
		return err
	}
	p.payloads[name] = existed
	return nil
}

// putMissing puts reused payloads that are gone, once they are published: [GC] may have
// found them unused before, and removed them after they were put. If it removes them
// later than this, it finds that they are published.
func (p *publisher) putMissing(ctx context.Context) error {
	for _, name := range sorted(p.payloads) {
		data, ok := p.pending[name]
		if !ok || !p.payloads[name] || p.DryRun {
			continue
		}
		_, err := p.get(ctx, name, 0)
		if errors.Is(err, fs.ErrNotExist) {
			err = p.put(ctx, name, data, once(typePayload))
		}
		if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, bundle.ErrTooLarge) {
			return fmt.Errorf("published, but a payload may be missing, so publish again: %w", err)
		}
	}
	return nil
}

// putTargets puts the list of payloads and returns the snapshot's entry for it.
func (p *publisher) putTargets(ctx context.Context, cur *state, now time.Time) (*metadata.MetaFiles, error) {
	targets := metadata.Targets()
	provenance := p.Provenance
	if p.Renew {
		if _, err := targets.FromBytes(cur.release.Metadata().Targets); err != nil {
			return nil, fmt.Errorf("reading the published targets: %w", err)
		}
		// The content still comes from the same place; only the run differs.
		provenance, _ = provenanceOf(&targets.Signed)
		provenance.RunURL, provenance.RenewalOf = p.Provenance.RunURL, cur.release.Revision()
	} else {
		for namespace, file := range p.files {
			targets.Signed.Targets[path.Join(namespace, bundle.PayloadName)] = targetFile(file.data)
		}
		for hash, list := range p.lists {
			targets.Signed.Targets[bundle.ListPath(hash)] = targetFile(list.Data)
		}
		for name, file := range p.further {
			targets.Signed.Targets[name] = targetFile(file.data)
		}
	}
	provenance.Time, provenance.Content = now, p.report.Content
	provenance.put(&targets.Signed, cur.previous())
	targets.Signed.Expires = expiry(now, TargetsLifetime)
	first, err := p.first(ctx, cur, metadata.TARGETS)
	if err != nil {
		return nil, err
	}
	made, err := p.putFree(ctx, cur, metadata.TARGETS, first, func(version int64) ([]byte, error) {
		targets.Signed.Version = version
		return sign(ctx, targets, p.signers(cur, metadata.TARGETS))
	})
	if err != nil {
		return nil, err
	}
	p.report.Revision = made.Version
	return made, nil
}

// targetFile returns the entry with which targets metadata lists data.
func targetFile(data []byte) *metadata.TargetFiles {
	digest := sha256.Sum256(data)
	entry := metadata.TargetFile()
	entry.Length = int64(len(data))
	entry.Hashes["sha256"] = digest[:]
	return entry
}

// unchanged returns errLostRace if timestamp.json isn't the one of cur.
func (p *publisher) unchanged(ctx context.Context, cur *state) error {
	_, etag, err := p.Store.Get(ctx, timestampName, maxTargets)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, bundle.ErrTooLarge):
		etag, err = "", nil // if there was one, it isn't the same
	case err != nil:
		return fmt.Errorf("getting %s: %w", timestampName, err)
	}
	if etag != cur.etag {
		return errLostRace
	}
	return nil
}

// putSnapshot puts a snapshot with the given targets and returns the timestamp's
// entry for it.
func (p *publisher) putSnapshot(ctx context.Context, cur *state, targets *metadata.MetaFiles,
	now time.Time) (*metadata.MetaFiles, error) {
	snapshot := metadata.Snapshot(expiry(now, SnapshotLifetime))
	snapshot.Signed.Meta = map[string]*metadata.MetaFiles{"targets.json": targets}
	first, err := p.first(ctx, cur, metadata.SNAPSHOT)
	if err != nil {
		return nil, err
	}
	return p.putFree(ctx, cur, metadata.SNAPSHOT, first, func(version int64) ([]byte, error) {
		snapshot.Signed.Version = version
		return sign(ctx, snapshot, p.signers(cur, metadata.SNAPSHOT))
	})
}

// putTimestamp puts timestamp.json, which publishes everything that was put before.
func (p *publisher) putTimestamp(ctx context.Context, cur *state, snapshot *metadata.MetaFiles, now time.Time) error {
	timestamp := metadata.Timestamp(expiry(now, TimestampLifetime))
	timestamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": snapshot}
	// Snapshot versions are never used twice. A timestamp version that is at
	// least as high is never used twice either, even if somebody restored an old
	// timestamp.json.
	timestamp.Signed.Version = max(cur.versions().Timestamp.Version+1, snapshot.Version)
	data, err := sign(ctx, timestamp, p.signers(cur, metadata.TIMESTAMP))
	if err != nil {
		return err
	}
	if err := p.verify(ctx, cur, data, now); err != nil {
		return err
	}
	bridged := p.bridges(cur)
	if !bridged {
		if err := p.putRoots(ctx, cur); err != nil {
			return err
		}
	}
	opts := PutOptions{IfMatch: cur.etag, IfNoneMatch: cur.etag == "", CacheControl: cacheTimestamp,
		ContentType: typeJSON}
	if err := p.swap(ctx, data, opts); err != nil {
		return err
	}
	if bridged {
		if err := p.putRoots(ctx, cur); err != nil {
			return err
		}
	}
	return p.putMissing(ctx)
}

// swap replaces timestamp.json, or returns errLostRace.
func (p *publisher) swap(ctx context.Context, data []byte, opts PutOptions) error {
	err := p.put(ctx, timestampName, data, opts)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	// A store that repeats a request whose response was lost conflicts with
	// itself.
	found, err := p.get(ctx, timestampName, int64(len(data)))
	switch {
	case err == nil && bytes.Equal(found, data):
		p.record(timestampName, data)
		return nil
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, bundle.ErrTooLarge):
		return errLostRace
	}
	return err
}

// verify checks, before anything goes live, that clients accept what timestamp would
// publish: clients that see the newer roots and, if it is signed for them too, clients
// that don't yet.
func (p *publisher) verify(ctx context.Context, cur *state, timestamp []byte, now time.Time) error {
	p.pending[timestampName] = timestamp
	defer delete(p.pending, timestampName)
	views := []*source{{store: p.Store, pending: p.pending, roots: p.newer}}
	if p.bridges(cur) {
		views = append(views, &source{store: p.Store, pending: p.pending, hidden: p.unseen(cur)})
	}
	for _, view := range views {
		client, last, err := p.client(cur)
		if err != nil {
			return err
		}
		next, err := client.Update(ctx, view, last, now)
		if err != nil {
			return fmt.Errorf("checking what would be published: %w", err)
		}
		if p.report.Expires = next.Expires(); p.signer(cur.root, metadata.TARGETS) == nil {
			p.report.TargetsExpire = next.Versions().Targets.Expires
		}
	}
	return nil
}

// client returns a verifier of its own that has seen what is published and nothing
// else, and its release, nil if nothing is published: a verifier remembers what it has
// seen, and one client doesn't know what another knows.
func (p *publisher) client(cur *state) (*bundle.Verifier, *bundle.Release, error) {
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: p.Keys.Root})
	if err != nil || cur.release == nil {
		return verifier, nil, err
	}
	state, err := cur.release.State()
	if err != nil {
		return nil, nil, err
	}
	lists := cur.release.Lists()
	release, err := verifier.Restore(state, func(sha256 string, _ int64) ([]byte, error) {
		if list := lists[sha256]; list != nil {
			return list.Data, nil
		}
		for _, payload := range cur.release.Payloads() {
			if payload.SHA256 == sha256 {
				return payload.Data, nil
			}
		}
		return nil, bundle.ErrNotFound
	})
	return verifier, release, err
}

// first returns the version of a role to try first: the one after the published one. If
// timestamp.json was deleted, it is the one after all that the store has, if that can
// list them. After [GC] the free versions in between may have been used.
func (p *publisher) first(ctx context.Context, cur *state, role string) (int64, error) {
	if cur.release != nil {
		versions := cur.versions()
		if role == metadata.TARGETS {
			return versions.Targets.Version + 1, nil
		}
		return versions.Snapshot.Version + 1, nil
	}
	next := int64(1)
	store, ok := p.Store.(ListStore)
	if !ok {
		return next, nil
	}
	err := store.List(ctx, func(object Listed) error {
		if version, ok := versionOf(object.Name, role); ok && next <= version && version < maxUnvouched {
			next = version + 1
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("listing versions: %w", err)
	}
	return next, nil
}

// putFree puts metadata under the first free version, from the given one on, and
// returns the entry for it. A version that is taken suggests that another publisher is
// at work. If that one has won, going on would only leave an object behind.
func (p *publisher) putFree(
	ctx context.Context, cur *state, role string, first int64, signed func(version int64) ([]byte, error),
) (*metadata.MetaFiles, error) {
	for version := first; version < first+maxSkipped; version++ {
		data, err := signed(version)
		if err != nil {
			return nil, err
		}
		err = p.put(ctx, versionedName(version, role), data, once(typeJSON))
		if err == nil {
			return describe(version, data), nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
		if version < first+maxRechecks {
			if err := p.unchanged(ctx, cur); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("looking for a free version of %s: the last %d, up to %d, are taken", role, maxSkipped,
		first+maxSkipped-1)
}
