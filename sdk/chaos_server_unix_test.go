//go:build unix

package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
)

// A chaosStore is a repository that isn't on any disk, so that disks can fail.
type chaosStore struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func etagOf(data []byte) string { return fmt.Sprintf("%q", fmt.Sprint(hash(data))) }

func newChaosStore() *chaosStore { return &chaosStore{objects: make(map[string][]byte)} }

func (m *chaosStore) get(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[strings.TrimPrefix(name, "/")]
	return data, ok
}

func (m *chaosStore) copy() *chaosStore {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := newChaosStore()
	for name, data := range m.objects {
		c.objects[name] = data
	}
	return c
}

func (m *chaosStore) Get(_ context.Context, name string, limit int64) (data []byte, etag string, err error) {
	data, ok := m.get(name)
	switch {
	case !ok:
		return nil, "", fs.ErrNotExist
	case int64(len(data)) > limit:
		return nil, "", bundle.ErrTooLarge
	}
	return data, etagOf(data), nil
}

func (m *chaosStore) Put(_ context.Context, name string, data []byte, opts release.PutOptions) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.objects[name]
	if opts.IfNoneMatch && ok || opts.IfMatch != "" && (!ok || etagOf(old) != opts.IfMatch) {
		return release.ErrConflict
	}
	m.objects[name] = slices.Clone(data)
	return nil
}

func (m *chaosStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, ok := m.get(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", etagOf(data))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// A chaosServer speaks HTTP over pipes, which simulated time goes by for.
type chaosServer struct {
	store *chaosStore
	http  http.Server
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	transport http.Transport

	mu      sync.Mutex
	handler http.Handler // nil: store
}

func serveChaos(t *testing.T, store *chaosStore) *chaosServer {
	s := &chaosServer{store: store, conns: make(chan net.Conn), done: make(chan struct{})}
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		h := s.handler
		s.mu.Unlock()
		if h == nil {
			h = s.store
		}
		h.ServeHTTP(w, r)
	})
	s.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case s.conns <- theirs:
			return ours, nil
		case <-s.done:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	go func() {
		if err := s.http.Serve(s); err != http.ErrServerClosed {
			t.Error(err)
		}
	}()
	return s
}

func (s *chaosServer) client() *http.Client { return &http.Client{Transport: &s.transport} }

// set has requests answered by h, from now on; nil: as they should be.
func (s *chaosServer) set(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		s.handler = nil
		return
	}
	s.handler = h
}

func (s *chaosServer) close() {
	s.http.Close()
	s.transport.CloseIdleConnections()
}

// Accept, Close and Addr make it a [net.Listener].
func (s *chaosServer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *chaosServer) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

func (s *chaosServer) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
