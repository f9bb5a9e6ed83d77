package lambda

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/jsontext"
)

const (
	// defaultMaxBody is the size limit of a request's body in bytes: 64 KiB. Contexts
	// rarely have more than 1 KiB.
	defaultMaxBody = 64 << 10
	// smallBody is how many bytes of a body don't count towards the limit for all bodies.
	// So clients that send large bodies slowly can't keep usual requests out.
	smallBody = 4 << 10
	// maxInFlight limits the bytes of all bodies in memory, beyond smallBody of each.
	maxInFlight = 16 << 20
)

// bodies reads the bodies of requests, in bounded memory.
type bodies struct {
	limit    int64        // of one body, in bytes
	inFlight atomic.Int64 // bytes that count towards maxInFlight
}

// refuse closes the connection of w after the response. net/http would wait for the rest
// of the request to keep it open, or else reset it, and a reset takes the response away
// from a client that is still sending. Only for a body that a MaxBytesReader has cut does
// it close the connection in a way that the response arrives. So refuse cuts one, which
// has nothing to do with the request.
func refuse(w http.ResponseWriter) {
	if http.NewResponseController(w).SetReadDeadline(time.Now()) != nil {
		return // on Lambda there is no connection
	}
	cut := http.MaxBytesReader(innermost(w), io.NopCloser(strings.NewReader("x")), 0)
	_, _ = io.ReadAll(cut) // fails as it is meant to
}

// read reads the body of r. Memory grows with what has arrived, not with what was
// announced, and counts as used until release is called. release must be called once,
// whatever read returns.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (data []byte, release func(), fail *failure) {
	reserved := int64(0)
	release = func() { b.inFlight.Add(-reserved) }
	if r.ContentLength > b.limit {
		refuse(w)
		return nil, release, b.tooLarge()
	}
	size := int64(smallBody)
	if r.ContentLength >= 0 {
		size = min(size, r.ContentLength)
	}
	data = make([]byte, 0, size+1) // room for one byte more shows the end
	for {
		n, err := r.Body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > b.limit:
			refuse(w)
			return nil, release, b.tooLarge()
		case err == io.EOF:
			return data, release, nil
		case err != nil:
			return nil, release,
				&failure{status: http.StatusBadRequest, code: parseError, details: "the body is incomplete"}
		case len(data) < cap(data):
			continue
		}
		size = min(2*int64(cap(data)), b.limit+1)
		more := max(size-smallBody-reserved, 0)
		if !b.reserve(more) {
			refuse(w)
			return nil, release, &failure{status: http.StatusServiceUnavailable, retryAfter: 1,
				details: "there are too many large requests at once"}
		}
		reserved += more
		data = append(make([]byte, 0, size), data...)
	}
}

// reserve counts n more bytes as used, unless that exceeds the limit for all bodies.
func (b *bodies) reserve(n int64) bool {
	if b.inFlight.Add(n) > maxInFlight {
		b.inFlight.Add(-n)
		return false
	}
	return true
}

func (b *bodies) tooLarge() *failure {
	return &failure{status: http.StatusRequestEntityTooLarge,
		details: fmt.Sprintf("the body is larger than %d bytes", b.limit)}
}

// decodeRequest returns the context in a request's body.
func decodeRequest(body []byte) (evaluator.Context, *failure) {
	if len(body) == 0 {
		return evaluator.Context{}, nil
	}
	var raw []byte
	if err := jsontext.Object(body, func(name, value []byte) error {
		if jsontext.Text(name) == "context" {
			raw = value
		}
		return nil
	}); err != nil {
		return evaluator.Context{}, &failure{status: http.StatusBadRequest, code: parseError,
			details: "the body is not a JSON object"}
	}
	if raw == nil || string(raw) == "null" {
		return evaluator.Context{}, nil
	}
	ctx, err := evaluator.DecodeContext(raw)
	if err != nil {
		return evaluator.Context{}, &failure{status: http.StatusBadRequest, code: invalidContext, details: err.Error()}
	}
	return ctx, nil
}
