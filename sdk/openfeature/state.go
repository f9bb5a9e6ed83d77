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

// InitWithContext implements ContextAwareStateHandler. It doesn't wait, because
// [sdk.Open] has done so. It fails if the client has no flags yet; in that case the
// provider becomes ready as soon as they arrive.
func (p *Provider) InitWithContext(context.Context, of.EvaluationContext) error {
	if p.client == nil {
		return &of.ProviderInitError{ErrorCode: of.ProviderFatalCode, Message: "the client is nil"}
	}
	// Subscribe for as long as the client lives: a provider that was replaced may
	// be set again, and the go-sdk shuts down and initializes in any order.
	p.subscribe.Do(func() {
		p.client.OnStatus(p.onStatus)
		p.client.OnChange(p.onChange)
	})
	s := p.client.Status()
	if p.client.Snapshot() == nil {
		return &of.ProviderInitError{ErrorCode: of.ProviderNotReadyCode, Message: messageOf(s)}
	}
	if stale(s) {
		// The go-sdk reports that the provider is ready when this function
		// returns. This event passes two goroutines, so it arrives later.
		p.onStatus(s)
	}
	return nil
}

// Shutdown implements StateHandler. It leaves the client open, which belongs to the
// caller. The provider can be set again.
func (p *Provider) Shutdown() {}

// ShutdownWithContext implements ContextAwareStateHandler: see
// [Provider.Shutdown].
func (p *Provider) ShutdownWithContext(context.Context) error { return nil }
