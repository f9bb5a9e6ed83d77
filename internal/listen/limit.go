package listen

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// A Limit limits the connections of an [http.Server], which calls State. If there are too
// many, the one that has waited longest for a request is closed for the new one, as clients
// expect of connections that are kept alive. If all have a request, the new one is closed.
// A Limit is safe for concurrent use.
type Limit struct {
	max int

	mu      sync.Mutex
	open    map[net.Conn]*list.Element // nil: it has a request
	waiting list.List                  // of net.Conn, the one that has waited longest first
	counts  Counts
}

// Counts are what a [Limit] counts.
type Counts struct {
	Open    int   // connections now
	Evicted int64 // connections that were closed for new ones, since the start
	Refused int64 // new connections that were closed
}

// NewLimit returns a Limit of max connections.
func NewLimit(max int) *Limit { return &Limit{max: max, open: make(map[net.Conn]*list.Element)} }

// Max returns the limit.
func (l *Limit) Max() int { return l.max }

// Counts returns the counts of this moment.
func (l *Limit) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.Open = len(l.open)
	return c
}

// State is the ConnState of an [http.Server].
func (l *Limit) State(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waits, known := l.open[conn]
	switch {
	case state == http.StateNew:
		l.add(conn)
	case !known: // it was evicted or refused
	case state == http.StateActive && waits != nil:
		l.waiting.Remove(waits)
		l.open[conn] = nil
	case state == http.StateIdle && waits == nil:
		l.open[conn] = l.waiting.PushBack(conn)
	case state == http.StateClosed, state == http.StateHijacked:
		l.remove(conn)
	}
}

// add adds a new connection, or closes it.
func (l *Limit) add(conn net.Conn) {
	if len(l.open) >= l.max {
		oldest := l.waiting.Front()
		if oldest == nil {
			l.counts.Refused++
			end(conn)
			return
		}
		evicted := oldest.Value.(net.Conn)
		l.counts.Evicted++
		l.remove(evicted)
		end(evicted)
	}
	l.open[conn] = l.waiting.PushBack(conn)
}

func (l *Limit) remove(conn net.Conn) {
	if waits := l.open[conn]; waits != nil {
		l.waiting.Remove(waits)
	}
	delete(l.open, conn)
}

// end closes a connection without waiting for the peer, which the Close of TLS may.
func end(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close()
}
