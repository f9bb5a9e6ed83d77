package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"github.com/serin-flags/serin/bundle"
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
func FromURL(raw string) (bundle.Source, error) {
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		return HTTP(raw, nil)
	case "file":
		if u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return nil, errors.New("file URL names no folder of this machine: write file:///path/to/environment")
		}
		return File(filepath.FromSlash(u.Path))
	case "s3":
		return nil, errors.New("s3 URLs are for s3source.FromURL")
	}
	return nil, fmt.Errorf("source URL has scheme %q: use file, http or https", u.Scheme)
}

// parseURL parses a source's URL. Its errors don't quote the URL, which may hold
// a password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("source URL is malformed")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, errors.New("source URL has more than scheme, host and path")
	}
	return u, nil
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
