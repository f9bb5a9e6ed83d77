// Package trafficlog writes one JSON line for each response of an HTTP server, so that "serin
// compare" can tell whether two versions of the server answer alike: the old one, and a new
// one that gets a copy of the traffic, such as by nginx's mirror.
//
//	{"time":"2026-12-01T10:00:00.123Z","id":"5f3a…","method":"GET","route":"GET /orders/{id}","variant":"beta",
//	 "status":200,"bytes":512,"sha256":"9f86d081884c7d65…","ms":3.217}
//
// A line has no query, no header but the ID of the request, no address and no body: of that
// only a hash.
package trafficlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"sync"
	"time"
)

// Config configures [Handler]. The zero Config is valid.
type Config struct {
	// ID returns what a request has in common with its copy. Nil: the header X-Request-Id,
	// which nginx sets to $request_id. A request without one isn't logged.
	ID func(*http.Request) string
	// Route returns what requests are grouped by. Nil: the pattern that the [http.ServeMux]
	// behind the handler has chosen, or "" if there is none. It must be one of few, and hold
	// nothing personal.
	Route func(*http.Request) string
	// Variant returns the variant that the request was routed by. Nil: the header
	// X-Serin-Variant.
	Variant func(*http.Request) string
	// Failed, if not nil, is called with each error of the writer. The response isn't affected.
	Failed func(error)
}

// Handler returns a handler that does what next does, and then writes a line to w: with one
// Write, and none at the same time. So a slow w delays the end of requests; a file is fast.
func Handler(next http.Handler, w io.Writer, cfg Config) http.Handler {
	if cfg.ID == nil {
		cfg.ID = func(r *http.Request) string { return r.Header.Get("X-Request-Id") }
	}
	if cfg.Route == nil {
		cfg.Route = func(r *http.Request) string { return r.Pattern }
	}
	if cfg.Variant == nil {
		cfg.Variant = func(r *http.Request) string { return r.Header.Get("X-Serin-Variant") }
	}
	var mu sync.Mutex
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id := cfg.ID(r)
		if id == "" {
			next.ServeHTTP(rw, r)
			return
		}
		begin := time.Now()
		out := &response{ResponseWriter: rw, hash: sha256.New(), status: http.StatusOK}
		next.ServeHTTP(out, r)
		line := Line{
			Time: begin.UTC(), ID: cut(id), Method: r.Method, Route: cut(cfg.Route(r)), Variant: cut(cfg.Variant(r)),
			Status: out.status,
			Bytes:  out.bytes, SHA256: hex.EncodeToString(out.hash.Sum(nil)),
			MS: float64(time.Since(begin).Microseconds()) / 1000,
		}
		data, err := json.Marshal(line)
		if err == nil {
			mu.Lock()
			_, err = w.Write(append(data, '\n'))
			mu.Unlock()
		}
		if err != nil && cfg.Failed != nil {
			cfg.Failed(err)
		}
	})
}

// maxText is the length in bytes of the longest text of a line.
const maxText = 200

func cut(s string) string { return s[:min(len(s), maxText)] }

// A Line is what is written of a response.
type Line struct {
	Time    time.Time `json:"time"` // when the request began
	ID      string    `json:"id"`
	Method  string    `json:"method"`
	Route   string    `json:"route,omitempty"`
	Variant string    `json:"variant,omitempty"`
	Status  int       `json:"status"`
	Bytes   int64     `json:"bytes"`  // of the body, as the handler wrote it
	SHA256  string    `json:"sha256"` // of the body, in hexadecimal
	MS      float64   `json:"ms"`     // how long it took, in milliseconds
}

// A response notes what is written.
type response struct {
	http.ResponseWriter
	hash   hash.Hash
	status int
	bytes  int64
	wrote  bool
}

// WriteHeader implements [http.ResponseWriter].
func (r *response) WriteHeader(status int) {
	if !r.wrote && status >= 200 { // others are preliminary
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *response) Write(p []byte) (int, error) {
	r.wrote = true
	n, err := r.ResponseWriter.Write(p)
	r.hash.Write(p[:n])
	r.bytes += int64(n)
	return n, err
}

// Unwrap returns the writer below, for [http.ResponseController].
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
