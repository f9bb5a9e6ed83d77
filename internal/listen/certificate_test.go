package listen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a certificate with a serial number, and writes it and its key to a folder.
func write(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "flags"},
		DNSNames:  []string{"flags"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	replace(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	replace(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	return cert, key
}

// replace replaces a file by another one, so that its times differ even on coarse clocks.
func replace(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// handshake returns the serial number of the certificate that a client gets.
func handshake(t *testing.T, c *Certificate, client *tls.Config) (int64, error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(far, c.Config()).Handshake()
		far.Close()
	}()
	client.InsecureSkipVerify = true
	conn := tls.Client(near, client)
	err := conn.Handshake()
	if err != nil {
		near.Close()
		<-done
		return 0, err
	}
	<-done
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestCertificateIsRenewed(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	cert, key := write(t, dir, 1)
	c, err := ReadCertificate(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serves := func(when string, want int64) {
		t.Helper()
		if got, err := handshake(t, c, &tls.Config{}); err != nil || got != want {
			t.Errorf("%s: certificate %d, error %v, want %d", when, got, err, want)
		}
	}
	serves("at first", 1)
	write(t, dir, 2)
	serves("after both files were replaced", 2)
	if n := strings.Count(log.String(), "new TLS certificate"); n != 1 {
		t.Errorf("%d lines:\n%s", n, &log)
	}
	log.Reset()

	// The certificate comes before its key, as certbot writes them.
	other := t.TempDir()
	newCert, newKey := write(t, other, 3)
	certData, err := os.ReadFile(newCert)
	if err != nil {
		t.Fatal(err)
	}
	keyData, err := os.ReadFile(newKey)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, cert, certData)
	serves("between the two files", 2)
	serves("between the two files", 2)
	if n := strings.Count(log.String(), "can't be used"); n != 1 {
		t.Errorf("%d lines, want one:\n%s", n, &log)
	}
	replace(t, key, keyData)
	serves("after the second file", 3)
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	serves("without a file", 3)
	replace(t, cert, []byte("-----BEGIN CERTIFICATE-----\n"))
	serves("with half a file", 3)
	if strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("the log has a key:\n%s", &log)
	}

	// Kubernetes swaps a symbolic link.
	links := t.TempDir()
	for i, serial := range []int64{10, 11} {
		if err := os.Mkdir(filepath.Join(links, string(rune('a'+i))), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(links, string(rune('a'+i))), serial)
	}
	if err := os.Symlink("a", filepath.Join(links, "data")); err != nil {
		t.Fatal(err)
	}
	if c, err = ReadCertificate(filepath.Join(links, "data", "tls.crt"), filepath.Join(links, "data", "tls.key"),
		slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	serves("through a link", 10)
	if err := os.Symlink("b", filepath.Join(links, "data.new")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(links, "data.new"), filepath.Join(links, "data")); err != nil {
		t.Fatal(err)
	}
	serves("through another link", 11)
}

func TestOldTLSIsRefused(t *testing.T) {
	cert, key := write(t, t.TempDir(), 1)
	c, err := ReadCertificate(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for version, good := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false,
		tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if _, err := handshake(t, c, &tls.Config{MinVersion: version, MaxVersion: version}); (err == nil) != good {
			t.Errorf("%s: error %v", tls.VersionName(version), err)
		}
	}
}

func TestBadCertificates(t *testing.T) {
	cert, key := write(t, t.TempDir(), 1)
	otherCert, _ := write(t, t.TempDir(), 2)
	text := filepath.Join(t.TempDir(), "text")
	replace(t, text, []byte("not PEM"))
	for _, test := range []struct{ name, cert, key, want string }{
		{"no certificate", cert + ".absent", key, "the TLS certificate: "},
		{"no key", cert, key + ".absent", "the TLS key: "},
		{"not PEM", text, key, "failed to find any PEM data in certificate input"},
		{"key not PEM", cert, text, "failed to find any PEM data in key input"},
		{"the other way round", key, cert, "PEM inputs may have been switched"},
		{"of another key", otherCert, key, "private key does not match public key"},
	} {
		if _, err := ReadCertificate(test.cert, test.key, slog.New(slog.DiscardHandler)); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}
