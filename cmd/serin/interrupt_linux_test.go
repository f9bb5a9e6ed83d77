package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/serin-flags/serin/internal/canary"
	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/internal/syncbuf"
)

// A process is the command in a process of its own.
type process struct {
	*exec.Cmd
	output *syncbuf.Buffer
	ended  chan error
}

// launch starts the command in dir. Input and environment may be nil.
func launch(t *testing.T, dir string, stdin *os.File, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self), output: &syncbuf.Buffer{}, ended: make(chan error, 1)}
	p.Args = append([]string{"serin"}, args...) // as which TestMain runs the command
	p.Dir, p.Env = dir, append(os.Environ(), env...)
	if stdin != nil {
		p.Stdin = stdin
	}
	p.Stdout, p.Stderr = p.output, p.output
	child.Bind(p.Cmd)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		p.Process.Kill() // fails if it has ended
		canary.Search(t, "the output of serin "+strings.Join(args, " "), p.output.String())
	})
	return p
}

// wait returns the exit status. The command must end by itself now; the limit is far
// above the second it may take, for machines that are busy.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.ended:
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return p.ProcessState.ExitCode()
	case <-time.After(10 * time.Second):
		t.Fatalf("serin %s doesn't end\n%s", strings.Join(p.Args[1:], " "), p.output)
		return 0
	}
}

// pipe makes a named pipe.
func pipe(t *testing.T, path string) string {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// holdPipe opens the end of a pipe for writing, once somebody reads from it.
func holdPipe(t *testing.T, path string) {
	t.Helper()
	for {
		file, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			t.Cleanup(func() { file.Close() })
			return
		}
		if !errors.Is(err, syscall.ENXIO) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// workFolder returns a folder with one flag and the keys of production.
func workFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "flags", "serin.yaml"), "environments: [production]\n")
	writeFile(t, filepath.Join(dir, "flags", "context.yaml"), "attributes: {user: {type: string, unit: true}}\n")
	writeFile(t, filepath.Join(dir, "flags", "checkout", "new-checkout.yaml"),
		"type: boolean\ndefault: off\nrules: [{name: half, serve: {on: 50%, off: rest}}]\n")
	var out bytes.Buffer
	if status := run(t.Context(), []string{"keys", "init", filepath.Join(dir, "keys"), "--env", "production"}, nil,
		&out, &out); status != 0 {
		t.Fatal(out.String())
	}
	return dir
}

// TestPipesAreRefused holds that files that must be regular are opened without waiting.
func TestPipesAreRefused(t *testing.T) {
	dir := workFolder(t)
	pipe(t, filepath.Join(dir, "pipe"))
	key := filepath.Join(dir, "keys", "online.key")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	pipe(t, key)
	pipe(t, filepath.Join(dir, "flags", "checkout", "pipe.yaml"))
	for _, args := range [][]string{
		{"check", "flags"},
		{"publish", "flags", "--to", "file://" + filepath.Join(dir, "store"), "--keys", "keys", "--env", "production"},
		{"verify", "file://" + filepath.Join(dir, "store"), "--root", "pipe"},
		{"serve", "--from", "file://" + filepath.Join(dir, "store"), "--root", "pipe"},
		{"keys", "show", "pipe"},
		{"keys", "rotate", "keys", "--online", "pipe"},
	} {
		p := launch(t, dir, nil, nil, args...)
		if status := p.wait(t); status == 0 || !strings.Contains(p.output.String(), "pipe") {
			t.Errorf("serin %s: status %d\n%s", strings.Join(args, " "), status, p.output)
		}
	}
}

// TestTermination holds that commands end soon after SIGTERM and SIGINT, wherever they
// wait.
func TestTermination(t *testing.T) {
	dir := workFolder(t)
	store := "file://" + filepath.Join(dir, "store")
	silent := silentServer(t)
	aws := []string{"AWS_ENDPOINT_URL=" + silent.url, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
		"AWS_REGION=us-east-1"}
	published := []string{"--keys", "keys", "--env", "production"}
	for _, test := range []struct {
		name    string
		env     []string
		args    []string
		waiting func(t *testing.T, p *process) // returns once p waits
	}{
		{"contexts from a pipe", nil, []string{"eval", "new-checkout", "--from", "flags", "--contexts", pipe(t, filepath.Join(dir, "contexts"))},
			func(t *testing.T, _ *process) { holdPipe(t, filepath.Join(dir, "contexts")) }},
		{"a pipe that nobody writes to", nil, []string{"comment", pipe(t, filepath.Join(dir, "report"))},
			func(t *testing.T, _ *process) { holdPipe(t, filepath.Join(dir, "report")) }},
		{"publish to a silent S3", aws, append([]string{"publish", "flags", "--to", "s3://flags"}, published...), silent.asked},
		{"verify a silent S3", aws, []string{"verify", "s3://flags/production", "--root", "keys/root.json"}, silent.asked},
		{"serve from a silent S3", aws, []string{"serve", "--from", "s3://flags/production", "--root", "keys/root.json", "--listen", "127.0.0.1:0"}, silent.asked},
		{"a lock that is held", nil, append([]string{"publish", "flags", "--to", store}, published...),
			func(t *testing.T, p *process) {
				eventually(t, "2.snapshot.json", entries(filepath.Join(dir, "store")))
				eventually(t, ".tmp", entries(filepath.Join(dir, "store"))) // the timestamp to be
			}},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(fmt.Sprintf("%s, %v", test.name, signal), func(t *testing.T) {
				if test.name == "a lock that is held" {
					holdLock(t, dir, test.args)
				}
				p := launch(t, dir, nil, test.env, test.args...)
				test.waiting(t, p)
				if err := p.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				status := p.wait(t)
				if test.args[0] == "serve" && status == 0 {
					return
				}
				want := "error: interrupted\n"
				if signal == syscall.SIGTERM {
					want = "error: stopped by a signal (terminated)\n"
				}
				if status != 1 || !strings.HasSuffix(p.output.String(), want) {
					t.Errorf("status %d\n%s", status, p.output)
				}
			})
		}
	}
	t.Run("a prompt on a terminal", func(t *testing.T) { testPrompt(t, dir) })
}

// testPrompt interrupts a command that asks for a passphrase. The terminal must show
// again what is typed.
func testPrompt(t *testing.T, dir string) {
	control, terminal := openTerminal(t)
	p := launch(t, dir, terminal, nil, "keys", "init", "more", "--env", "production", "--encrypt")
	eventually(t, "passphrase for root keys: ", p.output.String)
	echo := func() bool {
		state, err := unix.IoctlGetTermios(int(control.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	for echo() { // it's off once the passphrase is being read
		time.Sleep(time.Millisecond)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.wait(t); status == 0 || !echo() {
		t.Errorf("status %d, echo %v\n%s", status, echo(), p.output)
	}
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (control, terminal *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close() })
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return control, terminal
}

// A silent is a server that accepts connections and never answers.
type silent struct {
	url   string
	conns chan net.Conn
}

func silentServer(t *testing.T) silent {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := silent{"http://" + listener.Addr().String(), make(chan net.Conn, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.conns <- conn
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return s
}

// asked returns once a request has arrived.
func (s silent) asked(t *testing.T, p *process) {
	t.Helper()
	select {
	case conn := <-s.conns:
		t.Cleanup(func() { conn.Close() })
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	case err := <-p.ended:
		t.Fatalf("it ended: %v\n%s", err, p.output)
	}
}

// holdLock publishes the flags in dir, changes one, and takes the lock of the store.
// Publishing again then stops after the snapshot, before the timestamp.
func holdLock(t *testing.T, dir string, publish []string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	for _, variant := range []string{"on", "off"} {
		writeFile(t, filepath.Join(dir, "flags", "checkout", "kill.yaml"), "type: boolean\ndefault: "+variant+"\n")
		if variant == "on" {
			if p := launch(t, dir, nil, nil, publish...); p.wait(t) != 0 {
				t.Fatal(p.output)
			}
		}
	}
	file, err := os.OpenFile(filepath.Join(dir, "store", "production", ".serin.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
}

// entries returns what lists the files below dir.
func entries(dir string) func() string {
	return func() string {
		var names []string
		// What doesn't exist yet is looked for again.
		_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
			names = append(names, path)
			return nil
		})
		return strings.Join(names, "\n")
	}
}

// TestRestarts holds that restarts of servers lose no request: two take turns behind a
// balancer that goes by /status, while clients keep their connections busy.
func TestRestarts(t *testing.T) {
	dir := workFolder(t)
	b := &balancer{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: restartClients}}}
	t.Cleanup(b.client.CloseIdleConnections)
	serve := func() *process {
		p := launch(t, dir, nil, nil, "serve", "--from", "flags", "--listen", "127.0.0.1:0", "--grace", "2s")
		eventually(t, "\n", p.output.String)
		url, _, _ := strings.Cut(p.output.String(), "\n")
		b.add(url)
		return p
	}
	old := serve()
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	clients.Go(func() { b.watch(ctx) })
	for range restartClients {
		clients.Go(func() {
			for ctx.Err() == nil {
				b.ask(t)
			}
		})
	}
	for range soak.Times(2, 20) {
		next, before := serve(), b.answered.Load()
		if err := old.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if status := old.wait(t); status != 0 || !strings.Contains(old.output.String(), "stopping in 2s") {
			t.Errorf("status %d\n%s", status, old.output)
		}
		if b.answered.Load() == before {
			t.Error("no request was answered during the restart")
		}
		old = next
	}
	stop()
	clients.Wait()
	t.Logf("%d requests answered", b.answered.Load())
}

// restartClients is how many connections are busy during restarts.
const restartClients = 40

// A balancer sends requests to servers whose /status is 200.
type balancer struct {
	client   *http.Client
	mu       sync.Mutex
	servers  []string
	answered atomic.Int64
}

func (b *balancer) add(url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.servers = append(b.servers, url)
}

// watch removes servers whose status isn't 200, until ctx ends.
func (b *balancer) watch(ctx context.Context) {
	for ctx.Err() == nil {
		b.mu.Lock()
		servers := slices.Clone(b.servers)
		b.mu.Unlock()
		for _, url := range servers {
			resp, err := b.client.Get(url + "/status")
			if err == nil {
				resp.Body.Close()
			}
			if err != nil || resp.StatusCode != http.StatusOK {
				b.mu.Lock()
				b.servers = slices.DeleteFunc(b.servers, func(s string) bool { return s == url })
				b.mu.Unlock()
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ask sends a request to the oldest server, which is the one that is restarted next.
func (b *balancer) ask(t *testing.T) {
	b.mu.Lock()
	url := b.servers[0]
	b.mu.Unlock()
	// A body that can't be sent twice: nothing is retried behind our back.
	body := io.MultiReader(strings.NewReader(`{"context":{"targetingKey":"u-1"}}`))
	resp, err := b.client.Post(url+"/ofrep/v1/evaluate/flags/new-checkout", "application/json", body)
	if err != nil {
		t.Errorf("a request was lost: %v", err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("a request was lost: %v, status %d", err, resp.StatusCode)
		return
	}
	b.answered.Add(1)
}
