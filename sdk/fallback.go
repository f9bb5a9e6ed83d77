package sdk

import (
	"context"
	"fmt"

	"github.com/serin-flags/serin/bundle"
)

// Fallback returns a source that asks a, and asks b if a can't be reached or lacks an
// object. An example is a bucket in one region and its replica in another. Both are
// sources of the same environment. The result is a [Watcher] if a or b is one.
//
// If a can't be reached, b serves the rest of the poll. The same holds if a takes
// longer than 3 s for anything but a payload, or longer than half of the time that
// [Client.Refresh] has left. The next poll starts with a again.
//
// The client verifies what b returns like anything else. If it is older than what
// the client serves, the client refuses it, and the poll fails with a's error. So a
// replica that lags behind never takes the client back; it helps programs that have
// nothing yet. If b is ahead of a, the client refuses what a returns as a rollback
// until a has caught up.
//
// Each source only receives the entity tags that it returned itself.
// [Status].FallbackError reports that b had to help. Fallbacks can be nested.
func Fallback(a, b bundle.Source) bundle.Source {
	if a == nil || b == nil { // Open reports that there is no source
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

// watchedFallback is a fallback with at least one source that can be watched.
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

// watchOne returns a panic as an error. It runs in a goroutine, where the caller of
// Watch couldn't recover it.
func watchOne(ctx context.Context, w Watcher, changed func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return w.Watch(ctx, changed)
}
