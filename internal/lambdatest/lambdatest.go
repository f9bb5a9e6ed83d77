//go:build unix

// Package lambdatest runs a Lambda function's binary on the machine at hand, in
// the way that AWS Lambda's custom runtimes run: as a process that asks for
// events, and answers them, at a documented HTTP interface, the Lambda Runtime
// API.
//
// It is for tests only. [Build] makes the binary, [Start] runs it,
// [Function.Invoke] hands it events, and [Function.ServeHTTP] turns HTTP
// requests into events of a Function URL.
//
// One event is under way at a time, as in one execution environment. Nothing
// is frozen between events, nothing is limited in memory or time, and there is
// no Extensions API.
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
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/child"
)

// Build compiles the main package with that import path to dir/bootstrap, as
// for a deployment on this machine's processor, and returns that path. A
// package's tests do it once, in TestMain.
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
	// Env holds the function's environment variables, as "NAME=value". The
	// ones that Lambda itself sets, and a TMPDIR of its own, are added; none
	// is inherited.
	Env []string
}

// A Function is a running function: a process and the Runtime API it talks to.
// It is safe for concurrent use.
type Function struct {
	api  *runtimeAPI
	turn chan struct{} // holds a token: one event at a time
	log  log
	done chan struct{} // closed when the process has ended
	exit error         // valid when done is closed
}

// Start runs the function and returns at once; the process starts up, or fails,
// meanwhile. When the test ends the process is killed; if the test has failed,
// what the function logged is then logged by the test.
func Start(t testing.TB, cfg Config) *Function {
	t.Helper()
	f := &Function{api: newRuntimeAPI(), turn: make(chan struct{}, 1), done: make(chan struct{})}
	f.turn <- struct{}{}
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
	go func() {
		f.exit = cmd.Wait()
		close(f.done)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() // an error means that it has ended already
		<-f.done
		server.Close()
		if t.Failed() {
			t.Logf("log of the function:\n%s", f.Log())
		}
	})
	return f
}

// Invoke hands the function an event, a JSON document, and returns its answer.
// The error is an [*InvocationError] if the function reported one; otherwise
// the process has ended without a report, or ctx has.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	select {
	case <-f.turn:
		defer func() { f.turn <- struct{}{} }()
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

// ended returns why there is no process any more.
func (f *Function) ended() error {
	select {
	case <-f.api.failed:
		return f.api.failure
	default:
		return fmt.Errorf("invoking function: its process has ended (%v) with the log:\n%s", f.exit, f.Log())
	}
}

// Wait waits until the process has ended, and returns how: nil for status 0, an
// [*exec.ExitError] for others. It returns ctx's error if that ends first.
func (f *Function) Wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.exit
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Log returns what the process has written to standard output and error so far:
// what CloudWatch Logs would hold.
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
