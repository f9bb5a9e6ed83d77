package lambda

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestObserve holds which endpoint and status each kind of request counts as.
func TestObserve(t *testing.T) {
	var got []string
	observe := func(endpoint string, status int, took time.Duration) {
		if took < 0 || !slices.Contains(Endpoints(), endpoint) {
			t.Errorf("%s took %v", endpoint, took)
		}
		got = append(got, fmt.Sprint(endpoint, " ", status))
	}
	client := newEstate(t, testRuleset()).open(t)
	h := New(client, Config{Observe: observe, BasePath: "/base", Events: true, MaxBody: 1000})
	ended, cancel := context.WithCancel(t.Context())
	cancel() // streams end at once
	for _, test := range []struct {
		method, path, body, want string
	}{
		{"POST", "/base/ofrep/v1/evaluate/flags/rate", `{}`, "flag 200"},
		{"POST", "/base/ofrep/v1/evaluate/flags/absent", `{}`, "flag 404"},
		{"POST", "/base/ofrep/v1/evaluate/flags/rate", `{`, "flag 400"},
		{"POST", "/base/ofrep/v1/evaluate/flags/rate", strings.Repeat(" ", 2000), "flag 413"},
		{"GET", "/base/ofrep/v1/evaluate/flags/rate", "", "flag 405"},
		{"POST", "/base/ofrep/v1/evaluate/flags", `{}`, "flags 200"},
		{"OPTIONS", "/base/ofrep/v1/evaluate/flags", "", "other 204"},
		{"POST", "/ofrep/v1/evaluate/flags", `{}`, "other 404"},
		{"GET", "/base/ofrep/v1/events", "", "events 200"},
		{"GET", "/base/route/rate", "", "route 200"},
		{"GET", "/base/route/absent", "", "route 200"},
		{"OPTIONS", "/base/route/rate", "", "route 200"},
		{"GET", "/base/status", "", "status 200"},
		{"GET", "/base/healthz", "", "healthz 200"},
		{"BREW", "/base/" + strings.Repeat("x", 1000), "", "other 404"},
	} {
		got = nil
		r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body)).WithContext(ended)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if len(got) != 1 || got[0] != test.want {
			t.Errorf("%s %.40s: %q, want %s", test.method, test.path, got, test.want)
		}
	}
	if load := h.Load(); load != (Load{Routed: 1, Unrouted: 2}) {
		t.Errorf("the load is %+v", load)
	}
	got = nil
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/base"+flagsPath, panicking{}))
	if len(got) != 1 || got[0] != "flags 500" {
		t.Errorf("a panic: %q", got)
	}
}

// TestTooManyRequests holds that requests beyond the limit are refused, but not those of
// probes, and that others are answered again afterwards.
func TestTooManyRequests(t *testing.T) {
	h := New(newEstate(t, testRuleset()).open(t), Config{MaxRequests: 2})
	var held sync.WaitGroup
	bodies := make([]*heldBody, 2)
	for i := range bodies {
		bodies[i] = &heldBody{read: make(chan bool), end: make(chan bool)}
		held.Go(func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, flagsPath, bodies[i]))
			if w.Code != http.StatusOK {
				t.Errorf("a held request: %d", w.Code)
			}
		})
		<-bodies[i].read
	}
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for _, path := range []string{flagsPath, flagsPath + "/rate"} {
		if w := ask(http.MethodPost, path); w.Code != http.StatusServiceUnavailable ||
			w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := ask(http.MethodGet, "/route/rate"); w.Code != http.StatusOK || w.Header().Get("X-Serin-Variant") != "" {
		t.Errorf("/route: %d %v", w.Code, w.Header())
	}
	for _, path := range []string{statusPath, healthPath} {
		if w := ask(http.MethodGet, path); w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, b := range bodies {
		close(b.end)
	}
	held.Wait()
	if w := ask(http.MethodGet, "/route/rate"); w.Header().Get("X-Serin-Variant") != "quarter" {
		t.Errorf("/route, afterwards: %v", w.Header())
	}
}

// A heldBody is empty, which its reader learns when end is closed.
type heldBody struct{ read, end chan bool }

func (b *heldBody) Read([]byte) (int, error) {
	close(b.read)
	<-b.end
	return 0, io.EOF
}
