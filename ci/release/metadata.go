package release

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// expiry returns when metadata that is signed now expires: in UTC and whole
// seconds, as TUF writes times.
func expiry(now time.Time, lifetime time.Duration) time.Time {
	return now.UTC().Truncate(time.Second).Add(lifetime)
}

// sign returns md as it is published, with the signature of signer and no other.
// (The Sign of md itself has no context, and hides why a signer failed.)
func sign[T metadata.Roles](ctx context.Context, md *metadata.Metadata[T], signer Signer) ([]byte, error) {
	id, err := keyID(signer)
	if err != nil {
		return nil, err
	}
	message, err := cjson.EncodeCanonical(md.Signed)
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("signing with key %.8s: %w", id, err)
	}
	md.Signatures = []metadata.Signature{{KeyID: id, Signature: signature}}
	return md.ToBytes(false)
}

// keyID returns the name that TUF metadata has for signer's key.
func keyID(signer Signer) (string, error) {
	key, err := metadata.KeyFromPublicKey(signer.Public())
	if err != nil {
		return "", err
	}
	return key.ID()
}

// describe returns the entry for data in the metadata that refers to it.
func describe(version int64, data []byte) *metadata.MetaFiles {
	digest := sha256.Sum256(data)
	file := metadata.MetaFile(version)
	file.Length = int64(len(data))
	file.Hashes = metadata.Hashes{"sha256": digest[:]}
	return file
}

// checkRoot returns an error if nothing that signer signs now would be accepted
// under root.
func checkRoot(root *metadata.RootType, signer Signer, now time.Time) error {
	if root.IsExpired(now) {
		return fmt.Errorf("version %d of the root expired at %s: clients refuse everything until there is a newer one",
			root.Version, root.Expires.Format(time.RFC3339))
	}
	id, err := keyID(signer)
	if err != nil {
		return err
	}
	for _, name := range onlineRoles {
		role := root.Roles[name]
		if role == nil || !slices.Contains(role.KeyIDs, id) {
			return fmt.Errorf("the online key, %.8s, isn't one that version %d of the root trusts for %s: does it belong to this root.json?",
				id, root.Version, name)
		}
		if role.Threshold > 1 {
			return fmt.Errorf("version %d of the root asks for %d signatures for %s, and there is one online key",
				root.Version, role.Threshold, name)
		}
	}
	return nil
}
