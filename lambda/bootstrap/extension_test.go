package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestExtensionErrors checks what becomes of an API that refuses: registering fails, and a
// loop ends, because Lambda would wait for it forever.
func TestExtensionErrors(t *testing.T) {
	registers := true
	var events int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/extension/register") && registers:
			w.Header().Set("Lambda-Extension-Identifier", "id-1")
		case strings.HasSuffix(r.URL.Path, "/extension/event/next") && events < 2 &&
			r.Header.Get("Lambda-Extension-Identifier") == "id-1":
			events++
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	e, err := register(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{}, 2)
	answered <- struct{}{}
	answered <- struct{}{}
	var done int
	if err := e.run(t.Context(), answered, func() { done++ }); err == nil ||
		!strings.Contains(err.Error(), "the Extensions API answered 403") || done != 2 {
		t.Errorf("after %d requests: %v", done, err)
	}
	registers = false
	if _, err := register(t.Context(), address); err == nil ||
		!strings.Contains(err.Error(), "registering an extension: the Extensions API answered 403") {
		t.Errorf("registering: %v", err)
	}
}
