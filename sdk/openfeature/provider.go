package openfeature

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// Name is the name of the provider in its metadata.
const Name = "Serin"

// Config says how a [Provider] behaves. The zero Config is fine.
type Config struct {
	// Track receives what the program tracks, with all contexts merged. It is
	// called by the goroutines that call the API's Track, possibly
	// concurrently. nil: nothing is tracked.
	Track func(ctx context.Context, event string, evalCtx of.EvaluationContext, details of.TrackingEventDetails)
}

// A Provider evaluates the flags of an [sdk.Client]. It implements the go-sdk's
// FeatureProvider, ContextAwareStateHandler, EventHandler and Tracker. Its
// methods are safe for concurrent use.
type Provider struct {
	client    *sdk.Client
	track     func(ctx context.Context, event string, evalCtx of.EvaluationContext, details of.TrackingEventDetails)
	subscribe sync.Once // to the client's events
	events    *mailbox
}

// New returns a provider that evaluates flags in client's current revision. It doesn't
// close the client. If client is nil, initialization fails with PROVIDER_FATAL.
//
// To set providers for several domains, create one for each from the same client. Once
// set, a provider receives the client's events until the client is closed.
func New(client *sdk.Client, cfg Config) *Provider {
	return &Provider{client: client, track: cfg.Track, events: newMailbox()}
}

// Metadata implements FeatureProvider.
func (p *Provider) Metadata() of.Metadata { return of.Metadata{Name: Name} }

// Hooks implements FeatureProvider. There are none.
func (p *Provider) Hooks() []of.Hook { return nil }

// BooleanEvaluation implements FeatureProvider.
func (p *Provider) BooleanEvaluation(_ context.Context, flag string, def bool,
	flat of.FlattenedContext) of.BoolResolutionDetail {
	return resolve(p, flag, def, flat, evaluator.Value.Bool)
}

// StringEvaluation implements FeatureProvider.
func (p *Provider) StringEvaluation(_ context.Context, flag, def string,
	flat of.FlattenedContext) of.StringResolutionDetail {
	return resolve(p, flag, def, flat, evaluator.Value.Text)
}

// IntEvaluation implements FeatureProvider.
func (p *Provider) IntEvaluation(_ context.Context, flag string, def int64,
	flat of.FlattenedContext) of.IntResolutionDetail {
	return resolve(p, flag, def, flat, evaluator.Value.Int)
}

// FloatEvaluation implements FeatureProvider. It also evaluates integer flags.
func (p *Provider) FloatEvaluation(_ context.Context, flag string, def float64,
	flat of.FlattenedContext) of.FloatResolutionDetail {
	return resolve(p, flag, def, flat, evaluator.Value.Float)
}

// ObjectEvaluation implements FeatureProvider. The caller may modify the result.
func (p *Provider) ObjectEvaluation(_ context.Context, flag string, def any,
	flat of.FlattenedContext) of.InterfaceResolutionDetail {
	return resolve(p, flag, def, flat, decodeObject)
}

// Track implements Tracker.
func (p *Provider) Track(ctx context.Context, event string, evalCtx of.EvaluationContext,
	details of.TrackingEventDetails) {
	if p.track != nil {
		p.track(ctx, event, evalCtx, details)
	}
}

// resolve evaluates the flag named key. It returns def if that fails.
func resolve[T any](p *Provider, key string, def T, flat of.FlattenedContext,
	read func(evaluator.Value) (T, bool)) of.GenericResolutionDetail[T] {
	snapshot := p.client.Snapshot()
	if snapshot == nil {
		return failed(def, of.NewProviderNotReadyResolutionError(noFlags))
	}
	var room [inlineAttrs]evaluator.Attr
	r := snapshot.Evaluate(key, contextOf(flat, snapshot.Program(), room[:0], snapshot.ReportUnused))
	if r.Reason() == evaluator.ReasonError {
		return failed(def, of.NewFlagNotFoundResolutionError("flag "+key+" not found"))
	}
	v, ok := read(r.Value())
	if !ok {
		return failed(def, of.NewTypeMismatchResolutionError("flag "+key+" is of another type"))
	}
	return of.GenericResolutionDetail[T]{Value: v, ProviderResolutionDetail: of.ProviderResolutionDetail{
		Reason:       of.Reason(r.Reason().String()),
		Variant:      r.Variant(),
		FlagMetadata: metadataOf(r, snapshot),
	}}
}

func failed[T any](def T, err of.ResolutionError) of.GenericResolutionDetail[T] {
	return of.GenericResolutionDetail[T]{Value: def, ProviderResolutionDetail: of.ProviderResolutionDetail{
		Reason:          of.ErrorReason,
		ResolutionError: err,
	}}
}

// decodeObject returns a copy of an object or a list, and reports whether v is one.
func decodeObject(v evaluator.Value) (value any, ok bool) {
	if v.Kind() != evaluator.KindObject {
		return nil, false
	}
	return value, json.Unmarshal(v.JSON(), &value) == nil
}

// Names of flag metadata. The provider's own metadata takes precedence over the flag's,
// even where the provider has none: rule and missingUnit never come from a flag.
const (
	toldEnvironment = "environment"
	toldRevision    = "revision"
	toldRule        = "rule"
	toldMissingUnit = "missingUnit"
	toldArm         = "arm"

	// From OpenFeature's appendix on observability.
	wellKnownFlagSet = "flagSetId"
	wellKnownVersion = "version"
)

func metadataOf(r evaluator.Result, snapshot *sdk.Snapshot) of.FlagMetadata {
	own := r.Metadata()
	m := make(of.FlagMetadata, len(own)+7)
	m[wellKnownFlagSet], m[wellKnownVersion] = snapshot.Environment(), strconv.FormatInt(snapshot.Revision(), 10)
	for _, a := range own {
		if v := anyOf(a.Value); v != nil {
			m[a.Name] = v
		}
	}
	m[toldEnvironment], m[toldRevision] = snapshot.Environment(), snapshot.Revision()
	set(m, toldRule, r.Rule())
	set(m, toldMissingUnit, r.MissingUnit())
	if arm := r.Arm(); arm != "" {
		m[toldArm] = arm
	}
	return m
}

// set sets a name to a text, or removes it if the text is empty.
func set(m of.FlagMetadata, name, text string) {
	delete(m, name)
	if text != "" {
		m[name] = text
	}
}

// anyOf converts a value of metadata for OpenFeature. It returns nil if that has no such type.
func anyOf(v evaluator.Value) any {
	switch v.Kind() {
	case evaluator.KindBool:
		b, _ := v.Bool()
		return b
	case evaluator.KindInt:
		i, _ := v.Int()
		return i
	case evaluator.KindFloat:
		f, _ := v.Float()
		return f
	case evaluator.KindString:
		s, _ := v.Text()
		return s
	}
	return nil
}
