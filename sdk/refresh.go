package sdk

import (
	"context"
	"time"
)

// Refresh polls the source now. It returns once the outcome is written to the disk cache
// and served; it waits up to 2 s for the disk, whatever ctx says. If the poll fails,
// the client keeps the last good revision, and [Status] counts the failure like that
// of any poll.
//
// If ctx is done before the poll is over, nothing served changes and nothing is counted,
// because that says nothing about the source. There is one exception: a client that
// doesn't poll by itself counts a poll that ran out of time as a failure of class
// network. Otherwise nothing would show that its flags are no longer kept up to date.
//
// The error is a [*bundle.Error], wraps [ErrHeldBack], is the error of ctx, or is
// [ErrClosed].
//
// If the client doesn't poll by itself, Refresh calls the functions passed to
// [Client.OnChange] and [Client.OnStatus] before it returns.
func (c *Client) Refresh(ctx context.Context) error {
	return c.refresh(ctx, nil)
}

// RefreshIfOlder is [Client.Refresh], but returns nil immediately if a poll succeeded
// less than d ago. It is for programs that may be frozen at any time, such as AWS
// Lambda functions, where polling in the background is useless (see
// [Config].Interval). Such a program calls it for each request, with a ctx that
// limits how long a request may be delayed, and serves what it has whatever the
// result.
//
// Concurrent callers share one poll and its outcome. After a failure, even for lack
// of time, calls return its error immediately for a while: at first for a second,
// then longer, up to d or 5 minutes. So a source that is down delays some requests
// but not all.
//
// Time is measured by the wall clock, which keeps running while a program is frozen.
// If that clock was set back, the source is polled.
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

// refresh polls the source unless skip, which may be nil, reports that that isn't
// necessary.
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

// An outcome is how a poll ended.
type outcome struct {
	ended    time.Time
	err      error
	failures int // in a row
}

// pause returns how long to wait before the next attempt.
func (o *outcome) pause() time.Duration {
	pause := firstRetry
	for range o.failures - 1 {
		if pause = 2 * pause; pause >= maxBackoff {
			return maxBackoff
		}
	}
	return pause
}

// recordAttempt records how a poll ended.
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

// within reports whether less than d has passed. If a clock was set back, passed is
// negative, and nothing is within d.
func within(passed, d time.Duration) bool { return 0 <= passed && passed < d }

// wallClock returns the current time without a reading of the monotonic clock, which
// stops while a program is frozen.
func wallClock() time.Time { return time.Now().Round(0) }
