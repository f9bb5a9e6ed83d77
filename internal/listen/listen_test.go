package listen

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func network(address string) (string, string) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path
	}
	return "tcp", address
}

// addresses returns one of each kind to listen on.
func addresses(t *testing.T) []string {
	dir, err := os.MkdirTemp("", "serin") // the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return []string{"127.0.0.1:0", "[::]:0", "unix:" + filepath.Join(dir, "s")}
}

// TestDrain holds that connections which are waiting when a server stops listening are
// accepted first, and that there is nothing to connect to afterwards.
func TestDrain(t *testing.T) {
	const waiting = 50
	for _, address := range addresses(t) {
		l, err := On(address)
		if err != nil {
			if strings.HasPrefix(address, "[") {
				t.Logf("there is no IPv6: %v", err)
				continue
			}
			t.Fatal(err)
		}
		kind, at := network(strings.TrimPrefix(l.URL("http"), "http://"))
		conns := make([]net.Conn, waiting)
		for i := range conns {
			if conns[i], err = net.Dial(kind, at); err != nil {
				t.Fatal(err)
			}
			defer conns[i].Close()
			fmt.Fprint(conns[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		var drained sync.WaitGroup
		drained.Go(l.Drain)
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		if err := server.Serve(l); err == nil {
			t.Error("no error")
		}
		drained.Wait()
		for i, conn := range conns {
			if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil ||
				response.StatusCode != http.StatusOK {
				t.Errorf("%s: connection %d: %v", address, i, err)
			}
		}
		if conn, err := net.Dial(kind, at); err == nil {
			conn.Close()
			t.Errorf("%s: it still listens", address)
		}
		server.Close()
		if kind == "unix" {
			if left, err := os.ReadDir(filepath.Dir(at)); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		}
	}
}

// TestConcurrentDrain holds that no connection is lost while clients connect all the time:
// they are answered, or can't connect.
func TestConcurrentDrain(t *testing.T) {
	address := addresses(t)[2] // over TCP, one may be opened between accepting the last one and closing
	_, path := network(address)
	for range 20 {
		l, err := On(address)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(l) }()
		var answered atomic.Int64
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for {
					conn, err := net.Dial("unix", path)
					if err != nil {
						return // it has stopped
					}
					fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
					if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
						t.Errorf("a connection is lost: %v", err)
					}
					conn.Close()
					answered.Add(1)
				}
			})
		}
		await(t, "nothing is answered", func() bool { return answered.Load() > 100 })
		l.Drain()
		<-ended
		clients.Wait()
		server.Close()
	}
}

// TestDrainTakesStragglers holds that a connection isn't lost which is opened a moment after
// Drain has opened its own, as by a client that had looked up the socket before.
func TestDrainTakesStragglers(t *testing.T) {
	all := addresses(t)
	for _, address := range []string{all[0], all[2]} {
		l, err := On(address)
		if err != nil {
			t.Fatal(err)
		}
		kind, at := network(address)
		if kind == "unix" {
			at += ".end" // where such a client still finds it
		} else {
			at = l.Addr().String()
		}
		drained := make(chan struct{})
		go func() { l.Drain(); close(drained) }()
		await(t, "nothing is drained", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.last != ""
		})
		conn, err := net.Dial(kind, at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		defer server.Close()
		if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: serving ends with %v", address, err)
		}
		<-drained
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil ||
			response.StatusCode != http.StatusOK {
			t.Errorf("%s: %v", address, err)
		}
		if conn, err := net.Dial(kind, at); err == nil {
			conn.Close()
			t.Errorf("%s: it still listens", address)
		}
	}
}

// TestSocketLeftBehind holds that a socket of a process that has ended is replaced, and one
// that is in use isn't.
func TestSocketLeftBehind(t *testing.T) {
	address := addresses(t)[2]
	_, path := network(address)
	killed, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	killed.(*net.UnixListener).SetUnlinkOnClose(false)
	killed.Close()
	l, err := On(address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := On(address); err == nil {
		t.Error("two listen on one socket")
	}
}
