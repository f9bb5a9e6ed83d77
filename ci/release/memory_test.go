package release_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
)

// A memory is a store in memory, for tests that need many requests or another clock.
type memory struct {
	now func() time.Time

	mu      sync.Mutex
	puts    int
	objects map[string]stored
}

// A stored object has a new etag after each put.
type stored struct {
	data     []byte
	etag     string
	modified time.Time
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, objects: make(map[string]stored)}
}

func (m *memory) Get(_ context.Context, name string, limit int64) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	object, ok := m.objects[name]
	switch {
	case !ok:
		return nil, "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case int64(len(object.data)) > limit:
		return nil, "", bundle.ErrTooLarge
	}
	return bytes.Clone(object.data), object.etag, nil
}

func (m *memory) Put(_ context.Context, name string, data []byte, opts release.PutOptions) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	object, ok := m.objects[name]
	if ok && opts.IfNoneMatch || opts.IfMatch != "" && opts.IfMatch != object.etag {
		return release.ErrConflict
	}
	m.puts++
	m.objects[name] = stored{bytes.Clone(data), fmt.Sprint(m.puts), m.now()}
	return nil
}
