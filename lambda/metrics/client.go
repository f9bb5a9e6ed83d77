package metrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
)

// A reading collects metrics that are read when Prometheus asks.
type reading struct {
	all  []*prometheus.Desc
	read func(ch chan<- prometheus.Metric)
}

func (r *reading) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range r.all {
		ch <- d
	}
}

func (r *reading) Collect(ch chan<- prometheus.Metric) { r.read(ch) }

// describe adds the description of a metric with labels, which are always the same if they
// have a value.
func (r *reading) describe(constant prometheus.Labels, name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, constant)
	r.all = append(r.all, d)
	return d
}

// newLoad returns the metrics of a handler.
func newLoad(handler *lambda.Handler) prometheus.Collector {
	r := new(reading)
	decisions := r.describe(nil, "serin_route_decisions_total",
		"Answers to gateways: routed, or unrouted without a variant, after which the gateway goes to its default.",
		"outcome")
	streams := r.describe(nil, "serin_event_streams", "Open streams of events.")
	bodies := r.describe(nil, "serin_request_body_bytes",
		"Memory that request bodies take up, beyond the first 4 KiB of each.")
	r.read = func(ch chan<- prometheus.Metric) {
		load := handler.Load()
		ch <- prometheus.MustNewConstMetric(decisions, prometheus.CounterValue, float64(load.Routed), "routed")
		ch <- prometheus.MustNewConstMetric(decisions, prometheus.CounterValue, float64(load.Unrouted), "unrouted")
		ch <- prometheus.MustNewConstMetric(streams, prometheus.GaugeValue, float64(load.Streams))
		ch <- prometheus.MustNewConstMetric(bodies, prometheus.GaugeValue, float64(load.Bodies))
	}
	return r
}

// newFlags returns the metrics of a client.
func newFlags(client *sdk.Client) prometheus.Collector {
	r, of := new(reading), prometheus.Labels{"environment": client.Status().Environment}
	revision := r.describe(of, "serin_client_revision", "Revision of the served flags; 0: none.")
	state := r.describe(of, "serin_client_state", "1 for the state that the client is in, 0 for the others.", "state")
	age := r.describe(of, "serin_client_data_age_seconds",
		"Time since the source last had nothing newer than the served flags.")
	expiry := r.describe(of, "serin_client_expiry_seconds",
		"Time until the first part of the metadata expires; negative afterwards.")
	held := r.describe(of, "serin_client_held", "1 while an update is held back, else 0.")
	size := r.describe(of, "serin_client_size_bytes", "Size of the payloads and lists of the served revision.")
	downloaded := r.describe(of, "serin_client_downloaded_bytes_total", "Bytes downloaded from the source.")
	polls := r.describe(of, "serin_client_polls_total", "Successful polls.")
	errors := r.describe(of, "serin_client_errors_total",
		"Failed polls and refused caches, by the class of the reason.", "class")
	r.read = func(ch chan<- prometheus.Metric) {
		s := client.Status()
		send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
		}
		if s.Revision != 0 {
			send(expiry, prometheus.GaugeValue, time.Until(s.Expires).Seconds())
		}
		if s.Revision != 0 && s.Age >= 0 {
			send(age, prometheus.GaugeValue, s.Age.Seconds())
		}
		send(revision, prometheus.GaugeValue, float64(s.Revision))
		for each := sdk.Empty; each <= sdk.Stale; each++ {
			send(state, prometheus.GaugeValue, one(each == s.State),
				strings.ReplaceAll(strings.ToLower(each.String()), "-", "_"))
		}
		send(held, prometheus.GaugeValue, one(s.Held != nil))
		send(size, prometheus.GaugeValue, float64(s.Bytes))
		send(downloaded, prometheus.CounterValue, float64(s.Downloaded))
		send(polls, prometheus.CounterValue, float64(s.Polls))
		for class := bundle.Network; class <= bundle.Conflict; class++ {
			send(errors, prometheus.CounterValue, float64(s.Errors[class]), class.String())
		}
	}
	return r
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
