package release_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
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
	m.puts++ // so that each put has another etag
	m.objects[name] = stored{bytes.Clone(data), fmt.Sprint(m.puts), m.now()}
	return nil
}

func (m *memory) List(_ context.Context, f func(release.Listed) error) error {
	for name, object := range m.all() {
		if err := f(release.Listed{Name: name, Modified: object.modified, Size: int64(len(object.data))}); err != nil {
			return err
		}
	}
	return nil
}

// all returns what the store holds now.
func (m *memory) all() map[string]stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.objects)
}

func (m *memory) Modified(_ context.Context, name string) (time.Time, error) {
	object, ok := m.all()[name]
	if !ok {
		return time.Time{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return object.modified, nil
}

func (m *memory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}
