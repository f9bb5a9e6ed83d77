package release

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/serin-flags/serin/ci/release/internal/keyfile"
)

// ErrPassphrase reports that a private key can't be decrypted. A wrong passphrase is
// indistinguishable from a damaged file.
var ErrPassphrase = keyfile.ErrPassphrase

// A Signer signs with one private key, which may be in memory or in a service.
// Implementations must be safe for concurrent use.
type Signer interface {
	// Public returns the public key: an [ed25519.PublicKey], or an
	// [*ecdsa.PublicKey] on curve P-256.
	Public() crypto.PublicKey
	// Sign signs message. Ed25519 signs the message itself; ECDSA signs its
	// SHA-256 and encodes the signature in ASN.1 DER. The error must not contain
	// key material.
	Sign(ctx context.Context, message []byte) (signature []byte, err error)
}

// An Opener opens keys. The name of a key is the path of a file or a URI. A file holds
// either an ed25519 or ECDSA P-256 key in PEM (PKCS #8, possibly encrypted), or one
// line with a URI. The zero Opener opens files that aren't encrypted.
type Opener struct {
	// Passphrase returns the passphrase of the key in the file called path.
	Passphrase func(path string) ([]byte, error)
	// Remote opens the key that a URI such as "awskms:///alias/flags" names.
	Remote func(ctx context.Context, uri string) (Signer, error)
	// Warn, if not nil, is called with a sentence about a problem that isn't an
	// error, such as a private key that others can read, or a root that lacks
	// signatures.
	Warn func(message string)
}

// Signer opens the private key with the given name, a path or a URI.
func (o Opener) Signer(ctx context.Context, name string) (Signer, error) {
	k, err := o.open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("opening key %s: %w", name, err)
	}
	if k.signer == nil {
		return nil, fmt.Errorf(
			"opening key %s: it is a public key, but signing needs the private one: name the file of that", name)
	}
	return k.signer, nil
}

// A key is a public key and, if the private key is available, its signer.
type key struct {
	public crypto.PublicKey
	signer Signer // or nil
}

// isURI reports whether the name of a key is a URI.
func isURI(name string) bool { return strings.Contains(name, "://") }

// open opens a private or a public key.
func (o Opener) open(ctx context.Context, name string) (key, error) {
	if isURI(name) {
		return o.remote(ctx, name)
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return key{}, errors.New("it is a folder: name the file in it, or mount the secret as a file")
	}
	data, err := readLimited(name)
	if err != nil {
		return key{}, err
	}
	if text := strings.TrimSpace(string(data)); isURI(text) && !strings.ContainsAny(text, " \t\r\n") {
		return o.remote(ctx, text)
	}
	block, err := keyfile.Decode(data)
	if err != nil {
		return key{}, err
	}
	der := block.Bytes
	switch block.Type {
	case keyfile.Public:
		public, err := x509.ParsePKIXPublicKey(der)
		if err != nil || !supported(public) {
			return key{}, errWrongKind
		}
		return key{public: public}, nil
	case keyfile.Encrypted:
		if o.Passphrase == nil {
			return key{}, errors.New("it is encrypted with a passphrase, and Opener.Passphrase isn't set")
		}
		passphrase, err := o.Passphrase(name)
		if err != nil {
			return key{}, err
		}
		if der, err = keyfile.Decrypt(der, passphrase); err != nil {
			return key{}, err
		}
	}
	o.checkMode(name)
	return parsePrivate(der, block.Type == keyfile.Encrypted)
}

var errWrongKind = errors.New(
	"it is neither an ed25519 nor an ECDSA P-256 key: make one with 'serin keys init', or with " +
		"'openssl genpkey -algorithm ed25519'")

func parsePrivate(der []byte, decrypted bool) (key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	switch {
	case err != nil && decrypted:
		return key{}, ErrPassphrase
	case err != nil:
		return key{}, errors.New(
			"what is between -----BEGIN and -----END isn't a private key in PKCS #8: it is damaged or cut " +
				"off, so copy the whole file again")
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok || !supported(signer.Public()) {
		return key{}, errWrongKind
	}
	return key{signer.Public(), privateKey{signer}}, nil
}

func (o Opener) remote(ctx context.Context, uri string) (key, error) {
	if o.Remote == nil {
		return key{}, fmt.Errorf("%s: keys named by a URI are not supported here", uri)
	}
	signer, err := o.Remote(ctx, uri)
	if err != nil {
		return key{}, err
	}
	if !supported(signer.Public()) {
		return key{}, errWrongKind
	}
	return key{signer.Public(), signer}, nil
}

// checkMode warns of a private key that other users may read.
func (o Opener) checkMode(path string) {
	info, err := os.Stat(path)
	if o.Warn != nil && err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		o.Warn(fmt.Sprintf("other users can read the private key %[1]s: run chmod 600 %[1]s", path))
	}
}

// supported reports whether clients accept signatures by a key.
func supported(public crypto.PublicKey) bool {
	switch public := public.(type) {
	case ed25519.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return public.Curve == elliptic.P256()
	}
	return false
}

// privateKey is a [Signer] whose key is in memory.
type privateKey struct{ key crypto.Signer }

// Format keeps the key out of everything that package fmt prints.
func (k privateKey) Format(f fmt.State, _ rune) { io.WriteString(f, "private key") } // as fmt does

func (k privateKey) Public() crypto.PublicKey { return k.key.Public() }

func (k privateKey) Sign(_ context.Context, message []byte) ([]byte, error) {
	if _, ok := k.key.(ed25519.PrivateKey); ok {
		return k.key.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return k.key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// newKey creates an ed25519 key, encrypted with the passphrase unless that is empty.
func newKey(passphrase []byte) (encoded []byte, signer Signer, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block := pem.Block{Type: keyfile.Private}
	if block.Bytes, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return nil, nil, err
	}
	if len(passphrase) > 0 {
		block.Type = keyfile.Encrypted
		if block.Bytes, err = keyfile.Encrypt(block.Bytes, passphrase); err != nil {
			return nil, nil, err
		}
	}
	return pem.EncodeToMemory(&block), privateKey{private}, nil
}
