package sdk

import (
	"context"
	"errors"
	"net/http"

	"github.com/serin-flags/serin/bundle"
)

// A Watcher is a [bundle.Source] that can tell when it may have changed.
type Watcher interface {
	// Watch calls changed whenever timestamp.json may have changed, and
	// once when it has begun to watch. It returns when ctx is done, or
	// earlier, with an error, if it can't watch; the client then tries
	// again later, and polls meanwhile. changed doesn't block.
	Watch(ctx context.Context, changed func()) error
}

// HTTP returns the source of an environment that a web server or a CDN holds
// below url, such as https://flags.example.com/shop/production. client is what
// requests are made with; nil: http.DefaultTransport. Redirects to another host
// or scheme are refused. What is read is verified whatever it came through.
func HTTP(url string, client *http.Client) (bundle.Source, error) {
	return nil, errors.New("not available yet")
}

// File returns the source of an environment in a folder, such as
// /srv/flags/production: what was published to a file URL, or a volume that
// something else keeps in sync. It is a [Watcher]. The folder need not exist
// yet.
func File(dir string) (bundle.Source, error) {
	return nil, errors.New("not available yet")
}

// FromURL returns the source that a URL names: file:///srv/flags/production, or
// an http or https URL as for [HTTP] with the default client. s3source.FromURL
// takes s3 URLs too.
func FromURL(raw string) (bundle.Source, error) {
	return nil, errors.New("not available yet")
}
