package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/serin-flags/serin/internal/soak"
)

// TestHeldRequests holds that clients that begin requests and don't end them take up
// little memory, and that others are still answered.
func TestHeldRequests(t *testing.T) {
	const bound = 150 << 20 // bytes over idle, for 5,000 of them
	n := soak.Times(500, 5000)
	raiseFileLimit(t)
	p := launch(t, workFolder(t), nil, nil, "serve", "--from", "flags", "--listen", "127.0.0.1:0", "--grace", "0s")
	eventually(t, "\n", p.output.String)
	url, _, _ := strings.Cut(p.output.String(), "\n")
	s := server{url: url, stderr: p.output}
	s.ask(t, "new-checkout")
	idle := residentBytes(t, p)
	for name, request := range map[string]string{
		"bodies": "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n{" +
			strings.Repeat(" ", 65436),
		"large bodies": "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n{" +
			strings.Repeat(" ", 65436),
		"chunks":  "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n{" + strings.Repeat(" ", 65436),
		"headers": "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("x", 11<<10),
	} {
		conns := hold(t, strings.TrimPrefix(s.url, "http://"), request, n)
		if got := s.ask(t, "new-checkout"); !strings.Contains(got, `"value":false`) {
			t.Errorf("%s: with %d held requests, another one got %s", name, n, got)
		}
		if more := residentBytes(t, p) - idle; more > bound {
			t.Errorf("%s: %d held requests take up %d MiB", name, n, more>>20)
		} else {
			t.Logf("%s: %d held requests take up %d MiB", name, n, more>>20)
		}
		for _, conn := range conns {
			conn.Close()
		}
	}
}

// hold sends the beginning of a request on n connections.
func hold(t *testing.T, address, request string, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var senders sync.WaitGroup
	for worker := range 20 {
		senders.Go(func() {
			for i := worker; i < n; i += 20 {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = conn
				// The server may refuse the request, and close the connection, at any point.
				_, _ = conn.Write([]byte(request))
			}
		})
	}
	senders.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

// residentBytes returns how much memory a process takes up.
func residentBytes(t *testing.T, p *process) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// raiseFileLimit lets this process, and those it starts, open as many files as they may.
func raiseFileLimit(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}
