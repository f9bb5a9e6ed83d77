//go:build unix

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/canary"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/lambda/access"
)

// TestCanaries plants canaries in events, and searches what the function writes at the
// lowest level, its metrics and its answers for them.
func TestCanaries(t *testing.T) {
	keys, published := t.TempDir(), t.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, filestore.New(published), loaded, 7)
	server, serverHash := access.NewKey()
	slow, slowHash := access.NewKey()
	clients := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(clients, fmt.Appendf(nil, `clients:
  - {name: server, kind: server, keys: %s}
  - {name: slow, kind: client, keys: %s, rate: 1/h}
`, serverHash, slowHash), 0o666); err != nil {
		t.Fatal(err)
	}
	f := lambdatest.Start(t, lambdatest.Config{Binary: binary, Env: []string{
		"SERIN_FROM=file://" + published, "SERIN_ROOT=" + filepath.Join(keys, "root.json"), "SERIN_CLIENTS=" + clients,
		"SERIN_TRUST_PROXIES=127.0.0.1", "AWS_LAMBDA_LOG_LEVEL=TRACE",
	}})
	endpoint := httptest.NewServer(f)
	defer endpoint.Close()
	answers, statuses := canary.Send(t, endpoint.URL, "limit", "Bearer "+server, "Bearer "+slow)
	for _, status := range []int{200, 400, 401, 403, 404, 413, 429} {
		if statuses[status] == 0 {
			t.Errorf("no answer was a %d: %v", status, statuses)
		}
	}
	if _, err := f.Invoke(t.Context(), []byte(`{"Records":[{"body":"`+canary.Mark+`"}]}`)); err == nil {
		t.Error("an event that isn't a request was handled")
	} else {
		answers += err.Error()
	}
	for what, text := range map[string]string{"the log": f.Log(), "an answer": answers} {
		if text == "" {
			t.Errorf("%s is empty", what)
		}
		for _, line := range canary.Leaks(text, server, slow) {
			t.Errorf("%s has a canary: %.500s", what, line)
		}
	}
}
