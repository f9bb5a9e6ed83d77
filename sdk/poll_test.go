package sdk_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

var errFault = errors.New("fault")

// fail is a fault of everything.
func fail(context.Context, string) error { return errFault }

// polls records when a source is polled; requests fail if they are to.
type polls struct {
	mu    sync.Mutex
	times []time.Time
	fault error
}

func (p *polls) request(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The first failure ends a poll, whatever was asked for.
	if name == "timestamp.json" || p.fault != nil {
		p.times = append(p.times, time.Now())
	}
	return p.fault
}

func (p *polls) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = err
}

// gaps returns the times between polls.
func (p *polls) gaps() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(p.times); i++ {
		gaps = append(gaps, p.times[i].Sub(p.times[i-1]))
	}
	return gaps
}

func TestIntervalHasJitter(t *testing.T) {
	for _, interval := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := newRepository(t, "production")
			r.number(t, 1)
			p := &polls{}
			src := &broken{Source: r.source(t), fault: p.request}
			open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: interval})
			mean := interval
			if mean == 0 {
				mean = 30 * time.Second
			}
			time.Sleep(1000 * mean)
			gaps := p.gaps()
			if n := len(gaps); n < 950 || n > 1050 {
				t.Errorf("%d polls in 1000 intervals", n)
			}
			shortest, longest := slices.Min(gaps), slices.Max(gaps)
			if shortest < mean/2 || shortest > mean*55/100 || longest > mean*3/2 || longest < mean*145/100 {
				t.Errorf("intervals from %v to %v around %v", shortest, longest, mean)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		p := &polls{}
		src := &broken{Source: r.source(t), fault: p.request}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		p.fail(errFault)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		gaps := p.gaps()
		// The first is from success to failure.
		for i, most := range []time.Duration{45, 60, 120, 240, 300, 300, 300} {
			most *= time.Second
			least := most / 2
			if i == 0 {
				least = 15 * time.Second
			}
			if gaps[i] < least || gaps[i] > most {
				t.Errorf("gap %d is %v, want %v to %v", i, gaps[i], least, most)
			}
		}
		if longest := slices.Max(gaps); longest > 5*time.Minute {
			t.Errorf("backed off to %v", longest)
		}
		// These are spread evenly from 2.5 to 5 minutes, and there are more
		// than 250 of them: the odds that none is in one of the outer fifths
		// are 1 to 10^24.
		steady := gaps[5:]
		if slices.Min(steady) > 3*time.Minute || slices.Max(steady) < 4*time.Minute {
			t.Errorf("no jitter between %v and %v", slices.Min(steady), slices.Max(steady))
		}
		st := client.Status()
		if st.State != sdk.Stale || st.Errors[bundle.Network] != int64(len(gaps)) ||
			!errors.Is(st.LastError, errFault) {
			t.Errorf("status %+v after %d failures", st, len(gaps))
		}
		if until := time.Until(st.NextPoll); until <= 0 || until > 5*time.Minute {
			t.Errorf("next poll in %v", until)
		}
		serves(t, client, 1)

		p.fail(nil)
		r.number(t, 2)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if st := client.Status(); st.State != sdk.Fresh || st.LastError != nil ||
			st.Errors[bundle.Network] != int64(len(gaps)) {
			t.Errorf("status %+v after recovery", st)
		}
		serves(t, client, 2)
		if until := time.Until(client.Status().NextPoll); until > 45*time.Second {
			t.Errorf("next poll in %v after recovery", until)
		}
	})
}

func TestLongIntervalIsNotShortenedByFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		p := &polls{}
		src := &broken{Source: r.source(t), fault: p.request}
		open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: time.Hour})
		p.fail(errFault)
		time.Sleep(50 * time.Hour)
		if gaps := p.gaps(); slices.Min(gaps) < 30*time.Minute || slices.Max(gaps) > 90*time.Minute {
			t.Errorf("gaps from %v to %v", slices.Min(gaps), slices.Max(gaps))
		}
	})
}

// TestExtremeIntervals checks that no interval overflows or stops the client.
func TestExtremeIntervals(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Millisecond, 1<<63 - 1} {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: interval})
		src.set(fail)
		_ = client.Refresh(t.Context())
		serves(t, client, 1)
		if interval > time.Second && time.Until(client.Status().NextPoll) < time.Hour {
			t.Errorf("interval %v: next poll at %v", interval, client.Status().NextPoll)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestUnreachableAtStart starts without a source and without a cache.
func TestUnreachableAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t), fault: fail}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		st := client.Status()
		if st.State != sdk.Empty || st.Revision != 0 || st.Environment != "production" {
			t.Errorf("status %+v", st)
		}
		// In the 5 s that Open waited there was a retry after 1 s to 2 s, and
		// perhaps one 2 s to 4 s later.
		if n := st.Errors[bundle.Network]; n != 2 && n != 3 {
			t.Errorf("%d polls", n)
		}
		serves(t, client, -1)
		if until := time.Until(st.NextPoll); until > 8*time.Second {
			t.Errorf("next retry in %v", until)
		}
		src.set(nil)
		time.Sleep(8 * time.Second)
		synctest.Wait()
		serves(t, client, 1)
		if st := client.Status(); st.State != sdk.Fresh {
			t.Errorf("status %+v", st)
		}
	})
}

// hang is a fault that lasts until the request is given up.
func hang(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestOpenWaitsOnlySoLong(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{
		0:                5 * time.Second,
		time.Second:      time.Second,
		-1:               0,
		10 * time.Minute: 10 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRepository(t, "production")
			r.number(t, 1)
			src := &broken{Source: r.source(t), fault: hang}
			before := time.Now()
			client := open(t, sdk.Config{Source: src, Root: r.keys.Root, InitTimeout: wait})
			if took := time.Since(before); took != want {
				t.Errorf("InitTimeout %v: Open took %v, want %v", wait, took, want)
			}
			src.set(nil)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			serves(t, client, 1)
		})
	}
}

// TestOpenWaitsThroughFailures checks that a source which isn't there yet when a
// program starts, as happens when both start at once, doesn't end the waiting.
func TestOpenWaitsThroughFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t), fault: fail}
		time.AfterFunc(500*time.Millisecond, func() { src.set(nil) })
		before := time.Now()
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		serves(t, client, 1)
		if took := time.Since(before); took > 2*time.Second {
			t.Errorf("Open took %v", took)
		}
	})
}

// TestOpenTellsWhyItGaveUp checks that a client which doesn't poll knows why it has
// no flags, although it was Open that cut its one poll short.
func TestOpenTellsWhyItGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t), fault: hang}
		before := time.Now()
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1})
		if took := time.Since(before); took != 5*time.Second {
			t.Errorf("Open took %v", took)
		}
		st := client.Status()
		if st.State != sdk.Empty || !errors.Is(st.LastError, context.DeadlineExceeded) ||
			st.Errors[bundle.Network] != 1 {
			t.Errorf("status %+v", st)
		}
		src.set(nil)
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		serves(t, client, 1)
	})
}

func TestOpenStopsWaitingWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t), fault: hang}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		before := time.Now()
		client, err := sdk.Open(ctx, sdk.Config{Source: src, Root: r.keys.Root})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if took := time.Since(before); took != 2*time.Second {
			t.Errorf("Open took %v", took)
		}
		src.set(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		serves(t, client, 1)
	})
}

// TestSlowRequests checks that neither a request that hangs nor many that are
// slow stop polling for long.
func TestSlowRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1})
		src.set(hang)
		before := time.Now()
		if err := client.Refresh(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(before); took != 30*time.Second {
			t.Errorf("a request that hangs took %v", took)
		}
		var many []bundle.Payload
		for _, namespace := range users(30) {
			p := numbered("production", 2)[0]
			p.Namespace = namespace
			for i := range p.Ruleset.Flags {
				p.Ruleset.Flags[i].Key += namespace
			}
			many = append(many, p)
		}
		r.publish(t, many...)
		src.set(func(ctx context.Context, name string) error {
			select {
			case <-time.After(29 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		before = time.Now()
		if err := client.Refresh(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(before); took != 5*time.Minute {
			t.Errorf("a poll of slow requests took %v", took)
		}
		serves(t, client, 1)
	})
}

func TestRootProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		open(t, sdk.Config{Source: src, Root: r.keys.Root})
		src.taken()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		count := make(map[string]int)
		for _, name := range src.taken() {
			count[name]++
		}
		if n := count["2.root.json"]; n < 23 || n > 24 {
			t.Errorf("%d looks for a newer root in a day", n)
		}
		delete(count, "2.root.json")
		if n := count["timestamp.json"]; n < 2700 || n > 3100 || len(count) != 1 {
			t.Errorf("requests %v", count)
		}
	})
}

// TestExpiry freezes the source until the metadata expires.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: 10 * time.Minute})
		expires := client.Status().Expires
		time.Sleep(time.Until(expires) - time.Second)
		synctest.Wait()
		if st := client.Status(); st.State != sdk.Fresh || len(st.Errors) != 0 {
			t.Errorf("status %+v before expiry", st)
		}
		time.Sleep(time.Second)
		if st := client.Status(); st.State != sdk.Stale {
			t.Errorf("status %+v at expiry", st)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		st := client.Status()
		class, _ := bundle.ClassOf(st.LastError)
		if st.State != sdk.Stale || class != bundle.Expired || st.Errors[bundle.Expired] < 4 {
			t.Errorf("status %+v after expiry", st)
		}
		serves(t, client, 1)
		r.number(t, 1) // signs anew
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if st := client.Status(); st.State != sdk.Fresh || st.Revision != 1 || !st.Expires.After(expires) {
			t.Errorf("status %+v after renewal", st)
		}
	})
}

// TestRenewal checks that new signatures for the same content leave the snapshot
// as it is.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root})
		snapshot, st := client.Snapshot(), client.Status()
		time.Sleep(time.Hour)
		r.renew(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		after := client.Status()
		if !after.Expires.After(st.Expires) {
			t.Errorf("expires %v, before %v", after.Expires, st.Expires)
		}
		if client.Snapshot() != snapshot || !after.Updated.Equal(st.Updated) {
			t.Errorf("content changed: status %+v", after)
		}
		if since := time.Since(after.Checked); since > time.Minute {
			t.Errorf("checked %v ago", since)
		}
	})
}

func TestPanicsAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		src.set(func(context.Context, string) error { panic("out of order") })
		time.Sleep(time.Hour)
		synctest.Wait()
		if st := client.Status(); st.State != sdk.Stale || st.Errors[bundle.Malformed] < 10 {
			t.Errorf("status %+v", st)
		}
		serves(t, client, 1)
		src.set(nil)
		r.number(t, 2)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		serves(t, client, 2)
	})
}

// TestNoPolling has the caller do everything.
func TestNoPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1})
		serves(t, client, 1)
		src.taken()
		r.number(t, 2)
		time.Sleep(24 * time.Hour)
		if requests := src.taken(); len(requests) != 0 {
			t.Errorf("requests %v", requests)
		}
		if st := client.Status(); !st.NextPoll.IsZero() {
			t.Errorf("next poll at %v", st.NextPoll)
		}
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		serves(t, client, 2)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		polling := make(chan struct{}, 1)
		src.set(func(ctx context.Context, name string) error {
			polling <- struct{}{}
			return hang(ctx, name)
		})
		<-polling
		st := client.Status()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		src.taken()
		time.Sleep(time.Hour)
		if requests := src.taken(); len(requests) != 0 {
			t.Errorf("requests %v after Close", requests)
		}
		if after := client.Status(); after.LastError != st.LastError || after.State != sdk.Fresh ||
			!after.NextPoll.IsZero() {
			t.Errorf("status %+v after Close", after)
		}
		serves(t, client, 1)
		if err := client.Refresh(t.Context()); !errors.Is(err, sdk.ErrClosed) {
			t.Errorf("Refresh after Close: %v", err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseWaits has a source that takes its time to stop.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		polling := make(chan struct{}, 1)
		src := &broken{fault: func(ctx context.Context, _ string) error {
			polling <- struct{}{}
			<-ctx.Done()
			time.Sleep(time.Second)
			return ctx.Err()
		}}
		watch := func(ctx context.Context, _ func()) error {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return ctx.Err()
		}
		client := open(t, sdk.Config{Source: watcher{src, watch}, Root: r.keys.Root, InitTimeout: -1})
		<-polling
		before := time.Now()
		client.Close()
		if took := time.Since(before); took != 2*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}
