package release_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestInitKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys", "production")
	files, err := release.InitKeys(dir, production)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{"root.key": 0o600, "online.key": 0o600, "root.json": 0o644}
	if len(files) != len(want) {
		t.Errorf("made %+v", files)
	}
	for _, file := range files {
		info, err := os.Stat(file.Path)
		if err != nil {
			t.Fatal(err)
		}
		mode, ok := want[filepath.Base(file.Path)]
		if !ok || info.Mode() != mode || file.Secret != (mode == 0o600) || file.Purpose == "" {
			t.Errorf("mode %v of %+v", info.Mode(), file)
		}
	}
	root, err := os.ReadFile(filepath.Join(dir, "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if got := verifier.Environment(); got != production {
		t.Errorf("the root is that of environment %q", got)
	}
	var document struct {
		Signed struct {
			Version            int
			ConsistentSnapshot bool `json:"consistent_snapshot"`
			Expires            time.Time
			Keys               map[string]json.RawMessage
			Roles              map[string]struct {
				KeyIDs    []string
				Threshold int
			}
		}
	}
	if err := json.Unmarshal(root, &document); err != nil {
		t.Fatal(err)
	}
	signed := document.Signed
	if signed.Version != 1 || !signed.ConsistentSnapshot || len(signed.Keys) != 2 || len(signed.Roles) != 4 {
		t.Errorf("root: %s", root)
	}
	if d := time.Until(signed.Expires) - release.RootLifetime; d.Abs() > time.Minute {
		t.Errorf("the root expires at %v", signed.Expires)
	}
	for name, role := range signed.Roles {
		isRoot := role.KeyIDs[0] == signed.Roles["root"].KeyIDs[0]
		if len(role.KeyIDs) != 1 || role.Threshold != 1 || isRoot != (name == "root") {
			t.Errorf("role %s: %+v", name, role)
		}
	}
}

func TestInitKeysNeverOverwrites(t *testing.T) {
	for _, name := range []string{"root.key", "online.key", "root.json"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := release.InitKeys(dir, production); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s exists: error %v", name, err)
		}
		if data, _ := os.ReadFile(path); string(data) != "precious" {
			t.Errorf("%s was overwritten", name)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s exists: left %v", name, entries)
		}
	}
	for _, env := range []string{"", "a/b", "..", ".hidden", "a b", "a\n", strings.Repeat("x", 200)} {
		if _, err := release.InitKeys(t.TempDir(), env); err == nil {
			t.Errorf("environment %q was accepted", env)
		}
	}
}

// Publishing works where the root's private key isn't.
func TestLoadKeysWithoutRootKey(t *testing.T) {
	dir := t.TempDir()
	if _, err := release.InitKeys(dir, production); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, "root.key")
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	mustPublish(t, options(filestore.New(t.TempDir()), keys, content{"a": "1"}))
}

func newECDSA(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func writeKeys(t *testing.T, root, online []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, data := range map[string][]byte{"root.json": root, "online.key": online} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ecdsaKeys returns keys on curve P-256, with a root that others' software made.
func ecdsaKeys(t *testing.T) release.Keys {
	t.Helper()
	rootKey, onlineKey := newECDSA(t, elliptic.P256()), newECDSA(t, elliptic.P256())
	root := metadata.Root(time.Now().Add(day).UTC().Truncate(time.Second))
	root.Signed.UnrecognizedFields = map[string]any{"x-serin-environment": production}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		var public crypto.PublicKey = onlineKey.Public()
		if role == metadata.ROOT {
			public = rootKey.Public()
		}
		key, err := metadata.KeyFromPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		if err := root.Signed.AddKey(key, role); err != nil {
			t.Fatal(err)
		}
	}
	message, err := cjson.EncodeCanonical(root.Signed)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, rootKey, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	root.Signatures = []metadata.Signature{{KeyID: root.Signed.Roles[metadata.ROOT].KeyIDs[0], Signature: signature}}
	data, err := root.ToBytes(true)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys(writeKeys(t, data, encode(t, onlineKey)))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestECDSAKeys(t *testing.T) {
	keys := ecdsaKeys(t)
	store := filestore.New(t.TempDir())
	mustPublish(t, options(store, keys, content{"a": "1"}))
	mustPublish(t, options(store, keys, content{"a": "2"}))
	if got, revision := mustRead(t, store, keys); got["a"] != "2" || revision != 2 {
		t.Errorf("read revision %d, %v", revision, got)
	}
}

func TestKeysArePrintedWithoutTheKey(t *testing.T) {
	keys := newKeys(t, production)
	keys.Root = nil
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, value := range []any{keys, &keys, keys.Online, release.Options{Keys: keys}} {
			if got := fmt.Sprintf(verb, value); len(got) > 800 || strings.Count(got, "private key") != 1 {
				t.Errorf("%s of %T: %.200s", verb, value, got)
			}
		}
	}
}

func TestLoadKeysRefuses(t *testing.T) {
	root := newKeys(t, production).Root
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := encode(t, edKey)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	for name, online := range map[string][]byte{
		"empty":        nil,
		"not PEM":      block.Bytes,
		"another type": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: block.Bytes}),
		"two keys":     append(bytes.Clone(good), good...),
		"broken":       pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes[:20]}),
		"RSA":          encode(t, rsaKey),
		"P-384":        encode(t, newECDSA(t, elliptic.P384())),
		"too long":     append(bytes.Clone(good), bytes.Repeat([]byte("\n"), 1<<20)...),
	} {
		dir := writeKeys(t, root, online)
		_, err := release.LoadKeys(dir)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "online.key")) {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		for line := range strings.Lines(string(online)) {
			if line = strings.TrimSpace(line); len(line) > 20 && !strings.HasPrefix(line, "-") &&
				strings.Contains(err.Error(), line) {
				t.Errorf("%s: the key is in the error: %v", name, err)
			}
		}
	}
	for _, name := range []string{"root.json", "online.key"} {
		dir := writeKeys(t, root, good)
		remove(t, dir, name)
		if _, err := release.LoadKeys(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: error %v", name, err)
		}
	}
}
