// Package otel shows OpenTelemetry how a client of package sdk fares, and what its
// flags answered.
//
//	stop, err := otel.Observe(client, otel.Config{})
//	…
//	defer stop()
//
//	recorder, err := otel.NewRecorder(client, otel.Config{})
//	…
//	if otel.Explain(ctx, recorder, NewCheckout, sdk.User("u-42")).Value { … }
//
// # Metrics of a client
//
// [Observe] takes them from [sdk.Client.Status] when they are collected, so they
// cost nothing in between. All have the attribute feature_flag.set.id, the name of
// the environment.
//
//	serin.client.data.age     s        since the source last had nothing newer; absent if that isn't known
//	serin.client.expiry       s        until the metadata expires; negative afterwards; absent without a revision
//	serin.client.revision     1        revision served; 0: none
//	serin.client.state        1        1 for the state that the client is in, 0 for others; attribute serin.state
//	serin.client.held         1        1 while an update is held back, else 0
//	serin.client.size         By       payloads of the revision served
//	serin.client.downloaded   By       downloaded so far
//	serin.client.polls        {poll}   polls that succeeded so far
//	serin.client.errors       {error}  polls that failed and caches that were refused, so far; attribute error.type, the class
//	serin.client.mismatches   {flag}   flags that a handle of another type asked for, so far
//
// # Evaluations
//
// [sdk.Flag.Get] tells nobody anything, which is why it is quick. Where an
// evaluation is to be seen, [Explain] takes its place. It emits the event
// feature_flag.evaluation of OpenTelemetry's semantic conventions, which belongs to
// the span of its ctx, and counts:
//
//	serin.evaluations         {evaluation}  attributes feature_flag.key, feature_flag.result.variant, feature_flag.result.reason, error.type
//
// The event has these attributes too, and feature_flag.provider.name,
// feature_flag.set.id (the environment) and feature_flag.version (the revision).
// It has no value, for variants are names of values, and no feature_flag.context.id
// unless [Config] says so, for targeting keys are personal data.
//
// Programs that ask through package openfeature use the hooks that OpenFeature has
// for telemetry.
package otel
