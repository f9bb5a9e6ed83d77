package listen

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

// TestSocketOfBusyServer holds that a socket isn't taken from a server that is alive, but has so
// many connections waiting that it can't be connected to.
func TestSocketOfBusyServer(t *testing.T) {
	address := addresses(t)[2]
	_, path := network(address)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	before, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := On(address); err == nil {
		l.Close()
		t.Error("two listen on one socket")
	}
	if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket is gone: %v", err)
	}
}
