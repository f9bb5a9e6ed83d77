package sdk_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk"
)

// rotated returns a repository whose root follows that of the keys in a folder and
// has another online key, so that versions and revisions start over.
func rotated(t *testing.T, keys string) *repository {
	t.Helper()
	loaded, err := release.LoadKeys(keys)
	must(t, err)
	root, err := metadata.Root().FromBytes(loaded.Root)
	must(t, err)
	r := newRepository(t, "production")
	old, err := metadata.KeyFromPublicKey(loaded.Online.Public())
	must(t, err)
	online, err := metadata.KeyFromPublicKey(r.keys.Online.Public())
	must(t, err)
	id, err := old.ID()
	must(t, err)
	for _, role := range []string{metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		must(t, root.Signed.RevokeKey(id, role), root.Signed.AddKey(online, role))
	}
	root.Signed.Version++
	root.ClearSignatures()
	encoded, err := os.ReadFile(filepath.Join(keys, "root.key"))
	must(t, err)
	block, _ := pem.Decode(encoded)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(t, err)
	signer, err := signature.LoadED25519Signer(key.(ed25519.PrivateKey))
	must(t, err)
	_, err = root.Sign(signer)
	must(t, err)
	r.keys.Root, err = root.ToBytes(false)
	must(t, err)
	return r
}

// TestRotation has the online key replaced, as after a theft. What is signed with
// the old key mustn't replace what is signed with the new one, in memory or in a
// shared disk cache, although its numbers are higher.
func TestRotation(t *testing.T) {
	keys := t.TempDir()
	_, err := release.InitKeys(keys, "production")
	must(t, err)
	before := newRepository(t, "production")
	before.keys, err = release.LoadKeys(keys)
	must(t, err)
	before.number(t, 1)
	after := rotated(t, keys)

	served := &repository{dir: before.copy(t)}
	cfg := sdk.Config{Root: before.keys.Root, Interval: -1, CacheDir: t.TempDir()}
	cfg.Source = before.source(t)
	behind := open(t, cfg)
	cfg.Source = served.source(t)
	ahead := open(t, cfg)
	for n := int64(2); n < 5; n++ {
		before.number(t, n)
	}
	served.reset(t, before.copy(t))
	must(t, ahead.Refresh(t.Context()))
	serves(t, ahead, 4)

	after.number(t, 10)
	served.reset(t, after.copy(t))
	must(t, ahead.Refresh(t.Context()))
	serves(t, ahead, 10)
	if st := ahead.Status(); st.Revision >= 4 || st.State != sdk.Fresh {
		t.Errorf("status %+v", st)
	}
	must(t, behind.Refresh(t.Context()))
	serves(t, behind, 4)
	serves(t, offline(t, before, cfg.CacheDir), 10)
}

// TestRotationToTheSameRevision: numbers that start over may be those that a client
// knows. It is the content that counts, also of what is held back.
func TestRotationToTheSameRevision(t *testing.T) {
	keys := t.TempDir()
	_, err := release.InitKeys(keys, "production")
	must(t, err)
	before := newRepository(t, "production")
	before.keys, err = release.LoadKeys(keys)
	must(t, err)
	after := rotated(t, keys)
	before.number(t, 1)
	after.number(t, 7)
	served := &repository{dir: before.copy(t)}
	cfg := sdk.Config{Root: before.keys.Root, Interval: -1, Source: served.source(t)}
	client, holding := open(t, cfg), open(t, cfg)
	served.reset(t, after.copy(t))
	must(t, client.Refresh(t.Context()))
	if st := client.Status(); st.Revision != 1 || st.State != sdk.Fresh {
		t.Errorf("status %+v", st)
	}
	serves(t, client, 7)

	serves(t, holding, 1)
	before.publish(t, flags(0, "nothing"))
	served.reset(t, before.copy(t))
	if err := holding.Refresh(t.Context()); !errors.Is(err, sdk.ErrHeldBack) {
		t.Errorf("error %v", err)
	}
	after.number(t, 8)
	served.reset(t, after.copy(t))
	must(t, holding.Refresh(t.Context()))
	serves(t, holding, 8)
}
