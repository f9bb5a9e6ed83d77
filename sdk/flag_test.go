package sdk_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/sdk"
)

// filled returns a client that serves revision 1, number 7.
func filled(t testing.TB) *sdk.Client {
	t.Helper()
	r := newRepository(t, "production")
	r.number(t, 7)
	return open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
}

// empty returns a client that has no flags yet.
func empty(t testing.TB) *sdk.Client {
	t.Helper()
	r := newRepository(t, "production")
	return open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
}

func TestGet(t *testing.T) {
	client := filled(t)
	shenzhen := sdk.User("u-1", sdk.Attr("city", "shenzhen"))
	checks := []struct {
		name      string
		got, want any
	}{
		{"integer", sdk.Int("left", 1).Get(client, shenzhen), int64(7)},
		{"string", sdk.String("color", "red").Get(client, shenzhen), "#00f"},
		{"number", sdk.Float("ratio", 0.1).Get(client, shenzhen), 0.5},
		{"integer as number", sdk.Float("left", 0.1).Get(client, shenzhen), 7.0},
		{"boolean that matches", sdk.Bool("local", false).Get(client, shenzhen), true},
		{"boolean that doesn't", sdk.Bool("local", true).Get(client, sdk.User("u-1")), false},
		{"absent boolean", sdk.Bool("gone", true).Get(client, shenzhen), true},
		{"absent string", sdk.String("gone", "x").Get(client, shenzhen), "x"},
		{"no key", sdk.Bool("", true).Get(client, shenzhen), true},
		{"boolean of a string", sdk.Bool("color", true).Get(client, shenzhen), true},
		{"string of a boolean", sdk.String("local", "x").Get(client, shenzhen), "x"},
		{"string of an object", sdk.String("shape", "x").Get(client, shenzhen), "x"},
		{"integer of a number", sdk.Int("ratio", 3).Get(client, shenzhen), int64(3)},
		{"zero handle", new(sdk.Flag[bool]).Get(client, shenzhen), false},
		{"nil client", sdk.Int("left", 1).Get(nil, shenzhen), int64(1)},
		{"empty client", sdk.Int("left", 1).Get(empty(t), shenzhen), int64(1)},
	}
	for _, c := range checks {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	client := filled(t)
	local := sdk.Bool("local", true)
	rollout := sdk.Bool("new-checkout", true)
	type explanation = sdk.Explanation[bool]
	tests := []struct {
		name      string
		got, want explanation
	}{
		{"rule", local.Explain(client, sdk.User("u-1", sdk.Attr("city", "shenzhen"))),
			explanation{Value: true, Variant: "on", Reason: evaluator.ReasonTargetingMatch, Rule: "by city",
				Revision: 1}},
		{"no rule", local.Explain(client, sdk.User("u-1")),
			explanation{Value: false, Variant: "off", Reason: evaluator.ReasonDefault, Revision: 1}},
		{"missing unit", rollout.Explain(client, sdk.Context{}),
			explanation{Value: false, Variant: "off", Reason: evaluator.ReasonDefault, MissingUnit: "user",
				Revision: 1}},
		{"absent", sdk.Bool("gone", true).Explain(client, sdk.Context{}),
			explanation{Value: true, Reason: evaluator.ReasonError, Revision: 1, Err: sdk.ErrFlagNotFound}},
		{"other type", sdk.Bool("color", true).Explain(client, sdk.Context{}),
			explanation{Value: true, Reason: evaluator.ReasonError, Revision: 1, Err: sdk.ErrTypeMismatch}},
		{"nil client", local.Explain(nil, sdk.Context{}),
			explanation{Value: true, Reason: evaluator.ReasonError, Err: sdk.ErrNotReady}},
		{"empty client", local.Explain(empty(t), sdk.Context{}),
			explanation{Value: true, Reason: evaluator.ReasonError, Err: sdk.ErrNotReady}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.got, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if got := rollout.Explain(client, sdk.User("u-1")).Reason; got != evaluator.ReasonSplit {
		t.Errorf("rollout: reason %v", got)
	}
}

// TestHandleAgreesWithProgram compares the quick way with the plain one.
func TestHandleAgreesWithProgram(t *testing.T) {
	client := filled(t)
	rollout := sdk.Bool("new-checkout", false)
	on := 0
	for _, user := range users(10_000) {
		got := rollout.Get(client, sdk.User(user))
		want, _ := client.Snapshot().Program().Flag("new-checkout").Evaluate(
			&evaluator.Context{Key: user}).Value().Bool()
		if got != want {
			t.Fatalf("%s: %t, want %t", user, got, want)
		}
		if got {
			on++
		}
	}
	if on < 2_800 || on > 3_200 {
		t.Errorf("30%% are %d of 10,000", on)
	}
}

func TestAttr(t *testing.T) {
	got := sdk.User("u-1", sdk.Attr("a", "text"), sdk.Attr("b", true), sdk.Attr("c", -3), sdk.Attr("d", int64(1)<<60),
		sdk.Attr("e", 0.25),
		sdk.Attr("f", []string{"x", ""}), sdk.Attr("g", []string(nil)))
	want := evaluator.Context{Key: "u-1", Attrs: []evaluator.Attr{
		evaluator.NewAttr("a", "text"), evaluator.NewAttr("b", true), evaluator.NewAttr("c", -3),
		evaluator.NewAttr("d", int64(1<<60)), evaluator.NewAttr("e", 0.25),
		evaluator.NewAttr("f", []string{"x", ""}), evaluator.NewAttr("g", []string{}),
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b evaluator.Value) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestChance draws again for each call, through each door. With 10% in 10,000
// draws, 7 standard deviations are 210.
func TestChance(t *testing.T) {
	client := filled(t)
	lottery := sdk.Bool("lottery", false)
	same := sdk.User("u-1")
	for name, draw := range map[string]func() bool{
		"Get":      func() bool { return lottery.Get(client, same) },
		"Explain":  func() bool { return lottery.Explain(client, same).Value },
		"Evaluate": func() bool { v, _ := client.Evaluate("lottery", same).Value().Bool(); return v },
	} {
		on := 0
		for range 10_000 {
			if draw() {
				on++
			}
		}
		if on < 790 || on > 1_210 {
			t.Errorf("%s: 10%% are %d of 10,000", name, on)
		}
	}
}

// TestSharedHandle uses one handle with clients in which the flag stands in
// different places, or not at all, at the same time.
func TestSharedHandle(t *testing.T) {
	var clients []*sdk.Client
	for i, flags := range [][]string{{"flag"}, {"a", "b", "flag"}, {"a", "b"}, {"flag", "x", "y"}, {}} {
		r := newRepository(t, "production")
		payload := numbered("production", 0)[0]
		payload.Ruleset.Flags = nil
		for _, key := range flags {
			payload.Ruleset.Flags = append(payload.Ruleset.Flags,
				constant(key, evaluator.KindInt, evaluator.IntValue(int64(i))))
		}
		r.publish(t, payload)
		clients = append(clients, open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1}))
	}
	clients = append(clients, nil)
	want := []int64{0, 1, -1, 3, -1, -1}
	handle := sdk.Int("flag", -1)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range soak.Times(2_000, 20_000) {
				which := (i + g) % len(clients)
				if got := handle.Get(clients[which], sdk.Context{}); got != want[which] {
					t.Errorf("client %d: %d, want %d", which, got, want[which])
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestGetDoesNotAllocate(t *testing.T) {
	one, two := filled(t), filled(t)
	rollout, lottery := sdk.Bool("new-checkout", false), sdk.Bool("lottery", false)
	absent, mistyped, local := sdk.Bool("gone", false), sdk.Bool("color", false), sdk.Bool("local", false)
	color, ratio := sdk.String("color", ""), sdk.Float("ratio", 0)
	shape, broken := sdk.JSON("shape", figure{}), sdk.JSON("shape", []string{})
	r := newRepository(t, "production")
	r.aging(t)
	aging, fresh := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1}), sdk.Bool("fresh", false)
	names := users(64)
	i := 0
	next := func() string { i++; return names[i%len(names)] }
	for name, f := range map[string]func(){
		"rollout":       func() { rollout.Get(one, sdk.User(next())) },
		"arm":           func() { rollout.Arm(one, sdk.User(next())) },
		"chance":        func() { lottery.Get(one, sdk.Context{}) },
		"string":        func() { color.Get(one, sdk.Context{}) },
		"number":        func() { ratio.Get(one, sdk.Context{}) },
		"object":        func() { shape.Get(one, sdk.Context{}) },
		"broken object": func() { broken.Get(one, sdk.Context{}) },
		"absent":        func() { absent.Get(one, sdk.Context{}) },
		"other type":    func() { mistyped.Get(one, sdk.Context{}) },
		"nil client":    func() { rollout.Get(nil, sdk.Context{}) },
		"two clients":   func() { rollout.Get(one, sdk.User(next())); rollout.Get(two, sdk.User(next())) },
		"absent in two": func() { absent.Get(one, sdk.Context{}); absent.Get(two, sdk.Context{}) },
		"max_stale":     func() { fresh.Get(aging, sdk.User(next())) },
		"explain":       func() { rollout.Explain(one, sdk.User(next())) },
		"by name":       func() { one.Evaluate("new-checkout", sdk.User(next())) },
		// Contexts that are built for each call.
		"attributes": func() {
			rollout.Get(one, sdk.User(next(), sdk.Attr("city", "shenzhen"), sdk.Attr("uid", 42), sdk.Attr("beta", true),
				sdk.Attr("ratio", 0.5)))
		},
		"attributes that count": func() {
			local.Get(one,
				sdk.User(next(), sdk.Attr("city", next()), sdk.Attr("uid", int64(i))))
		},
		"attributes, by chance": func() { lottery.Get(one, sdk.User(next(), sdk.Attr("city", next()))) },
		"attributes, two clients": func() {
			local.Get(one, sdk.User("", sdk.Attr("city", next())))
			local.Get(two, sdk.User("", sdk.Attr("city", "shenzhen")))
		},
		"attributes, object":      func() { shape.Get(one, sdk.User(next(), sdk.Attr("city", next()))) },
		"attributes, explain":     func() { local.Explain(one, sdk.User(next(), sdk.Attr("city", next()))) },
		"attributes, by name":     func() { one.Evaluate("local", sdk.User(next(), sdk.Attr("city", next()))) },
		"attributes, by a helper": func() { local.Get(one, cityContext(make([]evaluator.Attr, 0, 4), next())) },
		"attributes, from one snapshot": func() {
			one.Snapshot().Evaluate("local",
				sdk.User(next(), sdk.Attr("city", next())))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(1000, f); n > 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// cityContext is a helper function that has room for attributes.
//
//go:noinline
func cityContext(room []evaluator.Attr, city string) sdk.Context {
	return sdk.User("u-1", append(room, sdk.Attr("city", city), sdk.Attr("uid", 42))...)
}

// TestWholeRevisions evaluates a thousand times per revision while revisions change.
// Whoever looks at one snapshot must find both numbers equal, and no number may ever
// go back.
func TestWholeRevisions(t *testing.T) {
	const readers = 2
	revisions := int64(soak.Times(101, 1001))
	evaluations := 1000 * (revisions - 1)
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	changes := int64(0)
	client.OnChange(func(sdk.Change) { changes++ })
	var total atomic.Int64
	var wg sync.WaitGroup
	var begin [readers]chan int64 // to evaluate until that revision is there
	for i := range begin {
		begin[i] = make(chan int64)
		wg.Go(func() {
			for revision := range begin[i] {
				n, err := readWhole(client, revision, evaluations/readers/(revisions-1))
				if err != nil {
					t.Error(err)
				}
				total.Add(n)
			}
		})
	}
	for n := int64(2); n <= revisions && !t.Failed(); n++ {
		r.number(t, n)
		for _, c := range begin {
			c <- n
		}
		for client.Refresh(t.Context()) != nil { // or else the others wait for ever
			t.Errorf("revision %d: %v", n, client.Status())
			r.number(t, n)
		}
	}
	for _, c := range begin {
		close(c)
	}
	wg.Wait()
	serves(t, client, revisions)
	if n := total.Load(); n < evaluations || changes != revisions-1 {
		t.Errorf("%d evaluations over %d changes", n, changes)
	}
}

// readWhole evaluates until a revision is served, and at least so many times.
func readWhole(client *sdk.Client, until, least int64) (n int64, err error) {
	for last := int64(0); last < until || n < least; n += 3 {
		if n >= least {
			runtime.Gosched()
		}
		s := client.Snapshot()
		l, ok1 := s.Evaluate("left", sdk.Context{}).Value().Int()
		r, ok2 := s.Evaluate("right", sdk.Context{}).Value().Int()
		switch {
		case !ok1 || !ok2:
			return n, errors.New("a flag is missing")
		case l != r || l != s.Revision():
			return n, fmt.Errorf("left %d and right %d in revision %d", l, r, s.Revision())
		case l < last:
			return n, fmt.Errorf("%d after %d", l, last)
		}
		last = l
		if now := left.Get(client, sdk.Context{}); now < last {
			return n, fmt.Errorf("handle says %d after %d", now, last)
		}
	}
	return n, nil
}
