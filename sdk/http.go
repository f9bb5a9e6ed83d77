package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/location"
)

const (
	maxRedirects = 3
	maxDrain     = 4 << 10 // bytes of an unwanted body to read to keep the connection
)

// HTTP returns the source of an environment on a web server or a CDN below url, such
// as https://flags.example.com/shop/production. client makes the requests, and adds
// proxies, certificates and credentials as it is configured; nil: a client with
// http.DefaultTransport. Redirects to another host, port or scheme are refused.
// Responses are verified, no matter which way they came.
func HTTP(url string, client *http.Client) (bundle.Source, error) {
	l, err := location.Parse(url, "https", "http")
	if err != nil {
		return nil, fmt.Errorf("opening source: %w", err)
	}
	return newHTTP(l.URL, client), nil
}

func newHTTP(base *url.URL, client *http.Client) *httpSource {
	s := &httpSource{base: base, client: &http.Client{Timeout: fetchTimeout}}
	if client != nil {
		*s.client = *client
	}
	s.client.CheckRedirect = sameOrigin
	return s
}

type httpSource struct {
	base   *url.URL
	client *http.Client
}

func (s *httpSource) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if !fs.ValidPath(name) {
		return bundle.Object{}, fmt.Errorf("%w: %q is not a valid name", bundle.ErrNotFound, name)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath(name).String(), nil)
	if err != nil {
		return bundle.Object{}, err
	}
	// The bytes are signed as they are stored.
	req.Header.Set("Accept-Encoding", "identity")
	if _, err := http.ParseTime(etag); err == nil {
		req.Header.Set("If-Modified-Since", etag)
	} else if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return bundle.Object{}, err
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		resp.Body.Close()
	}()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		if etag == "" {
			return bundle.Object{}, errors.New("HTTP status 304 to an unconditional request")
		}
		return bundle.Object{}, bundle.ErrNotModified
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden:
		return bundle.Object{}, fmt.Errorf("%w: HTTP status %d", bundle.ErrNotFound, resp.StatusCode)
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return bundle.Object{}, fmt.Errorf("HTTP status %d %s: pass a client that authenticates to HTTP, or put "+
			"USER:PASSWORD@ "+
			"before the host in the URL", resp.StatusCode, http.StatusText(resp.StatusCode))
	default:
		return bundle.Object{}, fmt.Errorf("HTTP status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if resp.ContentLength > limit {
		err := fmt.Errorf("%w: %d bytes, at most %d expected", bundle.ErrTooLarge, resp.ContentLength, limit)
		return bundle.Object{}, ofPage(err, resp.Header)
	}
	data, err := readLimited(resp.Body, limit)
	if err != nil {
		return bundle.Object{}, ofPage(err, resp.Header)
	}
	return bundle.Object{Data: data, ETag: validator(resp.Header)}, nil
}

// ofPage adds to an error that the server has sent a page for people, if it says so.
func ofPage(err error, header http.Header) error {
	if !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		return err
	}
	return fmt.Errorf("%w; it is an HTML page, such as one to log in: check the URL, and what the server asks of clients", err)
}

// validator returns the entity tag for the next request or, if the server has none, the
// time of the last modification. Such times have a resolution of one second. A file
// modified in the last second could still change within it, so that time isn't used.
func validator(h http.Header) string {
	if etag := h.Get("ETag"); etag != "" {
		return etag
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || date.Sub(modified) < 2*time.Second {
		return ""
	}
	return h.Get("Last-Modified")
}

// sameOrigin only follows redirects to the same server. Others must not learn when this
// program polls, or see its credentials.
func sameOrigin(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host {
		return fmt.Errorf("redirect to %s://%s refused: use the final URL, or check what the server asks of clients",
			req.URL.Scheme, req.URL.Host)
	}
	return nil
}
