// Package metrics has the metrics of a decision server for Prometheus. It is a package of
// its own so that programs which only answer requests, such as the Lambda function, don't
// link Prometheus's client.
//
// Requests:
//
//	serin_http_requests_total{endpoint,code}            counter    answered requests
//	serin_http_request_duration_seconds{endpoint}       histogram  from the request's headers to the end of the answer
//	serin_route_decisions_total{outcome}                counter    answers to gateways: routed, or unrouted without a variant
//	serin_event_streams                                 gauge      open streams of events
//	serin_request_body_bytes                            gauge      memory that bodies beyond 4 KiB take up
//
// Flags, whose names, apart from prefix and unit, are those of package sdk/otel:
//
//	serin_client_revision                  gauge    revision of the served flags; 0: none
//	serin_client_state{state}              gauge    1 for the state that the client is in, 0 for others
//	serin_client_data_age_seconds          gauge    since the source last had nothing newer; absent if unknown
//	serin_client_expiry_seconds            gauge    until the metadata expires; negative afterwards; absent without a revision
//	serin_client_held                      gauge    1 while an update is held back, else 0
//	serin_client_size_bytes                gauge    payloads and lists of the served revision
//	serin_client_downloaded_bytes_total    counter  downloaded from the source
//	serin_client_polls_total               counter  successful polls
//	serin_client_errors_total{class}       counter  failed polls and refused caches, 0 for classes that haven't occurred
//
// These have the label environment. Besides, there are the usual metrics of Go programs and
// processes, and serin_build_info.
//
// # Labels
//
// No label has anything from a request: endpoints are those of [lambda.Endpoints], and codes
// those that the handler answers with. Evaluations aren't counted by flag. A bulk answer
// evaluates all of them, for a caller that uses few, so such counts would say nothing about
// their use, and they would be a series per flag and variant. Programs know which flags they
// use: count there.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
)

// Metrics are those of one server. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests map[string]endpoint
}

// An endpoint is what is counted of one endpoint.
type endpoint struct {
	codes    map[int]prometheus.Counter
	any      *prometheus.CounterVec // for codes that aren't in codes
	duration prometheus.Observer    // nil: its duration says nothing
}

// codes are those that handlers answer with. Each has its counter from the start, so that a
// rate sees the first one.
var codes = map[string][]int{
	"flag":    {200, 400, 401, 403, 404, 405, 413, 429, 500, 503},
	"flags":   {200, 304, 400, 401, 403, 405, 413, 429, 500, 503},
	"events":  {200, 403, 405, 500, 503},
	"route":   {200},
	"status":  {200, 405, 500, 503},
	"healthz": {200, 500},
	"other":   {204, 404, 500},
}

// buckets are the upper limits of durations, in seconds. A decision takes microseconds, so
// what takes longer than a few milliseconds has waited for the caller's body, or for a core.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}

// New returns Metrics of a server. version is that of the program.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), requests: make(map[string]endpoint)}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "serin_http_requests_total",
		Help: "Answered requests, by endpoint and status code."}, []string{"endpoint", "code"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "serin_http_request_duration_seconds",
		Help:    "Time from the request's headers to the end of the answer, without streams of events.",
		Buckets: buckets,
	}, []string{"endpoint"})
	for _, name := range lambda.Endpoints() {
		e := endpoint{codes: make(map[int]prometheus.Counter),
			any: requests.MustCurryWith(prometheus.Labels{"endpoint": name})}
		for _, code := range codes[name] {
			e.codes[code] = e.any.WithLabelValues(strconv.Itoa(code))
		}
		if name != "events" {
			e.duration = durations.WithLabelValues(name)
		}
		m.requests[name] = e
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "serin_build_info",
		Help:        "1; the labels are the versions.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}},
		func() float64 { return 1 })
	m.registry.MustRegister(requests, durations, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Observe counts a request; it is the Observe of a [lambda.Config].
func (m *Metrics) Observe(name string, status int, took time.Duration) {
	e, ok := m.requests[name]
	if !ok {
		return
	}
	if counter, ok := e.codes[status]; ok {
		counter.Inc()
	} else {
		e.any.WithLabelValues(strconv.Itoa(status)).Inc()
	}
	if e.duration != nil {
		e.duration.Observe(took.Seconds())
	}
}

// Register adds metrics of the program's own.
func (m *Metrics) Register(own ...prometheus.Collector) { m.registry.MustRegister(own...) }

// Handler returns what answers Prometheus: with the metrics of requests that handler
// answers, and of the flags that client serves. It must be called once.
func (m *Metrics) Handler(handler *lambda.Handler, client *sdk.Client) http.Handler {
	m.registry.MustRegister(newLoad(handler), newFlags(client))
	return promhttp.HandlerFor(m.registry,
		promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, EnableOpenMetrics: true})
}

// maxScrapes limits the requests that are answered at once.
const maxScrapes = 4
