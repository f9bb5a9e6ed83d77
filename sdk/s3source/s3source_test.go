package s3source_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/ci/s3store"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	bucket = "flags"
	prefix = "shop/production"
)

// A wire counts what goes over the connections made with it.
type wire struct {
	received, requests atomic.Int64
}

// client returns an S3 client of the server.
func (w *wire) client(t testing.TB, server s3test.Server, creds aws.CredentialsProvider) *s3.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return countingConn{c, w}, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Options{
		Region:       s3test.Region,
		BaseEndpoint: &server.Endpoint,
		UsePathStyle: true,
		Credentials:  creds,
		HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			w.requests.Add(1)
			return transport.RoundTrip(r)
		})},
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type countingConn struct {
	net.Conn
	wire *wire
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.received.Add(int64(n))
	return n, err
}

func keysOf(server s3test.Server) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, "")
}

// A publisher publishes one flag, the integer "number".
type publisher struct {
	store release.Store
	keys  release.Keys
}

func newPublisher(t testing.TB, server s3test.Server) *publisher {
	t.Helper()
	server.CreateBucket(t, bucket)
	dir := t.TempDir()
	if _, err := release.InitKeys(dir, "production"); err != nil {
		t.Fatal(err)
	}
	return newPublisherOf(t, server, prefix, dir)
}

// newPublisherOf returns a publisher to a prefix of the bucket, with the keys of a folder.
func newPublisherOf(t testing.TB, server s3test.Server, prefix, dir string) *publisher {
	t.Helper()
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &publisher{s3store.New(server.Client(t), bucket, prefix), keys}
}

func (p *publisher) publish(t testing.TB, number int64) {
	t.Helper()
	_, err := release.Publish(t.Context(), release.Options{
		Store: p.store, Keys: p.keys, Environment: "production",
		Payloads: []bundle.Payload{{Environment: "production", Namespace: "a/b", Ruleset: evaluator.Ruleset{
			Unit:       "user",
			Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
			Flags: []evaluator.Flag{{
				Key: "number", Type: evaluator.KindInt,
				Variants: []evaluator.Variant{{Name: "only", Value: evaluator.IntValue(number)}},
			}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

var number = sdk.Int("number", -1)

func serves(t testing.TB, client *sdk.Client, want int64) {
	t.Helper()
	if got := number.Get(client, sdk.Context{}); got != want {
		t.Errorf("number %d, want %d; status %+v", got, want, client.Status())
	}
}

func open(t testing.TB, cfg sdk.Config) *sdk.Client {
	t.Helper()
	client, err := sdk.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// TestClient follows what is published, with one small request a poll.
func TestClient(t *testing.T) {
	server := s3test.Start(t)
	p := newPublisher(t, server)
	p.publish(t, 1)
	var w wire
	src := s3source.New(w.client(t, server, keysOf(server)), bucket, "/"+prefix+"/")
	client := open(t, sdk.Config{Source: src, Root: p.keys.Root, Interval: -1})
	serves(t, client, 1)

	received, requests := w.received.Load(), w.requests.Load()
	const polls = 10
	for range polls {
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	received, requests = w.received.Load()-received, w.requests.Load()-requests
	t.Logf("%d response bytes and %d requests for %d polls", received, requests, polls)
	if requests != polls || received > polls*400 || received == 0 {
		t.Errorf("%d response bytes and %d requests for %d polls", received, requests, polls)
	}

	p.publish(t, 2)
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves(t, client, 2)
}

// TestFetch asks for what is there, what isn't, and what may not be seen.
func TestFetch(t *testing.T) {
	server := s3test.Start(t)
	p := newPublisher(t, server)
	p.publish(t, 1)
	var w wire
	admin := keysOf(server)
	src := s3source.New(w.client(t, server, admin), bucket, prefix)
	obj, err := src.Fetch(t.Context(), "timestamp.json", "", 1<<20)
	if err != nil || obj.ETag == "" {
		t.Fatalf("%q, %v", obj.ETag, err)
	}
	fetch := func(src bundle.Source, name, etag string, limit int64) error {
		obj, err := src.Fetch(t.Context(), name, etag, limit)
		if err != nil && obj.Data != nil {
			t.Errorf("%s: data with error %v", name, err)
		}
		return err
	}
	for _, test := range []struct {
		name string
		err  error
		want error // nil: an error without a meaning
	}{
		{"unchanged", fetch(src, "timestamp.json", obj.ETag, 1<<20), bundle.ErrNotModified},
		{"too large", fetch(src, "timestamp.json", "", int64(len(obj.Data))-1), bundle.ErrTooLarge},
		{"missing", fetch(src, "2.root.json", "", 1<<20), bundle.ErrNotFound},
		{"no such bucket", fetch(s3source.New(w.client(t, server, admin), "gone", prefix), "timestamp.json", "", 1<<20),
			bundle.ErrNotFound},
		{"may not read", fetch(s3source.New(w.client(t, server, aws.AnonymousCredentials{}), bucket, prefix),
			"timestamp.json", "", 1<<20), bundle.ErrNotFound},
		{"wrong key", fetch(s3source.New(w.client(t, server,
			credentials.NewStaticCredentialsProvider(server.AccessKey, "wrong", "")), bucket, prefix),
			"timestamp.json", "",
			1<<20), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.err == nil {
				t.Fatal("no error")
			}
			for _, meaning := range []error{bundle.ErrNotModified, bundle.ErrTooLarge, bundle.ErrNotFound} {
				if got, want := errors.Is(test.err, meaning), meaning == test.want; got != want {
					t.Errorf("error %v, want %v", test.err, test.want)
				}
			}
			if strings.Contains(test.err.Error(), server.SecretKey) {
				t.Errorf("secret in error %v", test.err)
			}
		})
	}
	if err := fetch(src, "timestamp.json", `"other"`, int64(len(obj.Data))); err != nil {
		t.Errorf("changed, and as long as may be: %v", err)
	}
}

// TestEndless asks a server whose objects and errors don't end.
func TestEndless(t *testing.T) {
	for _, status := range []int{200, 403, 404, 500} {
		endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			for block := bytes.Repeat([]byte(" "), 1<<12); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}))
		var w wire
		server := s3test.Server{Endpoint: endless.URL, AccessKey: "account", SecretKey: "secret"}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := s3source.New(w.client(t, server, keysOf(server)), bucket, prefix).Fetch(ctx,
			"timestamp.json", "", 100)
		if err == nil || ctx.Err() != nil {
			t.Errorf("status %d: error %v", status, err)
		}
		if n := w.received.Load(); n > 10<<20 {
			t.Errorf("status %d: %d bytes were read", status, n)
		}
		cancel()
		endless.CloseClientConnections()
		endless.Close()
	}
}

// TestUnreachable stops reading from a store that goes away, and goes on when it
// is back.
func TestUnreachable(t *testing.T) {
	server := s3test.Start(t)
	p := newPublisher(t, server)
	p.publish(t, 1)
	var down atomic.Bool
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	s3client := s3.New(s3.Options{
		Region: s3test.Region, BaseEndpoint: &server.Endpoint, UsePathStyle: true, Credentials: keysOf(server),
		Retryer: aws.NopRetryer{},
		HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, &net.OpError{Op: "dial", Err: errors.New("no route to host")}
			}
			return transport.RoundTrip(r)
		})},
	})
	cfg := sdk.Config{
		Source: s3source.New(s3client, bucket, prefix), Root: p.keys.Root, Interval: -1, CacheDir: t.TempDir(),
	}
	serves(t, open(t, cfg), 1)
	down.Store(true)
	client := open(t, cfg)
	p.publish(t, 2)
	if class, _ := bundle.ClassOf(client.Refresh(t.Context())); class != bundle.Network {
		t.Errorf("status %+v", client.Status())
	}
	serves(t, client, 1)
	down.Store(false)
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	serves(t, client, 2)
}

func TestFromURL(t *testing.T) {
	server := s3test.Start(t)
	p := newPublisher(t, server)
	p.publish(t, 1)
	for _, entry := range server.Env() {
		name, value, _ := strings.Cut(entry, "=")
		// A bucket is no part of a name that isn't Amazon's.
		t.Setenv(name, strings.ReplaceAll(value, "//127.0.0.1:", "//localhost:"))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "timestamp.json"), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"s3://flags/shop/production", "s3://flags/shop/production/",
		"file://" + filepath.ToSlash(dir)} {
		src, err := s3source.FromURL(t.Context(), raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if _, err := src.Fetch(t.Context(), "timestamp.json", "", 1<<20); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{"", "s3:", "s3:///prefix", "s3://bucket/prefix?versionId=pw",
		"s3://user:pw@bucket/prefix", "s3://bucket:80/prefix", "s3://bucket/%zz", "gopher://host"} {
		if src, err := s3source.FromURL(t.Context(), raw); err == nil || src != nil ||
			strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v, %v", raw, src, err)
		}
	}
}

// TestRegionIsMissing checks that this is said at once, and not by each poll.
func TestRegionIsMissing(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, none)
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		t.Setenv(name, "")
	}
	const want = "opening source: configuring S3: no region is configured: set AWS_REGION, or add ?region= to the URL"
	if src, err := s3source.FromURL(t.Context(), "s3://flags/shop/production"); err == nil || src != nil ||
		err.Error() != want {
		t.Errorf("%v, error %v, want %s", src, err, want)
	}
}

// TestRedirect checks that no client of AWS's or Go's goes where a server sends it.
func TestRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked for %s", r.Host, r.URL)
	}))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/timestamp.json", status))
		for _, client := range []s3.HTTPClient{nil, awshttp.NewBuildableClient(),
			&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}} {
			source := s3source.New(s3.New(s3.Options{
				Region: s3test.Region, BaseEndpoint: &server.URL, UsePathStyle: true, HTTPClient: client,
				Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), Retryer: aws.NopRetryer{},
			}), bucket, prefix)
			_, err := source.Fetch(t.Context(), "timestamp.json", "", 100)
			if err == nil || !strings.Contains(err.Error(), "answers with an HTML page") {
				t.Errorf("status %d: error %v", status, err)
			}
		}
		server.Close()
	}
}
