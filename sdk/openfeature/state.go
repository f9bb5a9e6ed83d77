package openfeature

import (
	"context"

	of "github.com/open-feature/go-sdk/openfeature"
)

var _ interface {
	of.FeatureProvider
	of.ContextAwareStateHandler
	of.Tracker
} = (*Provider)(nil)

// Init implements StateHandler: see [Provider.InitWithContext].
func (p *Provider) Init(evalCtx of.EvaluationContext) error {
	return p.InitWithContext(context.Background(), evalCtx)
}

// InitWithContext implements ContextAwareStateHandler. It succeeds if the client
// has flags, for which [sdk.Open] has waited.
func (p *Provider) InitWithContext(context.Context, of.EvaluationContext) error {
	if p.client == nil {
		return &of.ProviderInitError{ErrorCode: of.ProviderFatalCode, Message: "the client is nil"}
	}
	if p.client.Snapshot() == nil {
		return &of.ProviderInitError{ErrorCode: of.ProviderNotReadyCode, Message: "no flags have been loaded yet"}
	}
	return nil
}

// Shutdown implements StateHandler. The client, which is the caller's to close, is
// left as it is.
func (p *Provider) Shutdown() {}

// ShutdownWithContext implements ContextAwareStateHandler: see
// [Provider.Shutdown].
func (p *Provider) ShutdownWithContext(context.Context) error { return nil }
