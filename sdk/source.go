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
	// Watch calls changed once when it starts to watch, and then whenever
	// timestamp.json may have changed; changed doesn't block. Watch returns
	// when ctx is done, or earlier, with an error, if it can't watch. The
	// client then retries after about a second, backing off to about 5
	// minutes, and polls in the meantime.
	Watch(ctx context.Context, changed func()) error
}

// FromURL returns the source at a URL: file:///srv/flags/production, or an http or
// https URL, which is read as by [HTTP] with the default client. s3source.FromURL also
// accepts s3 URLs. Errors don't quote the URL, which may contain a password.
func FromURL(url string) (bundle.Source, error) {
	l, err := location.Parse(url, "https", "http", "file", "s3")
	if err != nil {
		return nil, fmt.Errorf("opening source: %w", err)
	}
	switch l.Scheme {
	case "file":
		return File(filepath.FromSlash(l.Path))
	case "s3":
		return nil, errors.New("opening source: use s3source.FromURL for s3 URLs")
	}
	return newHTTP(l.URL, nil), nil
}

// readLimited reads all of r. It fails if r has more than limit bytes.
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
