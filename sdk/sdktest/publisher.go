package sdktest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// A Publisher publishes flags on a local HTTP server, like a bucket or a CDN. Its
// methods are safe for concurrent use.
type Publisher struct {
	// URL is the URL to pass to [sdk.FromURL] or [sdk.HTTP].
	URL string
	// Root is the pinned root.json, for [sdk.Config].
	Root []byte

	t          testing.TB
	repository *repository
	closed     chan struct{}

	mu       sync.Mutex
	fault    fault
	requests int
}

type fault struct {
	down  bool
	delay time.Duration
}

// NewPublisher starts a server that publishes an environment until t ends.
// Nothing is published yet. The environment's name may contain letters, digits, "-",
// "_" and ".".
func NewPublisher(t testing.TB, environment string) *Publisher {
	t.Helper()
	r, err := newRepository(environment)
	if err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	p := &Publisher{Root: r.root, t: t, repository: r, closed: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		close(p.closed) // ends slow responses
		server.Close()
	})
	p.URL = server.URL + "/" + environment
	return p
}

// Publish publishes flags that serve these values to everyone, removes all others, and
// returns the revision. Values are like those of [New]. Clients see the revision with
// their next poll or [sdk.Client.Refresh].
func (p *Publisher) Publish(values map[string]any) (revision int64) {
	p.t.Helper()
	flags, err := flagsOf(values)
	if err != nil {
		p.t.Fatalf("sdktest: %v", err)
	}
	return p.PublishRulesets(rulesetOf(flags))
}

// PublishRulesets publishes rulesets by namespace, removes all others, and returns the
// revision. Use it for flags with rules.
func (p *Publisher) PublishRulesets(rulesets map[string]evaluator.Ruleset) (revision int64) {
	p.t.Helper()
	revision, err := p.repository.publish(rulesets)
	if err != nil {
		p.t.Fatalf("sdktest: %v", err)
	}
	return revision
}

// Down makes the server drop every connection from now on.
func (p *Publisher) Down() { p.set(fault{down: true}) }

// Slow makes the server wait before each response from now on.
func (p *Publisher) Slow(delay time.Duration) { p.set(fault{delay: delay}) }

// Up ends the effect of [Publisher.Down] and [Publisher.Slow].
func (p *Publisher) Up() { p.set(fault{}) }

// Requests returns the number of requests so far.
func (p *Publisher) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

func (p *Publisher) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

func (p *Publisher) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests++
	fault := p.fault
	p.mu.Unlock()
	if fault.down {
		panic(http.ErrAbortHandler) // closes the connection without logging
	}
	if fault.delay > 0 {
		timer := time.NewTimer(fault.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		case <-p.closed:
			return
		}
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/"+p.repository.environment+"/")
	object, err := p.repository.Fetch(r.Context(), name, r.Header.Get("If-None-Match"), maxObject)
	switch {
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case errors.Is(err, bundle.ErrNotModified):
		w.WriteHeader(http.StatusNotModified)
	case !ok || err != nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("ETag", object.ETag)
		w.Write(object.Data) // an error means that the client has gone
	}
}

// maxObject is more than any object has in bytes.
const maxObject = 1 << 30
