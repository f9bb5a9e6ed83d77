package main

import (
	"bytes"
	"fmt"
	"log"
	"strings"
	"testing"
)

// TestServerLog holds that what clients can cause isn't logged, with their addresses, and
// that everything else is.
func TestServerLog(t *testing.T) {
	var out bytes.Buffer
	l := log.New(serverLog{&out}, "", 0)
	for _, line := range []string{
		"http: TLS handshake error from 192.0.2.7:4711: EOF",
		"http2: server: error reading preface from client 192.0.2.7:4711: timeout",
		"http: Accept error: accept tcp 127.0.0.1:8787: too many open files; retrying in 5ms",
	} {
		fmt.Fprintln(l.Writer(), line)
	}
	if got := out.String(); strings.Contains(got, "192.0.2.7") || !strings.Contains(got, "too many open files") {
		t.Errorf("the log is\n%s", got)
	}
}
