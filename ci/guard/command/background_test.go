package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/ci/guard"
)

// A slow runner takes a minute, and returns how often it has run.
type slow struct{ ran int }

func (s *slow) Run(ctx context.Context, c guard.Command) (guard.Outcome, error) {
	s.ran++
	out := guard.Outcome{Status: s.ran + 1, Output: c.Env[len(c.Env)-1]}
	select {
	case <-time.After(time.Minute):
		return out, nil
	case <-ctx.Done():
		return out, errors.New("cancelled")
	}
}

// TestBackground holds that no look waits, that one look gets each outcome, and that an
// outcome of an earlier step is no outcome.
func TestBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := new(slow)
		b := NewBackground(ctx, s, time.Minute)
		c := guard.Command{Run: []string{"smoke"}, Env: []string{"SERIN_FLAG=a", "SERIN_ENVIRONMENT=e", "SERIN_STEP=1"}}
		start := time.Now()
		var got []string
		look := func(c guard.Command) {
			out, err := b.Run(t.Context(), c)
			got = append(got, fmt.Sprintf("%v %v %v %v", out.Running, out.Status, out.Output, err))
			synctest.Wait()
		}
		look(c)
		look(c)
		if time.Since(start) != 0 {
			t.Errorf("it waited %v", time.Since(start))
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		look(c) // the outcome
		look(c) // starts again
		next := c
		next.Env = []string{"SERIN_FLAG=a", "SERIN_ENVIRONMENT=e", "SERIN_STEP=2"}
		look(next) // the one for step 1 still runs
		time.Sleep(61 * time.Second)
		synctest.Wait()
		look(next) // its outcome doesn't count: starts for step 2
		time.Sleep(61 * time.Second)
		synctest.Wait()
		look(next)
		other := next
		other.Env = []string{"SERIN_FLAG=b", "SERIN_ENVIRONMENT=e", "SERIN_STEP=2"}
		look(other)
		cancel()
		b.Wait()
		look(other)
		running := "true 0  <nil>"
		want := []string{
			running, running, "false 2 SERIN_STEP=1 <nil>", running, running, running, "false 4 SERIN_STEP=2 <nil>",
			running, "false 5 SERIN_STEP=2 cancelled",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("looks got\n%q\nwant\n%q", got, want)
		}
	})
}

// An ending runner ends at once, with this status.
type ending struct{ status int }

func (e ending) Run(context.Context, guard.Command) (guard.Outcome, error) {
	return guard.Outcome{Status: e.status}, nil
}

// TestBackgroundOld holds that an outcome from before looks stopped is no outcome, but that a
// failure stays one until the step is another.
func TestBackgroundOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status, want := range map[int]string{0: "running, 0, running, running", 1: "running, 1, 1, 1",
			7: "running, 7, running, running"} {
			b := NewBackground(t.Context(), ending{status}, time.Minute)
			c := guard.Command{Run: []string{"smoke"}, Env: []string{"SERIN_FLAG=a", "SERIN_STEP=1"}}
			var got []string
			for _, wait := range []time.Duration{0, time.Minute, 0, time.Minute + 1} {
				time.Sleep(wait)
				out, _ := b.Run(t.Context(), c)
				synctest.Wait()
				text := fmt.Sprint(out.Status)
				if out.Running {
					text = "running"
				}
				got = append(got, text)
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("status %d: looks got %q, not %s", status, got, want)
			}
			c.Env = []string{"SERIN_FLAG=a", "SERIN_STEP=2"}
			if out, _ := b.Run(t.Context(), c); !out.Running {
				t.Errorf("status %d: the outcome counts for the next step", status)
			}
			synctest.Wait()
			b.Wait()
		}
	})
}

// TestBackgroundBounded holds that a few commands run at once, and that all get their turn.
func TestBackgroundBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most, ran := 0, 0, 0
		b := NewBackground(t.Context(), runnerFunc(func(guard.Command) {
			mu.Lock()
			running, ran = running+1, ran+1
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Minute)
			mu.Lock()
			defer mu.Unlock()
			running--
		}), time.Minute)
		for i := range 50 {
			b.Run(t.Context(), guard.Command{Run: []string{"smoke"}, Env: []string{fmt.Sprint("SERIN_FLAG=", i)}})
		}
		b.Wait()
		if most != atOnce || ran != 50 {
			t.Errorf("%d ran, %d at once", ran, most)
		}
	})
}

type runnerFunc func(c guard.Command)

func (f runnerFunc) Run(_ context.Context, c guard.Command) (guard.Outcome, error) {
	f(c)
	return guard.Outcome{}, nil
}
