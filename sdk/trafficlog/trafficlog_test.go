package trafficlog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/sdk/trafficlog"
)

// serve returns a server whose responses are logged to out.
func serve(t *testing.T, out io.Writer, cfg trafficlog.Config) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "order %s", r.PathValue("id"))
	})
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("the controller doesn't reach the server: %v", err)
		}
		fmt.Fprint(w, "no")
	})
	server := httptest.NewServer(trafficlog.Handler(mux, out, cfg))
	t.Cleanup(server.Close)
	return server
}

func do(t *testing.T, method, url, id string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Request-Id", id)
	r.Header.Set("X-Serin-Variant", "beta")
	r.Header.Set("Cookie", "session=canary")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	server := serve(t, &out, trafficlog.Config{})
	do(t, "GET", server.URL+"/orders/7?token=canary", "a")
	do(t, "POST", server.URL+"/fail", "b")
	do(t, "GET", server.URL+"/nowhere", strings.Repeat("c", 1000))
	do(t, "GET", server.URL+"/orders/7", "") // without an ID
	server.Close()
	var lines []trafficlog.Line
	for text := range strings.Lines(out.String()) {
		var l trafficlog.Line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l.Time.IsZero() || l.MS < 0 {
			t.Errorf("the times are %v and %v", l.Time, l.MS)
		}
		l.Time, l.MS = time.Time{}, 0
		lines = append(lines, l)
	}
	want := []trafficlog.Line{
		// Hashes by sha256sum.
		{ID: "a", Method: "GET", Route: "GET /orders/{id}", Variant: "beta", Status: 200, Bytes: 7, SHA256: "0fc89f8ae19394b48debd6353bb9ad3393f3bc791931519f19d176a7e5513ebc"},
		{ID: "b", Method: "POST", Route: "POST /fail", Variant: "beta", Status: 418, Bytes: 2, SHA256: "9390298f3fb0c5b160498935d79cb139aef28e1c47358b4bbba61862b9c26e59"},
		{ID: strings.Repeat("c", 200), Method: "GET", Variant: "beta", Status: 404, Bytes: 19, SHA256: "b16e15764b8bc06c5c3f9f19bc8b99fa48e7894aa5a6ccdad65da49bbf564793"},
	}
	if len(lines) != len(want) {
		t.Fatalf("there are %d lines:\n%s", len(lines), out.String())
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("line %d is %+v, not %+v", i, lines[i], want[i])
		}
	}
	if strings.Contains(out.String(), "canary") {
		t.Errorf("the log has what is personal:\n%s", out.String())
	}
}

// TestConcurrentLines holds that lines don't mix.
func TestConcurrentLines(t *testing.T) {
	var out bytes.Buffer // Handler writes one line at a time
	server := serve(t, &out, trafficlog.Config{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				do(t, "GET", fmt.Sprint(server.URL, "/orders/", n), fmt.Sprint(i, "-", n))
			}
		})
	}
	wg.Wait()
	server.Close()
	if n := strings.Count(out.String(), "\n"); n != 160 {
		t.Errorf("there are %d lines", n)
	}
	for text := range strings.Lines(out.String()) {
		if !json.Valid([]byte(text)) {
			t.Errorf("a line is broken: %s", text)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestFailed holds that a log that can't be written changes no response.
func TestFailed(t *testing.T) {
	failed := make(chan error, 1)
	server := serve(t, broken{}, trafficlog.Config{Failed: func(err error) { failed <- err }})
	do(t, "GET", server.URL+"/orders/7", "a")
	if err := <-failed; err == nil || err.Error() != "disk full" {
		t.Errorf("error %v", err)
	}
}
