package listen

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Certificate is a certificate chain and its key in PEM files. It is read again when the
// files change, as certbot and cert-manager replace them: each handshake asks the file system
// for their times. It is safe for concurrent use.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	current atomic.Pointer[tls.Certificate]
	mu      sync.Mutex     // held while files are looked at
	seen    [2]fs.FileInfo // the files that were read last, whether or not they were good
}

// ReadCertificate reads a certificate and its key. Later changes, and why the files can't be
// used then, are written to log; the last good certificate stays in use.
func ReadCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	var err error
	if c.seen, err = c.look(); err != nil {
		return nil, err
	}
	return c, c.read()
}

// Config returns a TLS configuration for HTTP/1.1 and HTTP/2, from TLS 1.2 on, with the
// cipher suites that Go considers secure.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// Expires returns when the certificate in use expires.
func (c *Certificate) Expires() time.Time { return c.current.Load().Leaf.NotAfter }

// get is the GetCertificate of a tls.Config.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() { // other handshakes needn't wait
		c.renew()
		c.mu.Unlock()
	}
	return c.current.Load(), nil
}

// renew reads the files again if they aren't those that were read last.
func (c *Certificate) renew() {
	now, err := c.look()
	if err != nil || same(now[0], c.seen[0]) && same(now[1], c.seen[1]) {
		return // while it is being replaced, a file may be missing for a moment
	}
	c.seen = now
	if err := c.read(); err != nil {
		c.log.Error("the new TLS certificate can't be used; the old one stays in use", "expires", c.Expires(),
			"error", err)
		return
	}
	c.log.Info("new TLS certificate", "expires", c.Expires())
}

// look returns the state of the files, which may be symbolic links.
func (c *Certificate) look() (files [2]fs.FileInfo, err error) {
	if files[0], err = os.Stat(c.cert); err != nil {
		return files, fmt.Errorf("the TLS certificate: %w", err)
	}
	if files[1], err = os.Stat(c.key); err != nil {
		return files, fmt.Errorf("the TLS key: %w", err)
	}
	return files, nil
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// read reads the files. Errors of package tls say which of the two is bad, and quote neither.
func (c *Certificate) read() error {
	cert, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("the TLS certificate %s with the key %s: %w", c.cert, c.key, err)
	}
	c.current.Store(&cert)
	return nil
}
