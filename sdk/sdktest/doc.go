// Package sdktest is for the tests of programs that ask for flags with package
// sdk.
//
// [New] returns a client that serves the values of a test. What happens below it
// is what happens in production: the values are published, signed, verified and
// compiled, in memory and in about a millisecond, so that handles, explanations
// and snapshots behave as they will.
//
//	flags := sdktest.New(t, map[string]any{"new-checkout": true, "page-size": 20})
//	shop := shop.New(flags.Client)
//
//	t.Run("old checkout", func(t *testing.T) {
//		flags.Override(t, "new-checkout", false) // until the subtest ends
//		…
//	})
//
// [NewPublisher] publishes on an HTTP server of this machine, for tests of what a
// program does when flags change, or can't be reached.
//
// Who is served what by the rules of a flag belongs into the tests beside the
// flag, which serin test runs. The package signs with keys that it throws away; it
// is no way to publish anything.
package sdktest
