package sdk

import (
	"context"
	"time"
)

// Refresh polls the source once, now, and returns when the outcome is served and
// written to the disk cache. If it fails the last good revision stays, and the
// failure counts in [Status] like that of any poll. If ctx is done before the
// poll is over, that counts for nothing, since it says nothing about the source,
// and nothing changes; except that a client that doesn't poll by itself counts a poll
// that has run out of time as a failure of class network, as nothing else would tell
// that the flags are no longer kept up to date. Writing to the disk cache is not cut short by ctx, nor by
// [Client.Close]. The error is a [*bundle.Error], one that wraps [ErrHeldBack],
// the error of ctx, or [ErrClosed].
//
// If the client doesn't poll by itself, Refresh calls the functions that were
// handed to [Client.OnChange] and [Client.OnStatus] before it returns.
func (c *Client) Refresh(ctx context.Context) error {
	return c.refresh(ctx, nil)
}

// RefreshIfOlder is [Client.Refresh], unless the source was polled successfully
// less than d ago: then it returns nil at once. It is for programs that may be
// frozen at any time, such as AWS Lambda functions, and so have no use for polls
// in the background (see [Config].Interval): they call it for each request, with
// a ctx that ends after as much time as a request may be held up for, and serve
// what they have whatever it returns.
//
// Any number of callers share one poll, and its outcome. After a failure, also one
// for lack of time, calls return its error at once for a while, a second at first
// and then longer, up to d or 5 minutes: a source that is down holds up some
// requests, not each.
//
// Time is that of the wall clock, which goes on while a program is frozen. If it
// was set back the source is polled.
func (c *Client) RefreshIfOlder(ctx context.Context, d time.Duration) error {
	return c.refresh(ctx, func() (done bool, err error) {
		now := wallClock()
		if checked := c.state.Load().checked; within(now.Sub(checked), d) {
			return true, nil
		}
		t := c.lastAttempt.Load()
		if t == nil || t.err == nil {
			return false, nil
		}
		return within(now.Sub(t.ended), min(t.pause(), d)), t.err
	})
}

// refresh polls the source unless skip, which may be nil, says that this is done.
func (c *Client) refresh(ctx context.Context, skip func() (done bool, err error)) error {
	if c == nil || c.ctx.Err() != nil {
		return ErrClosed
	}
	if skip != nil {
		if done, err := skip(); done {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	err := c.poll(ctx, skip)
	notify(c.rescheduled)
	if c.interval < 0 {
		c.events.deliver()
	}
	return err
}

// A try is how a poll ended.
type outcome struct {
	ended    time.Time
	err      error
	failures int // tries that failed in a row
}

// pause returns for how long nothing is to be tried again.
func (t *outcome) pause() time.Duration {
	pause := firstRetry
	for range t.failures - 1 {
		if pause = 2 * pause; pause >= maxBackoff {
			return maxBackoff
		}
	}
	return pause
}

// tells remembers how a poll ended.
func (c *Client) recordAttempt(err error) {
	t := &outcome{ended: wallClock(), err: err}
	if before := c.lastAttempt.Load(); err != nil && before != nil {
		t.failures = before.failures
	}
	if err != nil {
		t.failures++
	}
	c.lastAttempt.Store(t)
}

// within reports whether a time has passed that is less than d. Clocks that were
// set back make it negative.
func within(passed, d time.Duration) bool { return 0 <= passed && passed < d }

// wallClock returns the present time without the reading of the monotonic clock,
// which stands still while a program is frozen.
func wallClock() time.Time { return time.Now().Round(0) }
