package openfeature_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/openfeature"
	"github.com/serin-flags/serin/sdk/sdktest"
)

// connect returns a client of a publisher that polls when it is told to.
func connect(t *testing.T, p *sdktest.Publisher, cacheDir string) *sdk.Client {
	t.Helper()
	source, err := sdk.HTTP(p.URL, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: p.Root, Interval: -1, CacheDir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// A listener is told of the events of a go-sdk client.
type listener chan string

// listen registers handlers for all events.
func listen(c *of.Client) listener {
	l := make(listener, 100)
	for _, event := range []of.EventType{of.ProviderReady, of.ProviderStale, of.ProviderError,
		of.ProviderConfigChange} {
		handler := func(d of.EventDetails) {
			text := string(event)
			if event == of.ProviderConfigChange {
				text = fmt.Sprintf("%s %v in %v", event, d.FlagChanges, d.EventMetadata["revision"])
			}
			l <- text
		}
		c.AddHandler(event, &handler)
	}
	return l
}

// await waits for events, and checks that they are the next ones. Handlers run in
// any order.
func (l listener) await(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		select {
		case e := <-l:
			got = append(got, e)
		case <-time.After(20 * time.Second):
			t.Fatalf("events %q, want %q", got, want)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
}

// TestEvents takes a provider through a client's life, from before anything is
// published. It has the scenarios of provider-tck/events.feature in it: a change
// is told of and holds, and an outage makes the provider stale until it ends.
func TestEvents(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	client := connect(t, p, "")
	api := newAPI(t)
	c := api.NewClient()
	events := listen(c)
	if err := api.SetProviderAndWait(t.Context(), openfeature.New(client, openfeature.Config{})); err == nil {
		t.Error("a provider without flags is ready")
	}
	events.await(t, "PROVIDER_ERROR")
	state := func(want of.State) {
		t.Helper()
		if got := c.State(); got != want {
			t.Errorf("the state is %s, want %s", got, want)
		}
	}
	state(of.ErrorState)

	p.Publish(map[string]any{"changing-flag": "one", "other": 1})
	poll(t, client)
	events.await(t, "PROVIDER_READY")
	state(of.ReadyState)
	if got := c.String(t.Context(), "changing-flag", "unset", of.EvaluationContext{}); got != "one" {
		t.Errorf("before the change %q is served", got)
	}

	p.Publish(map[string]any{"changing-flag": "two", "other": 1, "added": true})
	poll(t, client)
	events.await(t, "PROVIDER_CONFIGURATION_CHANGED [added changing-flag] in 2")
	state(of.ReadyState)
	if got := c.String(t.Context(), "changing-flag", "unset", of.EvaluationContext{}); got != "two" {
		t.Errorf("after the change %q is served", got)
	}

	p.Down()
	if err := client.Refresh(t.Context()); err == nil {
		t.Fatal("the poll has succeeded")
	}
	events.await(t, "PROVIDER_STALE")
	state(of.StaleState)
	if got := c.String(t.Context(), "changing-flag", "unset", of.EvaluationContext{}); got != "two" {
		t.Errorf("in an outage %q is served", got)
	}

	p.Publish(map[string]any{"changing-flag": "two", "other": 2, "added": true})
	p.Up()
	poll(t, client)
	events.await(t, "PROVIDER_READY", "PROVIDER_CONFIGURATION_CHANGED [other] in 3")
	state(of.ReadyState)
	if len(events) > 0 {
		t.Errorf("one event more: %s", <-events)
	}
}

// poll polls once.
func poll(t *testing.T, client *sdk.Client) {
	t.Helper()
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatalf("polling: %v", err)
	}
}

// TestStaleFromTheStart checks that a provider which begins with what the disk cache
// has, in an outage, is stale, and that its client is told so.
func TestStaleFromTheStart(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	p.Publish(map[string]any{"changing-flag": "one"})
	dir := t.TempDir()
	connect(t, p, dir)
	p.Down()
	client := connect(t, p, dir)
	if got := client.Status().State; got != sdk.LastKnownGood {
		t.Fatalf("the state is %v", got)
	}
	api := newAPI(t)
	c := api.NewClient()
	events := listen(c)
	provider := openfeature.New(client, openfeature.Config{})
	if err := api.SetProviderAndWait(t.Context(), provider); err != nil {
		t.Fatal(err)
	}
	events.await(t, "PROVIDER_READY")
	_ = client.Refresh(t.Context())
	events.await(t, "PROVIDER_STALE")

	again := listen(api.NewClient(of.WithDomain("other")))
	again.await(t, "PROVIDER_STALE") // the domain has the default provider so far
	if err := api.SetProviderAndWait(t.Context(), provider, of.WithDomain("other")); err != nil {
		t.Fatal(err)
	}
	again.await(t, "PROVIDER_READY", "PROVIDER_STALE")
}

// TestSetAgain checks that a provider which was replaced tells of changes when it is
// set again.
func TestSetAgain(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	p.Publish(map[string]any{"changing-flag": "one"})
	client := connect(t, p, "")
	api := newAPI(t)
	first, second := openfeature.New(client, openfeature.Config{}),
		openfeature.New(sdktest.New(t, nil).Client, openfeature.Config{})
	for _, provider := range []of.FeatureProvider{first, second, first} {
		if err := api.SetProviderAndWait(t.Context(), provider); err != nil {
			t.Fatal(err)
		}
	}
	events := listen(api.NewClient())
	events.await(t, "PROVIDER_READY")
	p.Publish(map[string]any{"changing-flag": "two"})
	poll(t, client)
	events.await(t, "PROVIDER_CONFIGURATION_CHANGED [changing-flag] in 2")
}

// TestUnheard checks that events which nobody takes hold nothing up, and that none
// of what they say is lost.
func TestUnheard(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	values := map[string]any{"flag-00": 0}
	p.Publish(values)
	client := connect(t, p, "")
	provider := openfeature.New(client, openfeature.Config{})
	if err := provider.Init(of.EvaluationContext{}); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 50 {
		key := fmt.Sprintf("flag-%02d", i)
		values[key] = i + 1
		want = append(want, key)
		p.Publish(values)
		poll(t, client)
		if i%10 == 9 {
			p.Down()
			_ = client.Refresh(t.Context())
			p.Up()
		}
	}
	var got []string
	states := make([]of.EventType, 0)
	for len(provider.EventChannel()) > 0 {
		e := <-provider.EventChannel()
		got = append(got, e.FlagChanges...)
		if e.EventType != of.ProviderConfigChange {
			states = append(states, e.EventType)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if len(states) == 0 || states[len(states)-1] != of.ProviderStale {
		t.Errorf("states %v don't end as the client does", states)
	}
}

// TestEventsConcurrently publishes while providers are set, replaced and shut down
// and others ask, and checks that the last change is told of all the same.
func TestEventsConcurrently(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	p.Publish(map[string]any{"n": 0})
	client := connect(t, p, "")
	shared := openfeature.New(client, openfeature.Config{})
	api := newAPI(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 30 {
			p.Publish(map[string]any{"n": n + 1})
			if err := client.Refresh(context.Background()); err != nil {
				t.Errorf("polling: %v", err)
			}
		}
	})
	wg.Go(func() {
		for range 30 {
			for _, provider := range []of.FeatureProvider{shared, openfeature.New(client, openfeature.Config{})} {
				if err := api.SetProvider(context.Background(), provider); err != nil {
					t.Errorf("setting a provider: %v", err)
				}
			}
		}
	})
	wg.Go(func() {
		c := api.NewClient()
		last := int64(-1)
		for range 500 {
			got := c.Int(context.Background(), "n", last, of.EvaluationContext{})
			if got < last {
				t.Errorf("%d is served after %d", got, last)
			}
			last = got
		}
	})
	wg.Wait()
	if err := api.SetProviderAndWait(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	events := listen(api.NewClient())
	p.Publish(map[string]any{"n": 31})
	poll(t, client)
	for want := "PROVIDER_CONFIGURATION_CHANGED [n] in 32"; ; {
		select {
		case got := <-events:
			if got == want {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no event %q", want)
		}
	}
}

// TestSegmentsChange checks that a flag counts as changed when what it refers to
// has changed.
func TestSegmentsChange(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	r := rulesets(t)
	p.PublishRulesets(r)
	client := connect(t, p, "")
	provider := openfeature.New(client, openfeature.Config{})
	if err := provider.Init(of.EvaluationContext{}); err != nil {
		t.Fatal(err)
	}
	scenarios := r["scenarios"]
	scenarios.Flags = slices.Clone(scenarios.Flags)
	i := slices.IndexFunc(scenarios.Flags, func(f evaluator.Flag) bool { return f.Key == "half" })
	scenarios.Flags[i].Default = 0
	p.PublishRulesets(map[string]evaluator.Ruleset{"scenarios": scenarios})
	poll(t, client)
	if e := <-provider.EventChannel(); e.EventType != of.ProviderConfigChange ||
		!slices.Equal(e.FlagChanges, []string{"half"}) {
		t.Errorf("event %+v", e)
	}
}
