package sdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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

	// minInterval is far below what anybody needs, and far above the number
	// of seconds that somebody may have meant.
	minInterval = 10 * time.Millisecond
)

// Config says what a [Client] pulls, whom it trusts, and how it behaves.
type Config struct {
	// Source is where the environment is published: [HTTP], [File],
	// [FromURL], s3source.New, or a [Fallback] of two of them. Required. If
	// it is a [Watcher] too, changes are seen at once instead of at the next
	// poll.
	Source bundle.Source
	// Root is the pinned root.json of the environment, the only thing that
	// is trusted without proof. Required. It belongs into the program or
	// its deployment (go:embed is fine), never beside the flags.
	Root []byte
	// Namespaces are the ones to load. Empty: all that are published. While
	// one of them isn't published every poll fails, as not_found, and the
	// others stay as they are.
	Namespaces []string
	// CacheDir is a folder for the last good revision, so that a restart
	// does not depend on the source. It is made if it doesn't exist. It is
	// not trusted: what it holds is verified like a download. Clients with
	// the same Root and Namespaces may share one, in one process or in
	// several; what one of them has saved is not replaced by what is older.
	// "": no disk cache.
	CacheDir string
	// Baked is a copy of the environment that is part of the program or its
	// deployment, as serin bake makes it (go:embed, or [os.DirFS] for a
	// folder). It is verified like a download, but may have expired. It is
	// served from the start if the disk cache has no revision, or an older
	// one. nil: none.
	Baked fs.FS
	// Interval is the mean time between two polls: each time is 50 % to
	// 150 % of it. Every failure in a row doubles it, up to 5 minutes or
	// Interval, whichever is more, and each time is then 50 % to 100 % of
	// that; while there is no revision at all, the doubling begins at one
	// second, or Interval if that is less. 0: 30 s. Negative: no polling and
	// no watching; the caller uses [Client.Refresh]. More than 0 and less
	// than 10 ms is refused: it is a number without its unit.
	Interval time.Duration
	// InitTimeout is how long [Open] waits for a first revision if neither
	// the disk cache nor Baked has one. 0: 5 s. Negative: it doesn't wait.
	InitTimeout time.Duration
	// MaxShrink guards against updates that are signed and yet a disaster. If
	// an update drops more than this share of the flags that the program has
	// asked the present revision for, through handles, it is held back: the
	// present revision is served on, polls fail with [ErrHeldBack], and
	// [Status].Held tells. It is served once another revision confirms it,
	// whatever that one has, or when the program is started anew: a process
	// that has asked for nothing yet misses nothing. 0: 0.5, which is a half.
	// Negative, or 1 and more: nothing is held back.
	MaxShrink float64
	// MinRevision is the least revision that is accepted: a floor against
	// old content for programs that start without a disk cache. 0: any.
	MinRevision int64
	// Logger is told of new revisions, failures and recoveries, never of
	// keys or contexts. nil: silent.
	Logger *slog.Logger
}

// A Client holds the present revision of one environment's flags and keeps it up
// to date. Its methods are safe for concurrent use. On a nil Client, which has
// no flags, they all work too.
type Client struct {
	choices  []choice
	verifier *bundle.Verifier
	cache    *cache // nil: none
	interval time.Duration
	shrink   float64 // see Config.MaxShrink
	log      *slog.Logger

	state       atomic.Pointer[state]    // never nil
	pollLock    chan struct{}            // holds one element while a poll runs, which alone stores state
	fetched     map[string]bundle.Object // by an attempt that ran out of time, for the next one
	lastAttempt atomic.Pointer[outcome]  // the latest poll; nil: none yet

	record record
	events events

	ctx         context.Context // ends with Close
	cancel      context.CancelFunc
	wg          sync.WaitGroup
	ready       chan struct{} // closed with the first revision that a poll brings
	changed     chan struct{} // the source may have changed
	rescheduled chan struct{} // a Refresh has changed when the next poll is due
}

// Open returns a client that serves the flags of cfg.Source.
//
// If the disk cache or cfg.Baked holds a good revision, Open serves the newer one
// and does not wait for the source. Otherwise it waits for the first revision, through failures
// too, until cfg.InitTimeout has passed or ctx is done, whichever comes first,
// and then returns a client all the same: it has no flags yet, serves defaults,
// and goes on trying. A client that doesn't poll tries once, and [Client.Status]
// tells why that failed, be it for lack of time. ctx has no bearing on the client
// after Open has returned.
//
// The error, if any, is one of configuration: no source, a root that is not a
// valid pinned root, a namespace that can't be one, or an interval below 10 ms.
// The caller must call [Client.Close].
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Source == nil {
		return nil, errors.New("opening flags: Config.Source is nil")
	}
	if len(cfg.Root) == 0 {
		return nil, errors.New("opening flags: Config.Root is empty: it takes the pinned root.json")
	}
	if cfg.Interval > 0 && cfg.Interval < minInterval {
		return nil, fmt.Errorf("opening flags: Config.Interval is %v, less than %v: a unit such as time.Second seems to be missing",
			cfg.Interval, minInterval)
	}
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{
		Root:        cfg.Root,
		Namespaces:  cfg.Namespaces,
		MinRevision: cfg.MinRevision,
	})
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
		c.cache = &cache{dir: cfg.CacheDir}
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

// start loads what is at hand, begins to poll and watch in the background, and
// waits for a first revision.
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
		// Nobody else has the client yet. A poll that is cut short here
		// counts: nothing else would tell why there are no flags.
		before := c.state.Load()
		c.publishState(before, c.advance(ctx, before))
		return
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
	}
}

// deliver starts to call f whenever there may be events, until Close.
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

// Close stops polling and waits until everything the client started has ended,
// which may be writing the disk cache: that is not cut short. What was served
// last is served on. It waits for functions that were handed to
// [Client.OnChange] and [Client.OnStatus] too, so that these must not call it; not for
// those that a [Client.Refresh] is calling, but others aren't called after them.
// Closing twice, or closing nil, is fine. The error is always nil.
func (c *Client) Close() error {
	if c == nil {
		return nil
	}
	c.events.close()
	c.cancel()
	c.wg.Wait()
	c.logMismatches()
	return nil
}

// Snapshot returns the present revision, nil if there is none yet.
func (c *Client) Snapshot() *Snapshot {
	if c == nil {
		return nil
	}
	return c.state.Load().snapshot
}

// Evaluate returns the answer of the flag called key by the present revision, as
// [Snapshot.Evaluate] does.
func (c *Client) Evaluate(key string, ctx Context) evaluator.Result {
	return c.Snapshot().Evaluate(key, ctx)
}

// Status returns the client's condition now.
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

// notify makes a receiver of the channel, which has room for one, run once more.
func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
