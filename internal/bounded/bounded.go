// Package bounded limits how much of a response an HTTP client reads, so that no server can
// fill the memory of a program that reads responses whole, as the AWS SDK does.
package bounded

import (
	"errors"
	"io"
	"net/http"
)

// ErrTooLong is the error of reading a body that has more bytes than allowed.
var ErrTooLong = errors.New("the response is too long")

// A Doer makes HTTP requests. The clients of the AWS SDK and [http.Client] are Doers.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Client returns a client whose responses have bodies of so many bytes at most, as [Body] does.
// It may be used by several goroutines if client may be.
func Client(client Doer, bytes int64) Doer { return doer{client, bytes} }

type doer struct {
	client Doer
	bytes  int64
}

func (d doer) Do(r *http.Request) (*http.Response, error) { return limit(d.client.Do, r, d.bytes) }

// Transport is [Client] for transports.
func Transport(next http.RoundTripper, bytes int64) http.RoundTripper { return transport{next, bytes} }

type transport struct {
	next  http.RoundTripper
	bytes int64
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return limit(t.next.RoundTrip, r, t.bytes)
}

func limit(do func(*http.Request) (*http.Response, error), r *http.Request, bytes int64) (*http.Response, error) {
	response, err := do(r)
	if err == nil {
		response.Body = Body(response.Body, bytes)
	}
	return response, err
}

// Body returns a body that fails with [ErrTooLong] after so many bytes, unless it ends there.
func Body(from io.ReadCloser, bytes int64) io.ReadCloser { return &body{from, bytes} }

type body struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLong
	}
	if int64(len(p)) > b.left+1 { // one more, to see whether it ends
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLong
	}
	return n, err
}
