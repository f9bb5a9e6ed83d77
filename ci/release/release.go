// Package release signs compiled flags and publishes them: the writing side of
// the TUF repository that package bundle verifies.
//
// It holds the private keys' side of the format and refuses to be clever about
// trust. What is already published is only ever built upon after a
// [bundle.Verifier] has followed it from the pinned root, and nothing goes live
// that such a verifier would refuse.
//
// Start with [InitKeys], which makes an environment's keys, and [Publish], which
// writes to a [Store]: [FileStore] here, S3 in package s3store.
//
// # What is written
//
// Below one folder per environment:
//
//	timestamp.json                               the only object that changes
//	<N>.root.json <N>.targets.json <N>.snapshot.json
//	targets/<namespace>/<sha256>.flags.msgpack.gz
//
// Everything but timestamp.json is written once, under the condition that it
// isn't there, and never again. A publication puts payloads, targets, snapshot
// and, last, timestamp.json, on the condition that it is still the one that the
// publication was built upon. So that one compare-and-swap decides every race
// between publishers: the loser starts again on the new state. Whatever happens
// before it, readers see the old state, whole; from then on the new one.
//
// # Versions
//
// The version of targets is the revision. A publisher that crashed, or lost a
// race, leaves objects behind that nothing refers to. Their versions are passed
// over, for what they hold may be anything: the next publication takes the first
// version that is free. Versions may have gaps, therefore, but they only grow,
// even if somebody has put an old timestamp.json back or deleted it.
//
// The revision changes when the flags do, and in two cases when they don't: when
// targets are renewed (see below), and when a publication of what is there
// already finds that the next version of targets is taken. For it may have been
// published once, and clients that saw it accept nothing older.
//
// # Lifetimes
//
// Snapshot and timestamp are signed anew by every publication and have to be
// renewed on a schedule: see [Options.Renew]. Targets live as long as the root
// does. Renewing them gives them another version, and the release another
// revision, so that is done only in their last 30 days.
package release

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// How long signed metadata is valid.
const (
	// RootLifetime is that of a root that [InitKeys] makes.
	RootLifetime = 365 * 24 * time.Hour
	// TargetsLifetime is that of the list of payloads. It is long because it
	// isn't what protects clients from being shown old flags, and because
	// renewing it takes a revision.
	TargetsLifetime = 365 * 24 * time.Hour
	// SnapshotLifetime exceeds TimestampLifetime, with which it is always
	// renewed, so that it is never what expires first.
	SnapshotLifetime = 30 * 24 * time.Hour
	// TimestampLifetime is the longest that clients can be kept from learning
	// that there is something newer, and for how long a schedule of renewals
	// may fail unnoticed.
	TimestampLifetime = 7 * 24 * time.Hour
)

// ErrConflict is what [Store.Put] returns, wrapped, if its precondition doesn't
// hold, and [Publish] if it lost too many races against other publishers.
var ErrConflict = errors.New("the object isn't in the expected state")

// A Store is one repository's folder, for reading and writing. Names are
// relative to it and have forward slashes, as in [bundle.Source].
// Implementations must be safe for concurrent use, and a write must be visible
// to every read that starts after it returned. They need not be trustworthy.
type Store interface {
	// Get returns the object called name, and the entity tag that is changed
	// by every change of the object. If there is no such object it returns an
	// error that wraps [fs.ErrNotExist]; "you may not know" isn't that. If it is
	// longer than limit bytes Get returns an error that wraps
	// [bundle.ErrTooLarge], having buffered at most limit+1 bytes.
	Get(ctx context.Context, name string, limit int64) (data []byte, etag string, err error)
	// Put writes the object called name: whole or, if it returns an error,
	// perhaps not at all. If a precondition of opts doesn't hold it returns an
	// error that wraps [ErrConflict] and changes nothing. Check and write are
	// one step: of several calls with the same precondition, one succeeds.
	Put(ctx context.Context, name string, data []byte, opts PutOptions) error
}

// PutOptions are the preconditions of a [Store.Put], and what readers over HTTP
// are told about the object.
type PutOptions struct {
	// IfNoneMatch is the precondition that there is no such object.
	IfNoneMatch bool
	// IfMatch, if not empty, is the precondition that the object is there and
	// has this entity tag.
	IfMatch string
	// CacheControl and ContentType are the HTTP headers of these names. A
	// store that isn't read over HTTP ignores them.
	CacheControl, ContentType string
}

const (
	timestampName = "timestamp.json"

	cacheTimestamp = "max-age=5"
	cacheImmutable = "max-age=31536000, immutable"

	typeJSON = "application/json"
	// typePayload hides from HTTP clients that a payload is compressed: one
	// that decompressed it unasked would change what was signed.
	typePayload = "application/octet-stream"
)

// once is how everything is put that never changes.
func once(contentType string) PutOptions {
	return PutOptions{IfNoneMatch: true, CacheControl: cacheImmutable, ContentType: contentType}
}

// versionedName returns the name of a role's metadata.
func versionedName(version int64, role string) string {
	return strconv.FormatInt(version, 10) + "." + role + ".json"
}

// The roles that the online key signs for.
var onlineRoles = [...]string{metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}
