package sdk

import (
	"context"
	"fmt"

	"github.com/serin-flags/serin/bundle"
)

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
	var watchers []Watcher
	for _, s := range []bundle.Source{a, b} {
		if w, ok := s.(Watcher); ok {
			watchers = append(watchers, w)
		}
	}
	if watchers == nil {
		return f
	}
	return &watchedFallback{f, watchers}
}

type fallback struct{ a, b bundle.Source }

// Fetch implements [bundle.Source]. Clients ask the choices themselves, in an attempt.
func (f *fallback) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	return newAttempt(f.choices(), nil, nil).Fetch(ctx, name, etag, limit)
}

// What the entity tags of a fallback's first and second source start with.
const (
	firstTag  = "1;"
	secondTag = "2;"
)

func (f *fallback) choices() []choice {
	var all []choice
	for _, side := range []choice{{Source: f.a, tag: firstTag}, {Source: f.b, tag: secondTag}} {
		for _, c := range choicesOf(side.Source) {
			c.tag = side.tag + c.tag
			all = append(all, c)
		}
	}
	return all
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
