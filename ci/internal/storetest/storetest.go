// Package storetest holds a [release.Store] to its contract. It is for the tests
// of the implementations.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
)

// Run tests what open returns: each time a store that is empty.
func Run(t *testing.T, open func(t *testing.T) release.Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s release.Store)
	}{
		{"missing object", missing},
		{"round trip", roundTrip},
		{"read limit", readLimit},
		{"overwriting", overwriting},
		{"create only", createOnly},
		{"replace only", replaceOnly},
		{"replace what is missing", replaceMissing},
		{"one of many creates", oneOfManyCreates},
		{"one of many replaces", oneOfManyReplaces},
		{"readers see whole objects", wholeObjects},
		{"listing", listing},
		{"removing", removing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

var createNew = release.PutOptions{IfNoneMatch: true}

func mustPut(t *testing.T, s release.Store, name, data string, opts release.PutOptions) {
	t.Helper()
	if err := s.Put(t.Context(), name, []byte(data), opts); err != nil {
		t.Fatalf("putting %s: %v", name, err)
	}
}

// mustGet returns the entity tag of an object that must hold want.
func mustGet(t *testing.T, s release.Store, name, want string) (etag string) {
	t.Helper()
	data, etag, err := s.Get(t.Context(), name, int64(len(want)))
	if err != nil {
		t.Fatalf("getting %s: %v", name, err)
	}
	if string(data) != want {
		t.Fatalf("%s holds %.40q, want %.40q", name, data, want)
	}
	if etag == "" {
		t.Fatalf("%s has no entity tag", name)
	}
	return etag
}

func wantConflict(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, release.ErrConflict) {
		t.Errorf("got error %v, want ErrConflict", err)
	}
}

func missing(t *testing.T, s release.Store) {
	mustPut(t, s, "a/there", "x", release.PutOptions{})
	for _, name := range []string{"missing", "a/missing", "b/missing"} {
		if _, _, err := s.Get(t.Context(), name, 10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("getting %s: got error %v, want fs.ErrNotExist", name, err)
		}
	}
}

func roundTrip(t *testing.T, s release.Store) {
	if _, _, err := s.Get(t.Context(), "timestamp.json", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first put: got error %v, want fs.ErrNotExist", err)
	}
	objects := map[string]string{
		"timestamp.json":                    `{"signed": 1}`,
		"12.targets.json":                   `{"signed": 2}`,
		"targets/a/b.c/0123.flags.msgpack":  "\x1f\x8b\x00\xff",
		"targets/a/b.c/empty.flags.msgpack": "",
	}
	opts := release.PutOptions{CacheControl: "max-age=5", ContentType: "application/json"}
	for name, data := range objects {
		mustPut(t, s, name, data, opts)
	}
	for name, data := range objects {
		if etag := mustGet(t, s, name, data); mustGet(t, s, name, data) != etag {
			t.Errorf("the entity tag of %s changed by itself", name)
		}
	}
}

func readLimit(t *testing.T, s release.Store) {
	mustPut(t, s, "object", strings.Repeat("x", 100_000), release.PutOptions{})
	if data, _, err := s.Get(t.Context(), "object", 100_000); err != nil || len(data) != 100_000 {
		t.Errorf("as long as the limit: got %d bytes, error %v", len(data), err)
	}
	for _, limit := range []int64{0, 1, 99_999} {
		if data, _, err := s.Get(t.Context(), "object", limit); !errors.Is(err, bundle.ErrTooLarge) || data != nil {
			t.Errorf("limit %d: got %d bytes, error %v, want ErrTooLarge", limit, len(data), err)
		}
	}
}

func overwriting(t *testing.T, s release.Store) {
	mustPut(t, s, "object", "one", release.PutOptions{})
	one := mustGet(t, s, "object", "one")
	mustPut(t, s, "object", "two", release.PutOptions{})
	if mustGet(t, s, "object", "two") == one {
		t.Error("the object changed, its entity tag didn't")
	}
}

func createOnly(t *testing.T, s release.Store) {
	mustPut(t, s, "a/object", "one", createNew)
	wantConflict(t, s.Put(t.Context(), "a/object", []byte("two"), createNew))
	wantConflict(t, s.Put(t.Context(), "a/object", []byte("one"), createNew))
	mustGet(t, s, "a/object", "one")
}

func replaceOnly(t *testing.T, s release.Store) {
	mustPut(t, s, "a/object", "one", release.PutOptions{})
	one := mustGet(t, s, "a/object", "one")
	mustPut(t, s, "a/object", "two", release.PutOptions{IfMatch: one})
	two := mustGet(t, s, "a/object", "two")
	wantConflict(t, s.Put(t.Context(), "a/object", []byte("three"), release.PutOptions{IfMatch: one}))
	mustGet(t, s, "a/object", "two")
	mustPut(t, s, "a/object", "four", release.PutOptions{IfMatch: two})
	mustGet(t, s, "a/object", "four")
}

func replaceMissing(t *testing.T, s release.Store) {
	mustPut(t, s, "a/other", "one", release.PutOptions{})
	etag := mustGet(t, s, "a/other", "one")
	wantConflict(t, s.Put(t.Context(), "a/object", []byte("one"), release.PutOptions{IfMatch: etag}))
	if _, _, err := s.Get(t.Context(), "a/object", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a put that was refused left an object: error %v", err)
	}
}

func oneOfManyCreates(t *testing.T, s release.Store) {
	for round := range 5 {
		oneWins(t, s, fmt.Sprintf("a/object-%d", round), createNew)
	}
}

func oneOfManyReplaces(t *testing.T, s release.Store) {
	mustPut(t, s, "object", "at first", release.PutOptions{})
	content := "at first"
	for range 5 {
		content = oneWins(t, s, "object", release.PutOptions{IfMatch: mustGet(t, s, "object", content)})
	}
}

// oneWins puts an object many times at once and returns what it holds then.
func oneWins(t *testing.T, s release.Store, name string, opts release.PutOptions) (content string) {
	t.Helper()
	var (
		wg   sync.WaitGroup
		wins atomic.Int64
		won  = make([]bool, 8)
	)
	bodies := make([]string, len(won))
	for i := range won {
		bodies[i] = fmt.Sprintf("%s by %d of %v", name, i, opts)
		wg.Go(func() {
			err := s.Put(t.Context(), name, []byte(bodies[i]), opts)
			if won[i] = err == nil; won[i] {
				wins.Add(1)
			} else if !errors.Is(err, release.ErrConflict) {
				t.Errorf("putting %s: got error %v, want ErrConflict", name, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d of %d puts of %s succeeded, want 1", wins.Load(), len(won), name)
	}
	for i, won := range won {
		if won {
			content = bodies[i]
		}
	}
	mustGet(t, s, name, content)
	return content
}

func wholeObjects(t *testing.T, s release.Store) {
	const size = 300_000
	bodies := [][]byte{bytes.Repeat([]byte("a"), size), bytes.Repeat([]byte("b"), size)}
	put := func(i int) {
		if err := s.Put(t.Context(), "object", bodies[i%2], release.PutOptions{}); err != nil {
			t.Errorf("putting: %v", err)
		}
	}
	put(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 30 {
			put(i + 1)
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		data, _, err := s.Get(t.Context(), "object", size)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, bodies[0]) && !bytes.Equal(data, bodies[1]) {
			t.Fatalf("got %d bytes that nobody put", len(data))
		}
	}
}

// listing tests a store that can list; it ends the test otherwise.
func listing(t *testing.T, s release.Store) {
	store, ok := s.(release.ListStore)
	if !ok {
		t.Fatal("the store can't list its objects")
	}
	wantNames(t, store)
	began := time.Now().Add(-time.Minute) // servers have clocks of their own
	mustPut(t, s, "b", "bb", release.PutOptions{})
	mustPut(t, s, "a/x/y", "long enough", release.PutOptions{})
	mustPut(t, s, "a.json", "", release.PutOptions{})
	wantNames(t, store, "a.json 0", "a/x/y 11", "b 2")

	modified, err := store.Modified(t.Context(), "a/x/y")
	if err != nil || modified.Before(began) || modified.After(time.Now().Add(time.Minute)) {
		t.Errorf("modified at %v, error %v", modified, err)
	}
	if _, err := store.Modified(t.Context(), "c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking for a missing object: error %v", err)
	}
	stop := errors.New("stop")
	calls := 0
	err = store.List(t.Context(), func(release.Listed) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("after %d calls: error %v", calls, err)
	}
}

func removing(t *testing.T, s release.Store) {
	store := s.(release.ListStore)
	mustPut(t, s, "a/b", "1", release.PutOptions{})
	mustPut(t, s, "a/c", "1", release.PutOptions{})
	for range 2 { // the second time, it's missing
		if err := store.Remove(t.Context(), "a/b"); err != nil {
			t.Error(err)
		}
	}
	wantNames(t, store, "a/c 1")
	mustPut(t, s, "a/b", "2", createNew)
	mustGet(t, s, "a/b", "2")
}

// wantNames compares what a store lists with names and sizes.
func wantNames(t *testing.T, s release.ListStore, want ...string) {
	t.Helper()
	var got []string
	err := s.List(t.Context(), func(object release.Listed) error {
		if object.Temporary || time.Since(object.Modified).Abs() > time.Minute {
			t.Errorf("listed %+v", object)
		}
		got = append(got, fmt.Sprint(object.Name, " ", object.Size))
		return nil
	})
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q, error %v", got, want, err)
	}
}
