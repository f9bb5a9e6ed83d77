package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// This file publishes newer roots. Clients look for one when timestamp.json changes,
// and once an hour. A root that trusts the keys that signed what is published is put
// first: clients accept what is published whether they see the new root or not.
//
// For a root that replaces those keys there are two ways. If the replaced keys are
// available, the next publication is signed with both the old and the new keys, so that
// clients accept it with either root, and the root is put after it. Otherwise the root
// is put just before timestamp.json. Clients that look between the two keep what they
// have. If a publisher dies there, all clients do, until the next publication.

// newerRoots returns keys.Newer by name. It checks only what decoders need; the
// verifier checks that the roots follow each other.
func newerRoots(keys Keys) (map[string][]byte, error) {
	newer := make(map[string][]byte)
	for _, data := range keys.Newer {
		r, err := parseRoot(data)
		if err != nil {
			return nil, fmt.Errorf("reading a newer root: %w", err)
		}
		newer[versionedName(r.Signed.Version, metadata.ROOT)] = data
	}
	return newer, nil
}

// newest sets cur.root to the last of the newer roots, and returns the names of all
// of them. Nothing is published in cur.
func (p *publisher) newest(cur *state) (names []string, err error) {
	for _, data := range p.Keys.Newer {
		if cur.root, err = parseRoot(data); err != nil {
			return nil, err
		}
		names = append(names, versionedName(cur.root.Signed.Version, metadata.ROOT))
	}
	return names, nil
}

// beforeRotation returns the state of a store whose content is signed with keys that
// an earlier root trusts and the newest doesn't, because keys were replaced. If no
// root trusts those keys, it returns refused.
func (p *publisher) beforeRotation(ctx context.Context, cur *state, refused error) (*state, error) {
	hidden := make(map[string][]byte)
	for _, data := range slices.Backward(p.Keys.Newer) {
		r, err := parseRoot(data)
		if err != nil {
			return nil, err
		}
		if len(hidden) == 0 {
			cur.root = r
		}
		hidden[versionedName(r.Signed.Version, metadata.ROOT)] = data
		from := &source{store: p.Store, roots: p.newer, hidden: hidden}
		release, err := p.verifier.UpdateIgnoreExpiry(ctx, from)
		if err != nil {
			continue
		}
		if p.Renew {
			return nil, errors.New(
				"refusing to renew what only replaced keys have signed: publish from the flag files once")
		}
		cur.release, cur.etag, cur.vouched = release, from.etag, false
		cur.before, err = parseRoot(release.Metadata().Root)
		return cur, err
	}
	return nil, refused
}

// signer returns the key that r trusts for a role, or nil if it isn't available. As
// long as the root that names a new key lacks signatures, that is the replaced key.
func (p *publisher) signer(r root, role string) Signer {
	for _, signer := range append([]Signer{p.Keys.Targets, p.Keys.Online}, p.Keys.Replaced...) {
		if signer != nil && r.trustsKey(signer, role) {
			return signer
		}
	}
	return nil
}

// bridges reports whether publications must be signed with replaced keys too, for
// clients that don't see the newer roots yet, and whether those keys are available.
func (p *publisher) bridges(cur *state) bool {
	if cur.vouched || len(cur.lacking) == 0 {
		return false
	}
	for _, role := range onlineRoles {
		if p.signer(cur.before, role) == nil {
			return false
		}
	}
	return true
}

// signers returns the keys to sign with for a role.
func (p *publisher) signers(cur *state, role string) []Signer {
	signers := []Signer{p.signer(cur.root, role)}
	if p.bridges(cur) && !cur.before.trustsKey(signers[0], role) {
		signers = append(signers, p.signer(cur.before, role))
	}
	return signers
}

// checkRoot returns an error if clients would refuse everything that is signed now.
func (p *publisher) checkRoot(cur *state, now time.Time) error {
	signed := cur.root.Signed
	if signed.IsExpired(now) {
		return fmt.Errorf("version %d of the root expired at %s: clients refuse everything until there is a newer "+
			"one; create it with 'serin keys rotate'",
			signed.Version, signed.Expires.Format(time.RFC3339))
	}
	for _, name := range onlineRoles {
		if p.signer(cur.root, name) == nil {
			if name == metadata.TARGETS && p.Renew {
				continue // a renewal doesn't need it
			}
			if name == metadata.TARGETS && p.Keys.Targets == nil && p.signer(cur.root, metadata.TIMESTAMP) != nil {
				return fmt.Errorf("version %d of the root has a separate key for targets, but there is no %s next to the "+
					"online key",
					signed.Version, targetsKeyFile)
			}
			id, err := keyID(p.Keys.Online.Public())
			if err != nil {
				return err
			}
			return fmt.Errorf("version %[2]d of the root doesn't trust the online key %.8[1]s for %[3]s: does the key "+
				"belong to this root.json? "+
				"(restore the key that was created with it, or replace the key with 'serin keys rotate')",
				id, signed.Version, name)
		}
		if threshold := signed.Roles[name].Threshold; threshold > 1 {
			return fmt.Errorf("version %d of the root requires %d signatures for %s, but there is only one online key",
				signed.Version, threshold, name)
		}
	}
	return nil
}

// unseen returns the roots that the store lacks, by name.
func (p *publisher) unseen(cur *state) map[string][]byte {
	unseen := make(map[string][]byte)
	for _, name := range cur.lacking {
		unseen[name] = p.newer[name]
	}
	return unseen
}

// putRoots puts the roots that the store lacks.
func (p *publisher) putRoots(ctx context.Context, cur *state) error {
	for _, name := range cur.lacking {
		if err := p.putRootAs(ctx, name, p.newer[name]); err != nil {
			return err
		}
	}
	cur.lacking = nil
	return nil
}

// putRoot puts the pinned root into a new repository. Clients have it already; it is
// for people and for other TUF tools.
func (p *publisher) putRoot(ctx context.Context, version int64, data []byte) error {
	return p.putRootAs(ctx, versionedName(version, metadata.ROOT), data)
}

func (p *publisher) putRootAs(ctx context.Context, name string, data []byte) error {
	err := p.put(ctx, name, data, once(typeJSON))
	if !errors.Is(err, ErrConflict) {
		return err
	}
	found, err := p.get(ctx, name, int64(len(data)))
	if err == nil && bytes.Equal(found, data) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil || errors.Is(err, bundle.ErrTooLarge) {
		return fmt.Errorf("the store has another %s: it belongs to other keys", name)
	}
	return err
}
