package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-flags/serin/internal/listen"
)

// measured returns metrics of the connections and of the certificate.
func (s *service) measured() []prometheus.Collector {
	count := func(name, help string, value func(listen.Counts) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return value(s.connections.Counts()) })
	}
	all := []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "serin_connections", Help: "Open connections."},
			func() float64 { return float64(s.connections.Counts().Open) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "serin_connections_limit",
			Help: "The limit of open connections."},
			func() float64 { return float64(s.connections.Max()) }),
		count("serin_connections_evicted_total",
			"Connections without a request that were closed for new ones, at the limit.",
			func(c listen.Counts) float64 { return float64(c.Evicted) }),
		count("serin_connections_refused_total",
			"New connections that were closed because all others had requests, at the limit.",
			func(c listen.Counts) float64 { return float64(c.Refused) }),
	}
	if s.certificate != nil {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "serin_tls_certificate_expiry_seconds",
			Help: "Time until the TLS certificate in use expires; negative afterwards."},
			func() float64 { return time.Until(s.certificate.Expires()).Seconds() }))
	}
	return all
}
