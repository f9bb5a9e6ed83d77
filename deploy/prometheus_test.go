//go:build unix

package deploy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin/internal/needs"
)

// TestAlerts runs the tests of the alerts.
func TestAlerts(t *testing.T) {
	promtool := needs.Command(t, "promtool")
	dir := t.TempDir()
	for _, name := range []string{"prometheus/rules.yaml", "prometheus/prometheus.yaml", "testdata/rules_test.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "config", "prometheus.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// TestPrometheus lets Prometheus scrape a server. Each metric that an alert asks for must
// exist, apart from those of TLS, and Prometheus must find nothing wrong with their form.
func TestPrometheus(t *testing.T) {
	binary, promtool := needs.Command(t, "prometheus"), needs.Command(t, "promtool")
	metrics := startMeasured(t)
	check := exec.Command(promtool, "check", "metrics")
	response, err := http.Get(metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	check.Stdin = response.Body
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	url := startPrometheus(t, binary, metrics)
	query := func(text string) (value string) {
		t.Helper()
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		response, err := http.Get(url + "/api/v1/query?query=" + text)
		if err != nil {
			return ""
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Data.Result) == 0 {
			return ""
		}
		return fmt.Sprint(answer.Data.Result[0].Value[1])
	}
	for deadline := time.Now().Add(20 * time.Second); query("serin_client_revision") != "1"; time.Sleep(
		20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("Prometheus doesn't have the revision")
		}
	}
	rules, err := os.ReadFile("prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bserin_[a-z_]+`).FindAllString(string(rules), -1)
	if len(names) < 12 {
		t.Fatalf("the alerts ask for %q", names)
	}
	for _, name := range names {
		if name != "serin_tls_certificate_expiry_seconds" && query(name) == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

// startMeasured starts a server with metrics, and returns their URL.
func startMeasured(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(command(t), "serve", "testdata/flags", "--listen", "127.0.0.1:0", "--metrics-listen",
		"127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "metrics: "); ok {
			go io.Copy(io.Discard, stderr) // ends with the process
			return url
		}
	}
	t.Fatal("it doesn't say where its metrics are")
	return ""
}

// startPrometheus starts Prometheus with the configuration beside this file, for a target
// that it scrapes often, and returns its URL.
func startPrometheus(t *testing.T, binary, target string) string {
	t.Helper()
	var config map[string]any
	data, err := os.ReadFile("prometheus/prometheus.yaml")
	if err == nil {
		err = yaml.Unmarshal([]byte(strings.NewReplacer("127.0.0.1:9787",
			strings.TrimSuffix(strings.TrimPrefix(target, "http://"), "/metrics"),
			"15s", "200ms").Replace(string(data))), &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rules, err := filepath.Abs("prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config["rule_files"] = []string{rules}
	if data, err = yaml.Marshal(config); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(file, data, 0o666); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	cmd.Stderr = os.Stderr
	start(t, cmd)
	return "http://" + address
}
