package lambda

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// A pipeListener accepts connections that the test dials, in memory, so that time can be
// simulated.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// A streamServer serves a Handler with events, as serve does.
type streamServer struct {
	*estate
	listener *pipeListener
	handler  *Handler
	client   *sdk.Client
}

// startStreams starts a server; it must be called in a bubble of synctest.
func startStreams(t *testing.T) *streamServer {
	e := newEstate(t, testRuleset())
	s := &streamServer{estate: e, client: e.open(t), listener: &pipeListener{make(chan net.Conn), make(chan struct{})}}
	s.handler = New(s.client, Config{Events: true})
	server := &http.Server{Handler: s.handler, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(s.listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return s
}

// publishChange publishes and serves a revision in which a flag has changed.
func (s *streamServer) publishChange(t *testing.T, rate float64) {
	t.Helper()
	changed := testRuleset()
	i := slices.IndexFunc(changed.Flags, func(f evaluator.Flag) bool { return f.Key == "rate" })
	changed.Flags[i].Variants[0].Value = evaluator.FloatValue(rate)
	s.publish(t, changed)
	if err := s.client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// dial asks for the events with what the browser knows of them, and doesn't read yet.
func (s *streamServer) dial(t *testing.T, lastID string) net.Conn {
	t.Helper()
	conn, served := net.Pipe()
	s.listener.conns <- served
	t.Cleanup(func() { conn.Close() })
	if lastID != "" {
		lastID = "Last-Event-ID: " + lastID + "\r\n"
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: flags\r\n%s\r\n", eventsPath, lastID); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A reading is a stream that is being read.
type reading struct {
	response *http.Response
	lines    chan string // non-empty ones; closed at the end
}

func (s *streamServer) read(t *testing.T, lastID string) *reading {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(s.dial(t, lastID)), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{response, make(chan string, 100)}
	go func() {
		defer close(r.lines)
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if lines.Text() != "" {
				r.lines <- lines.Text()
			}
		}
	}()
	return r
}

// got returns the lines that have arrived, in one line.
func (r *reading) got() string {
	synctest.Wait()
	var lines []string
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				return strings.Join(append(lines, "end"), "|")
			}
			lines = append(lines, line)
		default:
			return strings.Join(lines, "|")
		}
	}
}

func eventOf(revision int) string {
	return fmt.Sprintf(`id: %d|event: message|data: {"type":"refetchEvaluation","etag":"%d"}`, revision, revision)
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreams(t)
		want := func(r *reading, want string) {
			t.Helper()
			if got := r.got(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		early := s.read(t, "")
		if got := early.response.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type is %q", got)
		}
		if got := early.response.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("Access-Control-Allow-Origin is %q", got)
		}
		want(early, eventOf(1)) // the flags are new, so its own may be older
		time.Sleep(overlap)
		late := s.read(t, "")
		early.got()
		want(late, "id: 1") // it has just fetched what there is
		time.Sleep(heartbeat)
		want(late, ":")
		want(early, ":")
		time.Sleep(3 * heartbeat) // longer than all timeouts of the server
		late.got()
		early.got()

		s.publishChange(t, 0.5)
		want(early, eventOf(2))
		want(late, eventOf(2))
		want(s.read(t, "1"), eventOf(2)) // missed it
		want(s.read(t, "2"), "id: 2")
		want(s.read(t, "9"), "id: 2") // told by a server that is ahead
		want(s.read(t, "x"), eventOf(2))
		s.handler.Drain()
		want(early, "end")
		want(late, "end")
		if after := s.read(t, ""); after.response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("after Drain the status is %d", after.response.StatusCode)
		}
	})
}

// TestEventsOfSlowReaders holds that a client that doesn't read delays no other, and loses
// its stream.
func TestEventsOfSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreams(t)
		s.dial(t, "") // never reads
		reader := s.read(t, "1")
		reader.got()
		synctest.Wait()
		if n := len(s.handler.streams.open); n != 2 {
			t.Fatalf("%d streams are open", n)
		}
		for i := range 3 {
			s.publishChange(t, float64(i))
			if got := reader.got(); got != eventOf(i+2) {
				t.Errorf("got %q for revision %d", got, i+2)
			}
		}
		time.Sleep(slowReader)
		synctest.Wait()
		if n := len(s.handler.streams.open); n != 1 {
			t.Errorf("%d streams are open after %v", n, slowReader)
		}
	})
}

// TestEventsOverHTTP2 holds that a stream outlives its deadlines, which HTTP/2 has for each
// stream, and still ends for a client that doesn't read.
func TestEventsOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreams(t)
		transport := &http.Transport{Protocols: new(http.Protocols),
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				conn, served := net.Pipe()
				s.listener.conns <- served
				return conn, nil
			}}
		transport.Protocols.SetUnencryptedHTTP2(true)
		t.Cleanup(transport.CloseIdleConnections)
		time.Sleep(2 * overlap) // streams begin without an event
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://flags"+eventsPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		beats := 0
		for beats < 30 && lines.Scan() { // ten minutes
			if lines.Text() == ":" {
				beats++
			}
		}
		if response.ProtoMajor != 2 || beats != 30 {
			t.Fatalf("HTTP/%d, and %d heartbeats before %v", response.ProtoMajor, beats, lines.Err())
		}
		s.publishChange(t, 0.5)
		for lines.Scan() && lines.Text() != "id: 2" {
		}
		if lines.Err() != nil || lines.Text() != "id: 2" {
			t.Errorf("the last line is %q, error %v", lines.Text(), lines.Err())
		}
	})
}

func TestTooManyStreams(t *testing.T) {
	h := New(newEstate(t, testRuleset()).open(t), Config{Events: true})
	var last chan struct{}
	for range maxStreams {
		last = h.streams.add()
	}
	w := ask(t, h, httptest.NewRequest(http.MethodGet, eventsPath, nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("one stream too many: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	h.streams.remove(last)
	if h.streams.add() == nil {
		t.Error("there is no room after a stream has ended")
	}
}

// TestEventSchema holds that events are those of OFREP, and that they are offered where
// they are.
func TestEventSchema(t *testing.T) {
	client := newEstate(t, testRuleset()).open(t)
	for _, base := range []string{"", "/", "/flags", "/a b/"} {
		h := New(client, Config{Events: true, BasePath: base})
		clean := strings.ReplaceAll(strings.TrimRight(base, "/"), " ", "%20")
		var body struct {
			EventStreams []struct {
				Type     string
				Endpoint struct{ RequestURI string }
			}
		}
		if err := json.Unmarshal(ask(t, h, post(clean+flagsPath, `{}`)).Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if len(body.EventStreams) != 1 || body.EventStreams[0].Endpoint.RequestURI != clean+eventsPath {
			t.Errorf("base path %q: offered %+v", base, body.EventStreams)
		}
		if w := ask(t, h, httptest.NewRequest(http.MethodPost, clean+eventsPath,
			nil)); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("base path %q: POST of %s has the status %d", base, clean+eventsPath, w.Code)
		}
	}
	if w := ask(t, New(client, Config{}),
		httptest.NewRequest(http.MethodGet, eventsPath, nil)); w.Code != http.StatusNotFound {
		t.Errorf("without events the status is %d", w.Code)
	}
	_, data, _ := strings.Cut(eventOf(7), "data: ")
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
	if err == nil {
		err = ofrep(t, "event").Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v", data, err)
	}
}

func TestBasePath(t *testing.T) {
	h := New(newEstate(t, testRuleset()).open(t), Config{BasePath: "/flags/"})
	for path, want := range map[string]int{
		"/flags" + flagsPath: 200, "/flags" + flagsPath + "/rate": 200, flagsPath: 404, "/flag" + flagsPath: 404,
		"/flags": 404, "/flags/": 404, "/flags/flags" + flagsPath: 404,
	} {
		if w := ask(t, h, post(path, `{}`)); w.Code != want {
			t.Errorf("%s: status is %d, want %d", path, w.Code, want)
		}
	}
}

// TestCompressed holds that large responses are compressed for those who accept it, and
// that either tag is recognized.
func TestCompressed(t *testing.T) {
	set := testRuleset()
	for i := range 20 {
		f := set.Flags[0]
		f.Key = fmt.Sprintf("more-%d", i)
		set.Flags = append(set.Flags, f)
	}
	server := httptest.NewServer(New(newEstate(t, set).open(t), Config{}))
	defer server.Close()
	plain := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	ask := func(accept, tag string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, server.URL+flagsPath, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", accept)
		r.Header.Set("If-None-Match", tag)
		resp, err := plain.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	identity, body := ask("identity", "")
	if identity.Header.Get("Content-Encoding") != "" || len(body) < minCompressed ||
		identity.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("without gzip: %d bytes, %v", len(body), identity.Header)
	}
	gzip, small := ask("br, gzip", "")
	if gzip.Header.Get("Content-Encoding") != "gzip" || len(small) >= len(body)/2 {
		t.Errorf("with gzip: %d bytes of %d, %v", len(small), len(body), gzip.Header)
	}
	tag, gzipTag := identity.Header.Get("ETag"), gzip.Header.Get("ETag")
	if gzipTag != strings.TrimSuffix(tag, `"`)+`-gzip"` {
		t.Errorf("tags are %s and %s", tag, gzipTag)
	}
	for _, accept := range []string{"identity", "gzip"} {
		for _, tag := range []string{tag, gzipTag} {
			if resp, _ := ask(accept, tag); resp.StatusCode != http.StatusNotModified {
				t.Errorf("%s with %s: status is %d", tag, accept, resp.StatusCode)
			}
		}
	}
}
