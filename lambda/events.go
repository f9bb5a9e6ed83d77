package lambda

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/serin-flags/serin/sdk"
)

const (
	eventsPath = "/ofrep/v1/events"
	// maxStreams limits the streams that are open at once, besides Config.MaxRequests. One
	// takes about 20 KiB.
	maxStreams = 4096
	// heartbeat is how often a stream without events gets a comment, so that proxies don't
	// close it for being idle.
	heartbeat = 20 * time.Second
	// slowReader is how long a client may take to read an event before its stream ends.
	slowReader = 10 * time.Second
	// overlap is how long after a new revision a new stream begins with an event: the client
	// may have fetched its flags just before, or from a server that was a poll behind.
	overlap = time.Minute
)

// streams are the open streams of events.
type streams struct {
	most  int // at once
	mu    sync.Mutex
	open  map[chan struct{}]struct{}
	ended bool
}

// add returns a channel that receives whenever there is a new revision, and is closed when
// all streams are to end. It returns nil if there are too many, or if they have ended.
func (s *streams) add() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.open) >= s.most {
		return nil
	}
	c := make(chan struct{}, 1)
	if s.open == nil {
		s.open = make(map[chan struct{}]struct{})
	}
	s.open[c] = struct{}{}
	return c
}

func (s *streams) remove(c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// notify tells all streams of a new revision. It waits for none: one that hasn't sent the
// last revision yet will send this one in its place.
func (s *streams) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// end ends all streams, and those to come.
func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for c := range s.open {
		close(c)
	}
	clear(s.open)
}

// events streams an event for each new revision.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, OPTIONS")
		failure{status: http.StatusMethodNotAllowed, details: "the method must be GET"}.write(w)
		return
	}
	news := h.streams.add()
	if news == nil {
		failure{status: http.StatusServiceUnavailable, retryAfter: 1,
			details: "there are too many streams, or the server is about to end"}.write(w)
		return
	}
	defer h.streams.remove(news)
	s := stream{w: w, rc: http.NewResponseController(w)}
	s.start(h.client, r.Header.Get("Last-Event-ID"))
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for s.err == nil {
		select {
		case _, more := <-news:
			if !more {
				return
			}
			s.tell(h.client.Snapshot())
		case <-beat.C:
			s.write(":\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// A stream is the response that events are written to.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	told int64 // the last revision that the client knows of
	err  error // the first error; the client has gone, or reads too slowly
}

// start writes the headers, and an event if the client may have missed a revision: the last
// one that it was told of is lastID, or it has just fetched its flags if that is empty.
func (s *stream) start(client *sdk.Client, lastID string) {
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back until its buffer is full
	s.w.WriteHeader(http.StatusOK)
	_ = s.rc.SetReadDeadline(time.Time{}) // that of the request, which would end the stream
	now, updated := client.Snapshot(), client.Status().Updated
	last, err := strconv.ParseInt(lastID, 10, 64)
	switch {
	case err == nil:
		s.told = last
	case time.Since(updated) >= overlap:
		s.told = now.Revision()
	}
	if s.told >= now.Revision() {
		s.told = now.Revision()
		s.write(fmt.Sprintf("id: %d\n\n", s.told)) // no event, but a place to resume from
		return
	}
	s.tell(now)
}

// tell writes an event if the client doesn't know of a revision yet.
func (s *stream) tell(snapshot *sdk.Snapshot) {
	revision := snapshot.Revision()
	if revision == s.told {
		return
	}
	s.told = revision
	s.write(fmt.Sprintf("id: %d\nevent: message\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\"%d\"}\n\n",
		revision, revision))
}

func (s *stream) write(text string) {
	if s.err != nil {
		return
	}
	if s.err = s.rc.SetWriteDeadline(time.Now().Add(slowReader)); s.err != nil {
		return
	}
	if _, s.err = s.w.Write([]byte(text)); s.err == nil {
		s.err = s.rc.Flush()
	}
	if s.err == nil {
		s.err = s.rc.SetWriteDeadline(time.Time{}) // HTTP/2 ends a stream at its deadline, even if nothing is written
	}
}
