package sdk_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// aging publishes the boolean flags "fresh", which is on until it is an hour old,
// and "follows", which is on while fresh is off.
func (r *repository) aging(t testing.TB) {
	t.Helper()
	fresh := boolean("fresh", evaluator.Rule{Name: "all"})
	fresh.Stale = &evaluator.Staleness{After: 3600, Variant: 1}
	payload := numbered(r.env, 1)[0]
	payload.Ruleset.Flags = append(payload.Ruleset.Flags, fresh,
		boolean("follows", evaluator.Rule{Name: "old",
			When: &evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"fresh", "off"}}}))
	r.publish(t, payload)
}

// TestMaxStale ages flags while the source is down, and asks through each door.
func TestMaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.aging(t)
		src := &broken{Source: r.source(t)}
		cfg := sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
		client := open(t, cfg)
		expect := func(what string, client *sdk.Client, fresh bool) {
			t.Helper()
			for name, ask := range doors {
				if got := ask(client, "fresh", sdk.Context{}); got != fresh {
					t.Errorf("%s: fresh by %s is %t", what, name, got)
				}
				if got := ask(client, "follows", sdk.Context{}); got == fresh {
					t.Errorf("%s: follows by %s is %t", what, name, got)
				}
				if !ask(client, "fresh", sdk.Context{Age: 1}) || ask(client, "fresh", sdk.Context{Age: 3601}) {
					t.Errorf("%s: %s doesn't take the caller's age", what, name)
				}
			}
			if got := left.Get(client, sdk.Context{}); got != 1 {
				t.Errorf("%s: a flag without a limit is %d", what, got)
			}
		}
		expect("at first", client, true)
		src.set(fail)
		time.Sleep(time.Hour)
		_ = client.Refresh(t.Context())
		expect("after an hour", client, true)
		time.Sleep(time.Second)
		expect("after more than an hour", client, false)
		if e := sdk.Bool("fresh", true).Explain(client, sdk.Context{}); e.Reason != evaluator.ReasonStale ||
			e.Variant != "off" {
			t.Errorf("explanation %+v", e)
		}
		restarted := open(t, cfg)
		expect("after a restart", restarted, false)
		src.set(nil)
		if err := client.Refresh(t.Context()); err != nil { // nothing new, which is what counts
			t.Error(err)
		}
		expect("when the source is back", client, true)
		src.set(fail)
		expect("after a restart soon after that", open(t, cfg), true)
		cfg.CacheDir, cfg.Baked, cfg.InitTimeout = "", r.baked(t), -1
		baked := open(t, cfg)
		expect("from a baked-in copy", baked, false)
		src.set(nil)
		if err := baked.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		expect("from a baked-in copy that the source has confirmed", baked, true)
	})
}

// TestMaxStaleByChance asks for all flags at an age: of flags by chance, each of which
// has a draw of its own, too.
func TestMaxStaleByChance(t *testing.T) {
	r := newRepository(t, "production")
	lottery := split("drawn", "", 30)
	lottery.Stale = &evaluator.Staleness{After: 3600, Variant: 1}
	payload := numbered(r.env, 1)[0]
	payload.Ruleset.Flags = append(payload.Ruleset.Flags, lottery)
	r.publish(t, payload)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	for age, want := range map[int64]evaluator.Reason{1: evaluator.ReasonSplit, 3601: evaluator.ReasonStale} {
		for key, result := range client.Snapshot().All(sdk.Context{Age: age}) {
			if key == "drawn" && result.Reason() != want {
				t.Errorf("at the age of %d s the reason is %v", age, result.Reason())
			}
		}
	}
}
