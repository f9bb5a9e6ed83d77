package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/serin-flags/serin/internal/canary"
	"github.com/serin-flags/serin/lambda/access"
)

// TestCanaries plants canaries in requests to a server, and searches everything that it
// writes, its metrics, its status and its answers for them.
func TestCanaries(t *testing.T) {
	dir := workFolder(t)
	server, serverHash := access.NewKey()
	slow, slowHash := access.NewKey()
	clients := filepath.Join(dir, "clients.yaml")
	writeFile(t, clients, fmt.Sprintf(`clients:
  - {name: server, kind: server, keys: %s}
  - {name: slow, kind: client, keys: %s, rate: 1/h}
`, serverHash, slowHash))
	p := launch(t, dir, nil, nil, "serve", "--from", "flags", "--listen", "127.0.0.1:0", "--metrics-listen",
		"127.0.0.1:0",
		"--clients", clients, "--trust-proxies", "127.0.0.1", "--grace", "0s")
	var urls []string // of the metrics, and of the endpoint
	eventually(t, "2", func() string {
		urls = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`).FindAllString(p.output.String(), -1)
		return fmt.Sprint(len(urls))
	})
	if !strings.HasPrefix(p.output.String()[strings.Index(p.output.String(), urls[1]):], urls[1]+"\n") {
		t.Fatalf("the endpoint is not at %s:\n%s", urls[1], p.output)
	}
	answers, statuses := canary.Send(t, urls[1], "new-checkout", "Bearer "+server, "Bearer "+slow)
	for _, status := range []int{200, 400, 401, 403, 404, 413, 429} {
		if statuses[status] == 0 {
			t.Errorf("no answer was a %d: %v", status, statuses)
		}
	}
	texts := map[string]string{"an answer": answers}
	for what, url := range map[string]string{"the status": urls[1] + "/status", "the metrics": urls[0] + "/metrics"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		texts[what] = string(body)
	}
	eventually(t, "clients not changed", func() string {
		writeFile(t, clients, "clients: [{name: a, kind: server, keys: ["+server+"]}]\n")
		return p.output.String()
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wait(t)
	texts["the log"] = p.output.String()
	for what, text := range texts {
		if text == "" {
			t.Errorf("%s is empty", what)
		}
		for _, line := range canary.Leaks(text, server, slow) {
			t.Errorf("%s has a canary: %.500s", what, line)
		}
	}
}
