// Package otel reports the status of a client of package sdk, and the evaluations of
// its flags, to OpenTelemetry.
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
// [Observe] reads them from [sdk.Client.Status] when they are collected, so they cost
// nothing in between. All have the attribute feature_flag.set.id, the name of the
// environment.
//
//	serin.client.data.age     s        since the source last had nothing newer; absent if unknown
//	serin.client.expiry       s        until the metadata expires; negative afterwards; absent without a revision
//	serin.client.revision     1        served revision; 0: none
//	serin.client.state        1        1 for the state that the client is in, 0 for others; attribute serin.state
//	serin.client.held         1        1 while an update is held back, else 0
//	serin.client.size         By       payloads of the served revision
//	serin.client.downloaded   By       downloaded so far
//	serin.client.polls        {poll}   successful polls so far
//	serin.client.errors       {error}  failed polls and refused caches so far; attribute error.type, the class
//	serin.client.mismatches   {flag}   flags that a handle of another type has evaluated so far
//	serin.client.missing      {flag}   flags that the program asks for and the revision lacks, at most 100
//	serin.client.attributes.unused    {attribute}  attributes of contexts that no flag uses, at most 100
//	serin.client.attributes.mistyped  {attribute}  those with another type than declared, at most 100
//
// # Evaluations
//
// [sdk.Flag.Get] is fast because it records nothing. To record an evaluation, call
// [Explain] instead. It emits the event feature_flag.evaluation of OpenTelemetry's
// semantic conventions as part of the span of its ctx, and counts:
//
//	serin.evaluations         {evaluation}  attributes feature_flag.key, feature_flag.result.variant,
//	                                        feature_flag.result.reason, error.type
//
// The event also has these attributes, and feature_flag.provider.name,
// feature_flag.set.id (the environment) and feature_flag.version (the revision). It
// doesn't have the value, because the variant names it. It has feature_flag.context.id
// only if [Config] says so, because targeting keys are personal data.
//
// Programs that use package openfeature use OpenFeature's hooks for telemetry.
package otel
