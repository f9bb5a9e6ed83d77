//go:build unix

// Package lambdatest runs a Lambda function's binary locally like a custom runtime of
// AWS Lambda: as a process that fetches events from a documented HTTP interface, the
// Lambda Runtime API, and sends the responses there.
//
// It is for tests only. [Build] builds the binary, [Start] runs it,
// [Function.Invoke] sends it events, and [Function.ServeHTTP] turns HTTP
// requests into events of a Function URL.
//
// The function processes one event at a time, as in one execution environment. It
// isn't frozen between events, and memory and time aren't limited. It may register one
// internal extension; then it gets its next event only when the extension is done too.
//
// [Emulate] runs it under AWS's own emulator instead, which sends an answer only when the
// extension is done; Lambda doesn't wait for that.
package lambdatest

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/child"
)

// Build builds the main package with that import path for this machine's processor, with
// the flags of a deployment. It returns the path of the binary, dir/bootstrap. Call it
// once per package, in TestMain.
func Build(dir, importPath string) (binary string, err error) {
	binary = filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", binary, importPath)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", importPath, err, out)
	}
	return binary, nil
}

// Config says what to run.
type Config struct {
	// Binary is the path of the function's executable. Required.
	Binary string
	// Env has the function's environment variables, as "NAME=value". Start adds
	// those that Lambda sets, and a TMPDIR. None is inherited.
	Env []string
}

// A Function is a running function: a process and the Runtime API it talks to.
// It is safe for concurrent use.
type Function struct {
	api  *runtimeAPI
	lock chan struct{} // has an element while no event is processed
	log  log

	process *os.Process
	done    chan struct{} // closed when the process has ended
	exit    error         // valid when done is closed
}

// Start starts the function and returns immediately. When the test ends, it kills the
// process. If the test has failed, it logs what the function logged.
func Start(t testing.TB, cfg Config) *Function {
	t.Helper()
	f := &Function{api: newRuntimeAPI(), lock: make(chan struct{}, 1), done: make(chan struct{})}
	f.lock <- struct{}{}
	server := httptest.NewServer(f.api)
	cmd := exec.Command(cfg.Binary)
	cmd.Dir = filepath.Dir(cfg.Binary)
	cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=serin",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"LAMBDA_TASK_ROOT=" + cmd.Dir,
		"_HANDLER=bootstrap",
		"TMPDIR=" + t.TempDir(),
	}, cfg.Env...)
	cmd.Stdout, cmd.Stderr = &f.log, &f.log
	child.Bind(cmd)
	if err := cmd.Start(); err != nil {
		server.Close()
		t.Fatalf("starting function: %v", err)
	}
	f.process = cmd.Process
	go func() {
		f.exit = cmd.Wait()
		close(f.done)
	}()
	t.Cleanup(func() {
		f.Close()
		server.Close()
		if t.Failed() {
			t.Logf("log of the function:\n%s", f.Log())
		}
	})
	return f
}

// Invoke sends the function an event, a JSON document, and returns the response. The
// error is an [*InvocationError] if the function reported one. Otherwise the process
// has ended without a report, or ctx is done.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	select {
	case <-f.lock:
		defer func() { f.lock <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for earlier events: %w", context.Cause(ctx))
	}
	call := &invocation{event: event, answer: make(chan answer, 1)}
	var ok bool
	if call.deadline, ok = ctx.Deadline(); !ok {
		call.deadline = time.Now().Add(time.Minute)
	}
	pending := f.api.pending
	for {
		select {
		case pending <- call:
			pending = nil
		case a := <-call.answer:
			return a.body, a.err
		case <-f.api.failed:
			return nil, f.api.failure
		case <-f.done:
			return nil, f.ended()
		case <-ctx.Done():
			return nil, fmt.Errorf("invoking function: %w", context.Cause(ctx))
		}
	}
}

// ended returns why the process has ended.
func (f *Function) ended() error {
	select {
	case <-f.api.failed:
		return f.api.failure
	default:
		return fmt.Errorf("invoking function: its process has ended (%v) with the log:\n%s", f.exit, f.Log())
	}
}

// Terminate sends the process SIGTERM, as Lambda does before it ends an environment with
// an extension.
func (f *Function) Terminate() error { return f.process.Signal(syscall.SIGTERM) }

// Close kills the process, and waits until it has ended. Closing twice is fine.
func (f *Function) Close() {
	_ = f.process.Kill() // fails if it has ended already
	<-f.done
}

// Wait waits until the process has ended. It returns nil for exit status 0, an
// [*exec.ExitError] for others, and ctx's error if ctx is done first.
func (f *Function) Wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.exit
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Log returns what the process has written to standard output and error so far, which
// Lambda would send to CloudWatch Logs.
func (f *Function) Log() string { return f.log.String() }

// log is a bytes.Buffer for concurrent use.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
