package sdk_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// flags returns a payload of integer flags that are all n.
func flags(n int64, keys ...string) bundle.Payload {
	payload := numbered("production", n)[0]
	payload.Ruleset.Flags = nil
	for _, key := range keys {
		payload.Ruleset.Flags = append(payload.Ruleset.Flags, constant(key, evaluator.KindInt, evaluator.IntValue(n)))
	}
	return payload
}

// TestMaxShrink publishes updates that drop flags, to a client that was asked for
// a, b, c and d, and for another that was dropped before.
func TestMaxShrink(t *testing.T) {
	const old, fresh = 1, 2
	for _, test := range []struct {
		name   string
		shrink float64
		keys   string // of the update
		held   bool
	}{
		{"a half", 0, "a b", false},
		{"more than a half", 0, "a x y z", true},
		{"all", 0, "x", true},
		{"what nobody asks for", 0, "a b c d", false},
		{"a quarter", 0.25, "a b c", false},
		{"more than a quarter", 0.25, "a b", true},
		{"all, unguarded", 1, "x", false},
		{"all, unguarded by a negative share", -1, "x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRepository(t, "production")
			r.publish(t, flags(old, "a", "b", "c", "d", "idle-1", "idle-2", "idle-3"))
			client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, MaxShrink: test.shrink})
			for _, key := range []string{"a", "b", "c", "d", "gone"} {
				sdk.Int(key, -1).Get(client, sdk.Context{})
			}
			r.publish(t, flags(fresh, strings.Fields(test.keys)...))
			err := client.Refresh(t.Context())
			if errors.Is(err, sdk.ErrHeldBack) != test.held || err != nil && !test.held {
				t.Errorf("error %v", err)
			}
			if want := int64(1); test.held && client.Snapshot().Revision() != want || !test.held &&
				client.Snapshot().Revision() == want {
				t.Errorf("serves %v", client.Status())
			}
		})
	}
}

// TestHeldBack follows an update that is held back until it is confirmed.
func TestHeldBack(t *testing.T) {
	var log bytes.Buffer
	r := newRepository(t, "production")
	r.publish(t, flags(1, "a", "b", "c"))
	cfg := sdk.Config{Source: &broken{Source: r.source(t)}, Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir(),
		Logger: slog.New(slog.NewTextHandler(&log, nil))}
	src := cfg.Source.(*broken)
	client := open(t, cfg)
	a := sdk.Int("a", -1)
	a.Get(client, sdk.Context{})
	for i := range 2 { // what was asked for is known in later revisions too
		r.publish(t, flags(int64(i)+2, "a", "b", "c"))
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.publish(t, flags(4, "b"))
	var told []*sdk.HeldBack
	client.OnStatus(func(s sdk.Status) { told = append(told, s.Held) })
	src.taken()
	for range 3 {
		err := client.Refresh(t.Context())
		const want = "update held back: it drops 1 of the 1 flags that this program uses (a); publish another revision to confirm it, or set Config.MaxShrink"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		r.renew(t) // confirms nothing
	}
	downloads := 0
	for _, name := range src.taken() {
		if strings.HasPrefix(name, "targets/") {
			downloads++
		}
	}
	held := &sdk.HeldBack{Revision: 4, Asked: 1, Dropped: []string{"a"}}
	st := client.Status()
	if st.State != sdk.Stale || st.Revision != 3 || len(st.Errors) > 0 || downloads != 1 {
		t.Errorf("status %v, the payload was downloaded %d times", st, downloads)
	}
	if diff := cmp.Diff(held, st.Held); diff != "" {
		t.Errorf("held back (-want +got):\n%s", diff)
	}
	if n := strings.Count(log.String(),
		"level=ERROR msg=\"holding back an update\" environment=production revision=3 held=4"); n != 1 {
		t.Errorf("%d alarms in the log:\n%s", n, &log)
	}
	// A failure doesn't make it forgotten.
	src.set(fail)
	if err := client.Refresh(t.Context()); errors.Is(err, sdk.ErrHeldBack) || client.Status().Held == nil {
		t.Errorf("error %v, held back %v", err, client.Status().Held)
	}
	src.set(nil)
	r.publish(t, flags(5, "b", "x"))
	if err := client.Refresh(t.Context()); err != nil {
		t.Errorf("confirmed: %v", err)
	}
	if st := client.Status(); st.State != sdk.Fresh || st.Revision != 5 || st.Held != nil ||
		a.Get(client, sdk.Context{}) != -1 {
		t.Errorf("confirmed: %v", st)
	}
	if len(told) < 2 || told[0] == nil || told[len(told)-1] != nil {
		t.Errorf("told of %v", told)
	}
}

// TestHeldBackAndRestart: what is held back isn't saved, and a new process, which
// has asked for nothing, takes it.
func TestHeldBackAndRestart(t *testing.T) {
	r := newRepository(t, "production")
	r.publish(t, flags(1, "a"))
	cfg := sdk.Config{Source: &broken{Source: r.source(t)}, Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
	client := open(t, cfg)
	a, b := sdk.Int("a", -1), sdk.Int("b", -1)
	a.Get(client, sdk.Context{})
	r.publish(t, flags(2, "b"))
	if err := client.Refresh(t.Context()); !errors.Is(err, sdk.ErrHeldBack) {
		t.Errorf("error %v", err)
	}
	client.Close()
	again := open(t, cfg)
	if got := a.Get(again, sdk.Context{}); got != 1 {
		t.Errorf("from the cache a is %d", got)
	}
	again.Close()
	third := open(t, cfg)
	if err := third.Refresh(t.Context()); err != nil || b.Get(third, sdk.Context{}) != 2 {
		t.Errorf("after a restart: %v, b is %d", err, b.Get(third, sdk.Context{}))
	}
}

// TestMismatch reports a handle of another type once for each revision.
func TestMismatch(t *testing.T) {
	var log bytes.Buffer
	r := newRepository(t, "production")
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1,
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	wrong, fine, shape := sdk.Bool("left", true), sdk.Float("left", 0), sdk.JSON("shape", []int{7})
	for n := range int64(2) {
		r.number(t, n+1)
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if !wrong.Get(client, sdk.Context{}) || fine.Get(client, sdk.Context{}) != float64(n+1) ||
				len(shape.Get(client, sdk.Context{})) != 1 {
				t.Error("no default")
			}
			wrong.Explain(client, sdk.Context{})
		}
	}
	client.Close()
	if got := client.Status().Mismatches; got != 4 {
		t.Errorf("%d mismatches", got)
	}
	for key, want := range map[string]int{"left": 2, "shape": 2} {
		for revision := 1; revision <= 2; revision++ {
			line := fmt.Sprintf(
				`msg="a handle has another type than its flag, and serves its default; declare it with the flag's type" environment=production flag=%s revision=%d`, key, revision)
			if n := strings.Count(log.String(), line); n != want/2 {
				t.Errorf("%d times in the log: %s\n%s", n, line, &log)
			}
		}
	}
}

// TestHeldBackGrowsOld: while an update is held back the flags are not the latest, and
// their age tells so.
func TestHeldBackGrowsOld(t *testing.T) {
	lambda(t, func(t *testing.T, r *repository, src *broken, client *sdk.Client) {
		serves(t, client, 1)
		r.publish(t, flags(2, "nothing"))
		for range 2 {
			time.Sleep(time.Hour)
			if err := client.Refresh(t.Context()); !errors.Is(err, sdk.ErrHeldBack) {
				t.Errorf("error %v", err)
			}
		}
		if st := client.Status(); st.Age != 2*time.Hour {
			t.Errorf("status %v", st)
		}
	})
}
