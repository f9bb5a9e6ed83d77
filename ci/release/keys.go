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
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// The files of a keys folder.
const (
	rootKeyFile   = "root.key"
	onlineKeyFile = "online.key"
	rootFile      = "root.json"
)

const (
	pemType = "PRIVATE KEY" // PKCS #8
	// maxKeyFile is the length in bytes above which a file of a keys folder
	// isn't read: root.json is the longest, and clients refuse more.
	maxKeyFile = 512 << 10
)

// environmentField is the custom field of root.json that says which environment
// it is the root of.
const environmentField = "x-serin-environment"

// A Signer signs with one private key, wherever that is. Implementations must
// be safe for concurrent use.
type Signer interface {
	// Public returns the public key: an [ed25519.PublicKey], or an
	// [*ecdsa.PublicKey] on curve P-256.
	Public() crypto.PublicKey
	// Sign signs message: with ed25519 as it is, with ECDSA its SHA-256, the
	// signature then being in ASN.1 DER. The error must not hold key material.
	Sign(ctx context.Context, message []byte) (signature []byte, err error)
}

// Keys are what a publisher needs of one environment's keys. The root's private
// key isn't among them.
type Keys struct {
	// Root is the root.json that clients pin.
	Root []byte
	// Online signs targets, snapshot and timestamp.
	Online Signer
}

// A KeyFile is a file that [InitKeys] made.
type KeyFile struct {
	Path    string
	Secret  bool   // whoever reads it can sign
	Purpose string // what it is for and where it belongs, in a few sentences
}

// InitKeys makes the keys of the environment called env: dir/root.key,
// dir/online.key and dir/root.json, the root that clients pin, signed and valid
// for [RootLifetime]. Keys are ed25519: no signature depends on a good random
// number then, keys and signatures are small, and every TUF client must know it.
// dir is made if necessary. Files are never overwritten: if any of them exists
// InitKeys returns an error that wraps [fs.ErrExist] and leaves none of its own.
func InitKeys(dir, env string) ([]KeyFile, error) {
	made, err := initKeys(dir, env)
	if err != nil {
		return nil, fmt.Errorf("making the keys of %q in %s: %w", env, dir, err)
	}
	return made, nil
}

func initKeys(dir, env string) ([]KeyFile, error) {
	if !validEnvironment(env) {
		return nil, errors.New("an environment's name has letters, digits, '-', '_' and '.', and starts with none of the last")
	}
	rootPEM, rootSigner, err := newKey()
	if err != nil {
		return nil, err
	}
	onlinePEM, onlineSigner, err := newKey()
	if err != nil {
		return nil, err
	}
	root, err := newRoot(env, rootSigner, onlineSigner, time.Now())
	if err != nil {
		return nil, err
	}
	files := []struct {
		KeyFile
		data []byte
	}{
		{KeyFile{filepath.Join(dir, rootKeyFile), true, "The root key. It decides which other keys are trusted, and signs nothing else. " +
			"Keep it offline and backed up, away from CI: publishing doesn't need it."}, rootPEM},
		{KeyFile{filepath.Join(dir, onlineKeyFile), true, "The online key. It signs what is published. " +
			"Keep it as a secret of the CI job that publishes, and nowhere else."}, onlinePEM},
		{KeyFile{filepath.Join(dir, rootFile), false, "The root that clients pin. It is public. " +
			"Commit it, ship it with every client, and give it to the CI job that publishes."}, root},
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var made []KeyFile
	for _, file := range files {
		if err := writeNew(file.Path, file.data, file.Secret); err != nil {
			for _, m := range made {
				os.Remove(m.Path) // the first error is the one to tell
			}
			return nil, err
		}
		made = append(made, file.KeyFile)
	}
	return made, nil
}

// validEnvironment reports whether env can be the last part of a repository's
// URL.
func validEnvironment(env string) bool {
	return bundle.ValidNamespace(env) && !strings.Contains(env, "/")
}

// LoadKeys reads dir/root.json and dir/online.key, an ed25519 or ECDSA P-256
// key in PKCS #8 and PEM. It doesn't read dir/root.key, which need not be there.
// Whether they belong together shows in [Publish].
func LoadKeys(dir string) (Keys, error) {
	root, err := readLimited(filepath.Join(dir, rootFile))
	if err != nil {
		return Keys{}, fmt.Errorf("loading the pinned root: %w", err)
	}
	online, err := loadSigner(filepath.Join(dir, onlineKeyFile))
	if err != nil {
		return Keys{}, fmt.Errorf("loading the online key: %w", err)
	}
	return Keys{Root: root, Online: online}, nil
}

// privateKey is a [Signer] whose key is in memory.
type privateKey struct{ key crypto.Signer }

// Format keeps the key out of everything that is printed.
func (k privateKey) Format(f fmt.State, _ rune) { io.WriteString(f, "private key") } // as fmt does

func (k privateKey) Public() crypto.PublicKey { return k.key.Public() }

func (k privateKey) Sign(_ context.Context, message []byte) ([]byte, error) {
	if _, ok := k.key.(ed25519.PrivateKey); ok {
		return k.key.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return k.key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

func newKey() (encoded []byte, signer Signer, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), privateKey{key}, nil
}

func loadSigner(path string) (Signer, error) {
	data, err := readLimited(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != pemType || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, fmt.Errorf("%s: want one PEM block of type %q, which is PKCS #8 and not encrypted", path, pemType)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return privateKey{key}, nil
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return privateKey{key}, nil
		}
	}
	return nil, fmt.Errorf("%s: want an ed25519 or an ECDSA P-256 key", path)
}

// newRoot returns version 1 of the root of env.
func newRoot(env string, rootSigner, online Signer, now time.Time) ([]byte, error) {
	root := metadata.Root(expiry(now, RootLifetime))
	root.Signed.UnrecognizedFields = map[string]any{environmentField: env}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		signer := online
		if role == metadata.ROOT {
			signer = rootSigner
		}
		key, err := metadata.KeyFromPublicKey(signer.Public())
		if err != nil {
			return nil, err
		}
		if err := root.Signed.AddKey(key, role); err != nil {
			return nil, err
		}
	}
	return sign(context.Background(), root, rootSigner)
}

// writeNew writes a file that mustn't exist.
func writeNew(path string, data []byte, secret bool) error {
	mode := fs.FileMode(0o644)
	if secret {
		mode = 0o600
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		os.Remove(path) // the first error is the one to tell
	}
	return err
}

func readLimited(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%s: %w", path, bundle.ErrTooLarge)
	}
	return data, nil
}
