package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
)

const (
	maxBackoff   = 5 * time.Minute
	firstRetry   = time.Second // while there is nothing to serve, and of watching
	rootInterval = time.Hour   // between looks for a newer root while nothing else changes
	maxInterval  = 10 * 365 * 24 * time.Hour

	// A server that sends a byte now and then must not keep a poll from
	// ending, nor a repository of a thousand slow objects.
	fetchTimeout = 30 * time.Second
	pollTimeout  = 5 * time.Minute

	maxETag = 1 << 10 // bytes
)

// run polls when a poll is due or the source has changed, until Close.
func (c *Client) run() {
	timer := time.NewTimer(time.Until(c.state.Load().next))
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-timer.C:
			_ = c.poll(c.ctx)
		case <-c.changed:
			_ = c.poll(c.ctx)
		case <-c.moved:
		}
		timer.Reset(time.Until(c.state.Load().next))
	}
}

// watch has the source say when it has changed, until Close. Where watching
// fails polling goes on, and watching is tried again: however seldom polls are,
// soon at first, and then less and less often.
func (c *Client) watch(w Watcher) {
	wait, level := firstRetry, slog.LevelWarn
	for {
		begun := time.Now()
		err := c.guard("watch", func() error {
			return w.Watch(c.ctx, func() { notify(c.changed) })
		})
		if c.ctx.Err() != nil {
			return
		}
		if time.Since(begun) > maxBackoff { // it worked, so this is another failure
			wait, level = firstRetry, slog.LevelWarn
		}
		c.log.Log(c.ctx, level, "watching for changes failed, polling goes on", "error", err)
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait, level = min(2*wait, maxBackoff), slog.LevelDebug
	}
}

// poll polls the source once and serves the outcome.
func (c *Client) poll(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
	}
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	before := c.state.Load()
	after := c.advance(ctx, before)
	if after.err != nil { // if it was cut short, that says nothing about the source
		if c.ctx.Err() != nil {
			return ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	c.settle(before, after)
	return after.err
}

// settle serves the outcome of a poll.
func (c *Client) settle(before, after *state) {
	c.state.Store(after)
	if before.snapshot == nil && after.snapshot != nil {
		close(c.ready) // once: nothing takes a snapshot away
	}
	c.report(before, after)

	// Only now, so that a slow disk doesn't hold the new revision up.
	if c.cache != nil && after.release != after.saved {
		c.state.Store(c.save(after))
	}
}

// advance returns the state after a poll.
func (c *Client) advance(ctx context.Context, before *state) *state {
	now := time.Now()
	after := *before
	probe := now.Sub(before.probed) >= rootInterval
	after.err = c.guard("poll", func() error { return c.update(ctx, &after, now, probe) })
	if after.err != nil {
		class, ok := bundle.ClassOf(after.err)
		if !ok {
			class = bundle.Network
		}
		failed := *before
		failed.err = after.err
		failed.errors[class]++
		failed.failures++
		after = failed
	} else {
		after.failures = 0
		after.checked = now
	}
	if c.interval > 0 {
		after.next = time.Now().Add(c.delay(after.failures, after.snapshot == nil))
	}
	return &after
}

// update brings s up to date with the source. If it fails s is of no use.
func (c *Client) update(ctx context.Context, s *state, now time.Time, probe bool) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	update := c.verifier.Update
	if probe {
		update = c.verifier.UpdateRoot
	}
	release, err := update(ctx, bounded{c.source}, s.release, now)
	if err != nil {
		return err
	}
	if probe || release != s.release {
		s.probed = now // any change begins with a look for newer roots
	}
	if expires := release.Expires(); !now.Before(expires) {
		// The source answers, but with what nobody has renewed: a
		// publisher that stopped, or someone who replays old answers.
		return &bundle.Error{
			Class:  bundle.Expired,
			Object: "timestamp.json",
			Err:    fmt.Errorf("unchanged, and metadata expired at %s", expires.Format(time.RFC3339)),
		}
	}
	if release == s.release {
		return nil
	}
	s.release = release
	if s.snapshot.same(release) {
		return nil
	}
	snapshot, err := newSnapshot(release, s.snapshot, c.guard)
	if err != nil {
		return err
	}
	s.snapshot, s.updated = snapshot, now
	return nil
}

// delay returns the time from one poll to the next, after so many failures in a
// row.
func (c *Client) delay(failures int, empty bool) time.Duration {
	// Beyond maxInterval the sums below could overflow.
	interval := min(c.interval, maxInterval)
	if failures == 0 {
		return interval/2 + rand.N(interval)
	}
	limit := max(interval, maxBackoff)
	wait := interval
	if empty {
		wait = min(wait, firstRetry)
	}
	for range failures {
		wait = min(2*wait, limit)
		if wait == limit {
			break
		}
	}
	return wait/2 + rand.N(wait/2)
}

// guard calls f and turns a panic into an error: nothing that a source sends, and
// no source, may take the program down.
func (c *Client) guard(object string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &bundle.Error{Class: bundle.Malformed, Object: object, Err: fmt.Errorf("panic: %v", p)}
			c.log.Error("panic", "in", object, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return f()
}

// report logs what is new about a state. A failure that goes on is a warning
// once, so that an outage doesn't fill logs.
func (c *Client) report(before, after *state) {
	switch {
	case after.err != nil && before.err == nil:
		c.log.Warn("polling flags failed", "revision", after.snapshot.Revision(), "error", after.err)
	case after.err != nil:
		c.log.Debug("polling flags failed again", "revision", after.snapshot.Revision(), "failures", after.failures, "error", after.err)
	case before.err != nil:
		c.log.Info("polling flags works again", "revision", after.snapshot.Revision(), "failures", before.failures)
	}
	if after.snapshot != before.snapshot {
		c.log.Info("serving flags", "revision", after.snapshot.Revision(), "flags", after.snapshot.Program().Len())
	}
}

// bounded is a source whose every request has a time limit, headers and body
// together, and whose entity tags are harmless. They come back from the disk
// cache, which may have been tampered with; one that no request can be made
// with would stop all polling.
type bounded struct{ bundle.Source }

func (b bounded) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if !validETag(etag) {
		etag = ""
	}
	object, err := b.Source.Fetch(ctx, name, etag, limit)
	if !validETag(object.ETag) {
		object.ETag = ""
	}
	return object, err
}

// validETag reports whether an entity tag may stand in an HTTP header.
func validETag(etag string) bool {
	return len(etag) <= maxETag && !strings.ContainsFunc(etag, func(r rune) bool {
		return r < ' ' || r > '~'
	})
}
