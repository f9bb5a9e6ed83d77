package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/ci/page"
	"github.com/serin-flags/serin/internal/listen"
	"github.com/serin-flags/serin/lambda"
	"github.com/spf13/cobra"
)

// A service answers requests for a command.
type service struct {
	listen  string // address
	handler *lambda.Handler
	page    *page.Handler    // for browsers, beside the handler; nil: there is none
	ready   func(url string) // called once it listens, unless it is nil
	grace   time.Duration    // how long it goes on after SIGTERM, unless nobody asks anyway

	connections *listen.Limit       // nil: no limit
	certificate *listen.Certificate // nil: no TLS
	admin       *admin              // nil: none
	// pageListener is for people, nil if there is none.
	pageListener *pageListener
	// active is when a connection last got busy, in nanoseconds since 1970.
	active atomic.Int64
}

const (
	// idleTimeout is after how long connections without requests are closed.
	idleTimeout = 2 * time.Minute
	// lastRequests is how long requests may take to end after the server stops listening.
	lastRequests = 5 * time.Second
)

// run serves until the command's context ends. After an interrupt it ends at once, after
// SIGTERM once it has drained.
func (s *service) run(cmd *cobra.Command) error {
	listener, err := listen.On(s.listen)
	if err != nil {
		return &hintedError{err,
			"--listen takes HOST:PORT, such as localhost:8787, or unix:PATH; port 0 selects a free port"}
	}
	stopAdmin, err := s.admin.start(cmd.ErrOrStderr())
	if err != nil {
		listener.Close()
		return &hintedError{err,
			"--metrics-listen takes HOST:PORT, such as localhost:9787, or unix:PATH; port 0 selects a free port"}
	}
	defer stopAdmin()
	stopPage, err := s.pageListener.start(cmd.ErrOrStderr())
	if err != nil {
		listener.Close()
		return err
	}
	defer stopPage()
	server, scheme := s.server(cmd.ErrOrStderr()), "http"
	serve := func() error { return server.Serve(listener) }
	if s.certificate != nil {
		server.TLSConfig, scheme = s.certificate.Config(), "https"
		serve = func() error { return server.ServeTLS(listener, "", "") }
	}
	url := listener.URL(scheme)
	fmt.Fprintln(cmd.OutOrStdout(), url)
	if s.ready != nil {
		s.ready(url)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- serve() }()
	select {
	case err := <-stopped:
		return err
	case <-cmd.Context().Done():
	}
	wait := patience
	if terminated(cmd.Context()) {
		s.drain(cmd.ErrOrStderr())
		wait = lastRequests
	} else if context.Cause(cmd.Context()) != context.Canceled {
		fmt.Fprintln(cmd.ErrOrStderr(), context.Cause(cmd.Context()))
	}
	// Shutdown doesn't wait for a connection that was just accepted, unless Serve has ended.
	listener.Drain()
	<-stopped
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), wait)
	defer cancel()
	if err = server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // the rest of a request isn't coming, or its response isn't read
	}
	return err
}

// server returns a server whose clients can hold neither much memory nor anything for long.
// It writes what goes wrong to stderr.
func (s *service) server(stderr io.Writer) *http.Server {
	server := &http.Server{
		Handler:           s.root(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    8 << 10, // net/http adds 4 KiB
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          100,
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 64 << 10,
			SendPingTimeout:               30 * time.Second, // a connection that is half open is noticed
			PingTimeout:                   15 * time.Second,
			WriteByteTimeout:              10 * time.Second,
		},
		ErrorLog: log.New(serverLog{stderr}, "", 0),
		ConnState: func(conn net.Conn, state http.ConnState) {
			if state == http.StateActive {
				s.active.Store(time.Now().UnixNano())
			}
			if s.connections != nil {
				s.connections.State(conn, state)
			}
		},
	}
	server.RegisterOnShutdown(s.handler.Drain) // so that streams of events end
	if s.page != nil {
		server.RegisterOnShutdown(s.page.Close)
	}
	return server
}

// A serverLog drops lines of net/http about single clients. Anyone who connects can cause
// them, and they have addresses.
type serverLog struct{ to io.Writer }

func (l serverLog) Write(line []byte) (int, error) {
	for _, client := range []string{"handshake error", "from client"} {
		if bytes.Contains(line, []byte(client)) {
			return len(line), nil
		}
	}
	return l.to.Write(line)
}

// root returns what answers requests.
func (s *service) root() http.Handler {
	if s.page == nil {
		return s.handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page.Has(r.URL.Path) {
			s.page.ServeHTTP(w, r)
			return
		}
		s.handler.ServeHTTP(w, r)
	})
}

// drain goes on serving for the grace period, in which load balancers see that /status
// fails, and connections close after their next request. If nobody has asked anything for
// so long that no used connection is open, it returns at once.
func (s *service) drain(stderr io.Writer) {
	if s.grace <= 0 || time.Since(time.Unix(0, s.active.Load())) > idleTimeout {
		return
	}
	s.handler.Drain()
	fmt.Fprintf(stderr, "stopping in %v: /status answers 503, and connections close after their next request\n",
		s.grace)
	time.Sleep(s.grace)
}
