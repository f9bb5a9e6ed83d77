//go:build unix

package deploy

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/serin-flags/serin/internal/needs"
)

func TestCaddy(t *testing.T) {
	binary := needs.Command(t, "caddy")
	s := newSite(t)
	port := s.configure(t, "caddy/Caddyfile", "http://127.0.0.1:",
		"{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\tlevel ERROR\n\t}\n}\n\nhttp://127.0.0.1:")
	s.url = "http://127.0.0.1:" + port
	cmd := exec.Command(binary, "run", "--config", filepath.Join(s.dir, "Caddyfile"), "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	cmd.Stderr = os.Stderr
	start(t, cmd)
	s.await(t, "")
	for _, test := range []struct {
		want    string
		headers []string
	}{
		{"beta3", []string{"X-Uid", "30"}},
		{"beta2", []string{"X-Uid", "33"}},
		{"stable", []string{"X-Uid", "7"}},
		{"stable", nil},
	} {
		got := s.get(t, "/", append(test.headers, "X-Serin-Variant", "beta4", "X-Serin-Other", "forged")...)
		if got.status != http.StatusOK || got.Upstream != test.want {
			t.Errorf("%q: %d from %q, want %s", test.headers, got.status, got.Upstream, test.want)
		}
		if got.Header.Get("X-Serin-Other") != "" || got.Header.Get("X-Serin-Variant") == "beta4" {
			t.Errorf("forged headers got through: %v", got.Header)
		}
	}
	if got := s.get(t, "/fail", "X-Uid", "30"); got.status != http.StatusTeapot || got.Upstream != "beta3" {
		t.Errorf("a failure of the upstream: %d from %s", got.status, got.Upstream)
	}
	s.without(t, func(t *testing.T) { testWithoutDecision(t, s) })
}
