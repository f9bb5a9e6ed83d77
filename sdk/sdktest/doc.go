// Package sdktest helps to test programs that use package sdk.
//
// [New] returns a client that serves the values of a test. It works as in production:
// the values are published, signed, verified and compiled, in memory and in about a
// millisecond. So handles, explanations and snapshots behave as they do in production.
//
//	flags := sdktest.New(t, map[string]any{"new-checkout": true, "page-size": 20})
//	shop := shop.New(flags.Client)
//
//	t.Run("old checkout", func(t *testing.T) {
//		flags.Override(t, "new-checkout", false) // until the subtest ends
//		…
//	})
//
// [NewPublisher] publishes on a local HTTP server, to test what a program does when
// flags change or can't be reached.
//
// To test a flag's rules, write tests next to the flag and run them with serin test.
// This package signs with keys that it throws away, so it can't publish for production.
package sdktest
