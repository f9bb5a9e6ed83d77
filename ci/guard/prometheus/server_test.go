package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/needs"
)

// A service is what Prometheus scrapes. Its counters grow by the same with each scrape, so
// what a query finds doesn't depend on how fast the test runs.
type service struct {
	*httptest.Server
	scrapes atomic.Int64
}

// The increases with each scrape.
const (
	exposedNew, exposedRest = 100, 900
	badNew, badRest         = 1, 9
	worseNew                = 30
)

func startService(t testing.TB) *service {
	var s service
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.scrapes.Add(1)
		for _, line := range []struct {
			name, arm string
			by        int64
		}{
			{"exposures_total", "new", exposedNew}, {"exposures_total", "rest", exposedRest},
			{"bad_total", "new", badNew}, {"bad_total", "rest", badRest},
			{"worse_total", "new", worseNew}, {"worse_total", "rest", badRest},
			{"idle_total", "new", 0}, {"idle_total", "rest", 0},
		} {
			fmt.Fprintf(w, "%s{arm=%q,zone=\"a\"} %d\n%s{arm=%q,zone=\"b\"} %d\n", line.name, line.arm, n*line.by,
				line.name, line.arm, 0)
		}
		fmt.Fprintf(w, "latency_seconds 0.2\nshrinking_total{arm=\"new\"} 5\nshrinking_total{arm=\"rest\"} 5\nshrinks %d\n", -n)
	}))
	t.Cleanup(s.Close)
	return &s
}

// startPrometheus starts Prometheus with a data folder, to scrape targets each second, and
// waits until it is ready.
func startPrometheus(t testing.TB, data string, targets ...string) (url string) {
	t.Helper()
	path := needs.Command(t, "prometheus")
	dir := t.TempDir()
	if data == "" {
		data = filepath.Join(dir, "data")
	}
	config := "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
	for i, target := range targets {
		config += fmt.Sprintf("- {job_name: j%d, static_configs: [{targets: [%q]}]}\n", i,
			strings.TrimPrefix(target, "http://"))
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	// Prometheus can't choose a port itself, and another process may take one that is free.
	for try := range 5 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		listener.Close()
		ctx, cancel := context.WithCancel(context.Background())
		command := exec.CommandContext(ctx, path, "--config.file="+file, "--storage.tsdb.path="+data,
			"--storage.tsdb.retention.time=10y", "--web.listen-address="+address, "--log.level=error")
		command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
		command.WaitDelay = 5 * time.Second
		var log strings.Builder
		command.Stderr = &log
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); command.Wait() }()
		t.Cleanup(func() { cancel(); <-ended })
		if ready(t, "http://"+address, ended) {
			return "http://" + address
		}
		if try == 4 {
			cancel()
			<-ended
			t.Fatalf("Prometheus doesn't start: %s", log.String())
		}
	}
	return ""
}

// version returns the version of a server, such as 2_042 for 2.42.0.
func version(t testing.TB, url string) (n int) {
	answer, err := http.Get(url + "/api/v1/status/buildinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var info struct{ Data struct{ Version string } }
	if err := json.NewDecoder(answer.Body).Decode(&info); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(info.Data.Version, "%d.%d.", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return 1000*major + minor
}

// ready waits until Prometheus is, or has ended.
func ready(t testing.TB, url string, ended <-chan struct{}) bool {
	deadline := time.After(30 * time.Second)
	for {
		answer, err := http.Get(url + "/-/ready")
		if err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-deadline:
			t.Fatal("Prometheus isn't ready after 30 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
