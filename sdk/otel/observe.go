package otel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/serin-flags/serin/sdk"
)

// Observe reports the metrics listed in the package comment whenever the meter provider
// collects. client may be nil. Call stop to end this. Observe fails if it can't create
// the instruments.
func Observe(client *sdk.Client, cfg Config) (stop func() error, err error) {
	meter := cfg.meter()
	o := observer{client: client}
	if err := o.make(meter); err != nil {
		return nil, fmt.Errorf("creating instruments for a client: %w", err)
	}
	registration, err := meter.RegisterCallback(o.observe, o.all...)
	if err != nil {
		return nil, fmt.Errorf("registering instruments for a client: %w", err)
	}
	return registration.Unregister, nil
}

// An observer holds the instruments of one client.
type observer struct {
	client *sdk.Client
	all    []metric.Observable

	age, expiry                           metric.Float64ObservableGauge
	revision, state, held, size           metric.Int64ObservableGauge
	missing, unused, mistyped             metric.Int64ObservableGauge
	polls, downloaded, errors, mismatches metric.Int64ObservableCounter
}

// make creates the instruments.
func (o *observer) make(meter metric.Meter) error {
	var errs []error
	seconds := func(name, description string) metric.Float64ObservableGauge {
		g, err := meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(description))
		errs, o.all = append(errs, err), append(o.all, g)
		return g
	}
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs, o.all = append(errs, err), append(o.all, g)
		return g
	}
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		c, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs, o.all = append(errs, err), append(o.all, c)
		return c
	}
	o.age = seconds("serin.client.data.age", "Time since the source last had nothing newer than the served flags.")
	o.expiry = seconds("serin.client.expiry", "Time until the first part of the metadata expires; negative afterwards.")
	o.revision = gauge("serin.client.revision", "1", "Revision of the served flags; 0: none.")
	o.state = gauge("serin.client.state", "1", "1 for the state that the client is in, 0 for the others.")
	o.held = gauge("serin.client.held", "1", "1 while an update is held back, else 0.")
	o.size = gauge("serin.client.size", "By", "Size of the payloads and lists of the served revision.")
	o.polls = counter("serin.client.polls", "{poll}", "Successful polls.")
	o.errors = counter("serin.client.errors", "{error}", "Failed polls, and refused caches.")
	o.downloaded = counter("serin.client.downloaded", "By", "Bytes downloaded from the source.")
	o.mismatches = counter("serin.client.mismatches", "{flag}",
		"Flags that a handle of another type has evaluated, once per revision.")
	o.missing = gauge("serin.client.missing", "{flag}",
		"Flags that the program asks for and that don't exist, at most 100.")
	o.unused = gauge("serin.client.attributes.unused", "{attribute}",
		"Attributes of contexts that no flag uses, at most 100.")
	o.mistyped = gauge("serin.client.attributes.mistyped", "{attribute}",
		"Attributes of contexts that have another type than declared, at most 100.")
	return errors.Join(errs...)
}

// observe is the callback of the meter.
func (o *observer) observe(_ context.Context, to metric.Observer) error {
	s := o.client.Status()
	set := semconv.FeatureFlagSetID(s.Environment)
	with := func(attrs ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributes(append(attrs, set)...)
	}
	if s.Revision != 0 {
		to.ObserveFloat64(o.expiry, time.Until(s.Expires).Seconds(), with())
	}
	if s.Revision != 0 && s.Age >= 0 {
		to.ObserveFloat64(o.age, s.Age.Seconds(), with())
	}
	to.ObserveInt64(o.revision, s.Revision, with())
	for state := sdk.Empty; state <= sdk.Stale; state++ {
		to.ObserveInt64(o.state, one(state == s.State), with(attribute.String("serin.state", lower(state.String()))))
	}
	to.ObserveInt64(o.held, one(s.Held != nil), with())
	to.ObserveInt64(o.size, s.Bytes, with())
	to.ObserveInt64(o.polls, s.Polls, with())
	for class, n := range s.Errors {
		to.ObserveInt64(o.errors, n, with(semconv.ErrorTypeKey.String(class.String())))
	}
	to.ObserveInt64(o.downloaded, s.Downloaded, with())
	to.ObserveInt64(o.mismatches, s.Mismatches, with())
	to.ObserveInt64(o.missing, int64(len(s.Missing)), with())
	to.ObserveInt64(o.unused, int64(len(s.UnusedAttributes)), with())
	to.ObserveInt64(o.mistyped, int64(len(s.MistypedAttributes)), with())
	return nil
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// lower returns the name of a state as an attribute value.
func lower(state string) string { return strings.ReplaceAll(strings.ToLower(state), "-", "_") }
