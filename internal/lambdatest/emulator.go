//go:build unix

package lambdatest

import (
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
	"syscall"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/internal/needs"
)

const (
	// emulatorStart limits how long the emulator may take until it listens.
	emulatorStart = 30 * time.Second
	// emulatorAttempts limits how often another process may take a port that was free a
	// moment before.
	emulatorAttempts = 5
)

// errEmulatorEnded tells an emulator that has ended, as one does whose port is taken, from
// one that doesn't answer.
var errEmulatorEnded = errors.New("the emulator has ended")

// An Emulator runs a function under aws-lambda-rie, AWS's Runtime Interface Emulator. It
// starts the function with the first event. It is safe for concurrent use, but takes one
// event at a time.
type Emulator struct {
	url  string
	cmd  *exec.Cmd
	log  log
	done chan struct{} // closed when the emulator has ended
}

// Emulate starts an emulator, and returns when it listens. When the test ends, it kills
// the emulator and the function. If the test has failed, it logs what they logged.
func Emulate(t testing.TB, cfg Config) *Emulator {
	t.Helper()
	rie := needs.LambdaEmulator(t)
	tmp := t.TempDir()
	for attempt := 1; ; attempt++ {
		e, err := emulate(t.Context(), rie, tmp, cfg)
		if err == nil {
			t.Cleanup(func() {
				e.Close()
				if t.Failed() {
					t.Logf("log of the function:\n%s", e.Log())
				}
			})
			return e
		}
		if !errors.Is(err, errEmulatorEnded) || attempt == emulatorAttempts {
			t.Fatalf("starting %s: %v", rie, err)
		}
	}
}

func emulate(ctx context.Context, rie, tmp string, cfg Config) (*Emulator, error) {
	front, api, err := freeAddresses()
	if err != nil {
		return nil, err
	}
	e := &Emulator{url: "http://" + front, done: make(chan struct{})}
	e.cmd = exec.Command(rie, "--log-level", "error", "--runtime-interface-emulator-address", front,
		"--runtime-api-address", api, cfg.Binary)
	e.cmd.Dir = filepath.Dir(cfg.Binary)
	e.cmd.Env = append([]string{
		"AWS_LAMBDA_FUNCTION_NAME=serin",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_FUNCTION_TIMEOUT=60",
		"TMPDIR=" + tmp,
		"PATH=" + os.Getenv("PATH"),
	}, cfg.Env...)
	e.cmd.Stdout, e.cmd.Stderr = &e.log, &e.log
	child.Bind(e.cmd)
	e.cmd.WaitDelay = emulatorStart // for the function, which ends when it can't get events any more
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = e.cmd.Wait() // it is killed
		close(e.done)
	}()
	if err := e.await(ctx, front); err != nil {
		e.Close()
		return nil, fmt.Errorf("%w\n%s", err, e.Log())
	}
	return e, nil
}

// await returns nil once the emulator listens.
func (e *Emulator) await(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, emulatorStart)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-e.done:
			return errEmulatorEnded
		case <-ctx.Done():
			return fmt.Errorf("it doesn't listen within %v: %w", emulatorStart, err)
		case <-tick.C:
		}
	}
}

// Invoke sends the function an event, a JSON document, and returns its response, or the
// object with errorMessage and errorType by which it reports an error.
func (e *Emulator) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/2015-03-31/functions/function/invocations",
		bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("invoking function: %w", err)
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// Stop asks the emulator to end, as Lambda ends an execution environment, and waits until
// it has. A function that has registered an extension gets SIGTERM.
func (e *Emulator) Stop(ctx context.Context) error {
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Log returns what the emulator and the function have written so far.
func (e *Emulator) Log() string { return e.log.String() }

// Close kills the emulator, and waits until the function has ended too. Closing twice is fine.
func (e *Emulator) Close() {
	_ = e.cmd.Process.Kill() // it may have ended
	<-e.done
}

// freeAddresses returns two addresses that nothing listened on a moment ago.
func freeAddresses() (one, two string, err error) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer first.Close()
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer second.Close()
	return first.Addr().String(), second.Addr().String(), nil
}
