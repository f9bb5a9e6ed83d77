// Package listen opens what an HTTP server listens on: an address or a Unix socket, with
// certificates from files that may be replaced, and a limited number of connections. It
// stops listening without losing a connection.
package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Listener listens. It is safe for concurrent use.
type Listener struct {
	net.Listener
	path string // of the Unix socket; "": none

	mu       sync.Mutex
	last     string   // the address of the connection after which it closes; "": not yet known
	accepted net.Conn // that connection
}

// On listens on HOST:PORT, or on the Unix socket of unix:PATH. A socket that a process has
// left behind, and to which nobody listens, is replaced. A server that is alive keeps its socket,
// also when it is too busy to be connected to; only on Linux can that be told apart.
func On(address string) (*Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		return &Listener{Listener: l}, nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		conn, err := net.Dial("unix", path)
		switch {
		case err == nil:
			conn.Close()
		case errors.Is(err, syscall.ECONNREFUSED): // a full queue is EAGAIN
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return &Listener{Listener: l, path: path}, nil
}

// URL returns how clients name what l listens on: an URL with this scheme, or unix:PATH.
func (l *Listener) URL(scheme string) string {
	if l.path != "" {
		return "unix:" + l.path
	}
	return scheme + "://" + l.Addr().String()
}

// Accept waits for the next connection. On Linux, a connection ends when its peer has been gone
// for about a minute.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil && l.isLast(conn) {
		conn, err = l.Listener.Accept()
	}
	if err != nil && l.ended() {
		return nil, net.ErrClosed
	}
	if err == nil {
		limitSilence(conn)
	}
	return conn, err
}

// maxSilence is how long a peer may be silent that should acknowledge something. Without a
// limit, a stream of events to a client whose network is gone would live for a quarter of an
// hour: its few bytes fit into the kernel's buffer, so writing them never fails.
const maxSilence = time.Minute

// stragglerTime is how long connections are accepted after that of Drain: a client may have
// looked the socket up before, and connect a moment later.
const stragglerTime = 10 * time.Millisecond

// isLast reports whether a connection is that of Drain, and keeps it then.
func (l *Listener) isLast(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" || conn.RemoteAddr().String() != l.last {
		return false
	}
	l.accepted = conn
	_ = l.Listener.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(stragglerTime))
	return true
}

// ended stops listening if the connection of Drain was accepted, and reports that.
func (l *Listener) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accepted == nil {
		return false
	}
	l.Listener.Close()
	l.accepted.Close() // which Drain waits for
	return true
}

// drainTime is how long Drain waits for connections to be accepted.
const drainTime = time.Second

// Drain stops listening once every connection that clients have opened is accepted. The
// system lets them open connections before a program accepts them, and resets those that are
// waiting when it stops listening: their requests would be lost, unless clients repeat them.
// So Drain opens a connection of its own, which comes after them, and Accept stops soon after it.
// A Unix socket is renamed first, so that nobody can connect to it anymore. Somebody must be
// accepting.
func (l *Listener) Drain() {
	defer l.Close() // which does nothing if Accept has closed it
	network, address := "tcp", l.Addr().String()
	dialer := net.Dialer{Timeout: drainTime / 10} // nothing is accepted meanwhile
	if l.path != "" {
		network, address = "unix", l.path+".end"
		l.Listener.(*net.UnixListener).SetUnlinkOnClose(false) // there may be a new one by then
		if os.Rename(l.path, address) != nil {
			return
		}
		defer os.Remove(address)
		own := &net.UnixAddr{Net: "unix", Name: l.path + ".last"} // others have no address
		defer os.Remove(own.Name)
		dialer.LocalAddr = own
	}
	l.mu.Lock() // until last is known, so that Accept doesn't miss it
	conn, err := dialer.Dial(network, address)
	if err == nil {
		l.last = conn.LocalAddr().String()
	}
	l.mu.Unlock()
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = conn.Read(make([]byte, 1)) // ends when Accept closes it
}
