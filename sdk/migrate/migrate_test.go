package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/migrate"
	"github.com/serin-flags/serin/sdk/sdktest"
)

var flag = sdk.String("orders-store", "off")

var (
	errOld = errors.New("the old store is down")
	errNew = errors.New("the new store is down")
)

// A pair is two stores that record what they are asked.
type pair struct {
	mu             sync.Mutex
	calls          []string
	oldErr, newErr error
	oldAnswer      string
	newAnswer      string
}

func (p *pair) call(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, name)
}

func (p *pair) readOld(context.Context) (string, error) {
	p.call("read old")
	return p.oldAnswer, p.oldErr
}
func (p *pair) readNew(context.Context) (string, error) {
	p.call("read new")
	return p.newAnswer, p.newErr
}
func (p *pair) writeOld(context.Context) error { p.call("write old"); return p.oldErr }
func (p *pair) writeNew(context.Context) error { p.call("write new"); return p.newErr }

func equal(a, b string) bool { return a == b }

func migration(t *testing.T, stage string) *migrate.Migration {
	client := sdktest.New(t, map[string]any{"orders-store": stage})
	return migrate.New(client.Client, flag, migrate.Config{})
}

// TestStages holds, for each stage and each failure, what is asked and what the caller gets.
func TestStages(t *testing.T) {
	for _, c := range []struct {
		stage          string
		oldErr, newErr error
		reads          []string
		answer         string
		readErr        error
		writes         []string
		writeErr       error
	}{
		{"off", nil, nil, []string{"read old"}, "old", nil, []string{"write old"}, nil},
		{"off", errOld, nil, []string{"read old"}, "old", errOld, []string{"write old"}, errOld},
		{"nonsense", nil, nil, []string{"read old"}, "old", nil, []string{"write old"}, nil},
		{"dualwrite", nil, nil, []string{"read old"}, "old", nil, []string{"write old", "write new"}, nil},
		{"dualwrite", nil, errNew, []string{"read old"}, "old", nil, []string{"write old", "write new"}, nil},
		{"dualwrite", errOld, nil, []string{"read old"}, "old", errOld, []string{"write old"}, errOld},
		{"shadow", nil, nil, []string{"read old", "read new"}, "old", nil, []string{"write old", "write new"}, nil},
		{"shadow", nil, errNew, []string{"read old", "read new"}, "old", nil, []string{"write old", "write new"}, nil},
		{"shadow", errOld, nil, []string{"read old", "read new"}, "old", errOld, []string{"write old"}, errOld},
		{"live", nil, nil, []string{"read new", "read old"}, "new", nil, []string{"write new", "write old"}, nil},
		{"live", errOld, nil, []string{"read new", "read old"}, "new", nil, []string{"write new", "write old"}, nil},
		{"live", nil, errNew, []string{"read new", "read old"}, "old", nil, []string{"write new"}, errNew},
		{"rampdown", nil, nil, []string{"read new"}, "new", nil, []string{"write new", "write old"}, nil},
		{"rampdown", errOld, nil, []string{"read new"}, "new", nil, []string{"write new", "write old"}, nil},
		{"rampdown", nil, errNew, []string{"read new", "read old"}, "old", nil, []string{"write new"}, errNew},
		{"rampdown", errOld, errNew, []string{"read new", "read old"}, "old", errNew, []string{"write new"}, errNew},
		{"complete", nil, nil, []string{"read new"}, "new", nil, []string{"write new"}, nil},
		{"complete", nil, errNew, []string{"read new"}, "new", errNew, []string{"write new"}, errNew},
	} {
		t.Run(fmt.Sprint(c.stage, c.oldErr, c.newErr), func(t *testing.T) {
			m := migration(t, c.stage)
			p := &pair{oldErr: c.oldErr, newErr: c.newErr, oldAnswer: "old", newAnswer: "new"}
			answer, err := migrate.Read(t.Context(), m, sdk.User("u-1"), p.readOld, p.readNew, equal)
			if werr := m.Wait(t.Context()); werr != nil {
				t.Fatal(werr)
			}
			if answer != c.answer || !errors.Is(err, c.readErr) || (err == nil) != (c.readErr == nil) {
				t.Errorf("a read returns %q, %v", answer, err)
			}
			if !slices.Equal(p.calls, c.reads) {
				t.Errorf("a read asks %v, not %v", p.calls, c.reads)
			}
			p.calls = nil
			if err := m.Write(t.Context(), sdk.User("u-1"), p.writeOld, p.writeNew); !errors.Is(err, c.writeErr) ||
				(err == nil) != (c.writeErr == nil) {
				t.Errorf("a write returns %v", err)
			}
			if !slices.Equal(p.calls, c.writes) {
				t.Errorf("a write asks %v, not %v", p.calls, c.writes)
			}
		})
	}
}

// TestCounts holds what is counted and reported.
func TestCounts(t *testing.T) {
	client := sdktest.New(t, map[string]any{"orders-store": "shadow"})
	var mu sync.Mutex
	var events []migrate.Event
	m := migrate.New(client.Client, flag, migrate.Config{Report: func(e migrate.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}})
	same, other := &pair{oldAnswer: "x", newAnswer: "x"}, &pair{oldAnswer: "x", newAnswer: "y"}
	broken := func(context.Context) (string, error) { panic("nil pointer") }
	for range 3 {
		_, _ = migrate.Read(t.Context(), m, sdk.User("u-1"), same.readOld, same.readNew, equal)
	}
	_, _ = migrate.Read(t.Context(), m, sdk.User("u-1"), other.readOld, other.readNew, equal)
	_, _ = migrate.Read(t.Context(), m, sdk.User("u-1"), other.readOld, broken, equal)
	_ = m.Write(t.Context(), sdk.User("u-1"), same.writeOld, func(context.Context) error { return errNew })
	if err := m.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := migrate.Counts{Reads: 5, Writes: 1, Other: 6, OtherErrors: 2, Equal: 3, Unequal: 1}
	if got := m.Counts(); got != want {
		t.Errorf("counted %+v, not %+v", got, want)
	}
	if len(events) != 6 {
		t.Errorf("%d events: %+v", len(events), events)
	}
}

// TestSlow holds that a store that hangs delays no read, for longer than its timeout no write,
// and that only so many reads wait for it.
func TestSlow(t *testing.T) {
	client := sdktest.New(t, map[string]any{"orders-store": "shadow"})
	synctest.Test(t, func(t *testing.T) {
		m := migrate.New(client.Client, flag, migrate.Config{Timeout: 3 * time.Second, Parallel: 2})
		p := &pair{oldAnswer: "x"}
		hangs := func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		for range 5 {
			if _, err := migrate.Read(ctx, m, sdk.User("u-1"), p.readOld, hangs, equal); err != nil {
				t.Error(err)
			}
		}
		cancel() // which doesn't end the comparisons
		if took := time.Since(begin); took > 0 {
			t.Errorf("the reads took %v", took)
		}
		if err := m.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("the comparisons took %v", took)
		}
		begin = time.Now()
		if err := m.Write(t.Context(), sdk.User("u-1"), p.writeOld,
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("the write took %v", took)
		}
		if c := m.Counts(); c.Skipped != 3 || c.OtherErrors != 3 {
			t.Errorf("counted %+v", c)
		}
	})
}

// TestConcurrentWaits holds, under the race detector, that comparisons may begin and end while
// several callers wait, and that a caller gives up waiting when its context ends.
func TestConcurrentWaits(t *testing.T) {
	client := sdktest.New(t, map[string]any{"orders-store": "shadow"})
	m := migrate.New(client.Client, flag, migrate.Config{Parallel: 2})
	p := &pair{oldAnswer: "x", newAnswer: "x"}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				_, _ = migrate.Read(t.Context(), m, sdk.User("u-1"), p.readOld, p.readNew, equal)
			}
		})
		all.Go(func() {
			for range 500 {
				if err := m.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := m.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if c := m.Counts(); c.Equal+c.Skipped != 2000 || c.Other != c.Equal {
		t.Errorf("counted %+v", c)
	}
}

// TestWaitGivesUp holds that Wait ends with its context, and that reads are compared afterwards
// as before.
func TestWaitGivesUp(t *testing.T) {
	client := sdktest.New(t, map[string]any{"orders-store": "shadow"})
	synctest.Test(t, func(t *testing.T) {
		m := migrate.New(client.Client, flag, migrate.Config{Timeout: time.Hour, Parallel: 2})
		p := &pair{oldAnswer: "x", newAnswer: "x"}
		hangs := func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		_, _ = migrate.Read(t.Context(), m, sdk.User("u-1"), p.readOld, hangs, equal)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var waits sync.WaitGroup
		for range 2 {
			waits.Go(func() {
				if err := m.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("waiting ended with %v", err)
				}
			})
		}
		waits.Wait()
		_, _ = migrate.Read(t.Context(), m, sdk.User("u-1"), p.readOld, p.readNew, equal)
		synctest.Wait()
		if c := m.Counts(); c.Equal != 1 || c.Skipped != 0 {
			t.Errorf("counted %+v", c)
		}
		if err := m.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
