package sdk_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// timed publishes flags that depend on time, counted in seconds from start, and
// some that don't:
//
//   - "steps" ramps to a half after a minute and to all after two
//   - "line" ramps from nothing to all within an hour
//   - "sale" is on from the 60th second until before the 120th
//   - "shift" is on from 09:00 to 18:00, Monday to Friday, 8 h east of UTC
//   - "after" is on while sale is
//   - "layered" is on for a half, of which "steps" knows nothing
func (r *repository) timed(t testing.TB, start time.Time) {
	t.Helper()
	at := func(seconds int64) int64 { return start.Unix() + seconds }
	ramp := func(key string, linear bool, points ...evaluator.Point) evaluator.Flag {
		return boolean(key, evaluator.Rule{Name: "ramp", Split: &evaluator.Split{
			Bucketing: evaluator.Bucketing{By: "user", Salt: key, Hash: evaluator.HashMurmur3},
			Ramp:      &evaluator.Ramp{Rest: 1, Points: points, Linear: linear},
		}})
	}
	when := func(key string, c evaluator.Condition) evaluator.Flag {
		return boolean(key, evaluator.Rule{Name: "when", When: &c,
			Metadata: []evaluator.Attr{evaluator.NewAttr("weight", 3)}})
	}
	layered := boolean("layered", evaluator.Rule{Name: "all"})
	layered.Metadata = []evaluator.Attr{evaluator.NewAttr("owner", "search")}
	layered.Reserved = &evaluator.Reservation{Layer: "search",
		Bucketing: evaluator.Bucketing{By: "user", Salt: "layer:search", Hash: evaluator.HashMurmur3},
		Spans:     []evaluator.Span{{To: evaluator.Positions / 2}}}
	payload := numbered(r.env, 0)[0]
	payload.Ruleset.Zones = []evaluator.Zone{{Name: "Asia/Shanghai", Offsets: []evaluator.Offset{{Seconds: 8 * 3600}}}}
	payload.Ruleset.Flags = []evaluator.Flag{
		ramp("steps", false, evaluator.Point{At: at(60), Level: evaluator.Positions / 2},
			evaluator.Point{At: at(120), Level: evaluator.Positions}),
		ramp("line", true, evaluator.Point{At: at(0), Level: 0},
			evaluator.Point{At: at(3600), Level: evaluator.Positions}),
		when("sale", evaluator.Condition{Op: evaluator.OpPeriod, Ints: []int64{at(60), at(120)}}),
		when("shift", evaluator.Condition{Op: evaluator.OpWindow, Strings: []string{"Asia/Shanghai"},
			Ints: []int64{0b0111110, 9 * 3600, 18 * 3600}}),
		when("after", evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"sale", "on"}}),
		layered,
	}
	r.publish(t, payload)
}

// doors are the ways to ask a client whether a boolean flag is on.
var doors = map[string]func(c *sdk.Client, key string, ctx sdk.Context) bool{
	"Get": func(c *sdk.Client, key string, ctx sdk.Context) bool { return sdk.Bool(key, false).Get(c, ctx) },
	"Explain": func(c *sdk.Client, key string, ctx sdk.Context) bool {
		return sdk.Bool(key, false).Explain(c, ctx).Value
	},
	"Evaluate": func(c *sdk.Client, key string, ctx sdk.Context) bool { return c.Evaluate(key, ctx).Variant() == "on" },
	"All": func(c *sdk.Client, key string, ctx sdk.Context) bool {
		return maps.Collect(c.Snapshot().All(ctx))[key].Variant() == "on"
	},
	"trace": func(c *sdk.Client, key string, ctx sdk.Context) bool {
		return c.Snapshot().Explain(key, ctx).Variant == "on"
	},
}

// TestClock checks that flags which depend on time change exactly at the second,
// without a poll, through each door; and that a caller's own time counts more.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now() // midnight UTC, a Saturday
		r := newRepository(t, "production")
		r.timed(t, start)
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
		early, late := sides(t, client, start)
		const day = 24 * time.Hour
		opens, closes := 2*day+time.Hour, 2*day+10*time.Hour // on Monday in Shanghai
		steps := []struct {
			after time.Duration
			want  map[string]bool // by flag; "steps" for early, "steps late" for late
		}{
			{0, map[string]bool{}},
			{60*time.Second - 1, map[string]bool{}},
			{60 * time.Second, map[string]bool{"steps": true, "sale": true, "after": true}},
			{120*time.Second - 1, map[string]bool{"steps": true, "sale": true, "after": true}},
			{120 * time.Second, map[string]bool{"steps": true, "steps late": true}},
			{day + 2*time.Hour, map[string]bool{"steps": true, "steps late": true}}, // Sunday
			{opens - 1, map[string]bool{"steps": true, "steps late": true}},
			{opens, map[string]bool{"steps": true, "steps late": true, "shift": true}},
			{closes - 1, map[string]bool{"steps": true, "steps late": true, "shift": true}},
			{closes, map[string]bool{"steps": true, "steps late": true}},
		}
		for _, step := range steps {
			time.Sleep(step.after - time.Since(start))
			for name, ask := range doors {
				for key, user := range map[string]string{"steps": early, "sale": early, "after": early, "shift": early,
					"steps late": late} {
					flag := key
					if key == "steps late" {
						flag = "steps"
					}
					if got := ask(client, flag, sdk.User(user)); got != step.want[key] {
						t.Errorf("%v after the start: %s by %s is %t", step.after, key, name, got)
					}
				}
			}
		}
		for name, ask := range doors {
			if !ask(client, "sale", sdk.Context{Now: start.Unix() + 60}) ||
				ask(client, "sale", sdk.Context{Now: start.Unix() + 59}) {
				t.Errorf("%s doesn't take the caller's time", name)
			}
		}
	})
}

// sides returns a user of the first half of "steps" and one of the second.
func sides(t *testing.T, client *sdk.Client, start time.Time) (early, late string) {
	t.Helper()
	steps := sdk.Bool("steps", false)
	for _, user := range users(100) {
		if steps.Get(client, sdk.Context{Key: user, Now: start.Unix() + 60}) {
			early = user
		} else {
			late = user
		}
	}
	if early == "" || late == "" {
		t.Fatal("100 users are all in one half")
	}
	return early, late
}

// TestRampFollowsTheClock counts the share of a linear ramp every ten minutes:
// it grows, and nobody who has the variant loses it. 2% of 10,000 are 4 standard
// deviations or more.
func TestRampFollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := newRepository(t, "production")
		r.timed(t, start)
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
		line, names := sdk.Bool("line", false), users(10_000)
		had := make(map[string]bool)
		for tenth := range 7 {
			on := 0
			for _, user := range names {
				got := line.Get(client, sdk.User(user))
				if had[user] && !got {
					t.Fatalf("%s has lost the variant after %v", user, time.Since(start))
				}
				if had[user] = got; got {
					on++
				}
			}
			if want := len(names) * tenth / 6; on < want-200 || on > want+200 || tenth == 0 && on > 0 || tenth == 6 &&
				on < len(names) {
				t.Errorf("after %v the variant has %d of %d, want %d", time.Since(start), on, len(names), want)
			}
			time.Sleep(10 * time.Minute)
		}
	})
}

// TestSnapshotExplain compares traces with answers, and checks that absent flags
// and snapshots have one too.
func TestSnapshotExplain(t *testing.T) {
	client := filled(t)
	for _, ctx := range []sdk.Context{{}, sdk.User("u-1"), sdk.User("u-2", sdk.Attr("city", "shenzhen"))} {
		for key, r := range client.Snapshot().All(ctx) {
			trace := client.Snapshot().Explain(key, ctx)
			if trace.Flag != key || trace.Reason != r.Reason() || trace.Rule != r.Rule() ||
				trace.MissingUnit != r.MissingUnit() ||
				key != "lottery" && trace.Variant != r.Variant() {
				t.Errorf("%s is served %q, %v, the trace is\n%s", key, r.Variant(), r.Reason(), trace)
			}
		}
	}
	draws := make(map[uint64]bool)
	for range 10 {
		draws[client.Snapshot().Explain("lottery", sdk.Context{Chance: 5}).Rules[0].Draw.Position] = true
	}
	if len(draws) < 2 { // by chance once in 2^288
		t.Errorf("each draw is %v", draws)
	}
	for name, trace := range map[string]evaluator.Trace{
		"absent":      client.Snapshot().Explain("gone", sdk.Context{}),
		"no snapshot": (*sdk.Snapshot)(nil).Explain("left", sdk.Context{}),
	} {
		if trace.Reason != evaluator.ReasonError || trace.Variant != "" || trace.Value != (evaluator.Value{}) {
			t.Errorf("%s: %+v", name, trace)
		}
	}
}

// TestExplainMetadata checks that an explanation has what the flag and the rule
// that served say about themselves, and what was missing for a layer.
func TestExplainMetadata(t *testing.T) {
	r := newRepository(t, "production")
	r.timed(t, time.Now())
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	sale, layered := sdk.Bool("sale", false), sdk.Bool("layered", true)
	weight, owner := []evaluator.Attr{evaluator.NewAttr("weight", 3)},
		[]evaluator.Attr{evaluator.NewAttr("owner", "search")}
	for _, test := range []struct {
		name        string
		got         sdk.Explanation[bool]
		metadata    []evaluator.Attr
		missingUnit string
	}{
		{"by the rule", sale.Explain(client, sdk.Context{Now: time.Now().Unix() + 90}), weight, ""},
		{"not by the rule", sale.Explain(client, sdk.Context{Now: 1}), nil, ""},
		{"without a unit", layered.Explain(client, sdk.Context{}), owner, "user"},
		{"absent", sdk.Bool("gone", true).Explain(client, sdk.Context{}), nil, ""},
		{"other type", sdk.Bool("color", true).Explain(client, sdk.Context{}), nil, ""},
	} {
		if diff := cmp.Diff(test.metadata, test.got.Metadata,
			cmp.Comparer(func(a, b evaluator.Value) bool { return a == b })); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", test.name, diff)
		}
		if test.got.MissingUnit != test.missingUnit {
			t.Errorf("%s: missing unit %q", test.name, test.got.MissingUnit)
		}
	}
}
