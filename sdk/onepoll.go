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

// keeping is a source that keeps what it gives, but for timestamp.json, and gives it
// again: what has a number or a hash in its name doesn't change. So polls that run out
// of time get further than the ones before. They have verified what is kept, except for
// what came last, and do so again.
type keeping struct {
	bundle.Source
	kept map[string]bundle.Object
}

func (k keeping) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if object, ok := k.kept[name]; ok && int64(len(object.Data)) <= limit {
		return object, nil
	}
	object, err := k.Source.Fetch(ctx, name, etag, limit)
	if err == nil && name != "timestamp.json" {
		k.kept[name] = object
	}
	return object, err
}

// size returns how many bytes are kept.
func (k keeping) size() (n int64) {
	for _, object := range k.kept {
		n += int64(len(object.Data))
	}
	return n
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
