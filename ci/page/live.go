package page

import (
	"fmt"
	"net/http"
	"time"
)

// live tells a page of changes until it is closed.
func (h *Handler) live(w http.ResponseWriter, r *http.Request, s *state) {
	if !h.options.Live {
		http.NotFound(w, r)
		return
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // or the server's deadline ends the stream
	w.Header().Set("Content-Type", "text/event-stream")
	for !s.closed {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", s.version); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.changed:
		}
		*s = h.now()
	}
}
