package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestStopOverHTTP2 holds that a server that stops loses no request of clients that share
// connections, and that ask until they can't connect anymore.
func TestStopOverHTTP2(t *testing.T) {
	dir := workFolder(t)
	cert, key, roots := writeCertificate(t, dir)
	sockets, err := os.MkdirTemp("", "serin") // the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	socket := filepath.Join(sockets, "s")
	p := launch(t, dir, nil, nil, "serve", "--from", "flags", "--listen", "unix:"+socket, "--tls-cert", cert,
		"--tls-key", key, "--grace", "500ms")
	eventually(t, "unix:", p.output.String)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	var answered atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				response, err := client.Post("https://127.0.0.1/ofrep/v1/evaluate/flags/new-checkout",
					"application/json",
					strings.NewReader(`{"context":{"targetingKey":"u-1"}}`))
				if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
					return
				}
				if err != nil {
					t.Errorf("a request is lost: %v", err)
					return
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.ProtoMajor != 2 || !strings.Contains(string(body), `"reason":"SPLIT"`) {
					t.Errorf("HTTP/%d: %s, %v", response.ProtoMajor, body, err)
				}
				answered.Add(1)
			}
		})
	}
	for answered.Load() < 500 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.wait(t); status != 0 {
		t.Errorf("status %d\n%s", status, p.output)
	}
	clients.Wait()
	t.Logf("%d requests answered", answered.Load())
}
