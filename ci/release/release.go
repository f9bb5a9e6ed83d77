// Package release signs compiled flags and publishes them: the writing side of
// the TUF repository that package bundle verifies.
//
// A publication builds only on what a [bundle.Verifier] has followed from the
// pinned root, and nothing goes live that such a verifier would refuse.
//
// Start with [InitKeys], which makes an environment's keys, and [Publish], which
// writes to a [Store]: package filestore has one for folders, and package s3store one for S3.
//
// # What is written
//
// Each environment is one folder:
//
//	timestamp.json                               the only object that changes
//	<N>.root.json <N>.targets.json <N>.snapshot.json
//	targets/<namespace>/<sha256>.flags.msgpack.gz
//
// Metadata and payloads are written once, on the condition that they don't
// exist. Only a payload, whose name is its hash, may be written again. A
// publication puts the payloads, then targets, then the snapshot. Last it
// replaces timestamp.json, on the condition that it is still the one that the
// publication was built on. This compare-and-swap decides every race between
// publishers: the loser starts again from the new state. Readers see the whole
// old state until then, and the whole new state from then on.
//
// # Versions
//
// The version of targets is the revision. A publisher that crashes or loses a
// race leaves objects behind that nothing refers to. The next publication skips
// their versions, because the objects may hold anything, and takes the first
// free version. So versions can have gaps, but they only grow, even if somebody
// restores an old timestamp.json or deletes it. In the latter case, publishers
// list the versions that are left, because [GC] may have made gaps.
//
// The revision changes when the flags do, and in two other cases: when targets
// are renewed (see below), and when a publication of the same content finds that
// the next version of targets is taken. That version may have been published,
// and clients that saw it accept nothing older.
//
// [GC] removes what nothing refers to.
//
// # Lifetimes
//
// Every publication signs a new snapshot and timestamp, and a schedule must renew
// them: see [Options.Renew]. Targets live as long as the root does. Renewing them
// makes a new revision, so it is done only in their last 30 days.
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
	// RootLifetime is how long a root that [InitKeys] or [Opener.Rotate] makes is
	// valid.
	RootLifetime = 365 * 24 * time.Hour
	// TargetsLifetime is how long the list of payloads is valid. It can be long
	// because the timestamp, not this list, protects clients from old flags, and
	// it should be because renewing it makes a new revision.
	TargetsLifetime = 365 * 24 * time.Hour
	// SnapshotLifetime exceeds TimestampLifetime, so that a snapshot, which is
	// always renewed together with the timestamp, never expires first.
	SnapshotLifetime = 30 * 24 * time.Hour
	// TimestampLifetime bounds how long an attacker can hide a newer release
	// from clients, and how long scheduled renewals can fail before clients
	// report the release as stale.
	TimestampLifetime = 7 * 24 * time.Hour
)

// ErrConflict is wrapped by the error of [Store.Put] if its precondition doesn't
// hold, and by that of [Publish] if it lost too many races against other
// publishers.
var ErrConflict = errors.New("the object isn't in the expected state")

// A Store reads and writes the objects of one repository. Names are relative to
// it and have forward slashes, as in [bundle.Source]. Implementations must be
// safe for concurrent use, and every read that starts after a write returned must
// see it. A Store need not be trustworthy.
type Store interface {
	// Get returns the object called name and its entity tag, which differs
	// after every change of the object. If there is no such object, Get returns
	// an error that wraps [fs.ErrNotExist]; it must not do so if it only lacks
	// permission to know. If the object is longer than limit bytes, Get returns
	// an error that wraps [bundle.ErrTooLarge], having buffered at most limit+1
	// bytes.
	Get(ctx context.Context, name string, limit int64) (data []byte, etag string, err error)
	// Put writes the whole object called name; if it returns an error, the
	// object may or may not have been written. If a precondition of opts doesn't
	// hold, Put changes nothing and returns an error that wraps [ErrConflict].
	// Check and write are one atomic step: of several calls with the same
	// precondition, one succeeds.
	Put(ctx context.Context, name string, data []byte, opts PutOptions) error
}

// A Prober is a [Store] whose server may ignore the preconditions of [PutOptions].
// Publishers on such a server would overwrite each other's revisions.
type Prober interface {
	Store
	// Probe returns an error if the server ignores preconditions. It may write data
	// to the object called name, which never has other content. [Publish] calls it
	// before it writes anything that has other content each time.
	Probe(ctx context.Context, name string, data []byte, opts PutOptions) error
}

// PutOptions are the preconditions of a [Store.Put], and the HTTP headers that
// readers of the object get.
type PutOptions struct {
	// IfNoneMatch is the precondition that the object doesn't exist.
	IfNoneMatch bool
	// IfMatch, if not empty, is the precondition that the object exists and has
	// this entity tag.
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
	// typePayload doesn't tell HTTP clients that a payload is compressed, lest
	// one decompress it and so change the bytes that were signed.
	typePayload = "application/octet-stream"
)

// once returns the options for objects that never change.
func once(contentType string) PutOptions {
	return PutOptions{IfNoneMatch: true, CacheControl: cacheImmutable, ContentType: contentType}
}

// versionedName returns the name of a role's metadata.
func versionedName(version int64, role string) string {
	return strconv.FormatInt(version, 10) + "." + role + ".json"
}

// onlineRoles are the roles that the online key signs for.
var onlineRoles = [...]string{metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}

// abandoned is the age of a temporary file or folder whose writer is no longer alive. A write
// takes seconds.
const abandoned = time.Hour
