package bundle_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// moreDoors are those that only some builds of the tests have.
var moreDoors map[string]func(testing.TB) func(testing.TB, bundle.Objects) bundle.Source

// TestMain has all scenarios go through the sources that clients have too: folders, HTTP,
// and S3 on a server of its own.
func TestMain(m *testing.M) {
	bundle.Doors = map[string]func(testing.TB) func(testing.TB, bundle.Objects) bundle.Source{
		"folder": func(testing.TB) func(testing.TB, bundle.Objects) bundle.Source { return inFolder },
		"http":   func(testing.TB) func(testing.TB, bundle.Objects) bundle.Source { return overHTTP },
	}
	maps.Copy(bundle.Doors, moreDoors)
	bundle.Clients = map[string]func(testing.TB, []byte, bundle.Source) (func() error, func()){"sdk": startSDK}
	os.Exit(m.Run())
}

// startSDK starts a client of the SDK with a disk cache.
func startSDK(t testing.TB, root []byte, src bundle.Source) (poll func() error, restart func()) {
	dir := t.TempDir()
	open := func() *sdk.Client {
		client, err := sdk.Open(t.Context(), sdk.Config{
			Source: src, Root: root, Interval: -1, InitTimeout: -1, CacheDir: dir,
		})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	client := open()
	t.Cleanup(func() { client.Close() })
	return func() error {
			return client.Refresh(t.Context())
		}, func() {
			client.Close()
			client = open()
		}
}

func overHTTP(t testing.TB, objects bundle.Objects) bundle.Source {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := objects()[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		sum := fnv.New64a()
		sum.Write(data)
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(sum.Sum64())))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(server.Close)
	source, err := sdk.HTTP(server.URL, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// inFolder has the objects in a folder of their own.
func inFolder(t testing.TB, objects bundle.Objects) bundle.Source {
	dir := t.TempDir()
	source, err := sdk.File(dir)
	if err != nil {
		t.Fatal(err)
	}
	put := func(_ context.Context, name string, data []byte) error {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		return os.WriteFile(file, data, 0o666)
	}
	remove := func(_ context.Context, name string) error {
		return os.Remove(filepath.Join(dir, filepath.FromSlash(name)))
	}
	return &synced{Source: source, put: put, remove: remove, objects: objects, there: make(map[string][]byte)}
}

// A synced source is brought up to date before it is read.
type synced struct {
	bundle.Source
	put     func(ctx context.Context, name string, data []byte) error
	remove  func(ctx context.Context, name string) error
	objects bundle.Objects
	there   map[string][]byte
}

func (s *synced) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	objects := s.objects()
	for name, data := range objects {
		if old, ok := s.there[name]; ok && bytes.Equal(old, data) {
			continue
		}
		if err := s.put(ctx, name, data); err != nil {
			return bundle.Object{}, err
		}
		s.there[name] = bytes.Clone(data)
	}
	for name := range s.there {
		if _, ok := objects[name]; ok {
			continue
		}
		if err := s.remove(ctx, name); err != nil {
			return bundle.Object{}, err
		}
		delete(s.there, name)
	}
	return s.Source.Fetch(ctx, name, etag, limit)
}
