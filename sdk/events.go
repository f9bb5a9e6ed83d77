package sdk

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/serin-flags/serin/bundle"
)

// A Change is what a new revision has changed.
type Change struct {
	Before, After *Snapshot // Before is nil if there was none
	// Keys are the flags that were added, removed or changed. A flag has also
	// changed if a segment or another flag that it refers to has. They are
	// sorted, and there is at least one. The slice must not be modified.
	Keys []string
}

// OnChange registers f to be called when the client has started to serve a revision
// in which a flag has changed. Call stop to unregister it. For revisions in which only
// other things have changed, such as attributes, see [Client.OnRevision].
//
// The client calls functions passed to OnChange and [Client.OnStatus] one after the
// other, never concurrently. After a poll it first calls those for the status, and
// each kind in the order of registration. When it calls f, it serves change.After or
// something newer. Polling continues while f runs. If several revisions arrive in that
// time, f is called once, for all of them. A slow f delays the others. A panic in f is
// logged.
//
// Changes are only computed if somebody subscribes. One goroutine of the client does
// so and calls f; a client that doesn't poll has no such goroutine, and
// [Client.Refresh] calls f.
//
// f must not call [Client.Close], which waits for it. After Close no function is
// called.
func (c *Client) OnChange(f func(Change)) (stop func()) {
	if c == nil || f == nil {
		return func() {}
	}
	seen := c.Snapshot()
	return c.events.subscribe(changeEvents, func() {
		now := c.Snapshot()
		if now == seen {
			return
		}
		change := Change{seen, now, changed(seen, now)}
		seen = now
		if len(change.Keys) > 0 {
			f(change)
		}
	})
}

// OnRevision registers f to be called when the client has started to serve another
// revision, also one in which no flag has changed. Everything else that
// [Client.OnChange] says holds here too. If several revisions arrive while f runs, f is
// called once more, with the newest.
func (c *Client) OnRevision(f func(*Snapshot)) (stop func()) {
	if c == nil || f == nil {
		return func() {}
	}
	seen := c.Snapshot()
	return c.events.subscribe(changeEvents, func() {
		if now := c.Snapshot(); now != seen {
			seen = now
			f(now)
		}
	})
}

// OnStatus registers f to be called when a poll has changed [Status].State, the class
// of [Status].LastError, or [Status].Held. Call stop to unregister it. Everything
// that [Client.OnChange] says holds here too. If the status changes several times
// while f runs, f is called once more, or not at all if it has changed back.
func (c *Client) OnStatus(f func(Status)) (stop func()) {
	if c == nil || f == nil {
		return func() {}
	}
	seen := conditionOf(c.Status())
	return c.events.subscribe(statusEvents, func() {
		status := c.Status()
		if now := conditionOf(status); now != seen {
			seen = now
			f(status)
		}
	})
}

// A condition is the part of a status whose changes are reported to subscribers.
type condition struct {
	state  State
	failed bool
	class  bundle.Class
	held   int64
}

func conditionOf(s Status) condition {
	c := condition{state: s.State, failed: s.LastError != nil}
	c.class, _ = bundle.ClassOf(s.LastError)
	if s.Held != nil {
		c.held = s.Held.Revision
	}
	return c
}

// changed returns the flags that differ between two snapshots. before may be nil.
func changed(before, after *Snapshot) []string {
	was, is := before.fingerprints(after), after.fingerprints(before)
	keys := make([]string, 0)
	for key, print := range is {
		if old, ok := was[key]; !ok || old != print {
			keys = append(keys, key)
		}
	}
	for key := range was {
		if _, ok := is[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// fingerprints returns the fingerprints of the flags of s, except for those in
// payloads that other has too. Both may be nil.
func (s *Snapshot) fingerprints(other *Snapshot) map[string]bundle.Fingerprint {
	all := make(map[string]bundle.Fingerprint)
	if s == nil {
		return all
	}
	for _, p := range s.payloads {
		if other.payload(p.sha256) == nil {
			maps.Copy(all, p.fingerprints())
		}
	}
	return all
}

// fingerprints returns the fingerprints of the payload's flags. They are computed on
// first use: programs that don't subscribe neither compute them nor link the code.
func (p *compiledPayload) fingerprints() map[string]bundle.Fingerprint {
	p.once.Do(func() {
		var err error
		if p.prints, err = bundle.Fingerprints(p.data); err != nil { // not reached: it has been compiled
			p.prints = nil
		}
	})
	return p.prints
}

// events are the subscribers of a client.
type events struct {
	guard guard
	start func(run func()) // starts the goroutine that calls run; nil: there is none

	mu         sync.Mutex
	list       [statusEvents + 1][]*subscription
	wakes      chan struct{} // nil: the goroutine hasn't been started
	delivering bool
	again      bool // deliver was called while delivering
	closed     bool
}

// The kinds of events.
const (
	changeEvents = iota
	statusEvents
)

type subscription struct {
	stopped atomic.Bool
	deliver func()
}

// subscribe registers deliver to be called after each poll.
func (e *events) subscribe(kind int, deliver func()) (stop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return func() {}
	}
	s := &subscription{deliver: deliver}
	e.list[kind] = append(e.list[kind], s)
	if e.wakes == nil && e.start != nil {
		e.wakes = make(chan struct{}, 1)
		e.start(e.deliver)
	}
	notifyIf(e.wakes) // there may have been a poll since deliver was made
	return func() {
		s.stopped.Store(true)
		e.mu.Lock()
		defer e.mu.Unlock()
		// Clone the list, because deliver may be iterating over it.
		e.list[kind] = slices.DeleteFunc(slices.Clone(e.list[kind]), func(t *subscription) bool { return t == s })
	}
}

// wake makes the goroutine, if there is one, call deliver.
func (e *events) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	notifyIf(e.wakes)
}

// deliver calls all subscribers. If another call is doing so already, that call starts
// over when it is done.
func (e *events) deliver() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.again = true
	if e.delivering {
		return
	}
	e.delivering = true
	for e.again && !e.closed {
		e.again = false
		list := slices.Concat(e.list[statusEvents], e.list[changeEvents])
		e.mu.Unlock()
		for _, s := range list {
			if !s.stopped.Load() {
				_ = e.guard("subscriber", func() error { s.deliver(); return nil })
			}
		}
		e.mu.Lock()
	}
	e.delivering = false
}

// close ends all subscriptions.
func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, list := range e.list {
		for _, s := range list {
			s.stopped.Store(true)
		}
	}
	e.list = [statusEvents + 1][]*subscription{}
}

// notifyIf is notify, but does nothing if ch is nil.
func notifyIf(ch chan struct{}) {
	if ch != nil {
		notify(ch)
	}
}
