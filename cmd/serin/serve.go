package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
	"github.com/spf13/cobra"
)

// defaultListen is where serve and dev listen.
const defaultListen = "127.0.0.1:8787"

// serveOptions are the flags of serve.
type serveOptions struct {
	sourceFlags
	from, listen, cache string
	basePath, trust     string
	gateways            enrich.Trust // what trust says
	interval, grace     time.Duration
	maxBody             int64
}

func serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve [SRC]",
		Short: "Serve flags over HTTP (OFREP)",
		Long: `Serve serves the flags of SRC, or of --from, over HTTP with the OpenFeature Remote
Evaluation Protocol, like the Lambda function, but as an ordinary server. It
follows a published environment. A folder, by default flags, is compiled only
once; "serin dev" watches one.

It prints its URL once it listens. If it can't pull the flags yet, it keeps
trying.

After SIGTERM it goes on answering for a while, so that a load balancer loses no
request: /status answers 503, which takes the server out, and connections close
after their next request. An interrupt (Ctrl-C) or a second signal ends it at once.`,
		Args:        oneWordAtMost("SRC"),
		Annotations: map[string]string{serves: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.read(cmd, args); err != nil {
				return err
			}
			return o.serve(cmd)
		},
	}
	o.register(cmd)
	registerFrom(cmd, &o.from)
	cmd.Flags().StringVar(&o.listen, "listen", defaultListen, "the address to listen on; port 0 selects a free port, unix:PATH a Unix socket")
	cmd.Flags().StringVar(&o.trust, "trust-proxies", "", "the gateways whose headers describe clients: addresses, networks, or unix")
	cmd.Flags().StringVar(&o.basePath, "base-path", "", "what all paths begin with, such as /flags behind a proxy that keeps it")
	cmd.Flags().StringVar(&o.cache, "cache", "", "a folder for the last good revision, so that a restart doesn't need the source")
	cmd.Flags().DurationVar(&o.interval, "interval", 0, "the mean time between polls (default 30s)")
	cmd.Flags().Int64Var(&o.maxBody, "max-body", 0, "the size limit of a request's body in bytes (default 65536)")
	cmd.Flags().DurationVar(&o.grace, "grace", 5*time.Second, "how long to go on after SIGTERM, before the last requests get up to 5s")
	return cmd
}

// read takes the source from the words of the command, and checks the flags.
func (o *serveOptions) read(cmd *cobra.Command, args []string) (err error) {
	changed := cmd.Flags().Changed
	if len(args) > 0 && changed("from") {
		return usagef("more than one source: %q and --from %s", args[0], shown(o.from))
	}
	if len(args) > 0 {
		o.from = args[0]
	}
	if o.from, err = sourceOr(cmd, o.from); err != nil {
		return err
	}
	if o.gateways, err = enrich.ParseTrust(o.trust); err != nil {
		return usagef("--trust-proxies: %v", err)
	}
	switch {
	case changed("interval") && o.interval <= 0:
		return usagef("--interval must be a positive time between polls, such as 30s, not %v", o.interval)
	case o.basePath != "" && o.basePath[0] != '/':
		return usagef("--base-path must begin with a slash, as in /flags, not %s", o.basePath)
	case o.maxBody < 0 || o.grace < 0:
		return usagef("--max-body and --grace must not be negative")
	case !published(o.from) && (changed("interval") || changed("cache")):
		return usagef("--interval and --cache are for published flags; a folder is compiled once")
	}
	return nil
}

// serve opens the source and serves its flags.
func (o *serveOptions) serve(cmd *cobra.Command) error {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	var client *sdk.Client
	var closeClient func()
	err := interruptible(cmd.Context(), func() (err error) {
		client, closeClient, err = o.client(cmd.Context(), o.from, sdk.Config{CacheDir: o.cache, Interval: o.interval, Logger: log})
		return err
	})
	if err != nil {
		return err
	}
	defer closeClient()
	if client.Snapshot() == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "no flags yet: answering 503 until there are")
	}
	enrich.Warm()
	handler := lambda.New(client, lambda.Config{MaxBody: o.maxBody, BasePath: o.basePath, Events: true, Gateways: o.gateways})
	s := service{listen: o.listen, handler: handler, grace: o.grace}
	return s.run(cmd)
}

// client opens a client of a source. closeClient must be called in the end.
func (f *sourceFlags) client(ctx context.Context, from string, cfg sdk.Config) (client *sdk.Client, closeClient func(), err error) {
	if !published(from) {
		return f.folderClient(ctx, from)
	}
	if cfg.Root, err = readRoot(f.root); err != nil {
		return nil, nil, err
	}
	if cfg.Source, err = s3source.FromURL(ctx, from); err != nil {
		return nil, nil, err
	}
	if client, err = sdk.Open(ctx, cfg); err != nil {
		return nil, nil, err
	}
	if err := f.checkEnvironment(client.Status().Environment); err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, func() { client.Close() }, nil
}

// folderClient compiles a folder and opens a client of that.
func (f *sourceFlags) folderClient(ctx context.Context, dir string) (*sdk.Client, func(), error) {
	c, err := f.open(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	l, err := newLocal(f.env)
	if err != nil {
		return nil, nil, err
	}
	if _, err := l.publish(ctx, c.payloads); err != nil {
		l.close()
		return nil, nil, err
	}
	client, err := l.open(ctx)
	if err != nil {
		l.close()
		return nil, nil, err
	}
	return client, func() {
		client.Close()
		l.close()
	}, nil
}

// A service answers requests for a command.
type service struct {
	listen  string // address
	handler *lambda.Handler
	page    http.Handler     // for browsers, at /; nil: there is none
	ready   func(url string) // called once it listens, unless it is nil
	grace   time.Duration    // how long it goes on after SIGTERM, unless nobody asks anyway
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
	listener, err := listenOn(s.listen)
	if err != nil {
		return &hintedError{err, "--listen takes HOST:PORT, such as localhost:8787, or unix:PATH; port 0 selects a free port"}
	}
	server := &http.Server{
		Handler:           s.root(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    8 << 10, // net/http adds 4 KiB
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateActive {
				s.active.Store(time.Now().UnixNano())
			}
		},
	}
	server.RegisterOnShutdown(s.handler.Drain) // so that streams of events end
	url := "http://" + listener.Addr().String()
	if listener.Addr().Network() == "unix" {
		url = "unix:" + listener.Addr().String()
	}
	fmt.Fprintln(cmd.OutOrStdout(), url)
	if s.ready != nil {
		s.ready(url)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
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
	listener.Close()
	<-stopped
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), wait)
	defer cancel()
	if err = server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // the rest of a request isn't coming, or its response isn't read
	}
	return err
}

// root returns what answers requests.
func (s *service) root() http.Handler {
	if s.page == nil {
		return s.handler
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.handler)
	mux.Handle("GET /{$}", s.page)
	return mux
}

// listenOn listens on an address, or on the Unix socket of unix:PATH.
func listenOn(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	// A process that was killed leaves its socket behind, to which nobody listens.
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		} else if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}

// drain goes on serving for the grace period, in which load balancers see that /status
// fails, and connections close after their next request. If nobody has asked anything for
// so long that no used connection is open, it returns at once.
func (s *service) drain(stderr io.Writer) {
	if s.grace <= 0 || time.Since(time.Unix(0, s.active.Load())) > idleTimeout {
		return
	}
	s.handler.Drain()
	fmt.Fprintf(stderr, "stopping in %v: /status answers 503, and connections close after their next request\n", s.grace)
	time.Sleep(s.grace)
}
