// Package migrate moves a program from one data store to another in six stages, which a flag
// controls: for part of the users, back and forth, without a deployment.
//
//	stage      reads                             writes
//	off        old                               old
//	dualwrite  old                               old, then new
//	shadow     old, and new to compare           old, then new
//	live       new, and old to compare           new, then old
//	rampdown   new                               new, then old
//	complete   new                               new
//
// The first store named is the authority: its answers and errors are the caller's. The other
// one is asked beside it, counted, timed and compared, and never fails the caller. While both
// stores are written, a read of the new store that fails is answered by the old one.
//
//	var stage = sdk.String("orders-store", "off")
//	var orders = migrate.New(client, stage, migrate.Config{})
//
//	order, err := migrate.Read(ctx, orders, sdk.User(user), readOld, readNew, equal)
//	err = orders.Write(ctx, sdk.User(user), writeOld, writeNew)
//
// A user who moves back from live to shadow reads the old store again. It has all that was
// written since dualwrite, except writes that failed there, which [Counts].OtherErrors counts.
// After complete there is no way back: the old store isn't written.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/sdk"
)

// A Stage says which store is read and written.
type Stage string

// The stages, in order.
const (
	Off       Stage = "off"
	DualWrite Stage = "dualwrite"
	Shadow    Stage = "shadow"
	Live      Stage = "live"
	RampDown  Stage = "rampdown"
	Complete  Stage = "complete"
)

const (
	defaultTimeout  = time.Second
	defaultParallel = 64
)

// Config configures a [Migration]. The zero Config is valid.
type Config struct {
	// Timeout is how long the store that isn't the authority may take. 0: 1 s.
	Timeout time.Duration
	// Parallel is how many reads may be compared at once. Further ones aren't compared, and
	// are counted as skipped. 0: 64.
	Parallel int
	// Report, if not nil, is called with each operation on the store that isn't the authority,
	// and with each comparison. It must be fast and safe for concurrent use.
	Report func(Event)
}

// An Event is what the store that isn't the authority did.
type Event struct {
	Stage    Stage
	Write    bool
	Took     time.Duration // of the store that isn't the authority
	Err      error         // of that store
	Compared bool          // the answers of both were compared
	Equal    bool
}

// Counts are numbers of operations so far.
type Counts struct {
	Reads, Writes int64 // by callers
	// Other is how many operations the store that isn't the authority was asked for, and
	// OtherErrors how many of them failed.
	Other, OtherErrors int64
	Equal, Unequal     int64 // comparisons
	Skipped            int64 // reads that weren't compared, because too many were under way
	Fallbacks          int64 // reads of the new store that failed, and that the old one answered
	Unknown            int64 // operations for which the flag's value was no stage: off counts
}

// A Migration is a move from one store to another. It is safe for concurrent use.
type Migration struct {
	client *sdk.Client
	flag   *sdk.Flag[string]
	config Config
	slots  chan struct{} // has an element for each comparison that is under way
	waits  chan struct{} // has an element while a caller of Wait takes the slots
	counts [9]atomic.Int64
}

// Indexes of counts.
const (
	reads = iota
	writes
	other
	otherErrors
	equals
	unequal
	skipped
	fallbacks
	unknown
)

// New returns a Migration whose [Stage] is the value of a flag. Values that are no stage count
// as off.
func New(client *sdk.Client, flag *sdk.Flag[string], cfg Config) *Migration {
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = defaultParallel
	}
	return &Migration{client: client, flag: flag, config: cfg, slots: make(chan struct{}, cfg.Parallel),
		waits: make(chan struct{}, 1)}
}

// Stage returns the stage for a context.
func (m *Migration) Stage(ctx sdk.Context) Stage {
	switch s := Stage(m.flag.Get(m.client, ctx)); s {
	case Off, DualWrite, Shadow, Live, RampDown, Complete:
		return s
	}
	m.counts[unknown].Add(1)
	return Off
}

// Counts returns what has been counted so far.
func (m *Migration) Counts() Counts {
	n := func(i int) int64 { return m.counts[i].Load() }
	return Counts{n(reads), n(writes), n(other), n(otherErrors), n(equals), n(unequal), n(skipped), n(fallbacks),
		n(unknown)}
}

// Wait waits until all comparisons that were under way have ended, or returns the error of ctx
// when that ends first. Reads that take place meanwhile may be skipped, and are counted as that.
func (m *Migration) Wait(ctx context.Context) error {
	if err := take(ctx, m.waits); err != nil { // or two callers could wait for each other's slots
		return err
	}
	defer func() { <-m.waits }()
	for range cap(m.slots) {
		if err := take(ctx, m.slots); err != nil {
			return err
		}
		defer func() { <-m.slots }()
	}
	return nil
}

// take adds an element to slots when there is room.
func take(ctx context.Context, slots chan<- struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Read reads by the stage of a context. In the stages shadow and live it also asks the other
// store, beside the caller, who doesn't wait for that, and compares the answers with equal.
// ctx of that read isn't cancelled with the caller's, but ends after [Config].Timeout.
func Read[T any](ctx context.Context, m *Migration, who sdk.Context, old, new func(context.Context) (T, error),
	equal func(old, new T) bool) (T, error) {
	m.counts[reads].Add(1)
	switch stage := m.Stage(who); stage {
	case Shadow:
		value, err := old(ctx)
		compare(ctx, m, stage, value, err, new, equal)
		return value, err
	case Live:
		value, err := new(ctx)
		if err != nil {
			return fallBack(ctx, m, err, old)
		}
		compare(ctx, m, stage, value, err, old, func(a, b T) bool { return equal(b, a) })
		return value, nil
	case RampDown:
		value, err := new(ctx)
		if err != nil {
			return fallBack(ctx, m, err, old)
		}
		return value, nil
	case Complete:
		return new(ctx)
	default:
		return old(ctx)
	}
}

// fallBack reads the old store, because the new one has failed.
func fallBack[T any](ctx context.Context, m *Migration, failure error,
	old func(context.Context) (T, error)) (T, error) {
	m.counts[fallbacks].Add(1)
	value, err := old(ctx)
	if err != nil {
		return value, errors.Join(failure, err)
	}
	return value, nil
}

// compare asks the store that isn't the authority, in the background, and compares.
func compare[T any](ctx context.Context, m *Migration, stage Stage, value T, err error,
	ask func(context.Context) (T, error), equal func(a, b T) bool) {
	select {
	case m.slots <- struct{}{}:
	default:
		m.counts[skipped].Add(1)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.config.Timeout)
	go func() {
		defer func() { <-m.slots }()
		defer cancel()
		begin := time.Now()
		answer, failure := guarded(func() (T, error) { return ask(ctx) })
		e := Event{Stage: stage, Took: time.Since(begin), Err: failure}
		if err == nil && failure == nil {
			e.Compared = true
			e.Equal, e.Err = guarded(func() (bool, error) { return equal(value, answer), nil })
			e.Compared = e.Err == nil
		}
		m.note(e)
	}()
}

// guarded returns a panic as an error.
func guarded[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f()
}

// Write writes by the stage of a context. Of two stores, the authority is written first. If
// that fails, the other one isn't written, so that in that write it doesn't get what the
// authority lacks. The error is that of the authority.
func (m *Migration) Write(ctx context.Context, who sdk.Context, old, new func(context.Context) error) error {
	m.counts[writes].Add(1)
	switch stage := m.Stage(who); stage {
	case DualWrite, Shadow:
		return m.writeBoth(ctx, stage, old, new)
	case Live, RampDown:
		return m.writeBoth(ctx, stage, new, old)
	case Complete:
		return new(ctx)
	default:
		return old(ctx)
	}
}

func (m *Migration) writeBoth(ctx context.Context, stage Stage, first, second func(context.Context) error) error {
	if err := first(ctx); err != nil {
		return err
	}
	// The authority has it, so the other store gets it even if the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.config.Timeout)
	defer cancel()
	begin := time.Now()
	_, err := guarded(func() (struct{}, error) { return struct{}{}, second(ctx) })
	m.note(Event{Stage: stage, Write: true, Took: time.Since(begin), Err: err})
	return nil
}

// note counts an event, and reports it.
func (m *Migration) note(e Event) {
	m.counts[other].Add(1)
	switch {
	case e.Err != nil:
		m.counts[otherErrors].Add(1)
	case e.Compared && e.Equal:
		m.counts[equals].Add(1)
	case e.Compared:
		m.counts[unequal].Add(1)
	}
	if m.config.Report != nil {
		m.config.Report(e)
	}
}
