// The program release is an example of a service whose new search index is released under a
// guard: it counts users and errors by the arm of the release, which docs/releases.md needs
// for its walk through. It also makes its own traffic, and breaks on demand.
//
//	SERIN_FROM   URL of a published environment
//	SERIN_ROOT   path of the pinned root.json
//	LISTEN       address, 127.0.0.1:8080 by default
//
//	POST /break?share=0.3   from now on, so many searches of the new index fail
//	GET  /metrics           for Prometheus
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/serin-flags/serin/sdk"
)

var searchIndex = sdk.String("search-index", "old")

// A service searches, and counts what the guard compares.
type service struct {
	client    *sdk.Client
	broken    atomic.Uint64 // per million of the new index's searches that fail
	exposures *prometheus.CounterVec
	errors    *prometheus.CounterVec
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("the service ends", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	source, err := sdk.FromURL(os.Getenv("SERIN_FROM"))
	if err != nil {
		return err
	}
	root, err := os.ReadFile(os.Getenv("SERIN_ROOT"))
	if err != nil {
		return err
	}
	client, err := sdk.Open(ctx,
		sdk.Config{Source: source, Root: root, Interval: 2 * time.Second, Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer client.Close()

	registry := prometheus.NewRegistry()
	s := newService(client, registry)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /break", s.breakIt)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	address := os.Getenv("LISTEN")
	if address == "" {
		address = "127.0.0.1:8080"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	go s.traffic(ctx)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newService(client *sdk.Client, registry *prometheus.Registry) *service {
	s := &service{
		client: client,
		exposures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flag_exposures_total", Help: "Users who were exposed to an arm of a release.",
		}, []string{"flag", "arm", "env"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "search_errors_total",
			Help: "Users whose search failed, by the arm of the release of the search index.",
		}, []string{"search_index"}),
	}
	registry.MustRegister(s.exposures, s.errors)
	// Series that don't exist yet are no zeros to Prometheus: a guard could measure nothing.
	for _, arm := range []string{"new", "rest"} {
		s.exposures.WithLabelValues("search-index", arm, "production")
		s.errors.WithLabelValues(arm)
	}
	return s
}

// search is one search of a user.
func (s *service) search(user, city string) error {
	ctx := sdk.User(user, sdk.Attr("city", city))
	index, arm := searchIndex.Get(s.client, ctx), searchIndex.Arm(s.client, ctx)
	if arm != "" {
		s.exposures.WithLabelValues("search-index", arm, "production").Inc()
	}
	failing := 0.01
	if index == "new" {
		failing += float64(s.broken.Load()) / 1e6
	}
	if rand.Float64() < failing {
		s.errors.WithLabelValues(arm).Inc()
		return errors.New("the search failed")
	}
	return nil
}

// breakIt breaks the new index, or repairs it.
func (s *service) breakIt(w http.ResponseWriter, r *http.Request) {
	share, err := strconv.ParseFloat(r.URL.Query().Get("share"), 64)
	if err != nil || share < 0 || share > 1 {
		http.Error(w, "share is a number from 0 to 1", http.StatusBadRequest)
		return
	}
	s.broken.Store(uint64(share * 1e6))
	fmt.Fprintf(w, "%.0f%% of the searches of the new index fail\n", 100*share)
}

// traffic makes searches, of another user each.
func (s *service) traffic(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		city := [...]string{"shenzhen", "guangzhou", "lhasa"}[n%3]
		_ = s.search(fmt.Sprint("user-", rand.Uint64()), city)
	}
}
