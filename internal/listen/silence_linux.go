package listen

import (
	"net"
	"syscall"
)

const tcpUserTimeout = 18 // of linux/tcp.h, which package syscall doesn't have

// limitSilence has a connection end when the peer hasn't acknowledged anything for maxSilence:
// neither what was sent nor, if there is nothing to send, the probes of keep-alive. Kernels
// that can't do that, such as those of some sandboxes, give up after their own times.
func limitSilence(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(maxSilence.Milliseconds()))
	})
}
