// Package shadow asks two flag systems for the same flag, serves the answer of one, and counts
// whether they agree. It is for the week before a company moves to Serin:
//
//	var newCheckout = shadow.Compare(sdk.Bool("new-checkout", false),
//		func(ctx sdk.Context) (bool, error) { return unleash.IsEnabled("new-checkout", contextOf(ctx)), nil },
//		shadow.Config{Serve: sdk.Bool("serve-serin", false)})
//
//	if newCheckout.Get(client, sdk.User(user)) { … }
//
// The old answer is served until the flag Serve is on. A call takes as long as both answers and
// their comparison do. It doesn't allocate if they agree, but the attributes of a context that
// is built in the call take one allocation, since the old system gets it. Whatever goes wrong on
// the side that isn't served, or while answers are compared, is counted and never reaches the
// caller.
//
// [Comparison.Report] says how often the two agreed, by rule and reason, and has a sample of
// the disagreements. Neither has personal data: of a context only the names of attributes and
// a keyed hash of the unit. Package otel exports the counts to OpenTelemetry, and [Log] writes
// them to a log.
package shadow
