package bundle

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// A publicKey is an ed25519 or an ECDSA P-256 key.
type publicKey struct {
	// point is the public key itself, the same whatever keyid or spelling
	// it came under.
	point string
	ecdsa *ecdsa.PublicKey // nil: ed25519, and point is the key
}

// verifies reports whether sig is a signature of message by k.
func (k publicKey) verifies(message, sig []byte) bool {
	if k.ecdsa != nil {
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(k.ecdsa, digest[:], sig)
	}
	return ed25519.Verify(ed25519.PublicKey(k.point), message, sig)
}

// parseKey parses a key of root.json, listed under keyid.
func parseKey(keyid string, n node) (publicKey, error) {
	if n.kind != kindObject {
		return publicKey{}, errors.New("a key must be an object")
	}
	keytype, err := n.member("keytype", kindString)
	if err != nil {
		return publicKey{}, err
	}
	scheme, err := n.member("scheme", kindString)
	if err != nil {
		return publicKey{}, err
	}
	keyval, err := n.member("keyval", kindObject)
	if err != nil {
		return publicKey{}, err
	}
	public, err := keyval.member("public", kindString)
	if err != nil {
		return publicKey{}, err
	}
	if !isKeyID(keyid, n, keytype, scheme, public) {
		return publicKey{}, errors.New("a keyid is not that of its key")
	}
	// The scheme is named by the root, which is signed, and never by a
	// signature.
	switch keytype.text + "/" + scheme.text {
	case "ed25519/ed25519":
		return parseEd25519(public.text)
	case "ecdsa/ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256/ecdsa-sha2-nistp256":
		return parseECDSA(public.text)
	}
	return publicKey{}, errors.New("a key is neither ed25519 nor ecdsa-sha2-nistp256")
}

// isKeyID reports whether keyid is the SHA-256 of the canonical form of key.
// Tools disagree on whether that includes fields that TUF does not define, so
// either will do. Nothing rests on it: thresholds count keys, not keyids.
func isKeyID(keyid string, key, keytype, scheme, public node) bool {
	plain := node{
		kind: kindObject,
		keys: []string{"keytype", "keyval", "scheme"},
		list: []node{
			keytype,
			{kind: kindObject, keys: []string{"public"}, list: []node{public}},
			scheme,
		},
	}
	for _, n := range []node{plain, key} {
		digest := sha256.Sum256(appendCanonical(nil, n))
		if keyid == hex.EncodeToString(digest[:]) {
			return true
		}
	}
	return false
}

func parseEd25519(public string) (publicKey, error) {
	b, err := hex.DecodeString(public)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return publicKey{}, errors.New("an ed25519 key must be 32 bytes in hexadecimal")
	}
	if isSmallOrder(b) {
		return publicKey{}, errors.New(
			"an ed25519 key is a point of small order, which has signatures that nobody made")
	}
	return publicKey{point: string(b)}, nil
}

// smallOrder are the y coordinates, in little-endian order, of the points of edwards25519
// whose order divides 8, and the two of them that have a second encoding. They are
// public keys under which anyone can make signatures: RFC 8032 leaves it to protocols to
// refuse them.
var smallOrder = [...]string{
	"0000000000000000000000000000000000000000000000000000000000000000", // 0: order 4
	"0100000000000000000000000000000000000000000000000000000000000000", // 1: the identity
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // -1: order 2
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 0 again
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 1 again
}

// isSmallOrder reports whether an ed25519 key of 32 bytes is a point of small order.
func isSmallOrder(key []byte) bool {
	y := bytes.Clone(key)
	y[len(y)-1] &= 0x7f // without the sign of x
	return slices.Contains(smallOrder[:], hex.EncodeToString(y))
}

func parseECDSA(public string) (publicKey, error) {
	block, rest := pem.Decode([]byte(public))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) > 0 {
		return publicKey{}, errors.New("an ECDSA key must be one PEM block, PUBLIC KEY")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return publicKey{}, fmt.Errorf("parsing an ECDSA key: %w", err)
	}
	k, ok := parsed.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return publicKey{}, errors.New("an ECDSA key must be on the curve P-256")
	}
	point, err := k.Bytes()
	if err != nil {
		return publicKey{}, fmt.Errorf("parsing an ECDSA key: %w", err)
	}
	return publicKey{point: string(point), ecdsa: k}, nil
}
