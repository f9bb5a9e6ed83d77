package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// A server serves a folder over HTTP, for as long as nothing is put in between.
type server struct {
	*httptest.Server
	between atomic.Pointer[http.HandlerFunc] // nil: nothing
	sent    *atomic.Int64                    // bytes on the wire, and
	asked   *atomic.Int64                    // requests, so far
}

func serve(t testing.TB, files http.Handler) *server {
	t.Helper()
	s := &server{sent: new(atomic.Int64), asked: new(atomic.Int64)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if between := s.between.Load(); between != nil {
			(*between)(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	s.Listener = countingListener{s.Listener, s.sent}
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections() // handlers that would go on for ever
		s.Close()
	})
	return s
}

// set puts a handler between the clients and the folder; nil: none.
func (s *server) set(h http.HandlerFunc) {
	if h == nil {
		s.between.Store(nil)
		return
	}
	s.between.Store(&h)
}

// source returns a source that reads the server.
func (s *server) source(t testing.TB) bundle.Source {
	t.Helper()
	src, err := sdk.HTTP(s.URL, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// countingListener counts the bytes that go out through all its connections.
type countingListener struct {
	net.Listener
	sent *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, l.sent}, err
}

type countingConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// withETags is a file server with entity tags, like a store's.
func withETags(dir string) http.Handler {
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(r.URL.Path))); err == nil {
			w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", len(data))+fmt.Sprint(hash(data))))
		}
		files.ServeHTTP(w, r)
	})
}

func hash(data []byte) (h uint64) {
	for _, b := range data {
		h = h*31 + uint64(b)
	}
	return h
}

// TestSteadyPoll measures what a poll takes when nothing has changed.
func TestSteadyPoll(t *testing.T) {
	for name, files := range map[string]func(dir string) http.Handler{
		"entity tags": withETags,
		"times":       func(dir string) http.Handler { return http.FileServer(http.Dir(dir)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t, "production")
			r.number(t, 1)
			age(t, filepath.Join(r.dir, "timestamp.json"), time.Minute)
			s := serve(t, files(r.dir))
			client := open(t, sdk.Config{Source: s.source(t), Root: r.keys.Root, Interval: -1})
			serves(t, client, 1)
			sent, asked := s.sent.Load(), s.asked.Load()
			const polls = 10
			for range polls {
				if err := client.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			sent, asked = s.sent.Load()-sent, s.asked.Load()-asked
			t.Logf("%d response bytes and %d requests for %d polls", sent, asked, polls)
			if asked != polls || sent > polls*400 || sent == 0 {
				t.Errorf("%d response bytes and %d requests for %d polls", sent, asked, polls)
			}
			r.number(t, 2)
			if err := client.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			serves(t, client, 2)
		})
	}
}

// age makes a file older.
func age(t testing.TB, path string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}

// TestChangesWithinASecond publishes faster than times of modification tell.
func TestChangesWithinASecond(t *testing.T) {
	r := newRepository(t, "production")
	s := serve(t, http.FileServer(http.Dir(r.dir)))
	r.number(t, 1)
	client := open(t, sdk.Config{Source: s.source(t), Root: r.keys.Root, Interval: -1})
	for n := int64(2); n < 6; n++ {
		r.number(t, n)
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		serves(t, client, n)
	}
}

// TestHTTPAnswers goes through what a server may answer to one request.
func TestHTTPAnswers(t *testing.T) {
	const limit = 10
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	elsewhere := serve(t, http.NotFoundHandler())
	tests := []struct {
		name    string
		handler http.HandlerFunc
		etag    string
		want    error  // nil: any
		text    string // part of the error; "": no error
	}{
		{name: "whole", handler: status(200, "0123456789")},
		{name: "too long", handler: status(200, "0123456789a"), want: bundle.ErrTooLarge, text: "too large"},
		{name: "too long, chunked", want: bundle.ErrTooLarge, text: "too large",
			handler: func(w http.ResponseWriter, r *http.Request) {
				for range 11 {
					_, _ = w.Write([]byte("x"))
					w.(http.Flusher).Flush()
				}
			}},
		{name: "not modified", handler: status(304, ""), etag: `"e"`, want: bundle.ErrNotModified, text: "not modified"},
		{name: "not modified, unasked", handler: status(304, ""), text: "304 to an unconditional"},
		{name: "missing", handler: status(404, "no"), want: bundle.ErrNotFound, text: "404"},
		{name: "forbidden", handler: status(403, "no"), want: bundle.ErrNotFound, text: "403"},
		{name: "gone", handler: status(410, "no"), want: bundle.ErrNotFound, text: "410"},
		{name: "unavailable", handler: status(503, "SlowDown"), text: "503 Service Unavailable"},
		{name: "partial", handler: status(206, "01234"), text: "206"},
		{name: "no content", handler: status(204, ""), text: "204"},
		{name: "redirected elsewhere", handler: redirect(elsewhere.URL + "/timestamp.json"),
			text: "redirect to http://127.0.0.1"},
		{name: "redirected to https", handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"/timestamp.json", http.StatusFound)
		}, text: "redirect to https"},
		{name: "redirected for ever", handler: redirect("timestamp.json?again"), text: "more than 3 redirects"},
		{name: "redirected here", handler: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/env/moved" {
				http.Redirect(w, r, "/env/moved", http.StatusMovedPermanently)
			}
		}},
		{name: "cut", text: "unexpected EOF", handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("01234"))
		}},
		{name: "closed", text: "EOF", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.handler)
			src, err := sdk.HTTP(s.URL+"/env/", s.Client())
			if err != nil {
				t.Fatal(err)
			}
			obj, err := src.Fetch(t.Context(), "timestamp.json", test.etag, limit)
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if test.want == nil && (errors.Is(err, bundle.ErrNotFound) || errors.Is(err, bundle.ErrNotModified) ||
				errors.Is(err, bundle.ErrTooLarge)) {
				t.Errorf("error %v has a meaning", err)
			}
			if test.text == "" && err != nil {
				t.Errorf("error %v", err)
			}
			if test.text != "" && (err == nil || !strings.Contains(err.Error(), test.text)) {
				t.Errorf("error %v, want it to say %q", err, test.text)
			}
			if err != nil && obj.Data != nil {
				t.Errorf("data %q with an error", obj.Data)
			}
		})
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestHTTPRequest(t *testing.T) {
	var got *http.Request
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("ETag", `W/"weak"`)
	}))
	src, err := sdk.HTTP(s.URL+"/shop/production", s.Client())
	if err != nil {
		t.Fatal(err)
	}
	obj, err := src.Fetch(t.Context(), "targets/a/b/c.flags", `"tag"`, 100)
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "GET" || got.URL.Path != "/shop/production/targets/a/b/c.flags" ||
		got.Header.Get("If-None-Match") != `"tag"` || got.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("request %v %v %v", got.Method, got.URL, got.Header)
	}
	if obj.ETag != `W/"weak"` {
		t.Errorf("entity tag %q", obj.ETag)
	}
	got = nil
	for _, name := range []string{"", "/etc/passwd", "../up", "a/../b", "a//b"} {
		if _, err := src.Fetch(t.Context(), name, "", 100); !errors.Is(err, bundle.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if got != nil {
		t.Errorf("request for %v", got.URL)
	}
}

// TestHTTPLastModified has a server without entity tags. A time that was not over yet says
// nothing: what is published in the rest of the second would never be seen.
func TestHTTPLastModified(t *testing.T) {
	modified := time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC)
	at := func(after time.Duration) string { return modified.Add(after).Format(http.TimeFormat) }
	var date, since string
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since = r.Header.Get("If-Modified-Since") + r.Header.Get("If-None-Match")
		w.Header()["Date"] = nil // none
		if date != "" {
			w.Header().Set("Date", date)
		}
		w.Header().Set("Last-Modified", at(0))
	}))
	src, err := sdk.HTTP(s.URL, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	for answered, want := range map[string]string{"": "", at(0): "", at(time.Second): "", at(2 * time.Second): at(0),
		at(time.Hour): at(0), "today": ""} {
		date = answered
		obj, err := src.Fetch(t.Context(), "timestamp.json", "", 100)
		if err != nil || obj.ETag != want {
			t.Errorf("answered at %q: validator %q, want %q, error %v", answered, obj.ETag, want, err)
		}
		if _, err := src.Fetch(t.Context(), "timestamp.json", obj.ETag, 100); err != nil || since != want {
			t.Errorf("answered at %q: asked for what is newer than %q, error %v", answered, since, err)
		}
	}
}

// TestHTTPUnreachable has nobody to talk to.
func TestHTTPUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	unresolved := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "flags.example.com", IsNotFound: true}
		},
	}}
	for address, client := range map[string]*http.Client{
		gone.URL:                            nil,
		"https://user:pw@flags.example.com": unresolved,
	} {
		src, err := sdk.HTTP(address, client)
		if err != nil {
			t.Fatal(err)
		}
		r := newRepository(t, "production")
		c := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1})
		st := c.Status()
		if st.State != sdk.Empty || st.Errors[bundle.Network] != 1 {
			t.Errorf("%s: status %+v", address, st)
		}
		if err := st.LastError.Error(); strings.Contains(err, "pw") {
			t.Errorf("password in error %q", err)
		}
	}
}

func TestFromURL(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	s := serve(t, withETags(r.dir))
	file := url.URL{Scheme: "file", Path: filepath.ToSlash(r.dir)}
	for _, raw := range []string{file.String(), "file://localhost" + filepath.ToSlash(r.dir), s.URL, s.URL + "/"} {
		src, err := sdk.FromURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if _, err := src.Fetch(t.Context(), "timestamp.json", "", 1<<20); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for raw, text := range map[string]string{
		"":                            "scheme",
		"ftp://host/flags":            `"ftp"`,
		"s3://bucket/flags":           "s3source",
		"file://flags/production":     "file:///",
		"http://":                     "http://host",
		"https://host/flags?token=pw": "has a query",
	} {
		src, err := sdk.FromURL(raw)
		if err == nil || src != nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v, %v; want an error that says %q", raw, src, err, text)
		}
	}
}

// FuzzFromURL checks that whatever is given makes a source or an error.
func FuzzFromURL(f *testing.F) {
	for _, seed := range []string{
		"", "file:///srv/flags", "file://host/flags", "https://user:pw@host/flags", "http://[::1]:80/%2e%2e",
		"s3://bucket", "https://host/a?b#c", "mailto:a@b", "http://host:port", "\x00://",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		src, err := sdk.FromURL(raw)
		if (src == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", raw, src, err)
		}
		if src == nil {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // makes no request
		if _, err := src.Fetch(ctx, "timestamp.json", "", 1); err == nil {
			t.Errorf("%q: fetched without a context", raw)
		}
	})
}
