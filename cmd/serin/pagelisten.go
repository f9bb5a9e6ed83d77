package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/serin-flags/serin/ci/page"
	"github.com/serin-flags/serin/internal/listen"
	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/sdk"
)

// A pageListener is a server of its own for the page of serve, so that whoever reaches the
// endpoint never sees rules.
type pageListener struct {
	listen      string
	handler     *page.Handler
	certificate *listen.Certificate // nil: no TLS
}

// start listens, prints the URL, and serves until stop is called. A nil pageListener does
// nothing.
func (p *pageListener) start(stderr io.Writer) (stop func(), err error) {
	if p == nil {
		return func() {}, nil
	}
	listener, err := listen.On(p.listen)
	if err != nil {
		return nil, &hintedError{err,
			"--page-listen takes HOST:PORT, such as localhost:8789, or unix:PATH; port 0 selects a free port"}
	}
	limit := listen.NewLimit(maxAdmins)
	server := &http.Server{Handler: p.handler, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: 8 << 10, ConnState: limit.State}
	scheme, serve := "http", func() error { return server.Serve(listener) }
	if p.certificate != nil {
		server.TLSConfig, scheme = p.certificate.Config(), "https"
		serve = func() error { return server.ServeTLS(listener, "", "") }
	}
	fmt.Fprintf(stderr, "page: %s\n", listener.URL(scheme))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = serve() // ends when stop is called
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		p.handler.Close()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-stopped
	}, nil
}

// newPage returns the page of serve, which follows client, and what ends that.
func (o *serveOptions) newPage(ctx context.Context, client *sdk.Client, gate *access.Gate,
	log *slog.Logger) (*page.Handler, func(), error) {
	options := page.Options{Folder: o.flags, Repository: o.repository}
	if !published(o.from) {
		options.Folder = o.from
	} else {
		options.History = historyOf(o.sourceFlags, o.from)
	}
	if options.Folder != "" {
		options.Compare, options.Old = pageComparer(options.Folder), "git:HEAD"
	}
	if published(o.from) {
		options.Compare, options.Numbers = o.comparer(options.Compare), true
	}
	if gate != nil {
		options.Admit = pageGate{gate}.admit
	}
	h := page.NewHandler(options)
	if !published(o.from) {
		estate, err := loadEstate(o.from)
		if err != nil {
			return nil, nil, err
		}
		m, err := folderModel(o.from, estate, nil)
		h.Update(m, nil)
		return h, func() {}, err
	}
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	stop := client.OnRevision(func(*sdk.Snapshot) {
		select {
		case wake <- struct{}{}:
		default: // it is told already
		}
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		followPage(ctx, wake, log, func() (*page.Model, error) {
			if client.Snapshot() == nil {
				return nil, nil
			}
			return o.pageModel(ctx, client.Status().Expires)
		}, func(m *page.Model) { h.Update(m, nil) })
	}()
	return h, func() {
		stop()
		cancel()
		<-done
	}, nil
}

// pageRetry is after how long the page tries again to read what is published.
const pageRetry = 30 * time.Second

// followPage shows what load returns whenever it is woken, until ctx is done. If there is an error, or
// if there are no flags yet and the model is nil, it tries again after pageRetry.
func followPage(ctx context.Context, wake <-chan struct{}, log *slog.Logger, load func() (*page.Model, error),
	show func(*page.Model)) {
	var retry <-chan time.Time // nil: there is no need to
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-retry:
		}
		retry = nil
		m, err := load()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("page: still showing the last good version", "error", err.Error())
			retry = time.After(pageRetry)
		case m == nil:
			retry = time.After(pageRetry)
		default:
			show(m)
		}
	}
}

// pageModel reads and verifies what is published, with what only files know if --flags names
// them.
func (o *serveOptions) pageModel(ctx context.Context, expires time.Time) (*page.Model, error) {
	p, err := o.inspect(ctx, o.from)
	if err != nil {
		return nil, err
	}
	payloads, err := p.found.Decode()
	if err != nil {
		return nil, err
	}
	s := page.Source{
		Environments: []page.Environment{{Name: p.environment, Payloads: payloads, Plans: p.state.Plans,
			Lines: p.state.Lines}},
		Revision: p.found.Revision, Expires: expires,
	}
	if o.flags != "" {
		if err := addFolder(&s, o.flags); err != nil {
			return nil, err
		}
	}
	return page.New(s)
}

// addFolder adds what a flag folder knows beside what is published: the other environments,
// owners, and warnings.
func addFolder(s *page.Source, dir string) error {
	estate, err := loadEstate(dir)
	if err != nil {
		return err
	}
	folder, err := folderSource(dir, estate)
	if err != nil {
		return err
	}
	for i, e := range folder.Environments {
		if e.Name == s.Environments[0].Name {
			folder.Environments[i] = s.Environments[0]
		}
	}
	s.Environments, s.Estate, s.Records = folder.Environments, folder.Estate, folder.Records
	return nil
}

// A pageGate asks who opens the page: the password of HTTP Basic is the key of a client.
type pageGate struct{ gate *access.Gate }

// admit returns which flags the client may see. Only servers may see rules at all.
func (g pageGate) admit(w http.ResponseWriter, r *http.Request) (sees page.Sees, ok bool) {
	_, key, ok := r.BasicAuth()
	if !ok || key == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="flags", charset="UTF-8"`)
		http.Error(w, "the password is the key of a client of the kind server", http.StatusUnauthorized)
		return nil, false
	}
	asked := r.Clone(r.Context())
	asked.Header = http.Header{"Authorization": {"Bearer " + key}, "X-Forwarded-For": r.Header["X-Forwarded-For"]}
	caller, refusal := g.gate.Admit(asked)
	if refusal != nil {
		if refusal.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="flags", charset="UTF-8"`)
		}
		http.Error(w, refusal.Details, refusal.Status)
		return nil, false
	}
	if caller.Kind() != access.KindServer {
		http.Error(w, "this client isn't of the kind server, and may not see rules", http.StatusForbidden)
		return nil, false
	}
	if caller.SeesAll() {
		return nil, true
	}
	return func(key, namespace string, public bool) bool {
		return caller.Sees(key, func(string) (string, bool) { return namespace, public })
	}, true
}
