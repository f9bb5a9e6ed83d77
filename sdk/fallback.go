package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
)

// patience is how long a source that has a fallback may take for an object that
// is no payload. Programs wait for their first flags about as long as that.
const patience = 3 * time.Second

// Fallback returns a source that asks a, and b where a can't be reached or
// doesn't have an object, such as a bucket in one region and its replica in
// another. Both are sources of the same environment. It is a [Watcher] if a or b
// is one.
//
// If a can't be reached, or takes more than 3 s for anything but a payload, or half
// of the time that [Client.Refresh] was given, the rest of that poll is b's; the next
// one begins with a again. What b has goes
// through the same verification: if it is older than what the client serves it is
// refused, and the poll has failed for the reason that a failed for. So a b that
// lags behind, like a copy that was baked in, never takes the client back; it
// helps those who have nothing yet. If b is ahead of a, what a has is refused as
// a rollback until a has caught up.
//
// Each source is asked only with the entity tags that it gave.
// [Status].FallbackError tells that b had to help.
func Fallback(a, b bundle.Source) bundle.Source {
	if a == nil || b == nil { // a source that is missing is for Open to complain about
		return nil
	}
	f := &fallback{a, b}
	watchers := make([]Watcher, 0, 2)
	for _, s := range []bundle.Source{a, b} {
		if w, ok := s.(Watcher); ok {
			watchers = append(watchers, w)
		}
	}
	if len(watchers) == 0 {
		return f
	}
	return &watchedFallback{f, watchers}
}

type fallback struct{ a, b bundle.Source }

func (f *fallback) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	return f.begin().Fetch(ctx, name, etag, limit)
}

func (f *fallback) begin() pollSource { return &fallbackPoll{a: onePoll(f.a), b: onePoll(f.b)} }

// What stands before entity tags says whose they are.
const (
	tagOfA = "1;"
	tagOfB = "2;"
)

// fallbackPoll is a fallback during one poll.
type fallbackPoll struct {
	a, b   pollSource
	failed error // why a was given up, or did not have what b has; nil: it has answered
	gaveUp bool
}

func (p *fallbackPoll) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	ask := func(ctx context.Context, s pollSource, mark string) (bundle.Object, error) {
		tag, _ := strings.CutPrefix(etag, mark)
		if tag == etag {
			tag = "" // of the other one, or from before
		}
		object, err := s.Fetch(ctx, name, tag, limit)
		if object.ETag != "" {
			object.ETag = mark + object.ETag
		}
		return object, err
	}
	if p.gaveUp {
		return ask(ctx, p.b, tagOfB)
	}
	object, err := p.askA(ctx, name, ask)
	missing := errors.Is(err, bundle.ErrNotFound)
	if err == nil || errors.Is(err, bundle.ErrNotModified) || errors.Is(err, bundle.ErrTooLarge) || ctx.Err() != nil {
		return object, err
	}
	other, errB := ask(ctx, p.b, tagOfB)
	switch {
	case !missing:
		p.failed, p.gaveUp = fmt.Errorf("%s: %w", name, err), true
		return other, errB
	case errB == nil || errors.Is(errB, bundle.ErrNotModified):
		p.failed = fmt.Errorf("%s: %w", name, err)
		return other, errB
	}
	return object, err
}

// askA asks a, and doesn't wait for long where there is little to come.
func (p *fallbackPoll) askA(ctx context.Context, name string, ask func(context.Context, pollSource, string) (bundle.Object, error)) (bundle.Object, error) {
	if _, ok := p.a.(*fallbackPoll); !ok && !strings.HasPrefix(name, "targets/") {
		wait := patience
		if deadline, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(deadline)/2) // b has a share of what time there is
		}
		short, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		ctx = short
	}
	return ask(ctx, p.a, tagOfA)
}

func (p *fallbackPoll) failure() error {
	if p.failed != nil {
		return p.failed
	}
	return p.a.failure()
}

// explained returns the error of a poll, which is that of the first source if the
// second one couldn't do what the first one should have done.
func explained(src pollSource, err error) error {
	failed := src.failure()
	class, _ := bundle.ClassOf(err)
	if failed == nil || class == bundle.Signature || class == bundle.Malformed {
		return err
	}
	class = bundle.Network
	if errors.Is(failed, bundle.ErrNotFound) {
		class = bundle.NotFound
	}
	return &bundle.Error{Class: class, Object: "timestamp.json", Err: fmt.Errorf("%w; and from the fallback: %w", failed, err)}
}

// watchedFallback is a fallback of which one source or both can be watched.
type watchedFallback struct {
	*fallback
	watchers []Watcher
}

// Watch implements [Watcher].
func (f *watchedFallback) Watch(ctx context.Context, changed func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, len(f.watchers))
	for _, w := range f.watchers {
		go func() { errs <- watchOne(ctx, w, changed) }()
	}
	err := <-errs
	cancel()
	for range len(f.watchers) - 1 {
		<-errs
	}
	return err
}

// watchOne turns a panic, which the caller of Watch can't see, into an error.
func watchOne(ctx context.Context, w Watcher, changed func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return w.Watch(ctx, changed)
}
