package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// RotateOptions specify what the next version of a root changes. Without changes, it
// only expires later.
type RotateOptions struct {
	Dir string // required: the keys folder
	// Online and Targets are existing keys, or "new", that replace the current
	// ones. If empty, the current ones stay.
	Online, Targets string
	// AddRoots are root keys to add: existing ones, or "new". RemoveRoots are
	// prefixes, of 8 digits or more, of the IDs of root keys to remove.
	AddRoots, RemoveRoots []string
	// Threshold is how many root keys must sign from then on; 0 leaves the
	// number as it is.
	Threshold int
	// SignWith are the root keys to sign with. If empty, those are all private
	// root keys in Dir.
	SignWith []string
	// RootPassphrase and OnlinePassphrase, if not empty, encrypt the keys that
	// are created.
	RootPassphrase, OnlinePassphrase []byte
	// Now is the clock. If it is nil, [time.Now] is used.
	Now func() time.Time
}

// A Ceremony is the result of creating or signing a root.
type Ceremony struct {
	Path    string    // of the root
	Made    []KeyFile // the other files that were created
	Quorums []Quorum  // the signatures that the root has and needs
}

// Complete reports whether the root has all the signatures it needs.
func (c Ceremony) Complete() bool { return complete(c.Quorums) }

// Rotate creates and signs Dir/<N>.root.json, the root that follows the newest one in
// Dir, valid for [RootLifetime] from now. The root becomes valid once it has enough
// signatures by the root keys of the previous version and by its own; [Opener.Sign]
// adds signatures. [Publish] then puts it. A new key replaces the old one, which is
// kept as <name>.old.key.
func (o Opener) Rotate(ctx context.Context, opts RotateOptions) (Ceremony, error) {
	made, err := o.rotate(ctx, opts)
	if err != nil {
		return Ceremony{}, fmt.Errorf("rotating keys in %s: %w", opts.Dir, err)
	}
	return made, nil
}

func (o Opener) rotate(ctx context.Context, opts RotateOptions) (Ceremony, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	roots, err := readLineage(opts.Dir)
	if err != nil {
		return Ceremony{}, err
	}
	if w := roots.waiting; w != nil {
		return Ceremony{}, fmt.Errorf(
			"version %d of the root exists already and lacks signatures; it has %s: have it signed, or remove it",
			w.Signed.Version, inWords(roots.quorums))
	}
	before := roots.last
	next, err := before.next(opts.Now())
	if err != nil {
		return Ceremony{}, err
	}
	w := &keyWriter{Opener: o, dir: opts.Dir, root: next}
	if err := w.change(ctx, opts); err != nil {
		return Ceremony{}, err
	}
	for _, name := range w.candidates(opts.SignWith) {
		signer, err := o.Signer(ctx, name)
		if err != nil {
			return Ceremony{}, err
		}
		w.signers = append(w.signers, signer)
	}
	for _, signer := range w.signers {
		err := signRoot(ctx, next, &before, signer)
		if errors.Is(err, errNotARootKey) && len(opts.SignWith) == 0 {
			continue // a key that an earlier rotation removed
		}
		if err != nil {
			return Ceremony{}, err
		}
	}
	return w.finish(next, before)
}

// candidates returns the names of the root keys to sign with.
func (w *keyWriter) candidates(named []string) []string {
	if len(named) > 0 {
		return named
	}
	// The pattern is well formed.
	found, _ := filepath.Glob(filepath.Join(w.dir, "root*.key"))
	return found
}

// change applies opts to w.root.
func (w *keyWriter) change(ctx context.Context, opts RotateOptions) error {
	online := []string{metadata.SNAPSHOT, metadata.TIMESTAMP}
	shared := slices.Equal(w.root.Signed.Roles[metadata.TARGETS].KeyIDs, w.root.Signed.Roles[metadata.SNAPSHOT].KeyIDs)
	if opts.Targets != "" {
		if err := w.online(ctx, targetsKeyFile, opts.Targets, opts.OnlinePassphrase, metadata.TARGETS); err != nil {
			return err
		}
	} else if shared {
		online = append(online, metadata.TARGETS)
	}
	if opts.Online != "" {
		if err := w.online(ctx, onlineKeyFile, opts.Online, opts.OnlinePassphrase, online...); err != nil {
			return err
		}
	}
	role := w.root.Signed.Roles[metadata.ROOT]
	for _, prefix := range opts.RemoveRoots {
		id, err := findKey(role.KeyIDs, prefix)
		if err != nil {
			return err
		}
		if err := w.root.Signed.RevokeKey(id, metadata.ROOT); err != nil {
			return err
		}
	}
	for _, name := range opts.AddRoots {
		if err := w.addRoot(ctx, name, opts.RootPassphrase); err != nil {
			return err
		}
	}
	return w.threshold(opts.Threshold)
}

// addRoot adds a root key, which it opens or creates.
func (w *keyWriter) addRoot(ctx context.Context, name string, passphrase []byte) error {
	if name != newKeyword {
		k, err := w.open(ctx, name)
		if err != nil {
			return fmt.Errorf("opening key %s: %w", name, err)
		}
		id, err := keyID(k.public)
		if err != nil {
			return err
		}
		if w.root.trusts(id, metadata.ROOT) {
			return fmt.Errorf("key %s is a root key already", name)
		}
		if k.signer != nil {
			w.signers = append(w.signers, k.signer)
		}
		return w.root.add(k.public, metadata.ROOT)
	}
	encoded, signer, err := newKey(passphrase)
	if err != nil {
		return err
	}
	id, err := keyID(signer.Public())
	if err != nil {
		return err
	}
	w.add("root-"+id[:8]+".key", encoded, true, "A root key. Keep it offline and backed up, away from CI.")
	w.signers = append(w.signers, signer)
	return w.root.add(signer.Public(), metadata.ROOT)
}

// findKey returns the ID that starts with prefix. There must be exactly one.
func findKey(ids []string, prefix string) (string, error) {
	var found []string
	for _, id := range ids {
		if len(prefix) >= 8 && strings.HasPrefix(id, prefix) {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%q isn't a prefix, of 8 digits or more, of the ID of exactly one of the root keys %s",
			prefix, short(ids))
	}
	return found[0], nil
}

// short returns prefixes of key IDs that people can compare.
func short(ids []string) string {
	var words []string
	for _, id := range ids {
		words = append(words, id[:min(len(id), 12)])
	}
	return strings.Join(words, ", ")
}

// finish writes the next root and its new keys.
func (w *keyWriter) finish(next, before root) (Ceremony, error) {
	data, err := next.ToBytes(true)
	if err != nil {
		return Ceremony{}, err
	}
	if _, err := parseRoot(data); err != nil {
		return Ceremony{}, err
	}
	quorums, err := next.quorums(&before)
	if err != nil {
		return Ceremony{}, err
	}
	// Replace existing key files last, so that a failure before loses nothing.
	var replace []string
	for i, file := range w.files {
		if _, err := os.Lstat(file.Path); err == nil {
			kept := old(file.Path)
			if _, err := os.Lstat(kept); err == nil {
				return Ceremony{}, fmt.Errorf(
					"%w: %s, from the previous rotation: remove it once that rotation is published", fs.ErrExist, kept)
			}
			replace = append(replace, file.Path)
			w.files[i].Path += ".new"
		}
	}
	path := filepath.Join(w.dir, versionedName(next.Signed.Version, metadata.ROOT))
	w.files = append(w.files, keyData{KeyFile{Path: path}, data})
	made, err := w.write()
	if err != nil {
		return Ceremony{}, err
	}
	for _, name := range replace {
		if err := errors.Join(os.Rename(name, old(name)), os.Rename(name+".new", name)); err != nil {
			return Ceremony{}, err
		}
	}
	for i := range made {
		made[i].Path = strings.TrimSuffix(made[i].Path, ".new")
	}
	return Ceremony{Path: path, Made: made[:len(made)-1], Quorums: quorums}, nil
}

var errNotARootKey = errors.New("it isn't a root key of this version or the previous one")

// signRoot adds a signature to next, if the signer is a root key of next or before.
func signRoot(ctx context.Context, next root, before *root, signer Signer) error {
	id, err := keyID(signer.Public())
	if err != nil {
		return err
	}
	if !next.trusts(id, metadata.ROOT) && (before == nil || !before.trusts(id, metadata.ROOT)) {
		return fmt.Errorf("signing with key %.12s: %w", id, errNotARootKey)
	}
	return next.sign(ctx, signer)
}

// Sign adds the signatures of root keys to the root in the file called path, which
// must be root.json or the next <N>.root.json of its folder.
func (o Opener) Sign(ctx context.Context, path string, keys []string) (Ceremony, error) {
	made, err := o.sign(ctx, path, keys)
	if err != nil {
		return Ceremony{}, fmt.Errorf("signing %s: %w", path, err)
	}
	return made, nil
}

func (o Opener) sign(ctx context.Context, path string, keys []string) (Ceremony, error) {
	roots, err := readLineage(filepath.Dir(path))
	if err != nil {
		return Ceremony{}, err
	}
	next, before := roots.waiting, &roots.last
	if next == nil {
		return Ceremony{}, errors.New("no root in its folder lacks signatures")
	}
	name := versionedName(next.Signed.Version, metadata.ROOT)
	if next.Signed.Version == roots.last.Signed.Version {
		name, before = rootFile, nil
	}
	if filepath.Base(path) != name {
		return Ceremony{}, fmt.Errorf("the root that lacks signatures in this folder is %s", name)
	}
	for _, key := range keys {
		signer, err := o.Signer(ctx, key)
		if err != nil {
			return Ceremony{}, err
		}
		if err := signRoot(ctx, *next, before, signer); err != nil {
			return Ceremony{}, fmt.Errorf("%s: %w", key, err)
		}
	}
	data, err := next.ToBytes(true)
	if err != nil {
		return Ceremony{}, err
	}
	quorums, err := next.quorums(before)
	if err != nil {
		return Ceremony{}, err
	}
	return Ceremony{Path: path, Quorums: quorums}, replaceFile(path, data)
}

// replaceFile atomically replaces a file that isn't secret.
func replaceFile(path string, data []byte) error {
	temp := path + ".tmp"
	if info, err := os.Lstat(temp); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > abandoned {
		_ = os.Remove(temp) // left behind by a process that was killed
	}
	if err := writeNew(temp, data, false); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp) // the first error is the one to report
		return err
	}
	return nil
}

// A RootInfo describes a root to people.
type RootInfo struct {
	Path        string
	Environment string
	Version     int64
	Expires     time.Time
	Roles       []RoleInfo
	// Quorums are the signatures that the root has and needs. Those by the
	// previous root are included only if that is in the same folder.
	Quorums []Quorum
}

// A RoleInfo says who may sign for a role.
type RoleInfo struct {
	Name      string
	Threshold int
	Keys      []KeyInfo
}

// A KeyInfo is a public key.
type KeyInfo struct {
	ID        string
	Algorithm string // "ed25519" or "ecdsa-sha2-nistp256"
}

// Roots describes the roots of a keys folder in order: the pinned one, those that
// follow it, and the one that still lacks signatures, if there is one.
func Roots(dir string) ([]RootInfo, error) {
	roots, err := readLineage(dir)
	if err != nil {
		return nil, err
	}
	var infos []RootInfo
	var before *root
	describe := func(path string, data []byte) error {
		r, err := parseRoot(data)
		if err != nil {
			return err
		}
		info, err := r.describe(path, before)
		before = &r
		infos = append(infos, info)
		return err
	}
	if err := describe(filepath.Join(dir, rootFile), roots.pinned); err != nil {
		return nil, err
	}
	for _, data := range roots.newer {
		path := filepath.Join(dir, versionedName(before.Signed.Version+1, metadata.ROOT))
		if err := describe(path, data); err != nil {
			return nil, err
		}
	}
	if w := roots.waiting; w != nil && w.Signed.Version > before.Signed.Version {
		info, err := w.describe(filepath.Join(dir, versionedName(w.Signed.Version, metadata.ROOT)), before)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// RootOf describes the root in the file called path, without looking at others.
func RootOf(path string) (RootInfo, error) {
	data, err := readLimited(path)
	if err != nil {
		return RootInfo{}, err
	}
	r, err := parseRoot(bytes.Clone(data))
	if err != nil {
		return RootInfo{}, fmt.Errorf("%s: %w", path, err)
	}
	return r.describe(path, nil)
}

func (r root) describe(path string, before *root) (RootInfo, error) {
	info := RootInfo{Path: path, Environment: r.environment, Version: r.Signed.Version, Expires: r.Signed.Expires}
	for _, name := range [...]string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		role := r.Signed.Roles[name]
		described := RoleInfo{Name: name, Threshold: role.Threshold}
		for _, id := range role.KeyIDs {
			described.Keys = append(described.Keys, KeyInfo{id, r.Signed.Keys[id].Scheme})
		}
		info.Roles = append(info.Roles, described)
	}
	var err error
	info.Quorums, err = r.quorums(before)
	return info, err
}
