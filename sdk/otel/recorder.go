package otel

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

const (
	scope        = "github.com/serin-flags/serin/sdk/otel"
	providerName = "Serin"
	eventName    = "feature_flag.evaluation"
)

// Config says where telemetry goes. The zero Config is fine.
type Config struct {
	// MeterProvider is where metrics go. nil: the global one.
	MeterProvider metric.MeterProvider
	// LoggerProvider is where events of evaluations go. nil: the global one.
	LoggerProvider log.LoggerProvider
	// ContextID adds the targeting key to events of evaluations, as
	// feature_flag.context.id. Targeting keys such as account IDs are
	// personal data.
	ContextID bool
}

func (c Config) meter() metric.Meter {
	p := c.MeterProvider
	if p == nil {
		p = otel.GetMeterProvider()
	}
	return p.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
}

func (c Config) logger() log.Logger {
	p := c.LoggerProvider
	if p == nil {
		p = otel.GetLoggerProvider()
	}
	return p.Logger(scope, log.WithSchemaURL(semconv.SchemaURL))
}

// A Recorder records evaluations by one client: see [Explain]. It is safe for
// concurrent use.
type Recorder struct {
	client      *sdk.Client
	environment string // "": there is no client
	logger      log.Logger
	evaluations metric.Int64Counter
	contextID   bool
}

// NewRecorder returns a recorder for evaluations by client, which may be nil. It fails if
// it can't create a counter.
func NewRecorder(client *sdk.Client, cfg Config) (*Recorder, error) {
	evaluations, err := cfg.meter().Int64Counter("serin.evaluations",
		metric.WithUnit("{evaluation}"), metric.WithDescription("Evaluations of feature flags."))
	if err != nil {
		return nil, fmt.Errorf("creating a counter of evaluations: %w", err)
	}
	return &Recorder{
		client:      client,
		environment: client.Status().Environment,
		logger:      cfg.logger(),
		evaluations: evaluations,
		contextID:   cfg.ContextID,
	}, nil
}

// Explain calls [sdk.Flag.Explain] with the recorder's client. It records the result in a
// counter and as an event of the span in ctx.
func Explain[T any](ctx context.Context, r *Recorder, flag *sdk.Flag[T], user sdk.Context) sdk.Explanation[T] {
	e := flag.Explain(r.client, user)
	r.record(ctx, evaluation{
		key: flag.Key(), user: user.Key, variant: e.Variant, reason: e.Reason, revision: e.Revision, err: e.Err,
	})
	return e
}

// An evaluation is what a recorder records about one.
type evaluation struct {
	key      string
	user     string // targeting key
	variant  string // "" if err is set
	reason   evaluator.Reason
	revision int64 // 0: none
	err      error
}

func (r *Recorder) record(ctx context.Context, e evaluation) {
	// The attributes of the counter, and those that only the event has.
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs, semconv.FeatureFlagKey(e.key), reasonOf(e.reason))
	if e.err != nil {
		attrs = append(attrs, semconv.ErrorTypeKey.String(errorType(e.err)))
	} else {
		attrs = append(attrs, semconv.FeatureFlagResultVariant(e.variant))
	}
	if r.evaluations.Enabled(ctx) {
		r.evaluations.Add(ctx, 1, metric.WithAttributes(attrs...))
	}
	if !r.logger.Enabled(ctx, log.EnabledParameters{EventName: eventName}) {
		return
	}
	attrs = append(attrs, semconv.FeatureFlagProviderName(providerName))
	if r.environment != "" {
		attrs = append(attrs, semconv.FeatureFlagSetID(r.environment))
	}
	if e.revision != 0 {
		attrs = append(attrs, semconv.FeatureFlagVersion(strconv.FormatInt(e.revision, 10)))
	}
	if r.contextID && e.user != "" {
		attrs = append(attrs, semconv.FeatureFlagContextID(e.user))
	}
	var event log.Record
	event.SetEventName(eventName)
	event.SetTimestamp(time.Now())
	event.AddAttributes(attrs...)
	r.logger.Emit(ctx, event)
}

// reasonOf returns a reason as the semantic conventions spell it.
func reasonOf(r evaluator.Reason) attribute.KeyValue {
	switch r {
	case evaluator.ReasonStatic:
		return semconv.FeatureFlagResultReasonStatic
	case evaluator.ReasonDefault:
		return semconv.FeatureFlagResultReasonDefault
	case evaluator.ReasonTargetingMatch:
		return semconv.FeatureFlagResultReasonTargetingMatch
	case evaluator.ReasonSplit:
		return semconv.FeatureFlagResultReasonSplit
	case evaluator.ReasonDisabled:
		return semconv.FeatureFlagResultReasonDisabled
	case evaluator.ReasonStale:
		return semconv.FeatureFlagResultReasonStale
	case evaluator.ReasonError:
		return semconv.FeatureFlagResultReasonError
	}
	return semconv.FeatureFlagResultReasonUnknown
}

// errorType returns the class of an error as the semantic conventions spell it.
func errorType(err error) string {
	switch {
	case errors.Is(err, sdk.ErrNotReady):
		return "provider_not_ready"
	case errors.Is(err, sdk.ErrFlagNotFound):
		return "flag_not_found"
	case errors.Is(err, sdk.ErrTypeMismatch):
		return "type_mismatch"
	}
	return "general"
}
