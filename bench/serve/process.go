//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// plainEnv says what this program is to serve instead of measuring: see [servePlain].
const plainEnv = "SERIN_BENCH_PLAIN"

// A process is a server.
type process struct {
	name string
	cmd  *exec.Cmd
	pid  int
	dial func() (net.Conn, error)
}

// build builds the command.
func (r *run) build() error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/serin-flags/serin").Output()
	if err != nil {
		return fmt.Errorf("looking for serin's folder: %w", err)
	}
	r.root, r.serin = strings.TrimSpace(string(root)), filepath.Join(r.dir, "serin")
	cmd := exec.Command("go", "build", "-trimpath", "-o", r.serin, "./cmd/serin")
	cmd.Dir = r.root // its own module, with its own versions
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building serin: %w\n%s", err, out)
	}
	return nil
}

// start starts a server on a Unix socket or an address, on one core, and waits until it listens.
func (r *run) start(name string, command []string, socket string, env ...string) (*process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), append(env, "GOMAXPROCS=1")...)
	log, err := os.OpenFile(filepath.Join(r.dir, strings.Map(letters, name)+".log"),
		os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: cmd, pid: cmd.Process.Pid,
		dial: func() (net.Conn, error) { return net.Dial(network(socket), socket) }}
	if err := p.await(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return p, nil
}

// await waits until the server can be connected to.
func (p *process) await() error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := p.dial()
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			p.stop()
			return fmt.Errorf("%s doesn't listen: %w", p.name, err)
		}
	}
}

// stop ends a server that was started.
func (p *process) stop() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// startSerin starts the command with the flags of a folder.
func (r *run) startSerin(name, flags string, args ...string) (*process, error) {
	socket := r.socket(name)
	return r.start(name, append([]string{r.serin, "serve", flags, "--listen", "unix:" + socket, "--trust-proxies",
		"unix"}, args...), socket)
}

// startPlain starts this program as a server that decides nothing, on a Unix socket.
func (r *run) startPlain(name, what string) (*process, error) {
	return r.startPlainOn(r.socket(name), name, what)
}

func (r *run) startPlainOn(socket, name, what string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return r.start(name, []string{self, socket}, socket, plainEnv+"="+what)
}

// freeAddress returns an address that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// network returns the network of a path or an address.
func network(address string) string {
	if filepath.IsAbs(address) {
		return "unix"
	}
	return "tcp"
}

func (r *run) socket(name string) string {
	return filepath.Join(r.dir, strings.ReplaceAll(name, " ", "-")+".sock")
}

// servePlain serves one answer to everything: one header, or a body of JSON that has so many
// bytes. The server's settings are those of serin.
func servePlain(what, socket string) error {
	listener, err := net.Listen(network(socket), socket)
	if err != nil {
		return err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Serin-Variant"] = []string{"stable"}
		w.WriteHeader(http.StatusOK)
	})
	if n, err := strconv.Atoi(what); err == nil {
		body := []byte(`{"key":"` + strings.Repeat("x", n-len(`{"key":""}`)) + `"}`)
		handler = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", what)
			w.Write(body) // an error means that the client has gone
		}
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
	}
	return server.Serve(listener)
}

// cpu returns the processor time that a process has used, in user and system mode, to the
// nanosecond: the sum of that of its threads. Threads that have ended aren't counted.
func cpu(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("process %d has no threads: %v", pid, err)
	}
	var sum time.Duration
	for _, task := range tasks {
		file, err := os.Open(task)
		if err != nil {
			continue // it has just ended
		}
		var ns int64
		_, err = fmt.Fscan(bufio.NewReader(file), &ns)
		file.Close()
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}
