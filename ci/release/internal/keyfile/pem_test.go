package keyfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

// keyText returns the file of a new key.
func keyText(t testing.TB) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: Private, Bytes: der})
}

// TestKeyVariants holds which harmless variants of a key's file are accepted. What is
// refused, and the words for it, are in cmd/serin/testdata/mistakes.
func TestKeyVariants(t *testing.T) {
	text := string(keyText(t))
	for name, variant := range map[string]string{
		"as it is":      text,
		"CRLF":          strings.ReplaceAll(text, "\n", "\r\n"),
		"no last break": strings.TrimSpace(text),
		"indented":      "\n  " + text + "\n\n",
		"a comment":     "made by the operators\n" + text,
	} {
		if block, err := Decode([]byte(variant)); err != nil || block.Type != Private {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecode checks that no file is beyond Decode, and that errors don't quote it.
func FuzzDecode(f *testing.F) {
	text := keyText(f)
	secret := base64.StdEncoding.EncodeToString([]byte("thirty-two bytes of key material"))
	for _, seed := range []string{
		string(text), "", "-----BEGIN ", `"-----BEGIN PRIVATE KEY-----\n`, "-----END PRIVATE KEY-----", secret,
		"\xff\xfe-\x00", "\xef\xbb\xbf-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n",
		"-----BEGIN CERTIFICATE-----\n" + secret + "\n-----END CERTIFICATE-----\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		block, err := Decode(data)
		if (block == nil) == (err == nil) {
			t.Fatalf("block %v, error %v", block, err)
		}
		if err == nil {
			return
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			if len(line) > 40 && strings.Contains(err.Error(), line) { // shorter than any key
				t.Fatalf("the error quotes the file: %v", err)
			}
		}
	})
}
