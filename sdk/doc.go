// Package sdk answers feature flags inside a Go program, without a flag server.
//
// A [Client] pulls one environment's published flags from S3, over HTTP or from
// a folder, verifies them against a root that is part of the program, and keeps
// them up to date in the background. A flag is declared once, with the default
// that is served when nothing better is known, and asked for on the hot path
// without I/O and without an error to handle:
//
//	var NewCheckout = sdk.Bool("new-checkout", false)
//
//	client, err := sdk.Open(ctx, sdk.Config{Source: source, Root: root, CacheDir: "/var/cache/shop/flags"})
//	…
//	if NewCheckout.Get(client, sdk.User("u-42", sdk.Attr("city", "shenzhen"))) { … }
//
// Get doesn't allocate, and neither does a Context that is built in its argument.
//
// # What happens when things fail
//
// Nothing that fails after [Open] changes what is served. A source that can't
// be reached, a signature that doesn't hold, a revision older than the present
// one, a full disk: the last good revision goes on being served, the reason is
// counted by class, and [Client.Status] says so. Without any good revision, all
// handles serve their defaults until the first one arrives. What is not signed
// by the keys that the pinned root names is never served, be it from the network
// or from the disk cache.
//
// # Where to start
//
// [Open] and [Config]; [Bool], [String], [Int], [Float] and [JSON] for flags;
// [User] and [Attr] for the context; [HTTP], [File], [FS], [FromURL] and
// [Fallback] for sources; [Client.OnChange] and [Client.OnStatus] for events.
// The source for S3 is in the package s3source beside this one, so that only
// those who use it link the AWS SDK.
package sdk
