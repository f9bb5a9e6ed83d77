package release_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/release"
)

// writePublic writes the public key of a private one.
func writePublic(t *testing.T, private, public string) {
	t.Helper()
	data, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// node runs a program in JavaScript, whose crypto module is that of OpenSSL.
func node(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"-e", program}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, &stderr)
	}
	return out
}

func withPassphrase(passphrase string) release.Opener {
	return release.Opener{Passphrase: func(string) ([]byte, error) { return []byte(passphrase), nil }}
}

// What is written with a passphrase is read by OpenSSL, and by us.
func TestPassphraseOfOurs(t *testing.T) {
	const passphrase = "correct horse, ünïcode"
	f := newFolder(t, release.InitOptions{RootPassphrase: []byte(passphrase), OnlinePassphrase: []byte("another")})
	for name, passphrase := range map[string]string{"root.key": passphrase, "online.key": "another"} {
		signer, err := withPassphrase(passphrase).Signer(t.Context(), f.path(name))
		if err != nil {
			t.Fatal(err)
		}
		signature, err := signer.Sign(t.Context(), []byte("message"))
		if err != nil {
			t.Fatal(err)
		}
		theirs := node(t, `const [file, passphrase] = process.argv.slice(1), fs = require("fs"), crypto = require("crypto");
			const key = crypto.createPrivateKey({key: fs.readFileSync(file), passphrase});
			process.stdout.write(crypto.sign(null, Buffer.from("message"), key));`, f.path(name), passphrase)
		if !bytes.Equal(signature, theirs) { // ed25519 signs the same always
			t.Errorf("%s: OpenSSL signs otherwise", name)
		}
		for _, wrong := range []string{"wrong", "", passphrase + " "} {
			if _, err := withPassphrase(wrong).Signer(t.Context(), f.path(name)); !errors.Is(err,
				release.ErrPassphrase) || !strings.Contains(err.Error(), f.path(name)) {
				t.Errorf("%s, with passphrase %q: error %v", name, wrong, err)
			}
		}
		if _, err := (release.Opener{}).Signer(t.Context(), f.path(name)); err == nil ||
			!strings.Contains(err.Error(), "encrypted with a passphrase") {
			t.Errorf("%s, without a passphrase: error %v", name, err)
		}
	}
}

// What OpenSSL writes is read.
func TestPassphraseOfOpenSSL(t *testing.T) {
	for _, tt := range []struct{ kind, cipher string }{
		{"ed25519", "aes-256-cbc"}, {"ed25519", "aes-128-cbc"}, {"ec", "aes-256-cbc"},
	} {
		path := filepath.Join(t.TempDir(), "openssl.key")
		node(t, `const [file, kind, cipher, passphrase] = process.argv.slice(1), fs = require("fs"), crypto = require("crypto");
			const {privateKey} = crypto.generateKeyPairSync(kind, {namedCurve: "P-256",
				privateKeyEncoding: {type: "pkcs8", format: "pem", cipher, passphrase}, publicKeyEncoding: {type: "spki", format: "pem"}});
			fs.writeFileSync(file, privateKey);`, path, tt.kind, tt.cipher, "secret")
		if _, err := withPassphrase("secret").Signer(t.Context(), path); err != nil {
			t.Errorf("%s by %s: %v", tt.kind, tt.cipher, err)
		}
		if _, err := withPassphrase("wrong").Signer(t.Context(), path); !errors.Is(err, release.ErrPassphrase) {
			t.Errorf("%s by %s, with a wrong passphrase: error %v", tt.kind, tt.cipher, err)
		}
	}
}

// A hostile file neither takes forever nor crashes anything, and says what is the
// matter with it.
func FuzzEncryptedKey(f *testing.F) {
	dir := f.TempDir()
	if _, err := (release.Opener{}).Init(f.Context(),
		release.InitOptions{Dir: dir, Environment: production, RootPassphrase: []byte("x")}); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "root.key"))
	if err != nil {
		f.Fatal(err)
	}
	block, _ := pem.Decode(data)
	for _, cheaper := range [][]byte{{0, 0, 1}, {1, 0, 0}, {0x7f, 0xff, 0xff}} {
		// The number of iterations, 600,000, in its three bytes.
		f.Add(bytes.Replace(block.Bytes, []byte{2, 3, 9, 0x27, 0xc0}, append([]byte{2, 3}, cheaper...), 1))
	}
	path := filepath.Join(dir, "fuzzed.key")
	f.Fuzz(func(t *testing.T, der []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}),
			0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := withPassphrase("x").Signer(t.Context(), path); err != nil && strings.Contains(err.Error(), "%!") {
			t.Error(err)
		}
	})
}

func TestCostOfAPassphraseIsBounded(t *testing.T) {
	f := newFolder(t, release.InitOptions{RootPassphrase: []byte("x")})
	data, err := os.ReadFile(f.path("root.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	block.Bytes = bytes.Replace(block.Bytes, []byte{2, 3, 9, 0x27, 0xc0}, []byte{2, 3, 0x7f, 0xff, 0xff}, 1)
	if err := os.WriteFile(f.path("root.key"), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := withPassphrase("x").Signer(t.Context(), f.path("root.key")); err == nil ||
		!strings.Contains(err.Error(), "more than 5000000 iterations") {
		t.Errorf("8 million iterations: error %v", err)
	}
}

// A private key that others can read is told of.
func TestExposedKeys(t *testing.T) {
	f := newFolder(t, release.InitOptions{})
	for _, mode := range []os.FileMode{0o600, 0o400, 0o640, 0o604} {
		if err := os.Chmod(f.path("online.key"), mode); err != nil {
			t.Fatal(err)
		}
		var warnings []string
		opener := release.Opener{Warn: func(message string) { warnings = append(warnings, message) }}
		if _, err := opener.Keys(t.Context(), string(f)); err != nil {
			t.Fatal(err)
		}
		if exposed := mode&0o077 != 0; exposed != (len(warnings) == 1) {
			t.Errorf("mode %v: warnings %q", mode, warnings)
		}
	}
}
