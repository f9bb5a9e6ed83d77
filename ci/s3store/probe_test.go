package s3store_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/ci/s3store"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/s3test"
)

// A careless server is a small part of S3, and honors only some conditions of writes.
type careless struct {
	ifNoneMatch, ifMatch bool // are honored
	unimplemented        bool // conditions are refused as such

	mu      sync.Mutex
	objects map[string][]byte
	puts    []string // the names of objects that were put
}

func (c *careless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, exists := c.objects[r.URL.Path]
	switch r.Method {
	case http.MethodGet:
		if r.URL.Query().Has("list-type") { // only asked for before the first revision
			fmt.Fprint(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
			return
		}
		if !exists {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", etag(found))
		w.Write(found)
	case http.MethodPut:
		noneMatch, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match")
		switch {
		case c.unimplemented && noneMatch+match != "":
			fail(w, http.StatusNotImplemented, "NotImplemented")
			return
		case c.ifNoneMatch && noneMatch != "" && exists, c.ifMatch && match != "" && match != etag(found):
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		data, _ := io.ReadAll(r.Body) // a body that breaks off makes other bytes
		c.objects[r.URL.Path] = data
		c.puts = append(c.puts, r.URL.Path)
		w.Header().Set("ETag", etag(data))
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>words</Message></Error>", code)
}

func etag(data []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(data)) }

// environment returns the options to publish an environment to a store.
func environment(t *testing.T, store release.Store) release.Options {
	t.Helper()
	dir := t.TempDir()
	if _, err := release.InitKeys(dir, "production"); err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return release.Options{Store: store, Keys: keys, Environment: "production", Payloads: []bundle.Payload{{
		Environment: "production", Namespace: "shop", Ruleset: evaluator.Ruleset{
			Unit: "user", Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		},
	}}}
}

// TestProbe publishes to servers that honor conditional writes, and refuses to publish to
// others, before damage.
func TestProbe(t *testing.T) {
	for _, test := range []struct {
		name   string
		server *careless
		want   string // in the error; "": published
	}{
		{"both", &careless{ifNoneMatch: true, ifMatch: true}, ""},
		{"neither", &careless{}, "ignores the condition If-None-Match of writes"},
		{"only If-Match", &careless{ifMatch: true}, "ignores the condition If-None-Match of writes"},
		{"only If-None-Match", &careless{ifNoneMatch: true}, "ignores the condition If-Match of writes"},
		{"unimplemented", &careless{unimplemented: true}, "use a server that supports conditional writes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.server.objects = make(map[string][]byte)
			server := httptest.NewServer(test.server)
			defer server.Close()
			client := s3test.Server{Endpoint: server.URL, AccessKey: "key", SecretKey: "secret"}.Client(t)
			opts := environment(t, s3store.New(client, "flags", "production"))
			_, err := release.Publish(t.Context(), opts)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			for name := range test.server.objects {
				if !strings.HasSuffix(name, ".root.json") && !strings.Contains(name, "/targets/") {
					t.Errorf("%s was put", name)
				}
			}
		})
	}
}

// TestProbeDamagesNothing checks that what another publisher has put before, on a server
// that ignores conditions, is still whole after a publication is refused.
func TestProbeDamagesNothing(t *testing.T) {
	server := &careless{ifNoneMatch: true, ifMatch: true, objects: make(map[string][]byte)}
	httpServer := httptest.NewServer(server)
	defer httpServer.Close()
	client := s3test.Server{Endpoint: httpServer.URL, AccessKey: "key", SecretKey: "secret"}.Client(t)
	opts := environment(t, s3store.New(client, "flags", "production"))
	if _, err := release.Publish(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	before := make(map[string]string)
	for name, data := range server.objects {
		before[name] = string(data)
	}
	server.ifNoneMatch = false
	opts.Store = s3store.New(client, "flags", "production")
	opts.Payloads[0].Ruleset.Flags = []evaluator.Flag{{
		Key: "new", Type: evaluator.KindBool,
		Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}},
	}}
	if _, err := release.Publish(t.Context(), opts); err == nil {
		t.Error("published to a server that ignores If-None-Match")
	}
	for name, data := range before {
		if string(server.objects[name]) != data {
			t.Errorf("%s was changed", name)
		}
	}
}

// A counter counts requests.
type counter struct {
	client s3.HTTPClient
	n      int
}

func (c *counter) Do(r *http.Request) (*http.Response, error) {
	c.n++
	return c.client.Do(r)
}

// TestProbeOnce counts what probing costs: two requests in a process, without effect.
func TestProbeOnce(t *testing.T) {
	server := s3test.Start(t)
	server.CreateBucket(t, "flags")
	options := server.Client(t).Options()
	counted := &counter{client: options.HTTPClient}
	options.HTTPClient = counted
	store := s3store.New(s3.New(options), "flags", "production")
	for n, want := range []int{3, 0, 0} { // the first probe creates the object
		counted.n = 0
		if err := store.Probe(t.Context(), "1.root.json", []byte("{}"), release.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if counted.n != want {
			t.Errorf("probe %d: %d requests, want %d", n+1, counted.n, want)
		}
	}
	counted.n = 0
	again := s3store.New(s3.New(options), "flags", "production")
	if err := again.Probe(t.Context(), "1.root.json", []byte("{}"), release.PutOptions{}); err != nil ||
		counted.n != 2 {
		t.Errorf("in the next process: %d requests, error %v", counted.n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	late := s3store.New(s3.New(options), "flags", "production")
	if err := late.Probe(ctx, "1.root.json", nil, release.PutOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without time: error %v", err)
	}
	if err := late.Probe(t.Context(), "1.root.json", []byte("{}"), release.PutOptions{}); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}
