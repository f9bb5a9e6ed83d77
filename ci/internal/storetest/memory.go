package storetest

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

// A Memory is a store in memory, for tests that need many requests or another clock.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	puts    int
	objects map[string]Stored
}

// A Stored object has a new etag after each put.
type Stored struct {
	data     []byte
	etag     string
	modified time.Time
}

// NewMemory returns an empty store with a clock.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, objects: make(map[string]Stored)}
}

func (m *Memory) Get(_ context.Context, name string, limit int64) ([]byte, string, error) {
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

func (m *Memory) Put(_ context.Context, name string, data []byte, opts release.PutOptions) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	object, ok := m.objects[name]
	if ok && opts.IfNoneMatch || opts.IfMatch != "" && opts.IfMatch != object.etag {
		return release.ErrConflict
	}
	m.puts++ // so that each put has another etag
	m.objects[name] = Stored{bytes.Clone(data), fmt.Sprint(m.puts), m.now()}
	return nil
}

func (m *Memory) List(_ context.Context, f func(release.Listed) error) error {
	for name, object := range m.All() {
		if err := f(release.Listed{Name: name, Modified: object.modified, Size: int64(len(object.data))}); err != nil {
			return err
		}
	}
	return nil
}

// All returns what the store holds now.
func (m *Memory) All() map[string]Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.objects)
}

func (m *Memory) Modified(_ context.Context, name string) (time.Time, error) {
	object, ok := m.All()[name]
	if !ok {
		return time.Time{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return object.modified, nil
}

func (m *Memory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

// Set restores an object that All has returned.
func (m *Memory) Set(name string, object Stored) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[name] = object
}
