package listen

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A limited is a server with a Limit, whose requests for /wait end when told.
type limited struct {
	limit   *Limit
	address string
	waiting chan struct{} // a request waits
	release chan struct{} // closed: they end
}

func newLimited(t *testing.T, max int) *limited {
	s := &limited{limit: NewLimit(max), waiting: make(chan struct{}), release: make(chan struct{})}
	listener, err := On("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	server := &http.Server{ConnState: s.limit.State,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				s.waiting <- struct{}{}
				<-s.release
			}
		})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return s
}

// dial connects and sends a request for a path, unless that is empty.
func (s *limited) dial(t *testing.T, path string) *bufio.ReadWriter {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	rw := bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
	if path != "" {
		send(t, rw, path)
	}
	return rw
}

func send(t *testing.T, rw *bufio.ReadWriter, path string) {
	t.Helper()
	fmt.Fprintf(rw, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	if err := rw.Flush(); err != nil {
		t.Fatal(err)
	}
}

func answered(rw *bufio.ReadWriter) error {
	response, err := http.ReadResponse(rw.Reader, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// waiting returns how many connections wait for a request.
func waiting(l *Limit) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := l.waiting.next; c != &l.waiting; c = c.next {
		n++
	}
	return n
}

// await waits until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func TestLimitClosesIdleConnections(t *testing.T) {
	s := newLimited(t, 3)
	var conns []*bufio.ReadWriter
	for i := range 3 {
		conns = append(conns, s.dial(t, "/"))
		if err := answered(conns[i]); err != nil {
			t.Fatal(err)
		}
		await(t, "it doesn't wait", func() bool { return waiting(s.limit) == i+1 })
	}
	send(t, conns[0], "/") // now the second one has waited longest
	if err := answered(conns[0]); err != nil {
		t.Fatal(err)
	}
	if err := answered(s.dial(t, "/")); err != nil {
		t.Errorf("a fourth connection: %v", err)
	}
	_, _ = io.Copy(io.Discard, conns[1]) // ends when it is closed
	for _, i := range []int{0, 2} {
		send(t, conns[i], "/")
		if err := answered(conns[i]); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	if got := s.limit.Counts(); got != (Counts{Open: 3, Evicted: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestLimitRefuses(t *testing.T) {
	s := newLimited(t, 2)
	first, second := s.dial(t, "/wait"), s.dial(t, "/wait")
	<-s.waiting
	<-s.waiting
	if err := answered(s.dial(t, "")); err == nil {
		t.Error("a third connection was answered")
	}
	if got := s.limit.Counts(); got != (Counts{Open: 2, Refused: 1}) {
		t.Errorf("%+v", got)
	}
	close(s.release)
	for _, conn := range []*bufio.ReadWriter{first, second} {
		if err := answered(conn); err != nil {
			t.Error(err)
		}
	}
	if err := answered(s.dial(t, "/")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestLimitAllocatesNothing holds that requests on an open connection cost no memory.
func TestLimitAllocatesNothing(t *testing.T) {
	l := NewLimit(2)
	conn, peer := net.Pipe()
	defer conn.Close()
	defer peer.Close()
	l.State(conn, http.StateNew)
	if n := testing.AllocsPerRun(100, func() {
		l.State(conn, http.StateActive)
		l.State(conn, http.StateIdle)
	}); n != 0 {
		t.Errorf("a request takes %v allocations", n)
	}
}

// TestConcurrentLimit holds, under the race detector, that there are never more connections
// than the limit, and that none is counted once all are closed.
func TestConcurrentLimit(t *testing.T) {
	s := newLimited(t, 5)
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for range 50 {
				conn, err := net.Dial("tcp", s.address)
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				_, _ = http.ReadResponse(bufio.NewReader(conn), nil) // or it was closed for another one
				if n := s.limit.Counts().Open; n > 5 {
					t.Errorf("%d connections", n)
				}
				conn.Close()
			}
		})
	}
	clients.Wait()
	await(t, "connections are left", func() bool { return s.limit.Counts().Open == 0 })
	if n := waiting(s.limit); n != 0 {
		t.Errorf("%d connections wait", n)
	}
}
