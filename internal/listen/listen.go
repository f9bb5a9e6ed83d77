// Package listen opens what an HTTP server listens on: an address or a Unix socket, with
// certificates from files that may be replaced, and a limited number of connections.
package listen

import (
	"io/fs"
	"net"
	"os"
	"strings"
)

// On listens on HOST:PORT, or on the Unix socket of unix:PATH. A socket that a process has
// left behind, and to which nobody listens, is replaced.
func On(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		} else if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}

// URL returns how clients name what l listens on: an URL with this scheme, or unix:PATH.
func URL(scheme string, l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return scheme + "://" + l.Addr().String()
}
