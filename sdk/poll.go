package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/serin-flags/serin/bundle"
)

const (
	maxBackoff   = 5 * time.Minute
	firstRetry   = time.Second // for polls while there are no flags, and for watching
	rootInterval = time.Hour   // between checks for a newer root while nothing else changes
	maxInterval  = 10 * 365 * 24 * time.Hour

	// These limits end polls of a server that sends a byte now and then, and of
	// a repository with a thousand slow objects.
	fetchTimeout = 30 * time.Second
	pollTimeout  = 5 * time.Minute
)

// run polls when a poll is due or the source has changed, until Close. A change may be
// seen before all of it is there, such as a volume's new names, so a poll that fails then
// is repeated soon, and a few times more, even if polls are rare.
func (c *Client) run() {
	timer := time.NewTimer(time.Until(c.state.Load().next))
	defer timer.Stop()
	retry := time.Duration(0) // if not 0: how long after a failure to ask again for a change that was seen
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-timer.C:
			_ = c.poll(c.ctx, nil)
		case <-c.changed:
			_ = c.poll(c.ctx, nil)
			retry = firstRetry
		case <-c.rescheduled:
		}
		now := c.state.Load()
		wait := time.Until(now.next)
		if now.failures == 0 || retry > maxBackoff {
			retry = 0
		}
		if retry > 0 {
			wait = min(wait, retry/2+rand.N(retry/2))
			retry *= 2
		}
		timer.Reset(wait)
	}
}

// watch watches the source for changes until Close. If watching fails, polling goes on,
// and watch retries: soon at first, even if polls are rare, and then less and less
// often.
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
		if time.Since(begun) > maxBackoff { // it worked for a while, so this failure is new
			wait, level = firstRetry, slog.LevelWarn
		}
		c.log.Log(c.ctx, level, "watching for changes failed, polling continues", "error", err)
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait, level = min(2*wait, maxBackoff), slog.LevelDebug
	}
}

// poll polls the source once and serves the outcome. Polls run one at a time. skip,
// which may be nil, can report that another poll has made this one unnecessary.
func (c *Client) poll(ctx context.Context, skip func() (done bool, err error)) error {
	select {
	case c.pollLock <- struct{}{}:
		defer func() { <-c.pollLock }()
	case <-ctx.Done():
	}
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if skip != nil {
		if done, err := skip(); done {
			return err
		}
	}
	before := c.state.Load()
	after := c.advance(ctx, before)
	if after.err != nil && (c.ctx.Err() != nil || ctx.Err() != nil) {
		return c.interrupted(before, after, ctx.Err())
	}
	c.publishState(before, after)
	c.recordAttempt(after.err)
	return after.err
}

// interrupted ends a poll that was interrupted, which says nothing about the source. err
// is that of the caller's context. What was verified until then is kept.
func (c *Client) interrupted(before, after *state, err error) error {
	if c.ctx.Err() != nil {
		err = ErrClosed
	}
	if errors.Is(err, context.DeadlineExceeded) {
		c.recordAttempt(err)
		if c.interval < 0 { // no other poll would report it
			c.publishState(before, after)
			return err
		}
	}
	c.state.Store(c.save(before))
	return err
}

// publishState serves the outcome of a poll. It writes to the disk cache first, for a
// limited time, so that a process that is killed starts again with what it has served.
func (c *Client) publishState(before, after *state) {
	after = c.save(after)
	if !after.confirmed.IsZero() {
		c.record.confirmed.Store(&after.confirmed)
	}
	c.state.Store(after)
	if before.snapshot == after.snapshot {
		after.snapshot.resample()
	}
	if before.snapshot == nil && after.snapshot != nil {
		close(c.ready) // happens once: a client never loses its snapshot
	}
	c.report(before, after)
	c.events.wake()
}

// advance polls the source and returns the state after that.
func (c *Client) advance(ctx context.Context, before *state) *state {
	begun := time.Now()
	now := begun.Round(0)
	after := *before
	probe := !within(now.Sub(before.probed), rootInterval)
	after.err = c.guard("poll", func() error { return c.update(ctx, &after, now, probe) })
	switch {
	case after.err != nil:
		class, ok := bundle.ClassOf(after.err)
		if !ok {
			class = bundle.Network
		}
		failed := *before
		failed.err, failed.fallback = after.err, after.fallback
		failed.errors[class]++
		failed.failures++
		after = failed
	case after.held != nil:
		after.failures = 0
		after.err = after.heldBack.err()
	default:
		after.failures = 0
		after.polls++
		after.checked, after.confirmed = now, begun
	}
	if c.interval > 0 {
		after.next = time.Now().Add(c.delay(after.failures, after.snapshot == nil))
	}
	return &after
}

// update brings s up to date with the source. If it fails, discard s.
func (c *Client) update(ctx context.Context, s *state, now time.Time, probe bool) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	update := c.verifier.Update
	if probe {
		update = c.verifier.UpdateRoot
	}
	a := newAttempt(c.choices, &c.record.downloaded, c.fetched)
	c.fetched = nil
	last := s.latest()
	release, err := update(ctx, a, last, now)
	if ctx.Err() != nil {
		c.fetched = a.retained()
	}
	s.fallback = a.failure
	if err != nil {
		return a.explain(err)
	}
	if probe || release != last {
		s.probed = now // the verifier also looks for newer roots before any change
	}
	if expires := release.Expires(); !now.Before(expires) {
		// The source responds, but with expired metadata: the publisher has
		// stopped, or somebody replays old responses.
		return a.explain(&bundle.Error{
			Class:  bundle.Expired,
			Object: "timestamp.json",
			Err: fmt.Errorf("unchanged, and metadata expired at %s; this machine's clock says %s",
				expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339)),
		})
	}
	if release == last {
		return nil
	}
	return c.adopt(s, release, now)
}

// adopt makes s serve release, or hold it back.
func (c *Client) adopt(s *state, release *bundle.Release, now time.Time) error {
	if s.held != nil && same(s.held, release) {
		s.held = release // signed again, which confirms nothing
		return nil
	}
	if s.release != nil && same(s.release, release) {
		s.release, s.held = release, nil
		return nil
	}
	snapshot, err := newSnapshot(release, s.snapshot, &c.record, c.guard)
	if err != nil {
		return err
	}
	if s.held == nil {
		if lost := s.snapshot.missingFrom(snapshot); lost.exceeds(c.shrink) {
			s.held, s.heldBack = release, lost
			return nil
		}
	}
	s.release, s.held = release, nil
	s.snapshot.inheritAsked(snapshot)
	s.snapshot.inheritFindings(snapshot)
	s.snapshot, s.updated = snapshot, now
	return nil
}

// delay returns the time to wait for the next poll after some failures in a row. empty
// reports that there are no flags yet.
func (c *Client) delay(failures int, empty bool) time.Duration {
	// The sums below could overflow beyond maxInterval.
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

// guard calls f and returns a panic as an error. Neither a source nor what it sends may
// crash the program.
func (c *Client) guard(object string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &bundle.Error{Class: bundle.Malformed, Object: object, Err: fmt.Errorf("panic: %v", p)}
			c.log.Error("panic", "in", object, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return f()
}

// report logs what has changed between two states. It warns once about a failure that
// persists, so that an outage doesn't flood logs.
func (c *Client) report(before, after *state) {
	revision := after.snapshot.Revision()
	switch {
	case after.held != nil && before.held == nil:
		c.log.Error("holding back an update", "revision", revision, "held", after.held.Revision(), "error", after.err)
	case after.err != nil && before.err == nil:
		c.log.Warn("polling flags failed", "revision", revision, "error", after.err)
	case after.err != nil:
		c.log.Debug("polling flags failed again", "revision", revision, "failures", after.failures, "error", after.err)
	case before.err != nil:
		c.log.Info("polling flags works again", "revision", revision, "failures", before.failures)
	}
	if after.fallback != nil && before.fallback == nil {
		c.log.Warn("the fallback had to help", "revision", revision, "error", after.fallback)
	}
	if after.snapshot != before.snapshot {
		c.log.Info("serving flags", "revision", revision, "flags", after.snapshot.Program().Len())
	}
	c.logFindings()
}
