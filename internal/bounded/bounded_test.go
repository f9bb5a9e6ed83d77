package bounded_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/serin-flags/serin/internal/bounded"
)

// TestLimits holds that a body of the allowed length is read whole, and that a longer one is
// an error, however it is read.
func TestLimits(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Query().Get("body"))
	}))
	defer server.Close()
	for _, client := range []bounded.Doer{
		bounded.Client(http.DefaultClient, 5),
		&http.Client{Transport: bounded.Transport(http.DefaultTransport, 5)},
	} {
		for body, want := range map[string]error{"": nil, "1234": nil, "12345": nil, "123456": bounded.ErrTooLong,
			strings.Repeat("x", 1<<15): bounded.ErrTooLong} {
			r, err := http.NewRequest(http.MethodGet, server.URL+"/?body="+body, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if !errors.Is(err, want) || string(got) != body[:min(5, len(body))] {
				t.Errorf("of %d bytes: %q, %v", len(body), got, err)
			}
			resp.Body.Close()
		}
	}
	for _, text := range []string{"12345", "123456"} {
		got, err := io.ReadAll(iotest.OneByteReader(bounded.Body(io.NopCloser(strings.NewReader(text)), 5)))
		if string(got) != "12345" || (err != nil) != (len(text) > 5) {
			t.Errorf("%s, byte by byte: %q, %v", text, got, err)
		}
	}
}
