package otel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/serin-flags/serin/sdk/shadow"
)

// ObserveShadow reports, whenever the meter provider collects, how often two flag systems
// agreed:
//
//	serin.shadow.answers  {answer}  attributes feature_flag.key, serin.rule, feature_flag.result.reason,
//	                                and serin.shadow.outcome: "agreed" or "disagreed"
//	serin.shadow.errors   {error}   failures of the old system; attribute feature_flag.key
//	serin.shadow.panics   {panic}   panics while answers were compared; attribute feature_flag.key
//
// Call stop to end this. ObserveShadow fails if it can't create the instruments.
func ObserveShadow(cfg Config, comparisons ...shadow.Reporter) (stop func() error, err error) {
	meter := cfg.meter()
	answers, err := meter.Int64ObservableCounter("serin.shadow.answers", metric.WithUnit("{answer}"),
		metric.WithDescription("Answers of both flag systems, by whether they agreed."))
	if err != nil {
		return nil, fmt.Errorf("creating instruments for comparisons: %w", err)
	}
	errors, err := meter.Int64ObservableCounter("serin.shadow.errors", metric.WithUnit("{error}"),
		metric.WithDescription("Failures of the old flag system."))
	if err != nil {
		return nil, fmt.Errorf("creating instruments for comparisons: %w", err)
	}
	panics, err := meter.Int64ObservableCounter("serin.shadow.panics", metric.WithUnit("{panic}"),
		metric.WithDescription("Panics while answers of both flag systems were compared."))
	if err != nil {
		return nil, fmt.Errorf("creating instruments for comparisons: %w", err)
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, c := range comparisons {
			r := c.Report()
			key := semconv.FeatureFlagKey(r.Flag)
			o.ObserveInt64(errors, r.OldErrors, metric.WithAttributes(key))
			o.ObserveInt64(panics, r.Panics, metric.WithAttributes(key))
			for _, k := range r.Kinds {
				for outcome, n := range map[string]int64{"agreed": k.Agreed, "disagreed": k.Disagreed} {
					o.ObserveInt64(answers, n, metric.WithAttributes(key, attribute.String("serin.rule", k.Rule),
						attribute.String("feature_flag.result.reason", k.Reason),
						attribute.String("serin.shadow.outcome", outcome)))
				}
			}
		}
		return nil
	}, answers, errors, panics)
	if err != nil {
		return nil, fmt.Errorf("registering instruments for comparisons: %w", err)
	}
	return registration.Unregister, nil
}
