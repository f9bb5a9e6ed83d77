package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/listen"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/lambda/metrics"
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
	clients             string       // a file
	gateways            enrich.Trust // what trust says
	interval, grace     time.Duration
	maxBody             int64
	metricsListen       string
	pageListen          string
	flags, repository   string // for the page
	tlsCert, tlsKey     string
	maxConnections      int
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
after their next request. An interrupt (Ctrl-C) or a second signal ends it at once.

--page-listen is another address, for pages that show rules to people. With --clients,
they ask for a password, which is a key of a client of the kind server.`,
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
	cmd.Flags().StringVar(&o.listen, "listen", defaultListen,
		"the address to listen on; port 0 selects a free port, unix:PATH a Unix socket")
	cmd.Flags().StringVar(&o.trust, "trust-proxies", "",
		"the gateways whose headers describe clients: addresses, networks, or unix")
	variableFlag(cmd, &o.clients, "clients",
		"a file of who may ask, and for which flags; without it, anyone may ask for all")
	cmd.Flags().StringVar(&o.basePath, "base-path", "",
		"what all paths begin with, such as /flags behind a proxy that keeps it")
	cmd.Flags().StringVar(&o.cache, "cache", "",
		"a folder for the last good revision, so that a restart doesn't need the source")
	cmd.Flags().DurationVar(&o.interval, "interval", 0, "the mean time between polls (default 30s)")
	cmd.Flags().Int64Var(&o.maxBody, "max-body", 0, "the size limit of a request's body in bytes (default 65536)")
	cmd.Flags().IntVar(&o.maxConnections, "max-connections", defaultConnections,
		"the most connections at once; beyond that, idle ones are closed for new ones")
	cmd.Flags().StringVar(&o.tlsCert, "tls-cert", "",
		"a PEM file with the certificate and its chain, for HTTPS; read again when it changes")
	cmd.Flags().StringVar(&o.tlsKey, "tls-key", "", "the PEM file with the key of --tls-cert")
	cmd.Flags().StringVar(&o.metricsListen, "metrics-listen", "",
		"another address, for /metrics (Prometheus), /status and /healthz (default: none)")
	cmd.Flags().StringVar(&o.pageListen, "page-listen", "",
		"another address, for pages that show the flags to people (default: none)")
	cmd.Flags().StringVar(&o.flags, "flags", "",
		"the flag folder, for what the pages can't know from published flags: owners, warnings, other environments")
	cmd.Flags().StringVar(&o.repository, "repository", "",
		"the URL of the repository on GitHub or GitLab, for issues that propose edits")
	cmd.Flags().DurationVar(&o.grace, "grace", 5*time.Second,
		"how long to go on after SIGTERM, before the last requests get up to 5s")
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
	case o.maxConnections <= 0:
		return usagef("--max-connections must be positive, not %d", o.maxConnections)
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return usagef("--tls-cert and --tls-key go together: a certificate needs its key")
	case o.pageListen == "" && (changed("flags") || changed("repository")):
		return usagef("--flags and --repository are for the pages of --page-listen")
	case !published(o.from) && changed("flags"):
		return usagef("--flags is for published flags; %s is a folder itself", shown(o.from))
	case !published(o.from) && (changed("interval") || changed("cache")):
		return usagef("--interval and --cache are for published flags; a folder is compiled once")
	}
	return nil
}

// serve opens the source and serves its flags.
func (o *serveOptions) serve(cmd *cobra.Command) error {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	s := service{listen: o.listen, grace: o.grace, connections: o.connections(cmd)}
	if o.tlsCert != "" {
		certificate, err := listen.ReadCertificate(o.tlsCert, o.tlsKey, log)
		if err != nil {
			return &hintedError{err,
				"--tls-cert and --tls-key take PEM files, such as fullchain.pem and privkey.pem of certbot"}
		}
		s.certificate = certificate
	}
	var client *sdk.Client
	var closeClient func()
	err := interruptible(cmd.Context(), func() (err error) {
		client, closeClient,
			err = o.client(cmd.Context(), o.from, sdk.Config{CacheDir: o.cache, Interval: o.interval, Logger: log})
		return err
	})
	if err != nil {
		return err
	}
	defer closeClient()
	if client.Snapshot() == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "no flags yet: answering 503 until there are")
	}
	defer keepWarm(client, enrich.Warm)()
	defer holdBallast(serverBallast)()
	cfg := lambda.Config{MaxBody: o.maxBody, BasePath: o.basePath, Events: true, Gateways: o.gateways,
		MaxRequests: o.maxConnections}
	if cfg.Access, err = o.gate(cmd, log); err != nil {
		return err
	}
	if cfg.Access == nil {
		s.ready = func(string) {
			fmt.Fprintln(cmd.ErrOrStderr(), "anyone who can connect may ask for all flags; --clients FILE says who may")
		}
	}
	if o.pageListen != "" {
		h, stop, err := o.newPage(cmd.Context(), client, cfg.Access, log)
		if err != nil {
			return err
		}
		defer stop()
		s.pageListener = &pageListener{o.pageListen, h, s.certificate}
	}
	if o.metricsListen == "" {
		s.handler = lambda.New(client, cfg)
		return s.run(cmd)
	}
	m := metrics.New(version())
	cfg.Observe = m.Observe
	s.handler = lambda.New(client, cfg)
	m.Register(s.measured()...)
	s.admin = &admin{listen: o.metricsListen, metrics: m.Handler(s.handler, client), base: o.basePath,
		status: s.handler}
	return s.run(cmd)
}

// keepWarm prepares for the flags that a client has, and for those of each later revision until stop
// is called.
func keepWarm(client *sdk.Client, warm func(*evaluator.Program)) (stop func()) {
	stop = client.OnRevision(func(s *sdk.Snapshot) { warm(s.Program()) })
	warm(client.Snapshot().Program())
	return stop
}

// connections returns the limit of connections, which needs a file for each.
func (o *serveOptions) connections(cmd *cobra.Command) *listen.Limit {
	if files := listen.Files() - spareFiles; files > 0 && files < o.maxConnections {
		fmt.Fprintf(cmd.ErrOrStderr(),
			"at most %d connections at once, instead of %d: the process may not open more files (ulimit -n)\n",
			files, o.maxConnections)
		return listen.NewLimit(files)
	}
	return listen.NewLimit(o.maxConnections)
}

const (
	// defaultConnections is how many connections there may be at once. 3,000 that send the
	// largest headers take 80 KiB each, and 110 KiB with TLS, including garbage.
	defaultConnections = 8192
	// spareFiles is how many files are left for other things than connections.
	spareFiles = 64
)

// client opens a client of a source. closeClient must be called in the end.
func (f *sourceFlags) client(ctx context.Context, from string, cfg sdk.Config) (client *sdk.Client,
	closeClient func(), err error) {
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
