// The program rollback measures how long it takes from the moment a release begins to fail
// until the SDK of a service serves the old variant again. Everything is real: Prometheus
// scrapes a service, serin guard asks Prometheus and publishes to a folder, and the service
// polls that folder.
//
// Usage, in real time:
//
//	go run ./rollback [-quiet 30m] [-every 15s] [-poll 5s] [-scrape 5s] [-rate 200] [-share 1%] [-bad 0.2]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk"
)

// A world is everything that takes part.
type world struct {
	quiet, every, poll, scrape time.Duration
	rate                       float64 // requests per second
	share                      string
	base, bad                  float64 // shares of requests that fail: of all, and of the new arm once it is bad

	dir      string
	keys     release.Keys
	client   *sdk.Client
	failing  atomic.Bool
	requests [2][2]atomic.Int64 // by arm (new, rest) and by outcome (good, bad)
}

const environment = "production"

func main() {
	var w world
	flag.DurationVar(&w.quiet, "quiet", 30*time.Minute, "how long nothing is wrong at first")
	flag.DurationVar(&w.every, "every", 15*time.Second, "how often the guard looks")
	flag.DurationVar(&w.poll, "poll", 5*time.Second, "how often the SDK polls")
	flag.DurationVar(&w.scrape, "scrape", 5*time.Second, "how often Prometheus scrapes")
	flag.Float64Var(&w.rate, "rate", 200, "requests per second")
	flag.StringVar(&w.share, "share", "1%", "the share of the new arm")
	flag.Float64Var(&w.base, "base", 0.01, "the share of requests that fail")
	flag.Float64Var(&w.bad, "bad", 0.2, "the share of requests of the new arm that fail once it is bad")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), w.quiet+20*time.Minute)
	defer cancel()
	if err := w.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func (w *world) run(ctx context.Context) (err error) {
	if w.dir, err = os.MkdirTemp("", "serin-rollback-"); err != nil {
		return err
	}
	defer os.RemoveAll(w.dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	metrics, err := w.serveMetrics(ctx)
	if err != nil {
		return err
	}
	prometheus, err := w.startPrometheus(ctx, metrics)
	if err != nil {
		return err
	}
	if err := w.publish(ctx, prometheus); err != nil {
		return err
	}
	if err := w.startGuard(ctx); err != nil {
		return err
	}
	source, err := sdk.FromURL("file://" + filepath.Join(w.dir, "store", environment))
	if err != nil {
		return err
	}
	w.client, err = sdk.Open(ctx,
		sdk.Config{Source: source, Root: w.keys.Root, Interval: w.poll, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer w.client.Close()
	return w.measure(ctx)
}

// measure sends requests until the release is rolled back.
func (w *world) measure(ctx context.Context) error {
	handle := sdk.String("search-index", "old")
	user, err := w.exposed(ctx, handle)
	if err != nil {
		return err
	}
	fmt.Printf("%s exposed; %v without an error beyond the base rate\n", w.share, w.quiet)
	begin := time.Now()
	random := rand.New(rand.NewPCG(1, uint64(begin.UnixNano())))
	var injected time.Time
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("it wasn't rolled back: %w", ctx.Err())
		case <-tick.C:
		}
		if injected.IsZero() && time.Since(begin) > w.quiet {
			injected = time.Now()
			w.failing.Store(true)
			fmt.Printf("%d requests of the new arm so far, %d failed; now %.0f%% of them fail\n", w.count(0),
				w.requests[0][1].Load(), 100*w.bad)
		}
		w.request(handle, random)
		if handle.Get(w.client, sdk.User(user)) == "old" {
			if injected.IsZero() {
				return fmt.Errorf("it was rolled back after %v, before anything was wrong",
					time.Since(begin).Round(time.Second))
			}
			fmt.Printf("rolled back: the SDK serves the old variant %.1f s after the first failure could happen\n",
				time.Since(injected).Seconds())
			return nil
		}
	}
}

func (w *world) count(arm int) int64 { return w.requests[arm][0].Load() + w.requests[arm][1].Load() }

// exposed waits until the first step is cleared, and returns a user who gets the new variant.
func (w *world) exposed(ctx context.Context, handle *sdk.Flag[string]) (string, error) {
	for {
		for i := range 10_000 {
			user := fmt.Sprint("user-", i)
			if handle.Get(w.client, sdk.User(user)) == "new" {
				return user, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// request is one request of a random user.
func (w *world) request(handle *sdk.Flag[string], random *rand.Rand) {
	ctx := sdk.User(fmt.Sprint("user-", random.IntN(1_000_000)))
	arm, chance := 1, w.base
	if handle.Arm(w.client, ctx) == "new" {
		arm = 0
		if w.failing.Load() {
			chance = w.bad
		}
	}
	outcome := 0
	if random.Float64() < chance {
		outcome = 1
	}
	w.requests[arm][outcome].Add(1)
}

// serveMetrics serves the counters, and returns the address.
func (w *world) serveMetrics(ctx context.Context) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		for i, arm := range []string{"new", "rest"} {
			fmt.Fprintf(out, "flag_exposures_total{flag=\"search-index\",arm=%q,env=%q} %d\n", arm, environment,
				w.count(i))
			fmt.Fprintf(out, "http_errors_total{search_index=%q} %d\n", arm, w.requests[i][1].Load())
		}
	})}
	go server.Serve(listener)
	context.AfterFunc(ctx, func() { server.Close() })
	return listener.Addr().String(), nil
}

// startPrometheus starts a server that scrapes an address, and returns its URL.
func (w *world) startPrometheus(ctx context.Context, scraped string) (string, error) {
	config := filepath.Join(w.dir, "prometheus.yml")
	text := fmt.Sprintf(
		"global: {scrape_interval: %v}\nscrape_configs:\n- job_name: service\n  static_configs: [{targets: [%q]}]\n",
		w.scrape, scraped)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := free.Addr().String()
	free.Close()
	if err := w.start(ctx, "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(w.dir, "tsdb"),
		"--web.listen-address="+address, "--log.level=error"); err != nil {
		return "", fmt.Errorf("starting Prometheus: %w", err)
	}
	url := "http://" + address
	for {
		response, err := http.Get(url + "/-/ready")
		if err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return url, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// start starts a program that ends with ctx.
func (w *world) start(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.dir, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}

// publish writes a flag folder with a plan of five steps, and publishes it.
func (w *world) publish(ctx context.Context, prometheus string) error {
	for name, text := range map[string]string{
		"serin.yaml":   "environments: [production]\n",
		"context.yaml": "attributes:\n  user: {type: string, unit: true}\n",
		"guards/search-slo.yaml": `environments: [production]
sources: {prom: {prometheus: "` + prometheus + `", scrape: ` + w.scrape.String() + `}}
exposures: {prom: 'sum(increase(flag_exposures_total{flag="$flag",arm="$arm",env="$env"}[$window]))'}
metrics:
  - name: errors
    bad: {prom: 'sum(increase(http_errors_total{search_index="$arm"}[$window]))'}
    compare: rest
    worse_by: 10%
alpha: 0.001
`,
		"search/search-index.yaml": `type: string
default: old
rules:
  - name: new index
    serve:
      ramp: new
      steps:
        - {to: ` + w.share + `}
        - {to: 20%, after: 24h}
        - {to: 50%, after: 24h}
        - {to: 90%, after: 24h}
        - {to: 100%, after: 24h}
      start: 2026-01-01
      guard: search-slo
`,
	} {
		name = filepath.Join(w.dir, "flags", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	estate, err := ci.Load(filepath.Join(w.dir, "flags"))
	if err != nil {
		return err
	}
	keys := filepath.Join(w.dir, "keys")
	if _, err := release.InitKeys(keys, environment); err != nil {
		return err
	}
	if w.keys, err = release.LoadKeys(keys); err != nil {
		return err
	}
	_, err = release.Publish(ctx, release.Options{
		Store: filestore.New(filepath.Join(w.dir, "store", environment)), Keys: w.keys, Environment: environment,
		Content: plans.FromFiles(estate, environment, nil),
	})
	return err
}

// startGuard builds serin and starts the guard.
func (w *world) startGuard(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/serin-flags/serin").Output()
	if err != nil {
		return fmt.Errorf("looking for the module: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(w.dir, "serin"), "./cmd/serin")
	build.Dir, build.Stderr = strings.TrimSpace(string(out)), os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building serin: %w", err)
	}
	return w.start(ctx, filepath.Join(w.dir, "serin"), "guard", "--env", environment, "--to",
		"file://"+filepath.Join(w.dir, "store"),
		"--keys", filepath.Join(w.dir, "keys"), "--every", w.every.String())
}
