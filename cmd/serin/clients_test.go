package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/lambda/access"
)

// TestConcurrentClients runs a server with a file of clients, and changes that.
func TestConcurrentClients(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "flags/serin.yaml"), "environments: [production]\npublic: [apps]\n")
	writeFile(t, filepath.Join(dir, "flags/context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	for _, name := range []string{"apps/theme", "ops/dump"} {
		writeFile(t, filepath.Join(dir, "flags", name+".yaml"),
			"type: string\ndefault: light\nrules: [{name: all, serve: light}]\n")
	}
	server, serverHash := access.NewKey()
	web, webHash := access.NewKey()
	clients := filepath.Join(dir, "clients.yaml")
	entry := func(name, kind, hash string) string {
		return fmt.Sprintf("- {name: %s, kind: %s, keys: %s}\n", name, kind, hash)
	}
	writeFile(t, clients, "clients:\n"+entry("server", "server", serverHash))
	s := startServer(t, "serve", filepath.Join(dir, "flags"), "--listen", "127.0.0.1:0", "--clients", clients)
	ask := func(key, flag string) string {
		r, err := http.NewRequest(http.MethodPost, s.url+"/ofrep/v1/evaluate/flags"+flag, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode, " ", strings.Count(string(body), `"key"`))
	}
	check := func(key, flag, want string) {
		t.Helper()
		if got := ask(key, flag); got != want {
			t.Errorf("%s: %s, want %s", flag, got, want)
		}
	}
	check("", "", "401 0")
	check(server, "", "200 2")
	check(web, "", "401 0")
	eventually(t, "200 1", func() string {
		writeFile(t, clients, "clients:\n"+entry("server", "server", serverHash)+entry("web", "client", webHash))
		return ask(web, "")
	})
	check(web, "/theme", "200 1")
	check(web, "/dump", "404 1")
	eventually(t, "clients not changed", func() string {
		writeFile(t, clients, "clients:\n"+entry("server", "server", web))
		return s.stderr.String()
	})
	check(server, "", "200 2")
	check(web, "", "200 1")
	if log := s.stderr.String(); strings.Contains(log, server) || strings.Contains(log, web) ||
		strings.Contains(log, "anyone who can connect") {
		t.Errorf("the log has a key, or says that anyone may ask:\n%s", log)
	}
	open := startServer(t, "serve", filepath.Join(dir, "flags"), "--listen", "127.0.0.1:0")
	eventually(t, "anyone who can connect may ask for all flags", open.stderr.String)
}
