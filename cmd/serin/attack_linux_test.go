package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/soak"
)

// attackLimit is the --max-connections of servers that are attacked.
const attackLimit = 300

// attackMemory is how much more memory an attacked server may take than an idle one: for each
// connection headers, buffers, a small body and stacks; all large bodies; and garbage, which
// is as much as is in use and the ballast.
const attackMemory = 2*(attackLimit*48<<10+16<<20) + 2*serverBallast

// A victim is a server that is attacked.
type victim struct {
	*process
	url, metrics string
	roots        *x509.CertPool // nil: no TLS
	idle         int            // resident bytes before the attack
	goroutines   int            // before the attack
	files        int            // before the attack
}

// startVictim starts a server, with TLS if secure.
func startVictim(t *testing.T, secure bool) *victim {
	t.Helper()
	dir, v := workFolder(t), &victim{}
	args := []string{"serve", "--from", "flags", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
		"--grace", "0s",
		"--max-connections", strconv.Itoa(attackLimit)}
	if secure {
		var cert, key string
		cert, key, v.roots = writeCertificate(t, dir)
		args = append(args, "--tls-cert", cert, "--tls-key", key)
	}
	v.process = launch(t, dir, nil, nil, args...)
	eventually(t, "://127.0.0.1:",
		func() string { _, rest, _ := strings.Cut(v.output.String(), "/metrics\n"); return rest })
	v.metrics = urlAfter(t, v.output.String(), "metrics: ")
	for line := range strings.Lines(v.output.String()) {
		if strings.HasPrefix(line, "http") {
			v.url = strings.TrimSpace(line)
		}
	}
	v.normal(t)
	v.idle, v.goroutines, v.files = residentBytes(t, v.process), v.metric(t, "go_goroutines"), v.openFiles(t)
	return v
}

// metric returns the value of a metric without labels.
func (v *victim) metric(t *testing.T, name string) int {
	t.Helper()
	response, err := http.Get(v.metrics)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(readBody(t, response)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

func (v *victim) openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", v.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// normal asks as others do, over new connections and over one that is kept. All answers must
// be right.
func (v *victim) normal(t *testing.T) {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: v.roots}}
	defer transport.CloseIdleConnections()
	fresh := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: v.roots}}
	for i := range 20 {
		client := &http.Client{Transport: fresh}
		if i%2 == 0 {
			client.Transport = transport
		}
		body := fmt.Sprintf(`{"context":{"targetingKey":"u-%d"}}`, i)
		response, err := client.Post(v.url+"/ofrep/v1/evaluate/flags/new-checkout", "application/json",
			strings.NewReader(body))
		if err != nil {
			t.Errorf("another client: %v", err)
			return
		}
		if got := readBody(t, response); response.StatusCode != http.StatusOK ||
			!strings.Contains(got, `"reason":"SPLIT"`) {
			t.Errorf("another client gets %d %s", response.StatusCode, got)
		}
	}
}

// bounded holds that the server doesn't take more than it may.
func (v *victim) bounded(t *testing.T) {
	t.Helper()
	memory, goroutines, files := residentBytes(t, v.process)-v.idle, v.metric(t, "go_goroutines"), v.openFiles(t)
	t.Logf("%d MiB more, %d goroutines, %d files", memory>>20, goroutines, files)
	if memory > attackMemory {
		t.Errorf("%d MiB more, at most %d", memory>>20, attackMemory>>20)
	}
	// A connection has up to three goroutines, and a request over HTTP/2 one.
	if most := v.goroutines + 4*attackLimit; goroutines > most {
		t.Errorf("%d goroutines, at most %d", goroutines, most)
	}
	if most := v.files + attackLimit + 10; files > most {
		t.Errorf("%d open files, at most %d", files, most)
	}
}

// recovers waits until the server has nothing left of an attack.
func (v *victim) recovers(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		goroutines, files := v.metric(t, "go_goroutines"), v.openFiles(t)
		if goroutines <= v.goroutines+10 && files <= v.files+5 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("afterwards there are %d goroutines and %d open files, %d and %d before", goroutines, files,
				v.goroutines, v.files)
		}
	}
}

// dial connects to the server, with these protocols if it has TLS.
func (v *victim) dial(protocols ...string) (net.Conn, error) {
	_, address, _ := strings.Cut(v.url, "://")
	if v.roots == nil {
		return net.Dial("tcp", address)
	}
	return tls.Dial("tcp", address, &tls.Config{RootCAs: v.roots, NextProtos: protocols})
}

// An attack opens connections, and returns them.
type attack struct {
	name string
	run  func(t *testing.T, v *victim) []net.Conn
}

// held opens n connections that send text, and neither end it nor read.
func held(n int, text string, protocols ...string) func(*testing.T, *victim) []net.Conn {
	return func(t *testing.T, v *victim) []net.Conn {
		conns := make([]net.Conn, n)
		var senders sync.WaitGroup
		for worker := range 10 {
			senders.Go(func() {
				for i := worker; i < n; i += 10 {
					conn, err := v.dial(protocols...)
					if err != nil {
						continue // it was refused
					}
					conns[i] = conn
					_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // the server needn't read it all
					_, _ = io.WriteString(conn, text)
				}
			})
		}
		senders.Wait()
		return conns
	}
}

const (
	evaluate = "POST /ofrep/v1/evaluate/flags/new-checkout HTTP/1.1\r\nHost: x\r\n"
	askAll   = "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
)

// attacks are those over HTTP/1.1. Each leaves room for other clients, or is of a kind that
// the server closes to make room.
func attacks() []attack {
	many := soak.Times(2*attackLimit, 20*attackLimit)
	return []attack{
		{"slow headers", held(many, evaluate+"Cookie: "+strings.Repeat("x", 11<<10))},
		{"nothing is sent", held(many, "")},
		{"half closed", func(t *testing.T, v *victim) []net.Conn {
			conns := held(many, evaluate)(t, v)
			for _, conn := range conns {
				if half, ok := conn.(*net.TCPConn); ok {
					_ = half.CloseWrite()
				}
			}
			return conns
		}},
		{"idle after a request", held(many, evaluate+"Content-Length: 2\r\n\r\n{}")},
		{"slow bodies", held(attackLimit/2, evaluate+"Content-Length: 65536\r\n\r\n"+strings.Repeat(" ", 65000))},
		{"slow chunks", held(attackLimit/2, evaluate+"Transfer-Encoding: chunked\r\n\r\n10000\r\n"+strings.Repeat(" ", 65000))},
		{"answers aren't read", held(attackLimit/6, strings.Repeat(askAll, 3000))},
		{"events aren't read", held(attackLimit/2, "GET /ofrep/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")},
	}
}

// TestAttacks holds that a server keeps its bounds while it is attacked, that others get the
// right answers meanwhile, and that nothing is left afterwards.
func TestAttacks(t *testing.T) {
	raiseFileLimit(t)
	for _, secure := range []bool{false, true} {
		v := startVictim(t, secure)
		for _, a := range attacks() {
			t.Run(fmt.Sprintf("%s, TLS %v", a.name, secure), func(t *testing.T) {
				conns := a.run(t, v)
				v.normal(t)
				v.bounded(t)
				for _, conn := range conns {
					if tcp, ok := conn.(*tls.Conn); ok {
						conn = tcp.NetConn()
					}
					if conn != nil {
						conn.Close()
					}
				}
				v.recovers(t)
			})
		}
	}
}

// TestHostileRequests holds what single requests get that are larger, longer or deeper than
// any program sends, and that the server doesn't read on.
func TestHostileRequests(t *testing.T) {
	v := startVictim(t, false)
	endless := func(prefix, part string) io.Reader {
		return io.MultiReader(strings.NewReader(prefix), &repeated{part: part, left: 1 << 30})
	}
	for _, test := range []struct {
		name    string
		request io.Reader
		want    string
	}{
		{"a body of 1 GB", endless(evaluate+"Content-Length: 1073741824\r\n\r\n", "[[[[[[[["), "413"},
		{"endless chunks", endless(evaluate+"Transfer-Encoding: chunked\r\n\r\n", "8\r\n[[[[[[[[\r\n"), "413"},
		{"10,000 headers", endless("", evaluate+strings.Repeat("A: b\r\n", 10_000)), "431"},
		{"one long header", endless(evaluate+"A: ", "xxxxxxxx"), "431"},
		{"a long address", endless("GET /", "xxxxxxxx"), "431"},
		{"deep JSON", strings.NewReader(evaluate + "Content-Length: 65536\r\n\r\n" + `{"context":{"a":` + strings.Repeat("[", 65536-16)), "400"},
		{"deep objects", strings.NewReader(evaluate + "Content-Length: 65536\r\n\r\n" + strings.Repeat(`{"context":`, 65536/11) + strings.Repeat(" ", 65536%11)), "400"},
		{"two lengths", strings.NewReader(evaluate + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "400"},
		{"a length and chunks", strings.NewReader(evaluate + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n"), "400"},
		{"no HTTP", strings.NewReader("\x16\x03\x01" + strings.Repeat("\x00", 100) + "\r\n\r\n"), "400"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := v.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			sent := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(conn, test.request) // the server closes the connection
				sent <- n
			}()
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(response.Status, test.want) {
				t.Errorf("the status is %s", response.Status)
			}
			conn.Close()
			// What the kernel buffers counts as sent.
			if n := <-sent; n > 32<<20 {
				t.Errorf("%d MiB were sent", n>>20)
			}
			v.normal(t)
			v.bounded(t)
		})
	}
	t.Run("pipelined", func(t *testing.T) { testPipelined(t, v) })
	v.recovers(t)
}

// A repeated reads as text that is repeated.
type repeated struct {
	part string
	left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(r.part) <= len(p) {
		n += copy(p[n:], r.part)
	}
	if n == 0 {
		n = copy(p, r.part)
		r.part = r.part[n:] + r.part[:n]
	}
	r.left -= n
	return n, nil
}

// testPipelined sends requests without waiting for answers, which come in their order.
func testPipelined(t *testing.T, v *victim) {
	const n = 5000
	conn, err := v.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		var requests bytes.Buffer
		for i := range n {
			fmt.Fprintf(&requests,
				"POST /ofrep/v1/evaluate/flags/absent-%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", i)
		}
		_, _ = conn.Write(requests.Bytes()) // if it fails, so does reading
	}()
	reader := bufio.NewReader(conn)
	for i := range n {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if body := readBody(t, response); !strings.Contains(body, fmt.Sprintf(`"absent-%d"`, i)) {
			t.Fatalf("answer %d is %s", i, body)
		}
	}
	v.bounded(t)
}
