//go:build unix

// Package deploy holds that the configurations beside it do what they say, on real servers.
package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/child"
)

// A site is a gateway with upstreams and a decision server.
type site struct {
	url       string
	dir       string // of the gateway's configuration
	socket    string // of the decision server
	decider   *exec.Cmd
	ports     map[string]string // of the upstreams
	shadowed  atomic.Int64      // requests that were mirrored
	shadowIDs sync.Map          // their methods, by ID
	client    *http.Client
}

var serin struct {
	sync.Once
	path string
	err  error
}

// command returns the path of the built command.
func command(t *testing.T) string {
	t.Helper()
	serin.Do(func() {
		dir, err := os.MkdirTemp("", "serin-deploy")
		if err != nil {
			serin.err = err
			return
		}
		serin.path = filepath.Join(dir, "serin")
		cmd := exec.Command("go", "build", "-trimpath", "-o", serin.path, "../cmd/serin")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			serin.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if serin.err != nil {
		t.Fatal(serin.err)
	}
	return serin.path
}

func TestMain(m *testing.M) {
	status := m.Run()
	if serin.path != "" {
		os.RemoveAll(filepath.Dir(serin.path))
	}
	os.Exit(status)
}

// newSite starts upstreams and a decision server.
func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	// The path of a socket has at most 107 bytes.
	sockets, err := os.MkdirTemp("", "serin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	s := &site{dir: dir, socket: filepath.Join(sockets, "s"), ports: make(map[string]string),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	t.Cleanup(s.client.CloseIdleConnections)
	for _, name := range []string{"stable", "beta1", "beta2", "beta3", "beta4"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Shadow") != "" {
				s.shadowIDs.Store(r.Header.Get("X-Request-Id"), r.Method)
				s.shadowed.Add(1)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			if strings.HasSuffix(r.URL.Path, "/fail") {
				w.WriteHeader(http.StatusTeapot)
			}
			json.NewEncoder(w).Encode(answer{Upstream: name, Method: r.Method, Path: r.URL.Path, Body: string(body),
				Header: r.Header})
		}))
		t.Cleanup(server.Close)
		_, s.ports[name], _ = strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	}
	s.startDecider(t)
	return s
}

func (s *site) startDecider(t *testing.T) { s.startDeciderOf(t, "testdata/flags") }

// startDeciderOf starts a decision server with the arguments that say of which flags.
func (s *site) startDeciderOf(t *testing.T, source ...string) {
	t.Helper()
	s.decider = exec.Command(command(t),
		append([]string{"serve", "--listen", "unix:" + s.socket, "--trust-proxies", "unix"}, source...)...)
	out, err := s.decider.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.decider.Stderr = os.Stderr
	start(t, s.decider)
	if _, err := out.Read(make([]byte, 100)); err != nil { // its URL
		t.Fatal(err)
	}
}

// start starts a process that ends with the test.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	child.Bind(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
}

// configure copies a configuration, with what is told to be replaced replaced, and the
// ports and the socket.
func (s *site) configure(t *testing.T, from string, replaced ...string) (port string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	text := strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:"+port, "/run/serin/serin.sock", s.socket,
		"127.0.0.1:9000", "127.0.0.1:"+s.ports["stable"], "127.0.0.1:9001", "127.0.0.1:"+s.ports["beta1"],
		"127.0.0.1:9002", "127.0.0.1:"+s.ports["beta2"], "127.0.0.1:9003", "127.0.0.1:"+s.ports["beta3"],
		"127.0.0.1:9004", "127.0.0.1:"+s.ports["beta4"]).Replace(string(data))
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(text, replaced[i]) {
			t.Fatalf("%s has no %q", from, replaced[i])
		}
		text = strings.ReplaceAll(text, replaced[i], replaced[i+1])
	}
	if err := os.WriteFile(filepath.Join(s.dir, filepath.Base(from)), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return port
}

// await waits until the gateway answers.
func (s *site) await(t *testing.T, log string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(s.url)
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			data, _ := os.ReadFile(log)
			t.Fatalf("the gateway doesn't answer: %v\n%s", err, data)
		}
	}
}

// An answer is what an upstream says of a request.
type answer struct {
	Upstream, Method, Path, Body string
	Header                       http.Header

	status int
	cookie string
	kept   string // whether nginx had the decision, if it keeps them
}

// get asks the gateway, with headers as pairs.
func (s *site) get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.do(t, s.client, r, headers...)
}

func (s *site) do(t *testing.T, client *http.Client, r *http.Request, headers ...string) (a answer) {
	t.Helper()
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return a
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	json.Unmarshal(body, &a) // an error page isn't JSON
	a.status, a.cookie, a.kept = resp.StatusCode, resp.Header.Get("Set-Cookie"), resp.Header.Get("X-Kept")
	return a
}

// from returns a client with another address.
func from(address string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
}

// stop kills the decision server.
func (s *site) stop() {
	s.decider.Process.Kill()
	s.decider.Wait()
	os.Remove(s.socket)
}

// without stops the decision server, calls f, puts a server that never answers in its
// place, calls f again, and starts it again.
func (s *site) without(t *testing.T, f func(t *testing.T)) {
	s.stop()
	t.Run("down", f)
	silent, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("hangs", f)
	silent.Close()
	s.startDecider(t)
}
