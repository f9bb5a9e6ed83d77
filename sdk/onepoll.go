package sdk

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/serin-flags/serin/bundle"
)

const maxETag = 1 << 10 // bytes

// A pollSource is a source during one poll.
type pollSource interface {
	bundle.Source
	// failure returns why a source that was to be asked first could not do
	// its part, nil if it could.
	failure() error
}

// onePoll returns a source for one poll.
func onePoll(s bundle.Source) pollSource {
	switch s := s.(type) {
	case *fallback:
		return s.begin()
	case *watchedFallback:
		return s.begin()
	}
	return bounded{s}
}

// counted is a source that counts the bytes it gives.
type counted struct {
	pollSource
	bytes *atomic.Int64
}

func (c counted) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	object, err := c.pollSource.Fetch(ctx, name, etag, limit)
	c.bytes.Add(int64(len(object.Data)))
	return object, err
}

// bounded is a source whose every request has a time limit, headers and body
// together, and whose entity tags are harmless. They come back from the disk
// cache, which may have been tampered with, or be of a fallback that the program no
// longer has; one that no request can be made with, or that a server refuses, would
// stop all polling.
type bounded struct{ bundle.Source }

// failure implements pollSource.
func (bounded) failure() error { return nil }

func (b bounded) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if !validETag(etag) {
		etag = ""
	}
	object, err := b.Source.Fetch(ctx, name, etag, limit)
	if !validETag(object.ETag) {
		object.ETag = ""
	}
	return object, err
}

// validETag reports whether an entity tag may stand in an HTTP header.
func validETag(etag string) bool {
	if strings.HasPrefix(etag, tagOfA) || strings.HasPrefix(etag, tagOfB) {
		return false // no server's begins like that
	}
	return len(etag) <= maxETag && !strings.ContainsFunc(etag, func(r rune) bool {
		return r < ' ' || r > '~'
	})
}
