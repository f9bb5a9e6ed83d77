package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/fsnotify/fsnotify"
	"golang.org/x/time/rate"

	"github.com/serin-flags/serin/internal/bounded"
	"github.com/serin-flags/serin/lambda/enrich"
)

// A state is what one version of the file says.
type state struct {
	clients *Clients
	keySets map[string]keySet // by their URLs or paths
	sum     [sha256.Size]byte // of all files
}

// A file is where clients are, and what their issuers' keys need.
type file struct {
	path string
	ctx  context.Context // ends what refreshes keys
	log  *slog.Logger
}

// Open returns a Gate for the clients of a file. trust says which proxies know the address
// of a caller; nil: none do. If the keys of an issuer can't be fetched, it logs that and tries again when
// a token needs them. Whatever it starts ends with ctx.
func Open(ctx context.Context, path string, trust *enrich.Trust, log *slog.Logger) (*Gate, error) {
	if trust == nil {
		trust = new(enrich.Trust)
	}
	g := &Gate{file: file{path, ctx, log}, trust: trust}
	s, err := g.file.load(nil)
	if err != nil {
		return nil, fmt.Errorf("reading clients: %w", err)
	}
	g.state.Store(s)
	log.Info("clients loaded", "file", path, "clients", s.clients.Len())
	return g, nil
}

const (
	// settle is how long to wait for more changes after one.
	settle = 50 * time.Millisecond
	// look is how often to look at the file even if nothing tells of a change: it may be
	// behind a link, or on a network.
	look = time.Minute
)

// Follow reads the file again whenever it changes, until ctx ends. If it is wrong, the Gate
// goes on with what it had, and logs what is wrong.
func (g *Gate) Follow(ctx context.Context) {
	changes, stop, err := watch(filepath.Dir(g.file.path))
	if err != nil {
		g.file.log.Warn("not told when clients change: looking every minute", "error", err.Error())
	}
	defer stop()
	timer := time.NewTimer(settle) // it may have changed since Open
	defer timer.Stop()
	failed, pending := "", false
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			if !pending {
				timer.Reset(settle)
			}
			pending = true
			continue
		case <-timer.C:
		}
		timer.Reset(look)
		pending = false
		switch err := g.reload(); {
		case err == nil:
			failed = ""
		case err.Error() != failed:
			failed = err.Error()
			g.file.log.Error("clients not changed: still using the last good file", "error", failed)
		}
	}
}

// watch returns a channel that tells of changes in a folder, until stop is called. After an
// error it tells of none.
func watch(folder string) (changes <-chan fsnotify.Event, stop func(), err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, func() {}, err
	}
	go func() {
		for range w.Errors { // there were too many changes at once: Follow looks anyway
		}
	}()
	return w.Events, func() { w.Close() }, w.Add(folder)
}

// reload reads the file, if it isn't as it was.
func (g *Gate) reload() error {
	before := g.state.Load()
	s, err := g.file.load(before)
	if err != nil || s == before {
		return err
	}
	g.state.Store(s)
	g.users.clear()
	for source, set := range before.keySets {
		if _, used := s.keySets[source]; !used && set.stop != nil {
			set.stop()
		}
	}
	g.file.log.Info("clients loaded", "file", g.file.path, "clients", s.clients.Len())
	return nil
}

// load returns what the file says now. It returns before if nothing has changed; before may
// be nil.
func (f *file) load(before *state) (*state, error) {
	data, err := readFile(f.path)
	if err != nil {
		return nil, err
	}
	clients, err := Parse(f.path, data)
	if err != nil {
		return nil, err
	}
	s := &state{clients: clients, keySets: make(map[string]keySet)}
	all := sha256.New()
	all.Write(data)
	for _, c := range clients.list {
		if c.token == nil || strings.Contains(c.token.jwks, "://") {
			continue
		}
		path := c.token.jwks
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.path), path)
		}
		data, err := readFile(path)
		if err != nil {
			return nil, fmt.Errorf("the keys of client %q: %w", c.name, err)
		}
		fmt.Fprintf(all, "%d", len(data))
		all.Write(data)
		keys, err := signing(keyfunc.NewJWKSetJSON(data))
		if err != nil {
			return nil, fmt.Errorf("the keys of client %q: %s is not a JWK Set", c.name, path)
		}
		s.keySets[c.token.jwks] = keySet{keys: keys}
	}
	if all.Sum(s.sum[:0]); before != nil && s.sum == before.sum {
		return before, nil
	}
	return s, f.fetch(s, before)
}

// fetch adds the keys that are at URLs. Those that before has are taken from there.
func (f *file) fetch(s, before *state) error {
	for _, c := range s.clients.list {
		if c.token == nil || !strings.Contains(c.token.jwks, "://") {
			continue
		}
		source := c.token.jwks
		if _, ok := s.keySets[source]; ok {
			continue
		}
		if before != nil {
			if set, ok := before.keySets[source]; ok {
				s.keySets[source] = set
				continue
			}
		}
		ctx, stop := context.WithCancel(f.ctx)
		keys, err := f.follow(ctx, source)
		if err != nil { // the URL is valid, and the first request may fail
			stop()
			return fmt.Errorf("the keys of client %q: %w", c.name, err)
		}
		s.keySets[source] = keySet{keys, stop}
	}
	return nil
}

const (
	fetchTimeout = 5 * time.Second
	maxKeySet    = 1 << 20 // bytes
)

// follow fetches a JWK Set every hour, and when a token names a key that isn't in it, once a
// minute at most. Requests that come meanwhile don't wait.
func (f *file) follow(ctx context.Context, source string) (keyfunc.Keyfunc, error) {
	return signing(keyfunc.NewDefaultOverrideCtx(ctx, []string{source}, keyfunc.Override{
		Client: &http.Client{
			Transport:     bounded.Transport(http.DefaultTransport, maxKeySet),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPTimeout:       fetchTimeout,
		RateLimitWaitMax:  fetchTimeout,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(time.Minute), 1),
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(_ context.Context, err error) {
				if ctx.Err() == nil {
					f.log.Warn("fetching the keys of an issuer failed", "url", source, "error", err.Error())
				}
			}
		},
	}))
}

// readFile reads a regular file of at most 1 MiB.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	if err == nil && bytes.IndexByte(data, 0) >= 0 {
		err = errors.New(path + " isn't text")
	}
	return data, err
}
