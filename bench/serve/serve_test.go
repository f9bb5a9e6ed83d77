//go:build linux

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(plainEnv); what != "" {
		if err := servePlain(what, os.Args[1]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestRun checks that servers are started, asked and compared, and that wrong answers are
// noticed.
func TestRun(t *testing.T) {
	r := run{rounds: 2, requests: 80, rate: 10_000, only: "one,all,route"}
	var printed bytes.Buffer
	if err := r.all(&printed, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"constant JSON", "constant body", "one header", "serin, with metrics",
		"requests per second, relative to constant JSON: "} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("%q is missing:\n%s", want, &printed)
		}
	}
	r.dir = t.TempDir()
	plain, err := r.startPlain("constant JSON", "100")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.stop()
	wrong := &target{process: plain, accept: contains("beta3"), requests: posts("/", 1)}
	if _, err := wrong.ask(connections); err == nil || !strings.Contains(err.Error(), `the answer lacks "beta3"`) {
		t.Errorf("error %v", err)
	}
}
