package sdk_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// TestOnChange reads which flags changed from revision to revision, by a client
// that is refreshed by hand.
func TestOnChange(t *testing.T) {
	r := newRepository(t, "production")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	var got []string
	stop := client.OnChange(func(c sdk.Change) {
		if c.After != client.Snapshot() || c.Before.Revision() >= c.After.Revision() {
			t.Errorf("from %d to %d", c.Before.Revision(), c.After.Revision())
		}
		got = append(got, strings.Join(c.Keys, " "))
	})
	refresh := func() {
		t.Helper()
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.number(t, 1)
	refresh()
	r.number(t, 2)
	refresh()
	refresh() // nothing new
	segment := func(member string) []bundle.Payload {
		payloads := numbered("production", 2)
		payloads[1].Ruleset.Segments = []evaluator.Segment{{Name: "testers", Include: []string{member}}}
		payloads[1].Ruleset.Flags = append(payloads[1].Ruleset.Flags,
			boolean("testing", evaluator.Rule{Name: "testers",
				When: &evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user",
					Strings: []string{"testers"}}}))
		return payloads
	}
	r.publish(t, segment("u-1")...)
	refresh()
	r.publish(t, segment("u-2")...)
	refresh()
	moved := numbered("production", 2)
	moved[0].Ruleset.Flags, moved[1].Ruleset.Flags = moved[1].Ruleset.Flags, moved[0].Ruleset.Flags[1:]
	r.publish(t, moved...)
	refresh()
	stop()
	stop()
	r.number(t, 3)
	refresh()
	want := []string{
		"color left local lottery new-checkout ratio right shape",
		"left right",
		"testing",
		"testing",
		"left testing", // gone; what has moved to another namespace is what it was
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// TestOnRevision follows revisions, also one in which no flag differs but an attribute does.
func TestOnRevision(t *testing.T) {
	r := newRepository(t, "production")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	var revisions []int64
	var keys [][]string
	stop := client.OnRevision(func(s *sdk.Snapshot) {
		if s != client.Snapshot() {
			t.Errorf("the client serves revision %d, and not %d", client.Snapshot().Revision(), s.Revision())
		}
		revisions = append(revisions, s.Revision())
	})
	defer client.OnChange(func(c sdk.Change) { keys = append(keys, c.Keys) })()
	refresh := func() {
		t.Helper()
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.number(t, 1)
	refresh()
	refresh() // nothing new
	more := numbered("production", 1)
	more[0].Ruleset.Attributes = append(more[0].Ruleset.Attributes,
		evaluator.Attribute{Name: "device", Type: evaluator.AttrString})
	r.publish(t, more...)
	refresh()
	stop()
	r.number(t, 3)
	refresh()
	if want := []int64{1, 2}; !slices.Equal(revisions, want) || len(keys) != 2 {
		t.Errorf("revisions %v, want %v; changes %q, want those of the first and the last", revisions, want, keys)
	}
	if stop := (*sdk.Client)(nil).OnRevision(func(*sdk.Snapshot) {}); stop == nil {
		t.Error("a nil client returns no stop")
	}
}

// TestSlowSubscriber has a subscriber that takes long. Polls go on meanwhile, and
// the subscriber is told once of all that it has missed.
func TestSlowSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: time.Second})
		goroutines := runtime.NumGoroutine()
		type span struct{ from, to int64 }
		var spans []span
		free := make(chan struct{})
		client.OnChange(func(c sdk.Change) {
			spans = append(spans, span{c.Before.Revision(), c.After.Revision()})
			<-free
		})
		for range 50 { // no goroutine of their own
			client.OnChange(func(sdk.Change) {})
			client.OnStatus(func(sdk.Status) {})
		}
		if n := runtime.NumGoroutine(); n > goroutines+1 {
			t.Errorf("%d goroutines for 101 subscribers", n-goroutines)
		}
		for n := int64(2); n <= 6; n++ {
			r.number(t, n)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			serves(t, client, n)
		}
		close(free)
		synctest.Wait()
		if want := []span{{1, 2}, {2, 6}}; !slices.Equal(spans, want) {
			t.Errorf("changes %v, want %v", spans, want)
		}
	})
}

// TestSubscriberPanics checks that others are told, and the client goes on.
func TestSubscriberPanics(t *testing.T) {
	var log bytes.Buffer
	r := newRepository(t, "production")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1,
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	client.OnChange(func(sdk.Change) { panic("mine") })
	told := 0
	client.OnChange(func(sdk.Change) { told++ })
	for n := range int64(2) {
		r.number(t, n+1)
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if told != 2 || strings.Count(log.String(), "panic=mine") != 2 {
		t.Errorf("told %d times; log:\n%s", told, &log)
	}
}

// TestOnStatus follows a client through its states.
func TestOnStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		// No poll ends before everybody has subscribed.
		slow := func(context.Context, string) error { time.Sleep(time.Second); return nil }
		src := &broken{Source: r.source(t), fault: slow}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, InitTimeout: -1, Interval: time.Second})
		var got []string
		client.OnChange(func(c sdk.Change) { got = append(got, "change") })
		client.OnStatus(func(s sdk.Status) {
			class, _ := bundle.ClassOf(s.LastError)
			if s.LastError == nil {
				got = append(got, s.State.String())
			} else {
				got = append(got, s.State.String()+" "+class.String())
			}
		})
		wait := func() { time.Sleep(10 * time.Minute); synctest.Wait() }
		wait()
		r.number(t, 1)
		wait()
		src.set(fail)
		wait()
		src.set(nil)
		wait()
		want := []string{"EMPTY not_found", "FRESH", "change", "STALE network", "FRESH"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestStopAnother: who is unsubscribed by another that is told first isn't told any
// more.
func TestStopAnother(t *testing.T) {
	r := newRepository(t, "production")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	var stop func()
	client.OnChange(func(sdk.Change) { stop() })
	stop = client.OnChange(func(sdk.Change) { t.Error("told after the end") })
	r.number(t, 1)
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSubscribeInSubscriber unsubscribes, subscribes and refreshes while it is
// being told.
func TestSubscribeInSubscriber(t *testing.T) {
	r := newRepository(t, "production")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	var got []string
	var stop func()
	stop = client.OnChange(func(c sdk.Change) {
		got = append(got, "first")
		stop()
		client.OnChange(func(sdk.Change) { got = append(got, "second") })
		r.number(t, 2)
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	})
	r.number(t, 1)
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	if want := []string{"first", "second"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	client.Close()
	client.OnChange(func(sdk.Change) { t.Error("told after Close") })
	var none *sdk.Client
	none.OnChange(func(sdk.Change) {})()
	none.OnStatus(func(sdk.Status) {})()
}

// TestCloseWhileTelling: who waits behind another subscriber when the client is closed
// isn't told any more.
func TestCloseWhileTelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
		free := make(chan struct{})
		client.OnChange(func(sdk.Change) { <-free })
		client.OnChange(func(sdk.Change) { t.Error("told after Close") })
		r.number(t, 1)
		go client.Refresh(t.Context())
		synctest.Wait()
		client.Close()
		close(free)
		synctest.Wait()
	})
}
