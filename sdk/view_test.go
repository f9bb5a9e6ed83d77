package sdk_test

import (
	"runtime"
	"testing"

	"github.com/serin-flags/serin/sdk"
)

// TestView holds that a view answers as handles do, from one revision, without an allocation
// if it isn't kept.
func TestView(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	rollout := sdk.Bool("new-checkout", false)
	for _, user := range users(1000) {
		ctx := sdk.User(user, sdk.Attr("city", "shenzhen"))
		if got, want := rollout.In(client.For(ctx)), rollout.Get(client, ctx); got != want {
			t.Fatalf("%s: %v through a view, %v without", user, got, want)
		}
	}

	view := client.For(sdk.User("u-1"))
	r.number(t, 2)
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l, r := left.In(view), right.In(view); l != 1 || r != 1 {
		t.Errorf("after an update, the view answers %d and %d", l, r)
	}
	if l := left.In(client.For(sdk.User("u-1"))); l != 2 {
		t.Errorf("after an update, a new view answers %d", l)
	}
	if view.Snapshot().Revision() == client.Snapshot().Revision() {
		t.Error("the view's revision is the new one")
	}

	ctx := sdk.User("u-1", sdk.Attr("city", "shenzhen"), sdk.Attr("uid", 42), sdk.Attr("beta", true))
	n := testing.AllocsPerRun(100, func() { kept = client.For(ctx) })
	if n != 1 {
		t.Errorf("a view that is kept takes %v allocations", n)
	}
	n = testing.AllocsPerRun(100, func() {
		view := client.For(sdk.User("u-1", sdk.Attr("city", "shenzhen"), sdk.Attr("uid", 42), sdk.Attr("beta", true)))
		for range 20 {
			rollout.In(view)
			left.In(view)
		}
	})
	if n != 0 {
		t.Errorf("a view that only one function has takes %v allocations", n)
	}
}

// kept is where a view escapes to.
var kept *sdk.View

// TestViewOnStack holds that a view which isn't on the heap survives that its stack moves.
func TestViewOnStack(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	rollout := sdk.Bool("new-checkout", false)
	for _, user := range users(200) {
		want := rollout.Get(client, sdk.User(user, sdk.Attr("city", "shenzhen")))
		got := make(chan bool, 2)
		go func() { // on a stack of its own, which starts small
			view := client.For(sdk.User(user, sdk.Attr("city", "shenzhen")))
			got <- rollout.In(view)
			deep(200)
			runtime.GC() // which may shrink the stack again
			got <- rollout.In(view)
		}()
		if before, after := <-got, <-got; before != want || after != want {
			t.Fatalf("%s: %v, and %v after the stack has moved; want %v", user, before, after, want)
		}
	}
}

// deep takes a lot of stack.
//
//go:noinline
func deep(n int) int {
	var room [128]int
	if n > 0 {
		room[n%len(room)] = deep(n - 1)
	}
	return room[n%len(room)] + n
}

// TestViewDefaults holds that there is an answer whatever is missing.
func TestViewDefaults(t *testing.T) {
	var none *sdk.Client
	if view := none.For(sdk.User("u-1")); view.Snapshot() != nil || sdk.Int("left", 7).In(view) != 7 ||
		sdk.Int("left", 7).In(nil) != 7 {
		t.Error("a client without flags doesn't serve the default")
	}
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	view := client.For(sdk.Context{})
	if got := sdk.String("no-such-flag", "def").In(view); got != "def" {
		t.Errorf("a flag that is missing: %q", got)
	}
	if got := sdk.String("left", "def").In(view); got != "def" {
		t.Errorf("a flag of another type: %q", got)
	}
}

// TestViewDraws holds that flags by chance are drawn for each answer, also in a view.
func TestViewDraws(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	lottery := sdk.Bool("lottery", false)
	view := client.For(sdk.User("u-1"))
	won := 0
	for range 1000 {
		if lottery.In(view) {
			won++
		}
	}
	if won == 0 || won == 1000 {
		t.Errorf("won %d of 1000 times", won)
	}
}
