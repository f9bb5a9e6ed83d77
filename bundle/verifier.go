package bundle

import (
	"context"
	"errors"
	"time"
)

// Limits on what is read. See also the limit of each kind of metadata in
// Source.Fetch's callers.
const (
	// MaxPayload is the length in bytes above which a payload is refused.
	MaxPayload = 64 << 20
	// MaxState is the length in bytes above which [Verifier.Restore] refuses a
	// state; what [Release.State] returns is never longer.
	MaxState = 32 << 20
)

// VerifierConfig says what a [Verifier] trusts and what it looks for.
type VerifierConfig struct {
	// Root is the pinned root.json: the only thing that is trusted without
	// proof. Required.
	Root []byte
	// Namespaces are the ones to download. Empty: all that are published.
	// Asking for one that is not published is an error of class
	// [NotFound] at each update.
	Namespaces []string
	// MinRevision is the least [Release.Revision] that is accepted: a
	// floor for clients that start without a cache. 0: any.
	MinRevision int64
}

// A Verifier is the TUF client of one repository, as configuration: it holds
// no state, starts nothing, and is safe for concurrent use.
type Verifier struct {
	environment string
	namespaces  []string
	minRevision int64
}

// NewVerifier returns a verifier that trusts cfg.Root, which must be well
// formed, signed by a threshold of its own keys, and name its environment. An
// expired root is accepted here; a newer one may be waiting.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	return nil, errors.New("not available yet")
}

// Environment returns the environment that the pinned root names.
func (v *Verifier) Environment() string { return v.environment }

// Update polls src once. It asks for timestamp.json with the ETag that last
// had. If that is unchanged it returns last itself; whether last has expired
// meanwhile is for the caller to see by [Release.Expires]. Otherwise it follows
// the chain from newer roots to payloads, as the package comment describes, and
// returns a new release.
//
// last is the release that came before, from this verifier, or nil. It gives
// the versions below which nothing is accepted, and the payloads that need not
// be downloaded again. now is the time that expiry is judged by.
//
// On an error, which is always an [*Error], nothing has changed: last is as
// good as before, and its ETag is the one to ask with.
func (v *Verifier) Update(ctx context.Context, src Source, last *Release, now time.Time) (*Release, error) {
	return nil, &Error{Class: Network, Object: "timestamp.json", Err: errors.New("not available yet")}
}

// UpdateRoot is [Verifier.Update], but looks for a newer root even if
// timestamp.json is unchanged. Without it a root that was rotated because a key
// was stolen stays unnoticed for as long as the thief can serve the old
// timestamp.json. It costs one more request, so it is for once in an hour, say.
// Like Update it returns last itself if nothing is new.
func (v *Verifier) UpdateRoot(ctx context.Context, src Source, last *Release, now time.Time) (*Release, error) {
	return nil, &Error{Class: Network, Object: "timestamp.json", Err: errors.New("not available yet")}
}

// Restore returns the release that state, from [Release.State], describes,
// verifying everything anew from the pinned root; neither state nor what
// payload returns is trusted. Expiry is not enforced: old content may be
// served, and [Release.Expires] says how old it is.
//
// payload is called once for each namespace and returns the payload with the
// given SHA-256, in hexadecimal, and length; it should read no more than that.
func (v *Verifier) Restore(state []byte, payload func(sha256 string, length int64) ([]byte, error)) (*Release, error) {
	return nil, &Error{Class: Malformed, Object: "state", Err: errors.New("not available yet")}
}
