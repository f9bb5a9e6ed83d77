package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin"
)

// writeCertificate writes a certificate of 127.0.0.1 and its key, and returns what trusts it.
func writeCertificate(t *testing.T, dir string) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:     pkix.Name{CommonName: "flags"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	roots = x509.NewCertPool()
	if parsed, err := x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	} else {
		roots.AddCert(parsed)
	}
	return cert, key, roots
}

// secureClient returns a client that trusts roots and prefers HTTP/2.
func secureClient(t *testing.T, roots *x509.CertPool) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// testServeTLS asks over HTTP/2 and HTTP/1.1, and after the certificate was replaced. It asks
// the other listener for the status and the metrics.
func testServeTLS(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, serin.Estate); err != nil {
		t.Fatal(err)
	}
	cert, key, roots := writeCertificate(t, dir)
	s := startServer(t, "serve", filepath.Join(dir, "flags"), "--listen", "127.0.0.1:0", "--tls-cert", cert,
		"--tls-key", key,
		"--metrics-listen", "127.0.0.1:0", "--base-path", "/flags/")
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("the URL is %s", s.url)
	}
	for major, client := range map[int]*http.Client{2: secureClient(t, roots),
		1: {Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}} {
		response, err := client.Post(s.url+"/flags/ofrep/v1/evaluate/flags/new-checkout", "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		if body := readBody(t, response); response.ProtoMajor != major ||
			!strings.Contains(body, `"key":"new-checkout"`) {
			t.Errorf("HTTP/%d: %s", response.ProtoMajor, body)
		}
	}
	response, err := http.Get("http" + strings.TrimPrefix(s.url, "https") + "/status")
	if err != nil {
		t.Fatal(err)
	}
	if body := readBody(t, response); response.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %d %s", response.StatusCode, body)
	}
	_, _, roots = writeCertificate(t, dir)
	response, err = secureClient(t, roots).Get(s.url + "/flags/status")
	if err != nil {
		t.Fatalf("after the certificate was replaced: %v\n%s", err, s.stderr)
	}
	readBody(t, response)
	metrics := urlAfter(t, s.stderr.String(), "metrics: ")
	for path, want := range map[string]string{"/metrics": "serin_tls_certificate_expiry_seconds",
		"/status": `"state":"FRESH"`, "/healthz": `"alive":true`} {
		response, err := http.Get(strings.TrimSuffix(metrics, "/metrics") + path)
		if err != nil {
			t.Fatal(err)
		}
		if body := readBody(t, response); response.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
	// Flags are only on the first listener, and metrics only on the second one.
	response, err = http.Post(strings.TrimSuffix(metrics, "/metrics")+"/flags/ofrep/v1/evaluate/flags",
		"application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	if body := readBody(t, response); response.StatusCode != http.StatusNotFound {
		t.Errorf("flags beside the metrics: %d %s", response.StatusCode, body)
	}
	if response, err = secureClient(t, roots).Get(s.url + "/flags/metrics"); err != nil {
		t.Fatal(err)
	}
	if body := readBody(t, response); response.StatusCode != http.StatusNotFound {
		t.Errorf("metrics beside the flags: %d %s", response.StatusCode, body)
	}
}

func readBody(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// urlAfter returns the URL in the line of output that begins with prefix.
func urlAfter(t *testing.T, output, prefix string) string {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			return url
		}
	}
	t.Fatalf("no line begins with %q:\n%s", prefix, output)
	return ""
}
