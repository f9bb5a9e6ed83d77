package bundle

import (
	"context"
	"errors"
)

// A Source reads the objects of one published repository, by name relative to
// its folder: "timestamp.json", "3.root.json",
// "targets/checkout/<sha256>.flags.msgpack.gz". Implementations must be safe
// for concurrent use. They aren't trusted: everything they return is verified.
type Source interface {
	// Fetch returns the object called name.
	//
	// If etag isn't empty and the object still has it, the error wraps
	// [ErrNotModified]. If there is no such object, it wraps [ErrNotFound];
	// so it does when S3 answers 403, as it does for a missing key if the
	// caller may not list the bucket. If the object is longer than limit
	// bytes, the error wraps [ErrTooLarge], and Fetch has buffered at most
	// limit+1 bytes. Any other error means that the source couldn't be read.
	Fetch(ctx context.Context, name, etag string, limit int64) (Object, error)
}

// An Object is what a [Source] read.
type Object struct {
	Data []byte
	// ETag is the entity tag to ask again with, as the source spells it,
	// or empty if the source has none.
	ETag string
}

// Errors of a [Source] that has no object to return. Test for them with errors.Is.
var (
	ErrNotModified = errors.New("not modified")
	ErrNotFound    = errors.New("not found")
	ErrTooLarge    = errors.New("too large")
)
