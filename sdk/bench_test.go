package sdk_test

import (
	"testing"

	"github.com/serin-flags/serin/sdk"
)

// benchClient returns a client and a power of two of users to ask for.
func benchClient(b *testing.B) (*sdk.Client, []string) {
	b.Helper()
	r := newRepository(b, "production")
	r.number(b, 1)
	b.ReportAllocs()
	return open(b, sdk.Config{Source: r.source(b), Root: r.keys.Root, Interval: -1}), users(1024)
}

// BenchmarkGet asks through a handle: of a constant, of a 30% rollout for
// another user each time, of one with the context built each time, and of a flag
// that doesn't exist.
func BenchmarkGet(b *testing.B) {
	b.Run("static", func(b *testing.B) {
		client, _ := benchClient(b)
		for b.Loop() {
			left.Get(client, sdk.Context{})
		}
	})
	rollout := sdk.Bool("new-checkout", false)
	b.Run("rollout", func(b *testing.B) {
		client, names := benchClient(b)
		for i := 0; b.Loop(); i++ {
			rollout.Get(client, sdk.User(names[i&1023]))
		}
	})
	b.Run("rollout with context", func(b *testing.B) {
		client, names := benchClient(b)
		for i := 0; b.Loop(); i++ {
			rollout.Get(client, sdk.User(names[i&1023],
				sdk.Attr("city", "shenzhen"),
				sdk.Attr("platform", "app"),
				sdk.Attr("app_version", "2.3.0"),
				sdk.Attr("uid", 42),
				sdk.Attr("beta", true)))
		}
	})
	b.Run("chance", func(b *testing.B) {
		client, _ := benchClient(b)
		lottery := sdk.Bool("lottery", false)
		for b.Loop() {
			lottery.Get(client, sdk.Context{})
		}
	})
	b.Run("absent", func(b *testing.B) {
		client, _ := benchClient(b)
		absent := sdk.Bool("no-such-flag", false)
		for b.Loop() {
			absent.Get(client, sdk.Context{})
		}
	})
}

// BenchmarkGetParallel is the 30% rollout on all processors.
func BenchmarkGetParallel(b *testing.B) {
	client, names := benchClient(b)
	rollout := sdk.Bool("new-checkout", false)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			rollout.Get(client, sdk.User(names[i&1023]))
		}
	})
}

// BenchmarkGetTwoClients shares a handle between clients in which the flag stands
// in different places.
func BenchmarkGetTwoClients(b *testing.B) {
	one, names := benchClient(b)
	r := newRepository(b, "production")
	r.publish(b, numbered("production", 1)[1])
	two := open(b, sdk.Config{Source: r.source(b), Root: r.keys.Root, Interval: -1})
	rollout := sdk.Bool("new-checkout", false)
	for i := 0; b.Loop(); i++ {
		rollout.Get(one, sdk.User(names[i&1023]))
		rollout.Get(two, sdk.User(names[i&1023]))
	}
}

// BenchmarkEvaluate asks by name.
func BenchmarkEvaluate(b *testing.B) {
	client, names := benchClient(b)
	for i := 0; b.Loop(); i++ {
		client.Evaluate("new-checkout", sdk.User(names[i&1023]))
	}
}
