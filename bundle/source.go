package bundle

import (
	"context"
	"errors"
)

// A Source reads the objects of one published repository, by name relative to
// its folder: "timestamp.json", "3.root.json",
// "targets/checkout/<sha256>.flags.msgpack.gz". Implementations must be safe
// for concurrent use. They are not trusted: everything they return is verified.
type Source interface {
	// Fetch returns the object called name.
	//
	// If etag is not empty and the object still has it, Fetch returns an
	// error that wraps [ErrNotModified]. If there is no such object it
	// returns an error that wraps [ErrNotFound]; S3 answers 403 for a
	// missing key to those who may not list the bucket, which is that case
	// too. If the object is longer than limit bytes it returns an error
	// that wraps [ErrTooLarge], having buffered at most limit+1 bytes. Any
	// other error means that the source could not be read.
	Fetch(ctx context.Context, name, etag string, limit int64) (Object, error)
}

// An Object is what a [Source] read.
type Object struct {
	Data []byte
	// ETag is the entity tag to ask again with, as the source spells it,
	// or empty if the source has none.
	ETag string
}

// What a [Source] answers when it has no object to return. Test for them with
// errors.Is.
var (
	ErrNotModified = errors.New("not modified")
	ErrNotFound    = errors.New("not found")
	ErrTooLarge    = errors.New("too large")
)
