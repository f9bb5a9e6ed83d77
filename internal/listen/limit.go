package listen

import (
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
	open    map[net.Conn]*connection
	waiting connection // the head of a ring; the one that has waited longest comes first
	counts  Counts
}

// A connection is one that is open. If it waits for a request, it is in a ring. A list of
// package container/list would allocate memory for each request.
type connection struct {
	net.Conn
	previous, next *connection // nil: it has a request
}

// join makes c the last one of the ring with this head.
func (c *connection) join(head *connection) {
	c.previous, c.next = head.previous, head
	c.previous.next, head.previous = c, c
}

// leave removes c from its ring, if it is in one.
func (c *connection) leave() {
	if c.next == nil {
		return
	}
	c.previous.next, c.next.previous = c.next, c.previous
	c.previous, c.next = nil, nil
}

// Counts are what a [Limit] counts.
type Counts struct {
	Open    int   // connections now
	Evicted int64 // connections that were closed for new ones, since the start
	Refused int64 // new connections that were closed
}

// NewLimit returns a Limit of max connections.
func NewLimit(max int) *Limit {
	l := &Limit{max: max, open: make(map[net.Conn]*connection)}
	l.waiting.previous, l.waiting.next = &l.waiting, &l.waiting
	return l
}

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
	c := l.open[conn]
	switch {
	case state == http.StateNew:
		l.add(conn)
	case c == nil: // it was evicted or refused
	case state == http.StateActive:
		c.leave()
	case state == http.StateIdle && c.next == nil:
		c.join(&l.waiting)
	case state == http.StateClosed, state == http.StateHijacked:
		l.remove(c)
	}
}

// add adds a new connection, or closes it.
func (l *Limit) add(conn net.Conn) {
	if len(l.open) >= l.max {
		oldest := l.waiting.next
		if oldest == &l.waiting {
			l.counts.Refused++
			end(conn)
			return
		}
		l.counts.Evicted++
		l.remove(oldest)
		end(oldest.Conn)
	}
	c := &connection{Conn: conn}
	c.join(&l.waiting)
	l.open[conn] = c
}

func (l *Limit) remove(c *connection) {
	c.leave()
	delete(l.open, c.Conn)
}

// end closes a connection without waiting for the peer, which the Close of TLS may.
func end(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close()
}
