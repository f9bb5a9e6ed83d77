package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// ErrClosed is what [Client.Refresh] returns after [Client.Close].
var ErrClosed = errors.New("client is closed")

const (
	defaultInterval    = 30 * time.Second
	defaultInitTimeout = 5 * time.Second
	defaultShrink      = 0.5

	// minInterval is far shorter than anybody needs. A shorter one is a number of
	// seconds without its unit.
	minInterval = 10 * time.Millisecond
)

// Config says what a [Client] downloads, which root it trusts, and how it behaves.
type Config struct {
	// Source is where the environment is published: [HTTP], [File],
	// [FromURL], s3source.New, or a [Fallback] of two of them. Required. If
	// it is also a [Watcher], the client sees changes at once instead of at
	// the next poll.
	Source bundle.Source
	// Root is the pinned root.json of the environment, the only input that
	// is trusted without proof. Required. Ship it with the program (go:embed
	// is fine) or its deployment, never next to the flags.
	Root []byte
	// Namespaces are the namespaces to load. Empty: all that are published.
	// While one of them isn't published, every poll fails with class
	// not_found, and the other namespaces stay as they are.
	Namespaces []string
	// CacheDir is a folder for the last good revision, so that a restart
	// doesn't depend on the source, and for what polls that failed have
	// verified, so that nothing older is accepted after a restart either. The
	// client creates it if necessary. It isn't trusted: its content is
	// verified like a download. A new revision is written there before it is
	// served, but if that takes longer than 2 s, it is served all the same,
	// and [Status].CacheError says so until it is written. Clients with the
	// same Root and Namespaces may share a folder, in one process or in
	// several; none of them overwrites a newer revision with an older one.
	// "": no disk cache.
	CacheDir string
	// Baked is a copy of the environment that is part of the program or its
	// deployment, as serin bake makes it (go:embed, or [os.DirFS] for a
	// folder). It is verified like a download, but may have expired. The
	// client starts with it if the disk cache has no revision or an older
	// one. nil: none.
	Baked fs.FS
	// Interval is the mean time between two polls; each wait is 50% to 150%
	// of it. After a failure the wait doubles with each further one, up to 5
	// minutes or Interval, whichever is longer, and then lasts 50% to 100% of
	// that. While there is no revision at all, doubling starts at one second,
	// or at Interval if that is shorter. 0: 30 s. Negative: the client neither
	// polls nor watches; call [Client.Refresh]. A positive Interval below
	// 10 ms is refused, because its unit is probably missing.
	Interval time.Duration
	// InitTimeout is how long [Open] waits for the first revision if neither
	// the disk cache nor Baked has one. 0: 5 s. Negative: it doesn't wait.
	InitTimeout time.Duration
	// MaxShrink guards against updates that are signed but disastrous. If an
	// update drops more than this share of the flags that the program has
	// evaluated through handles, the client holds it back: it keeps serving
	// the current revision, polls fail with [ErrHeldBack], and [Status].Held
	// describes the update. The next revision confirms it, whatever that
	// contains. So does a restart: a process that hasn't evaluated any flag
	// yet can't miss one. 0: 0.5, which is one half. Negative, or 1 and more:
	// nothing is held back.
	MaxShrink float64
	// MinRevision is the lowest revision that is accepted. It protects
	// programs that start without a disk cache from old flags. 0: any.
	MinRevision int64
	// Logger receives new revisions, failures and recoveries, but never keys
	// or contexts. nil: no logs.
	Logger *slog.Logger
}

// A Client holds the current revision of one environment's flags and keeps it up
// to date. Its methods are safe for concurrent use. They also work on a nil Client,
// which has no flags.
type Client struct {
	choices  []choice
	verifier *bundle.Verifier
	cache    *cache // nil: none
	interval time.Duration
	shrink   float64 // see Config.MaxShrink
	log      *slog.Logger

	state    atomic.Pointer[state] // never nil
	pollLock chan struct{}         // holds an element during a poll; only polls store state

	writing     chan struct{}            // holds an element during a write to the disk cache
	fetched     map[string]bundle.Object // by an attempt that ran out of time, for the next one
	lastAttempt atomic.Pointer[outcome]  // nil: no poll has ended yet

	record record
	events events

	ctx         context.Context // ends with Close
	cancel      context.CancelFunc
	wg          sync.WaitGroup
	ready       chan struct{} // closed when a poll has brought the first revision
	changed     chan struct{} // the source may have changed
	rescheduled chan struct{} // a Refresh has changed when the next poll is due
}

// Open returns a client that serves the flags of cfg.Source.
//
// If the disk cache or cfg.Baked has a good revision, Open serves the newer of the
// two and doesn't wait for the source. Otherwise it waits for the first revision
// until cfg.InitTimeout has passed or ctx is done, and retries after failures. If
// no revision arrives in time, Open still returns a client: it serves defaults and
// keeps trying. A client that doesn't poll tries once, and [Client.Status] says why
// that failed, even if it was for lack of time. Once Open has returned, the client
// doesn't depend on ctx.
//
// All errors are errors of configuration: no source, an invalid root, an invalid
// namespace, or an interval below 10 ms. The caller must call [Client.Close].
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Source == nil {
		return nil, errors.New("opening flags: Config.Source is nil: set it to what FromURL returns")
	}
	if len(cfg.Root) == 0 {
		return nil, errors.New("opening flags: Config.Root is empty: set it to the pinned root.json")
	}
	if cfg.Interval > 0 && cfg.Interval < minInterval {
		return nil, fmt.Errorf(
			"opening flags: Config.Interval is %v, less than %v: is a unit such as time.Second missing?",
			cfg.Interval, minInterval)
	}
	verified := bundle.VerifierConfig{
		Root:        bytes.Clone(cfg.Root),
		Namespaces:  slices.Clone(cfg.Namespaces),
		MinRevision: cfg.MinRevision,
	}
	verifier, err := bundle.NewVerifier(verified)
	if err != nil {
		return nil, fmt.Errorf("opening flags: %w", err)
	}
	c := &Client{
		choices:     choicesOf(cfg.Source),
		verifier:    verifier,
		interval:    cfg.Interval,
		shrink:      cfg.MaxShrink,
		log:         cfg.Logger,
		pollLock:    make(chan struct{}, 1),
		writing:     make(chan struct{}, 1),
		ready:       make(chan struct{}),
		changed:     make(chan struct{}, 1),
		rescheduled: make(chan struct{}, 1),
	}
	if c.interval == 0 {
		c.interval = defaultInterval
	}
	if c.shrink == 0 {
		c.shrink = defaultShrink
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.log = c.log.With("environment", verifier.Environment())
	if cfg.CacheDir != "" {
		c.cache = &cache{dir: cfg.CacheDir, config: verified}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.events.guard = c.guard
	if c.interval > 0 {
		c.events.start = c.startDelivering
	}
	watcher, _ := cfg.Source.(Watcher)
	c.start(ctx, cfg.Baked, watcher, cfg.InitTimeout)
	return c, nil
}

// start loads the disk cache and the baked-in copy, starts to poll and watch in the
// background, and waits for a first revision.
func (c *Client) start(ctx context.Context, baked fs.FS, watcher Watcher, wait time.Duration) {
	c.state.Store(c.restore(baked))
	polls := c.interval > 0
	if polls {
		c.wg.Go(c.run)
		if watcher != nil {
			c.wg.Go(func() { c.watch(watcher) })
		}
	}
	if wait == 0 {
		wait = defaultInitTimeout
	}
	if c.Snapshot() != nil || wait < 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if !polls {
		// Nobody else has the client yet. A poll that ran out of time counts as
		// a failure: nothing else would say why there are no flags.
		before := c.state.Load()
		c.publishState(before, c.advance(ctx, before))
		return
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
	}
}

// startDelivering starts a goroutine that calls f when there may be events, until
// Close.
func (c *Client) startDelivering(f func()) {
	c.wg.Go(func() {
		for {
			select {
			case <-c.ctx.Done():
				return
			case <-c.events.wakes:
				f()
			}
		}
	})
}

// Close stops polling and waits for everything the client started, but not more than
// 2 s for a write to the disk cache. The client keeps serving its last revision. Close also
// waits for functions passed to [Client.OnChange] and [Client.OnStatus], which
// therefore must not call it. It doesn't wait for those that a [Client.Refresh] is
// calling, but no others are called after them. Closing twice, or closing nil, is
// fine. The error is always nil.
func (c *Client) Close() error {
	if c == nil {
		return nil
	}
	c.events.close()
	c.cancel()
	c.wg.Wait()
	c.awaitWrite()
	c.logFindings()
	return nil
}

// Snapshot returns the current revision, or nil if there is none yet.
func (c *Client) Snapshot() *Snapshot {
	if c == nil {
		return nil
	}
	return c.state.Load().snapshot
}

// Evaluate evaluates the flag named key in the current revision: see
// [Snapshot.Evaluate].
func (c *Client) Evaluate(key string, ctx Context) evaluator.Result {
	return c.Snapshot().Evaluate(key, ctx)
}

// Status returns the current status of the client.
func (c *Client) Status() Status {
	if c == nil {
		return Status{}
	}
	st := c.state.Load().status(c.verifier.Environment(), &c.record, time.Now())
	if c.ctx.Err() != nil {
		st.NextPoll = time.Time{}
	}
	return st
}

// notify wakes the receiver of ch, which has room for one element.
func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
