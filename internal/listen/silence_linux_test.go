package listen

import (
	"net"
	"syscall"
	"testing"
)

// TestSilence holds that the kernel is told to give up peers that are gone, whether or not
// there is something to send to them.
func TestSilence(t *testing.T) {
	l, err := On("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(level, name int) (value int) {
		var failed error
		err := raw.Control(func(fd uintptr) { value, failed = syscall.GetsockoptInt(int(fd), level, name) })
		if err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		return value
	}
	if ms := option(syscall.IPPROTO_TCP, tcpUserTimeout); ms != 60_000 {
		t.Errorf("it gives up what isn't acknowledged after %d ms", ms)
	}
	if option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) != 1 {
		t.Error("there is no keep-alive")
	}
	if idle, every := option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE),
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL); idle > 15 || every > 15 {
		t.Errorf("it asks for a sign of life after %d s, and then every %d s", idle, every)
	}
}
