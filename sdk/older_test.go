package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// lambda opens a client as a Lambda function does, in a bubble.
func lambda(t *testing.T, f func(t *testing.T, r *repository, src *broken, client *sdk.Client)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		f(t, r, src, open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1}))
	})
}

func polled(src *broken) (n int) {
	for _, name := range src.taken() {
		if name == "timestamp.json" {
			n++
		}
	}
	return n
}

func TestRefreshIfOlder(t *testing.T) {
	lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
		r.number(t, 2)
		polled(src)
		refresh := func(want int) {
			t.Helper()
			if err := client.RefreshIfOlder(t.Context(), time.Minute); err != nil {
				t.Error(err)
			}
			if n := polled(src); n != want {
				t.Errorf("%d polls, want %d", n, want)
			}
		}
		time.Sleep(time.Minute - 1)
		refresh(0)
		serves(t, client, 1)
		time.Sleep(time.Nanosecond)
		refresh(1)
		serves(t, client, 2)
		refresh(0)
		if err := client.RefreshIfOlder(t.Context(), 0); err != nil || polled(src) != 1 {
			t.Errorf("older than nothing: %v", err)
		}
		var none *sdk.Client
		client.Close()
		for _, c := range []*sdk.Client{none, client} {
			if err := c.RefreshIfOlder(t.Context(), time.Hour); err != sdk.ErrClosed {
				t.Errorf("error %v", err)
			}
		}
	})
}

// TestRefreshIfOlderIsShared has many callers at a time: one poll is enough, be it
// good or bad.
func TestRefreshIfOlderIsShared(t *testing.T) {
	for _, fault := range []error{nil, errFault} {
		lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
			src.set(func(context.Context, string) error { time.Sleep(time.Second); return fault })
			time.Sleep(time.Hour - time.Second)
			polled(src)
			var wg sync.WaitGroup
			begun := time.Now()
			for range 100 {
				wg.Go(func() {
					if err := client.RefreshIfOlder(t.Context(), time.Minute); !errors.Is(err, fault) {
						t.Errorf("error %v", err)
					}
				})
			}
			wg.Wait()
			if n, took := polled(src), time.Since(begun); n != 1 || took > 3*time.Second {
				t.Errorf("%d polls, which took %v", n, took)
			}
		})
	}
}

// TestRefreshIfOlderHasABudget has a source that hangs: it takes callers' time now
// and then only, and what is served stays.
func TestRefreshIfOlderHasABudget(t *testing.T) {
	lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
		time.Sleep(time.Hour)
		src.set(hang)
		waited := time.Duration(0)
		const calls = 600
		for range calls { // one each second
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			begun := time.Now()
			if err := client.RefreshIfOlder(ctx, 30*time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error %v", err)
			}
			cancel()
			took := time.Since(begun)
			waited += took
			time.Sleep(time.Second - took)
		}
		if least, most := time.Second, 6*time.Second; waited < least || waited > most {
			t.Errorf("%d calls waited %v in all", calls, waited)
		}
		serves(t, client, 1)
		// Nothing else would tell that the flags are no longer kept up to date.
		st := client.Status()
		if n := st.Errors[bundle.Network]; st.State != sdk.Stale || n < 2 || n > 30 ||
			!errors.Is(st.LastError, context.DeadlineExceeded) {
			t.Errorf("status %v", st)
		}
		src.set(nil)
		r.number(t, 2)
		time.Sleep(30 * time.Second)
		if err := client.RefreshIfOlder(t.Context(), 30*time.Second); err != nil {
			t.Error(err)
		}
		serves(t, client, 2)
		if st := client.Status(); st.State != sdk.Fresh {
			t.Errorf("status %v", st)
		}
	})
}

// TestCanceledRefreshIsNoFailure: who gives up says nothing about the source.
func TestCanceledRefreshIsNoFailure(t *testing.T) {
	lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
		time.Sleep(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := client.RefreshIfOlder(ctx, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if err := client.RefreshIfOlder(t.Context(), time.Minute); err != nil {
			t.Error(err)
		}
	})
}

// TestThaw: times that are compared with later ones have no reading of the
// monotonic clock, which stands still while a program is frozen.
func TestThaw(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	if now := time.Now().String(); !strings.Contains(now, "m=") {
		t.Fatalf("there is no reading in %s either", now)
	}
	for _, at := range []time.Time{client.Status().Checked, client.Status().Updated} {
		if strings.Contains(at.String(), "m=") {
			t.Errorf("%v has a monotonic reading", at)
		}
	}
}

// TestAgeAfterRestart: how old what the disk cache holds is doesn't begin again with
// each process.
func TestAgeAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		cfg := sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
		client := open(t, cfg)
		time.Sleep(time.Hour)
		if err := client.Refresh(t.Context()); err != nil { // nothing new
			t.Error(err)
		}
		client.Close()
		time.Sleep(time.Minute)
		src.set(fail)
		again := open(t, cfg)
		if st := again.Status(); st.Age != time.Minute || st.State != sdk.LastKnownGood {
			t.Errorf("status %v", st)
		}
		_ = again.Refresh(t.Context())
		time.Sleep(time.Minute)
		if got := again.Status().Age; got != 2*time.Minute {
			t.Errorf("age %v", got)
		}
	})
}

// TestConfirmedFile reads the age from what may be on the disk: what this client writes,
// what clients from before confirmed.json write, and what neither of them does.
func TestConfirmedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		cfg := sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
		open(t, cfg).Close()
		src.set(fail)
		state, confirmed := filepath.Join(cfg.CacheDir, "state.json"), filepath.Join(cfg.CacheDir, "confirmed.json")
		// An older client, which may share the folder, takes the time of state.json.
		if info, err := os.Stat(state); err != nil || !info.ModTime().Equal(time.Now()) {
			t.Errorf("state.json is of %v, now is %v, error %v", info.ModTime(), time.Now(), err)
		}
		time.Sleep(time.Hour)
		now := time.Now()
		file := func(root, timestamp int, at time.Time) string {
			return fmt.Sprintf(`{"root":%d,"timestamp":%d,"confirmed":%q}`, root, timestamp,
				at.Format(time.RFC3339Nano))
		}
		const touched = 10 * time.Minute // state.json is that old
		for name, test := range map[string]struct {
			content string // "": no file
			want    time.Duration
		}{
			"ours":                      {file(1, 1, now.Add(-time.Minute)), time.Minute},
			"ours in another time zone": {file(1, 1, now.Add(-time.Minute).In(time.FixedZone("", 3600))), time.Minute},
			"ours, unknown":             {`{"root":1,"timestamp":1}`, -1},
			// Clocks differ by seconds. If it is more, one of them was wrong, and nothing
			// is known; least of all that the flags are new.
			"a second ahead":         {file(1, 1, now.Add(time.Second)), 0},
			"an hour ahead":          {file(1, 1, now.Add(time.Hour)), -1},
			"years ahead":            {file(1, 1, now.AddDate(10, 0, 0)), -1},
			"no file":                {"", touched},
			"of an older release":    {file(1, 0, now.Add(-time.Minute)), touched},
			"of an older root":       {file(0, 1, now.Add(-time.Minute)), touched},
			"half of the file":       {file(1, 1, now)[:30], touched},
			"of a negative version":  {file(1, -1, now), touched},
			"not a time":             {`{"root":1,"timestamp":1,"confirmed":"yesterday"}`, touched},
			"more than it should be": {file(1, 1, now) + strings.Repeat(" ", 2000), touched},
		} {
			os.Remove(confirmed)
			if test.content != "" {
				write(t, confirmed, test.content)
			}
			if err := os.Chtimes(state, now.Add(-touched), now.Add(-touched)); err != nil {
				t.Fatal(err)
			}
			if got := open(t, cfg).Status().Age; got != test.want {
				t.Errorf("%s: age %v, want %v", name, got, test.want)
			}
		}
		// Without the file, what an older client notes is held to the same.
		os.Remove(confirmed)
		for at, want := range map[time.Time]time.Duration{now.Add(time.Second): 0, now.Add(time.Hour): -1,
			time.Unix(0, 0): -1} {
			if err := os.Chtimes(state, at, at); err != nil {
				t.Fatal(err)
			}
			if got := open(t, cfg).Status().Age; got != want {
				t.Errorf("age %v of a state.json of %v, want %v", got, at, want)
			}
		}
	})
}

// TestStatusString is what logs show.
func TestStatusString(t *testing.T) {
	lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
		sdk.Bool("left", true).Get(client, sdk.Context{})
		src.set(fail)
		time.Sleep(90 * time.Second)
		_ = client.Refresh(t.Context())
		st := client.Status()
		st.Bytes, st.Downloaded = 12, 34
		const want = `state=STALE environment=production revision=1 age=1m30s bytes=12 downloaded=34 ` +
			`errors_network=1 mismatches=1 error=verifying timestamp.json: network: fault`
		if got := st.String(); got != want {
			t.Errorf("status %s\nwant   %s", got, want)
		}
		if got, want := st.LogValue().String(), "[state=STALE"; !strings.HasPrefix(got, want) {
			t.Errorf("log value %s", got)
		}
		if got, want := (sdk.Status{}).String(),
			"state=EMPTY environment= revision=0 age=0s bytes=0 downloaded=0"; got != want {
			t.Errorf("zero status %s", got)
		}
	})
}

// TestSlowSource has a source of which a whole update takes longer than a request may be
// held up for: several of them get there together.
func TestSlowSource(t *testing.T) {
	lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
		src.set(func(ctx context.Context, _ string) error {
			select {
			case <-time.After(80 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		for n := int64(2); n < 4; n++ {
			r.number(t, n)
			calls := 0
			for err := context.DeadlineExceeded; err != nil && calls < 10; calls++ {
				time.Sleep(30 * time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				err = client.RefreshIfOlder(ctx, 30*time.Second)
				cancel()
			}
			serves(t, client, n)
			if calls < 2 || calls > 4 {
				t.Errorf("%d calls", calls)
			}
		}
		names := src.taken()
		for _, payload := range names {
			if n := count(names, payload); strings.HasPrefix(payload, "targets/") && n > 2 { // once in vain
				t.Errorf("%s was asked for %d times", payload, n)
			}
		}
	})
}

func count(names []string, name string) (n int) {
	for _, other := range names {
		if other == name {
			n++
		}
	}
	return n
}

// TestFailedProbe: a look for a newer root that failed is made up for by the next poll.
func TestFailedProbe(t *testing.T) {
	lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
		time.Sleep(time.Hour)
		src.set(fail)
		_ = client.Refresh(t.Context())
		src.set(nil)
		src.taken()
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		if asked := src.taken(); asked[0] != "2.root.json" {
			t.Errorf("asked for %v", asked)
		}
		if got := client.Status().Polls; got != 2 { // with the first one
			t.Errorf("%d polls have succeeded", got)
		}
	})
}
