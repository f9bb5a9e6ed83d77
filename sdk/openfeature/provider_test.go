package openfeature_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk/openfeature"
	"github.com/serin-flags/serin/sdk/sdktest"
)

// TestMetadata holds what is told of an answer: of the flag, of the rule, and of
// what was missing.
func TestMetadata(t *testing.T) {
	client := stable(t).NewClient()
	base := func(own of.FlagMetadata) of.FlagMetadata {
		m := of.FlagMetadata{"environment": "production", "revision": int64(1), "flagSetId": "production",
			"version": "1"}
		for k, v := range own {
			m[k] = v
		}
		return m
	}
	for _, test := range []struct {
		key     string
		context of.EvaluationContext
		value   any
		reason  of.Reason
		want    of.FlagMetadata
	}{
		{"tagged", of.EvaluationContext{}, false, of.DefaultReason, base(of.FlagMetadata{"owner": "growth", "version": "7"})},
		{"tagged", of.NewTargetlessEvaluationContext(map[string]any{"tags": []string{"vip"}}), true,
			of.TargetingMatchReason,
			base(of.FlagMetadata{"owner": "growth", "version": "7", "rule": "tag"})},
		{"half", of.EvaluationContext{}, false, of.DefaultReason, base(of.FlagMetadata{"missingUnit": "user"})},
		{"half", of.NewEvaluationContext("u-1", nil), true, of.SplitReason, base(of.FlagMetadata{"rule": "rollout"})},
		{"gone", of.EvaluationContext{}, false, of.ErrorReason, of.FlagMetadata{}},
	} {
		d := ask(t.Context(), client, test.key, false, test.context)
		if d.Value != test.value || d.Reason != test.reason {
			t.Errorf("%s: value %v, reason %s, want %v, %s", test.key, d.Value, d.Reason, test.value, test.reason)
		}
		if diff := cmp.Diff(test.want, d.FlagMetadata); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", test.key, diff)
		}
	}
}

// TestMistakes checks that the client reports flags and attributes that don't exist.
func TestMistakes(t *testing.T) {
	flags := sdktest.New(t, map[string]any{"on": true})
	provider := openfeature.New(flags.Client, openfeature.Config{})
	flat := of.FlattenedContext{of.TargetingKey: "u-1", "cty": "lhasa"}
	provider.BooleanEvaluation(t.Context(), "on", false, flat)
	provider.BooleanEvaluation(t.Context(), "of", false, flat)
	st := flags.Client.Status()
	if diff := cmp.Diff([]string{"of"}, st.Missing); diff != "" {
		t.Errorf("Missing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"cty"}, st.UnusedAttributes); diff != "" {
		t.Errorf("UnusedAttributes (-want +got):\n%s", diff)
	}
}

// TestMetadataIsNotForged checks that a flag can't say of itself what is told of
// answers, whoever has compiled it.
func TestMetadataIsNotForged(t *testing.T) {
	r := rulesets(t)
	scenarios := r["scenarios"]
	for i := range scenarios.Flags {
		scenarios.Flags[i].Metadata = []evaluator.Attr{
			evaluator.NewAttr("environment", "mine"), evaluator.NewAttr("flagSetId", "mine"),
			evaluator.NewAttr("missingUnit", "mine"),
			evaluator.NewAttr("revision", "mine"), evaluator.NewAttr("rule", "mine"),
		}
	}
	p := sdktest.NewPublisher(t, "production")
	p.PublishRulesets(r)
	provider := openfeature.New(connect(t, p, ""), openfeature.Config{})
	want := of.FlagMetadata{"environment": "production", "flagSetId": "mine", "version": "1", "revision": int64(1)}
	if diff := cmp.Diff(want, provider.BooleanEvaluation(t.Context(), "boolean-flag", false,
		nil).FlagMetadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

// TestObjectsAreCopies checks that callers may change what they are handed.
func TestObjectsAreCopies(t *testing.T) {
	client := stable(t).NewClient()
	for range 2 {
		d := ask(t.Context(), client, "object-flag", nil, of.EvaluationContext{})
		if diff := cmp.Diff(any(pictures), d.Value); diff != "" {
			t.Fatalf("value (-want +got):\n%s", diff)
		}
		d.Value.(map[string]any)["title"] = "changed"
	}
}

// TestClientCloses checks that a provider answers on after its client was closed,
// and that neither closes the other.
func TestClientCloses(t *testing.T) {
	client := openClient(t)
	provider := openfeature.New(client, openfeature.Config{})
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(t.Context(), provider); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if d := ask(t.Context(), api.NewClient(), "boolean-flag", false, of.EvaluationContext{}); d.Value != true {
		t.Errorf("after the client was closed: %+v", d)
	}
	if err := api.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	provider.Shutdown()
	if client.Snapshot() == nil {
		t.Error("the client has no flags any more")
	}
}

// TestConcurrently sets, replaces and shuts down providers while others ask: each
// answer is a flag's value or the caller's default, never anything else.
func TestConcurrently(t *testing.T) {
	client := openClient(t)
	for range 20 {
		api := isolated.NewAPI()
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				domain := of.WithDomain(fmt.Sprint("domain-", i%2))
				for range 10 {
					// One is set once.
					if err := api.SetProvider(t.Context(), openfeature.New(client, openfeature.Config{}),
						domain); err != nil {
						t.Errorf("setting a provider: %v", err)
					}
					if i == 0 {
						_ = api.SetProviderAndWait(t.Context(), openfeature.New(client, openfeature.Config{}))
					}
				}
			})
			wg.Go(func() {
				c := api.NewClient(of.WithDomain(fmt.Sprint("domain-", i%2)))
				for range 200 {
					if d := ask(t.Context(), c, "string-flag", "bye",
						of.NewEvaluationContext("u-1", nil)); d.Value != "hi" &&
						d.Value != "bye" {
						t.Errorf("answer %+v", d)
					}
				}
			})
		}
		wg.Wait()
		if err := api.Shutdown(context.Background()); err != nil {
			t.Errorf("shutting down: %v", err)
		}
	}
}

func BenchmarkBoolean(b *testing.B) {
	client := openClient(b)
	provider := openfeature.New(client, openfeature.Config{})
	flat := of.FlattenedContext{of.TargetingKey: "u-1", "email": "a@b.c", "age": 30, "customer": true, "unknown": 1}
	b.Run("provider", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			provider.BooleanEvaluation(context.Background(), "half", false, flat)
		}
	})
	b.Run("api", func(b *testing.B) {
		api := isolated.NewAPI()
		defer api.Shutdown(context.Background())
		if err := api.SetProviderAndWait(context.Background(), provider); err != nil {
			b.Fatal(err)
		}
		c := api.NewClient()
		evalCtx := of.NewEvaluationContext("u-1",
			map[string]any{"email": "a@b.c", "age": 30, "customer": true, "unknown": 1})
		b.ReportAllocs()
		for b.Loop() {
			c.Boolean(context.Background(), "half", false, evalCtx)
		}
	})
}
