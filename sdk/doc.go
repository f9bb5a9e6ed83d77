// Package sdk evaluates feature flags inside a Go program, without a flag server.
//
// A [Client] downloads the flags of one environment from S3, over HTTP or from a
// folder, verifies them against a root that is part of the program, and keeps them
// up to date in the background. Declare each flag once, with the default to serve
// when there is nothing better. Evaluating it needs no I/O and returns no error:
//
//	var NewCheckout = sdk.Bool("new-checkout", false)
//
//	client, err := sdk.Open(ctx, sdk.Config{Source: source, Root: root, CacheDir: "/var/cache/shop/flags"})
//	…
//	if NewCheckout.Get(client, sdk.User("u-42", sdk.Attr("city", "shenzhen"))) { … }
//
// Get doesn't allocate, and neither does a Context built in its argument.
//
// # What happens when things fail
//
// No failure after [Open] changes what is served. If the source can't be reached, a
// signature is invalid, a revision is older than the current one, or the disk is
// full, the client keeps serving the last good revision. It counts the failure by
// class, and [Client.Status] reports it. Until the first good revision arrives, all
// handles serve their defaults. Flags that aren't signed by the keys that the pinned
// root names are never served, neither from the network nor from the disk cache.
//
// # Where to start
//
// [Open] and [Config]; [Bool], [String], [Int], [Float] and [JSON] for flags;
// [User] and [Attr] for the context; [HTTP], [File], [FS], [FromURL] and
// [Fallback] for sources; [Client.OnChange] and [Client.OnStatus] for events.
// The source for S3 is in package s3source, so that only programs that use it link
// the AWS SDK.
package sdk
