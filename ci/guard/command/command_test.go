//go:build unix

package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/guard"
)

const canary = "canary-77aa"

// sh is a command of the shell.
func sh(script string) guard.Command {
	return guard.Command{Run: []string{"sh", "-c", script}, Timeout: time.Minute,
		Env: []string{"SERIN_FLAG=search-index"}}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "smoke.sh"), []byte("#!/bin/sh\necho here; exit 1\n"),
		0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	r := &Runner{}
	for _, tt := range []struct {
		name   string
		c      guard.Command
		status int
		output string
		err    string
	}{
		{"pass", sh("echo fine $SERIN_FLAG; echo problem >&2"), 0, "fine search-index\nproblem\n", ""},
		{"fail", sh("exit 1"), 1, "", ""},
		{"error", sh("exit 7"), 7, "", ""},
		{"in the folder", guard.Command{Run: []string{"./smoke.sh"}, Timeout: time.Minute}, 1, "here\n", ""},
		{"killed", sh("kill -9 $$"), -1, "", "running sh: signal: killed"},
		{"unknown", guard.Command{Run: []string{"./unknown"}, Timeout: time.Minute}, -1, "", "running ./unknown: no such file"},
		{"not found", guard.Command{Run: []string{"unknown-" + canary}, Timeout: time.Minute}, -1, "", "executable file not found"},
		{"none", guard.Command{}, 0, "", "there is none"},
	} {
		out, err := r.Run(t.Context(), tt.c)
		if out.Status != tt.status || out.Output != tt.output || (err == nil) != (tt.err == "") ||
			err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %+v, error %v", tt.name, out, err)
		}
	}
}

// TestEnvironment holds that commands get the variables that they are meant to, and no others.
func TestEnvironment(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS",
		"SERIN_KEY", "SERIN_ONLINE_KEY", "SERIN_SOURCES", "GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
		"CI_JOB_TOKEN", "SSH_AUTH_SOCK", "HOME", "ANYTHING",
	} {
		t.Setenv(name, canary)
	}
	r := &Runner{}
	out, err := r.Run(t.Context(), sh("env | grep -v '^PWD=\\|^SHLVL=\\|^_=\\|^OLDPWD='"))
	if err != nil || out.Status != 0 {
		t.Fatal(out, err)
	}
	for line := range strings.Lines(out.Output) {
		name, _, _ := strings.Cut(line, "=")
		if name == "SERIN_FLAG" || slices.Contains(passed, name) {
			continue
		}
		t.Errorf("the command gets %s", line)
	}
	if strings.Contains(out.Output, canary) {
		t.Errorf("output %s", out.Output)
	}
	if !strings.Contains(out.Output, "PATH=") {
		t.Errorf("output %s", out.Output)
	}
}

// TestMask holds that a secret isn't in the output, wherever in it and however long it is.
func TestMask(t *testing.T) {
	for _, size := range []int{0, 100, 3900, 4090, 4096, 8180, 8190, 8192, 8200, 20_000, 100_000} {
		for _, secret := range []string{canary, canary + strings.Repeat("x", 300)} {
			r := &Runner{Secrets: []string{secret, canary, "", "a"}}
			pad := strconv.Itoa(size)
			out, err := r.Run(t.Context(), sh(`printf 'first %s %0`+pad+`d %s last' '`+secret+`' 0 '`+secret+`'`))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.Output, "ary-77aa") || len(out.Output) > maxOutput {
				t.Errorf("size %d: %d bytes, %q", size, len(out.Output), out.Output)
			}
			if !strings.HasSuffix(out.Output, "0 (hidden) last") {
				t.Errorf("size %d: %q", size, out.Output)
			}
		}
	}
}

// TestMaskParent holds that the output doesn't have secrets of the guard's own environment,
// wherever the command found them.
func TestMaskParent(t *testing.T) {
	t.Setenv("SERIN_GUARD_CREDENTIALS",
		"https://prometheus.test bearer one-"+canary+"\nhttps://a.test basic ann:two-"+canary)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "three-"+canary)
	t.Setenv("GITHUB_TOKEN", "four-"+canary)
	out, err := new(Runner).Run(t.Context(), sh("echo four-"+canary+"; echo x one-"+canary+" y three-"+canary+
		"; echo https://a.test basic ann:two-"+canary))
	if want := "(hidden)\nx (hidden) y (hidden)\n"; err != nil || strings.Contains(out.Output, canary) ||
		!strings.HasPrefix(out.Output, want) {
		t.Errorf("%q, error %v", out.Output, err)
	}
}

// TestMaskCut holds that no part of a secret is left where the output is cut.
func TestMaskCut(t *testing.T) {
	secret := canary + strings.Repeat("y", 300)
	for first := range 5 {
		r := &Runner{Secrets: []string{secret}}
		out, err := r.Run(t.Context(), sh(`printf '%0`+strconv.Itoa(1+60*first)+
			`d' 0; i=0; while [ $i -lt 40 ]; do printf '`+secret+`,'; i=$((i+1)); done`))
		if err != nil || strings.Contains(out.Output, "y") || !strings.HasSuffix(out.Output, "(hidden),(hidden),") {
			t.Errorf("%q, error %v", out.Output, err)
		}
	}
}

// TestEndless holds that endless output is bounded, and that a command and what it started is
// killed when its time is over.
func TestEndless(t *testing.T) {
	file := filepath.Join(t.TempDir(), "child")
	r := new(Runner)
	c := sh(`sleep 1000 & echo $! > ` + file + `; while :; do echo yes; done`)
	c.Timeout = 300 * time.Millisecond
	out, err := r.Run(t.Context(), c)
	if !errors.Is(err, guard.ErrSlow) || len(out.Output) > maxOutput || !strings.HasSuffix(out.Output, "yes\n") {
		t.Errorf("%d bytes, error %v", len(out.Output), err)
	}
	gone(t, file)
}

// TestLeftBehind holds that a command that ends leaves no process of its group.
func TestLeftBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "child")
	r := new(Runner)
	if out, err := r.Run(t.Context(), sh(`sleep 1000 >/dev/null 2>&1 & echo $! > `+file)); err != nil ||
		out.Status != 0 {
		t.Errorf("%+v, error %v", out, err)
	}
	gone(t, file)
}

// A command ends when the run does.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Runner).Run(ctx, sh("sleep 1000")); err == nil {
		t.Error("no error")
	}
}

// gone waits until the process whose ID is in a file has ended.
func gone(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		// A zombie that nobody waits for is as good as gone.
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d is still there", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
