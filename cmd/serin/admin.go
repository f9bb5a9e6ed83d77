package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/serin-flags/serin/internal/listen"
)

// An admin is a second server, for those who operate the first one. It has the metrics,
// which don't belong on an address that visitors reach, and the paths of probes, which can't
// ask a Unix socket or over TLS with a certificate of another name.
type admin struct {
	listen  string       // address
	metrics http.Handler // of GET /metrics
	status  http.Handler // of /status and /healthz
	base    string       // what its paths begin with
}

// start listens, prints the URL, and serves until stop is called. A nil admin does nothing.
func (a *admin) start(stderr io.Writer) (stop func(), err error) {
	if a == nil {
		return func() {}, nil
	}
	listener, err := listen.On(a.listen)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics)
	for _, path := range []string{"/status", "/healthz"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = strings.TrimRight(a.base, "/") + path
			a.status.ServeHTTP(w, r)
		})
	}
	limit := listen.NewLimit(maxAdmins)
	server := &http.Server{
		Handler:        mux,
		ReadTimeout:    5 * time.Second,
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: 8 << 10,
		ConnState:      limit.State,
	}
	fmt.Fprintf(stderr, "metrics: %s/metrics\n", listener.URL("http"))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener) // ends when stop is called
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-stopped
	}, nil
}

// maxAdmins limits the connections of an admin.
const maxAdmins = 64
