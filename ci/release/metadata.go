package release

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// expiry returns when metadata that is signed now expires, in UTC and whole seconds,
// as TUF writes times.
func expiry(now time.Time, lifetime time.Duration) time.Time {
	return now.UTC().Truncate(time.Second).Add(lifetime)
}

// sign encodes md with the signatures of signers and no others. (The method Sign of md
// takes no context, and hides why a signer failed.)
func sign[T metadata.Roles](ctx context.Context, md *metadata.Metadata[T], signers []Signer) ([]byte, error) {
	md.Signatures = nil
	for _, signer := range signers {
		signature, err := signWith(ctx, md.Signed, signer)
		if err != nil {
			return nil, err
		}
		md.Signatures = append(md.Signatures, signature)
	}
	return md.ToBytes(false)
}

// signWith returns a signature of the part of metadata that is called "signed".
func signWith(ctx context.Context, signed any, signer Signer) (metadata.Signature, error) {
	id, err := keyID(signer.Public())
	if err != nil {
		return metadata.Signature{}, err
	}
	message, err := cjson.EncodeCanonical(signed)
	if err != nil {
		return metadata.Signature{}, err
	}
	signature, err := signer.Sign(ctx, message)
	if err != nil {
		return metadata.Signature{}, fmt.Errorf("signing with key %.8s: %w", id, err)
	}
	return metadata.Signature{KeyID: id, Signature: signature}, nil
}

// keyID returns the ID of a key in TUF metadata.
func keyID(public crypto.PublicKey) (string, error) {
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return "", err
	}
	return key.ID()
}

// describe returns the entry with which other metadata refers to data.
func describe(version int64, data []byte) *metadata.MetaFiles {
	digest := sha256.Sum256(data)
	file := metadata.MetaFile(version)
	file.Length = int64(len(data))
	file.Hashes = metadata.Hashes{"sha256": digest[:]}
	return file
}
