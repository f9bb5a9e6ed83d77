package openfeature

import (
	"context"

	of "github.com/open-feature/go-sdk/openfeature"
)

var _ interface {
	of.FeatureProvider
	of.ContextAwareStateHandler
	of.EventHandler
	of.Tracker
} = (*Provider)(nil)

const noFlags = "no flags have been loaded yet"

// Init implements StateHandler: see [Provider.InitWithContext].
func (p *Provider) Init(evalCtx of.EvaluationContext) error {
	return p.InitWithContext(context.Background(), evalCtx)
}

// InitWithContext implements ContextAwareStateHandler. It succeeds if the client
// has flags, for which [sdk.Open] has waited, and waits for nothing. If it fails,
// because there are none yet, the provider is ready as soon as there are.
func (p *Provider) InitWithContext(context.Context, of.EvaluationContext) error {
	if p.client == nil {
		return &of.ProviderInitError{ErrorCode: of.ProviderFatalCode, Message: "the client is nil"}
	}
	// From now on, for as long as the client lives: a provider that was replaced
	// may be set again, and the go-sdk shuts down and initializes in any order.
	p.subscribe.Do(func() {
		p.client.OnStatus(p.onStatus)
		p.client.OnChange(p.onChange)
	})
	s := p.client.Status()
	if p.client.Snapshot() == nil {
		return &of.ProviderInitError{ErrorCode: of.ProviderNotReadyCode, Message: messageOf(s)}
	}
	if stale(s) {
		// The go-sdk says that the provider is ready when this returns. This
		// event takes two goroutines to get there, and so comes after that.
		p.onStatus(s)
	}
	return nil
}

// Shutdown implements StateHandler. The client, which is the caller's to close, is
// left as it is, and the provider can be set again.
func (p *Provider) Shutdown() {}

// ShutdownWithContext implements ContextAwareStateHandler: see
// [Provider.Shutdown].
func (p *Provider) ShutdownWithContext(context.Context) error { return nil }
