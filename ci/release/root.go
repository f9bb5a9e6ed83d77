package release

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// environmentField is the custom field of root.json that names the environment.
const environmentField = "x-serin-environment"

// A root is root metadata, which may still lack signatures.
type root struct {
	*metadata.Metadata[metadata.RootType]
	environment string
}

// parseRoot reads a root. It has the verifier check it first, because the decoder
// isn't made for hostile input.
func parseRoot(data []byte) (root, error) {
	_, err := bundle.NewVerifier(bundle.VerifierConfig{Root: data})
	if class, _ := bundle.ClassOf(err); err != nil && class != bundle.Signature {
		return root{}, err
	}
	md, err := metadata.Root().FromBytes(data)
	if err != nil {
		return root{}, err
	}
	environment, _ := md.Signed.UnrecognizedFields[environmentField].(string) // the verifier has seen it
	return root{md, environment}, nil
}

// newRoot returns version 1 of the root of env, without keys.
func newRoot(env string, now time.Time) root {
	md := metadata.Root(expiry(now, RootLifetime))
	md.Signed.UnrecognizedFields = map[string]any{environmentField: env}
	md.Signatures = []metadata.Signature{} // not null
	return root{md, env}
}

// next returns the version after r, with the same keys and no signatures.
func (r root) next(now time.Time) (root, error) {
	encoded, err := r.ToBytes(false)
	if err != nil {
		return root{}, err
	}
	md, err := metadata.Root().FromBytes(encoded)
	if err != nil {
		return root{}, err
	}
	md.Signed.Version++
	md.Signed.Expires = expiry(now, RootLifetime)
	md.Signatures = []metadata.Signature{}
	return root{md, r.environment}, nil
}

// add lets the key public sign for some roles.
func (r root) add(public crypto.PublicKey, roles ...string) error {
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return err
	}
	for _, role := range roles {
		if err := r.Signed.AddKey(key, role); err != nil {
			return err
		}
	}
	return nil
}

// replace lets only the key public sign for some roles.
func (r root) replace(public crypto.PublicKey, roles ...string) error {
	for _, role := range roles {
		for _, id := range slices.Clone(r.Signed.Roles[role].KeyIDs) {
			if err := r.Signed.RevokeKey(id, role); err != nil {
				return err
			}
		}
	}
	return r.add(public, roles...)
}

// trusts reports whether the key called id may sign for a role.
func (r root) trusts(id, role string) bool {
	of := r.Signed.Roles[role]
	return of != nil && slices.Contains(of.KeyIDs, id)
}

// trustsKey reports whether signer may sign for a role.
func (r root) trustsKey(signer Signer, role string) bool {
	id, err := keyID(signer.Public())
	return err == nil && r.trusts(id, role)
}

// sign adds the signature of a root key of r, or of the previous root.
func (r root) sign(ctx context.Context, signer Signer) error {
	id, err := keyID(signer.Public())
	if err != nil {
		return err
	}
	signature, err := signWith(ctx, r.Signed, signer)
	if err != nil {
		return err
	}
	r.Signatures = slices.DeleteFunc(r.Signatures, func(s metadata.Signature) bool { return s.KeyID == id })
	r.Signatures = append(r.Signatures, signature)
	return nil
}

// signatures returns how many of r's root keys have signed other.
func (r root) signatures(other root) (int, error) {
	message, err := cjson.EncodeCanonical(other.Signed)
	if err != nil {
		return 0, err
	}
	signed := 0
	for _, id := range r.Signed.Roles[metadata.ROOT].KeyIDs {
		public, err := r.Signed.Keys[id].ToPublicKey()
		if err != nil {
			return 0, err
		}
		if slices.ContainsFunc(other.Signatures, func(s metadata.Signature) bool {
			return s.KeyID == id && verifies(public, message, s.Signature)
		}) {
			signed++
		}
	}
	return signed, nil
}

func verifies(public crypto.PublicKey, message, signature []byte) bool {
	switch public := public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(public, digest[:], signature)
	}
	return false
}

// A Quorum counts the signatures of a root by the root keys of one version.
type Quorum struct {
	Version    int64 // the version whose root keys count
	Have, Need int   // signatures
}

// Complete reports whether there are enough.
func (q Quorum) Complete() bool { return q.Have >= q.Need }

// quorums counts the signatures of r by its own keys and, if before isn't nil, by
// those of the previous root.
func (r root) quorums(before *root) ([]Quorum, error) {
	by := []root{r}
	if before != nil {
		by = []root{*before, r}
	}
	var quorums []Quorum
	for _, b := range by {
		have, err := b.signatures(r)
		if err != nil {
			return nil, err
		}
		quorums = append(quorums, Quorum{b.Signed.Version, have, b.Signed.Roles[metadata.ROOT].Threshold})
	}
	return quorums, nil
}

// complete reports whether all quorums have enough signatures.
func complete(quorums []Quorum) bool {
	return !slices.ContainsFunc(quorums, func(q Quorum) bool { return !q.Complete() })
}

// A lineage is the sequence of roots in a keys folder.
type lineage struct {
	pinned []byte
	newer  [][]byte // in order, with all signatures
	last   root     // the newest of these
	// waiting is the next root if that still lacks signatures, or nil; quorums
	// counts the signatures it has.
	waiting *root
	quorums []Quorum
}

// readLineage reads dir/root.json, and the dir/<N>.root.json that follow it.
func readLineage(dir string) (lineage, error) {
	pinned, err := readLimited(filepath.Join(dir, rootFile))
	if err != nil {
		return lineage{}, fmt.Errorf("loading the pinned root: %w", err)
	}
	l := lineage{pinned: pinned}
	if l.last, err = parseRoot(pinned); err != nil {
		return lineage{}, fmt.Errorf("loading the pinned root: %s: %w", filepath.Join(dir, rootFile), err)
	}
	if l.quorums, err = l.last.quorums(nil); err != nil {
		return lineage{}, fmt.Errorf("loading the pinned root: %w", err)
	}
	if !complete(l.quorums) {
		first := l.last
		l.waiting = &first
		return l, nil
	}
	for {
		path := filepath.Join(dir, versionedName(l.last.Signed.Version+1, metadata.ROOT))
		data, err := readLimited(path)
		if errors.Is(err, fs.ErrNotExist) {
			return l, nil
		}
		if err != nil {
			return lineage{}, fmt.Errorf("loading a newer root: %w", err)
		}
		next, err := parseRoot(data)
		if err != nil {
			return lineage{}, fmt.Errorf("loading a newer root: %s: %w", path, err)
		}
		if next.Signed.Version != l.last.Signed.Version+1 || next.environment != l.last.environment {
			return lineage{}, fmt.Errorf("loading a newer root: %s is version %d of environment %q", path,
				next.Signed.Version, next.environment)
		}
		if l.quorums, err = next.quorums(&l.last); err != nil {
			return lineage{}, fmt.Errorf("loading a newer root: %s: %w", path, err)
		}
		if !complete(l.quorums) {
			l.waiting = &next
			return l, nil
		}
		l.newer, l.last = append(l.newer, data), next
	}
}
