package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/location"
)

// A Watcher is a [bundle.Source] that can tell when it may have changed.
type Watcher interface {
	// Watch calls changed whenever timestamp.json may have changed, and
	// once when it has begun to watch. It returns when ctx is done, or
	// earlier, with an error, if it can't watch; the client then tries
	// again, after about a second and then less and less often, down to
	// once in about 5 minutes, and polls meanwhile. changed doesn't block.
	Watch(ctx context.Context, changed func()) error
}

// FromURL returns the source that a URL names: file:///srv/flags/production, or
// an http or https URL as for [HTTP] with the default client. s3source.FromURL
// takes s3 URLs too.
func FromURL(url string) (bundle.Source, error) {
	l, err := location.Parse(url, "https", "http", "file", "s3")
	if err != nil {
		return nil, fmt.Errorf("opening source: %w", err)
	}
	switch l.Scheme {
	case "file":
		return File(filepath.FromSlash(l.Path))
	case "s3":
		return nil, errors.New("opening source: s3 URLs are for s3source.FromURL")
	}
	return newHTTP(l.URL, nil), nil
}

// readLimited reads all of r, or as much of it as shows that it is too large.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", bundle.ErrTooLarge, limit)
	}
	return data, nil
}
