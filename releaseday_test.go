//go:build unix

package serin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/internal/needs"
)

// A releaseDay is a release manager's day: a service, Prometheus that scrapes it, and a guard
// that moves the release of its search index. Each is a process of its own.
type releaseDay struct {
	dir, service, prometheus string
	guard                    *output
}

// TestReleaseDay publishes a whole plan, breaks the service during its first step, sees the
// release rolled back with evidence, repairs the service, and sees the release through to the
// end. Nobody touches the bucket.
func TestReleaseDay(t *testing.T) {
	t.Parallel()
	d := &releaseDay{dir: t.TempDir()}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(d.dir, "service"), "./sdk/examples/release")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the service: %v\n%s", err, out)
	}
	d.prometheus = "127.0.0.1:" + freePort(t)
	d.writeFlags(t)
	d.serin(t, "keys", "init", "keys", "--env", "production")
	d.serin(t, "publish", "flags", "--env", "production", "--to", "file://"+d.dir+"/store", "--keys", "keys")
	d.startService(t)
	d.startPrometheus(t)
	d.guard = d.start(t, nil, command(t), "guard", "flags", "--env", "production", "--to", "file://"+d.dir+"/store",
		"--keys", "keys", "--every", "5s")

	d.guard.wait(t, "search-index in production: 0% → 20%: ")
	d.breakIndex(t, "0.5")
	line := d.guard.wait(t, "search-index in production: rolled back from 20% to 0%: ")
	if !strings.Contains(line, "errors failed: ") {
		t.Errorf("the reason is %q", line)
	}
	d.checkEvidence(t)
	if status := d.serin(t, "release", "search-index", "--from", "flags"); !strings.Contains(status, "rolled back") ||
		!strings.Contains(status, "errors failed: ") {
		t.Errorf("the status is\n%s", status)
	}

	d.breakIndex(t, "0")
	d.serin(t, "release", "resume", "search-index", "--from", "flags", "--publish", "--env", "production", "--to",
		"file://"+d.dir+"/store", "--keys", "keys")
	d.guard.wait(t, "search-index in production: 0% → 20%: ")
	d.guard.wait(t, "search-index in production: 20% → 100%: ")
	d.guard.wait(t, "search-index in production: finished at 100%: ")
	d.serin(t, "check", "flags")
	log := d.serin(t, "log", "file://"+d.dir+"/store/production", "--root", "keys/root.json")
	for _, want := range []string{"0% → 20%", "rolled back from 20% to 0%", "20% → 100%", "finished at 100%"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log doesn't have %q:\n%s", want, log)
		}
	}
}

// writeFlags writes the flags of the example, with a plan for a day of a minute.
func (d *releaseDay) writeFlags(t *testing.T) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(d.dir, "flags"), os.DirFS("sdk/examples/release/flags")); err != nil {
		t.Fatal(err)
	}
	for name, edits := range map[string][]string{
		"guards/search-slo.yaml": {
			"http://127.0.0.1:9090", "http://" + d.prometheus, "min: {exposures: 100, time: 30s}",
			"min: {exposures: 10, time: 5s}", "watch: 1m", "watch: 1s",
		},
		"search/search-index.yaml": {
			"        - {to: 10%}\n        - {to: 50%, after: 1m}\n        - {to: 100%, after: 10m}\n",
			"        - {to: 20%}\n        - {to: 100%, after: 20s}\n",
		},
		"search/search-index.test.yaml": {"cleared: 50%", "cleared: 20%", "{new: 50%}", "{new: 20%}", "half", "a part"},
	} {
		name = filepath.Join(d.dir, "flags", name)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(edits); i += 2 {
			if !bytes.Contains(data, []byte(edits[i])) {
				t.Fatalf("%s has no %q", name, edits[i])
			}
		}
		if err := os.WriteFile(name, []byte(strings.NewReplacer(edits...).Replace(string(data))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *releaseDay) startService(t *testing.T) {
	t.Helper()
	out := d.start(t, []string{
		"SERIN_FROM=file://" + d.dir + "/store/production", "SERIN_ROOT=" + d.dir + "/keys/root.json",
		"LISTEN=127.0.0.1:0",
	}, filepath.Join(d.dir, "service"))
	d.service = strings.TrimSpace(out.wait(t, "http://"))
}

func (d *releaseDay) startPrometheus(t *testing.T) {
	t.Helper()
	path := needs.Command(t, "prometheus")
	config := fmt.Sprintf(
		"global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: search\n  static_configs: [{targets: [%q]}]\n",
		strings.TrimPrefix(d.service, "http://"))
	if err := os.WriteFile(filepath.Join(d.dir, "prometheus.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start(t, nil, path, "--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb",
		"--web.listen-address="+d.prometheus, "--log.level=warn")
}

// breakIndex has a share of the new index's searches fail.
func (d *releaseDay) breakIndex(t *testing.T, share string) {
	t.Helper()
	response, err := http.Post(d.service+"/break?share="+share, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("breaking the index: %s", response.Status)
	}
}

// checkEvidence holds that the newest evidence says what was counted and asked.
func (d *releaseDay) checkEvidence(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "flags/releases/search-index/*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("the evidence is in %v, %v", files, err)
	}
	data, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Decision string
		Metrics  []struct {
			Metric, Verdict string
			New, Rest       struct{ Exposures, Bad float64 }
			Queries         []struct{ Text string }
		}
	}
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	if e.Decision != "roll back" || len(e.Metrics) != 1 || e.Metrics[0].Verdict != "fail" || e.Metrics[0].New.Bad < 1 ||
		e.Metrics[0].Rest.Exposures < e.Metrics[0].New.Exposures || len(e.Metrics[0].Queries) == 0 {
		t.Errorf("the evidence is\n%s", data)
	}
}

// serin runs a command that must succeed, and returns what it prints.
func (d *releaseDay) serin(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(command(t), args...)
	cmd.Dir = d.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("serin %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start starts a process that ends with the test.
func (d *releaseDay) start(t *testing.T, env []string, name string, args ...string) *output {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = d.dir, append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	out := &output{name: filepath.Base(name)}
	out.changed = sync.NewCond(&out.mu)
	cmd.Stdout, cmd.Stderr = out, out
	child.Bind(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", out.name, out.text.String())
		}
	})
	return out
}

// An output is what a process prints, which a test waits for.
type output struct {
	name    string
	mu      sync.Mutex
	changed *sync.Cond
	text    bytes.Buffer
	read    int // up to where a wait has read
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.changed.Broadcast()
	return o.text.Write(p)
}

var _ io.Writer = (*output)(nil)

// wait waits for a line that begins with a text, after those that were waited for before, and
// returns it.
func (o *output) wait(t *testing.T, text string) string {
	t.Helper()
	gone := time.AfterFunc(2*time.Minute, func() { o.changed.Broadcast() })
	defer gone.Stop()
	deadline := time.Now().Add(2 * time.Minute)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		rest := o.text.String()[o.read:]
		for line := range strings.Lines(rest) {
			if !strings.HasSuffix(line, "\n") {
				break
			}
			o.read += len(line)
			if strings.HasPrefix(line, text) {
				return line
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s didn't print %q:\n%s", o.name, text, o.text.String())
		}
		o.changed.Wait()
	}
}

// freePort returns a port of the loopback interface that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}
