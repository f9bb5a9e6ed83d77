package sdk_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-flags/serin/sdk"
)

// TestRefreshMovesNextPoll checks that a success by hand ends the backing off.
func TestRefreshMovesNextPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		p := &polls{fault: errFault}
		src := &broken{Source: r.source(t), fault: p.request}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		time.Sleep(time.Hour)
		synctest.Wait()
		p.fail(nil)
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		r.number(t, 2)
		time.Sleep(46 * time.Second)
		synctest.Wait()
		serves(t, client, 2)
	})
}

// TestRefreshCutShort has a source that is too slow for the caller of Refresh, who
// asks again and again. That is no failure of the source, and mustn't put off
// the polls that are due.
func TestRefreshCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &broken{Source: r.source(t)}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		r.number(t, 2)
		src.set(func(ctx context.Context, _ string) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		before := client.Status()
		for i := range 200 {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			if err := client.Refresh(ctx); err != context.DeadlineExceeded {
				t.Fatalf("error %v", err)
			}
			cancel()
			if i > 0 {
				continue
			}
			if diff := cmp.Diff(before, client.Status(),
				cmpopts.IgnoreFields(sdk.Status{}, "Age", "Downloaded")); diff != "" {
				t.Errorf("status (-before +after):\n%s", diff)
			}
		}
		synctest.Wait()
		serves(t, client, 2)
		if st := client.Status(); st.State != sdk.Fresh || len(st.Errors) != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestRefreshGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		src := &broken{Source: r.source(t), fault: hang}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, InitTimeout: -1, Interval: -1})
		go client.Refresh(t.Context())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for the other: %v", err)
		}
		client.Close()
	})
}

// TestCloseEndsRefresh closes the client while a Refresh and another one that
// waits for it are under way.
func TestCloseEndsRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		src := &broken{Source: r.source(t), fault: hang}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, InitTimeout: -1, Interval: -1})
		errs := make(chan error, 2)
		for range cap(errs) {
			go func() { errs <- client.Refresh(t.Context()) }()
		}
		synctest.Wait()
		before := time.Now()
		client.Close()
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, sdk.ErrClosed) {
				t.Errorf("Refresh: %v", err)
			}
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}
