package sdk

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// ErrClosed is what [Client.Refresh] returns after [Client.Close].
var ErrClosed = errors.New("client is closed")

// Config says what a [Client] pulls, whom it trusts, and how it behaves.
type Config struct {
	// Source is where the environment is published: [HTTP], [File],
	// [FromURL], or s3source.New. Required. If it is a [Watcher] too,
	// changes are seen at once instead of at the next poll.
	Source bundle.Source
	// Root is the pinned root.json of the environment, the only thing that
	// is trusted without proof. Required. It belongs into the program or
	// its deployment (go:embed is fine), never beside the flags.
	Root []byte
	// Namespaces are the ones to load. Empty: all that are published.
	Namespaces []string
	// CacheDir is a folder for the last good revision, so that a restart
	// does not depend on the source. It is made if it doesn't exist. It is
	// not trusted: what it holds is verified like a download. Processes of
	// the same environment and namespaces may share one. "": no disk cache.
	CacheDir string
	// Interval is the mean time between two polls; each is 50 % to 150 % of
	// it. Failures make it longer, up to 5 minutes or Interval, whichever is
	// more. 0: 30 s. Negative: no polling and no watching; the caller uses
	// [Client.Refresh].
	Interval time.Duration
	// InitTimeout is how long [Open] waits for a first revision if the disk
	// cache has none. 0: 5 s. Negative: it doesn't wait.
	InitTimeout time.Duration
	// MinRevision is the least revision that is accepted: a floor against
	// old content for programs that start without a disk cache. 0: any.
	MinRevision int64
	// Logger is told of new revisions, failures and recoveries, never of
	// keys or contexts. nil: silent.
	Logger *slog.Logger
}

// A Client holds the present revision of one environment's flags and keeps it up
// to date. Its methods are safe for concurrent use, and may be called on a nil
// Client, which has no flags.
type Client struct {
	state atomic.Pointer[state]
}

type state struct {
	snapshot *Snapshot
}

// Open returns a client that serves the flags of cfg.Source.
//
// If the disk cache holds a good revision, Open serves that and does not wait
// for the source. Otherwise it waits for the first revision until
// cfg.InitTimeout has passed or ctx is done, whichever comes first, and then
// returns a client all the same: it has no flags yet, serves defaults, and
// goes on trying. ctx has no bearing on the client after Open has returned.
//
// The error, if any, is one of configuration: no source, or a root that is not
// a valid pinned root. The caller must call [Client.Close].
func Open(ctx context.Context, cfg Config) (*Client, error) {
	return nil, errors.New("not available yet")
}

// Close stops polling and waits until everything the client started has ended.
// What was served last is served on. Closing twice, or closing nil, is fine. The
// error is always nil.
func (c *Client) Close() error { return nil }

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

// Refresh polls the source once, now, and returns when the outcome is served. If
// it fails the last good revision stays, and the error says why; it counts in
// [Status] like that of any poll. It is a [*bundle.Error] or [ErrClosed].
func (c *Client) Refresh(ctx context.Context) error { return ErrClosed }

// Status returns the client's condition now.
func (c *Client) Status() Status { return Status{} }
