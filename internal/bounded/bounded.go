// Package bounded limits how much of a response an HTTP client reads, so that no server can
// fill the memory of a program that reads responses whole, as the AWS SDK does.
package bounded

import (
	"io"
	"net/http"
)

// A Doer makes HTTP requests. The clients of the AWS SDK and [http.Client] are Doers.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Client returns a client that cuts the body of each response after so many bytes. It may be
// used by several goroutines if client may be.
func Client(client Doer, bytes int64) Doer { return bounded{client, bytes} }

type bounded struct {
	client Doer
	bytes  int64
}

func (b bounded) Do(r *http.Request) (*http.Response, error) {
	response, err := b.client.Do(r)
	if err == nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, b.bytes), response.Body}
	}
	return response, err
}
