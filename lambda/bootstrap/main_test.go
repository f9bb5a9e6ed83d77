//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/internal/lambdatest"
)

// TestMisconfigured holds that the function, when a variable is missing or
// wrong, tells Lambda which and why, and ends.
func TestMisconfigured(t *testing.T) {
	dir := t.TempDir()
	binary, err := lambdatest.Build(dir, ".")
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	notRoot := file("not-root.json", "<html>")
	large := file("large.json", strings.Repeat(" ", maxRoot+1))
	tests := []struct {
		name string
		env  []string
		want []string // parts of the message
	}{
		{"nothing set", nil, []string{"SERIN_FROM is not set", "s3://bucket/prefix/production"}},
		{"no root", []string{"SERIN_FROM=file:///srv/flags/production"}, []string{"SERIN_ROOT is not set", "root.json"}},
		{"unknown scheme", []string{"SERIN_FROM=ftp://flags.example/production", "SERIN_ROOT=" + notRoot}, []string{"SERIN_FROM: ", "ftp"}},
		{"absent root", []string{"SERIN_FROM=file:///srv/flags/production", "SERIN_ROOT=absent.json"}, []string{"SERIN_ROOT: ", "absent.json", "no such file"}},
		{"root that is none", []string{"SERIN_FROM=file:///srv/flags/production", "SERIN_ROOT=" + notRoot}, []string{"SERIN_ROOT: ", "not-root.json"}},
		{"large root", []string{"SERIN_FROM=file:///srv/flags/production", "SERIN_ROOT=" + large}, []string{"SERIN_ROOT: ", "large.json is larger than 524288 bytes"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := lambdatest.Start(t, lambdatest.Config{Binary: binary, Env: test.env})
			_, err := f.Invoke(t.Context(), []byte(`{}`))
			var reported *lambdatest.InvocationError
			if !errors.As(err, &reported) || !reported.Init || reported.Type != "Runtime.ConfigInvalid" {
				t.Fatalf("error is %v, want a report of misconfiguration", err)
			}
			for _, part := range test.want {
				if !strings.Contains(reported.Message, part) {
					t.Errorf("the message %q lacks %q", reported.Message, part)
				}
			}
			var exit *exec.ExitError
			if err := f.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("the process ended with %v, want status 1", err)
			}
			if !strings.Contains(f.Log(), "the function is misconfigured") {
				t.Errorf("the log doesn't say so:\n%s", f.Log())
			}
		})
	}
}

// TestOutsideLambda holds that somebody who starts the function by hand is told
// what to start instead.
func TestOutsideLambda(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "")
	if _, err := open(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "use serin serve") {
		t.Errorf("error is %v", err)
	}
}
