package otel_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/otel"
	"github.com/serin-flags/serin/sdk/sdktest"
	"github.com/serin-flags/serin/sdk/shadow"
)

// TestObserveShadow holds that a comparison's counts become metrics.
func TestObserveShadow(t *testing.T) {
	client := sdktest.New(t, map[string]any{"new-checkout": true})
	answers := []bool{true, false, true, true}
	failure := errors.New("timeout")
	asked := 0
	equal := func(ours, old bool) bool {
		if asked == 4 {
			panic("broken")
		}
		return ours == old
	}
	compared := shadow.CompareFunc(newCheckout, func(sdk.Context) (bool, error) {
		asked++
		if asked > len(answers) {
			return false, failure
		}
		return answers[asked-1], nil
	}, equal, shadow.Config{})
	c := newCollector(t)
	stop, err := otel.ObserveShadow(c.config, compared)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		compared.Get(client.Client, sdk.User("u-1"))
	}
	const kind = "feature_flag.key=new-checkout feature_flag.result.reason=STATIC serin.rule= serin.shadow.outcome="
	m := c.metrics(t)
	if diff := cmp.Diff(map[string]float64{kind + "agreed": 2, kind + "disagreed": 1},
		m["serin.shadow.answers"]); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"feature_flag.key=new-checkout": 1}, m["serin.shadow.errors"]); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"feature_flag.key=new-checkout": 1}, m["serin.shadow.panics"]); diff != "" {
		t.Errorf("panics (-want +got):\n%s", diff)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if m := c.metrics(t); m["serin.shadow.answers"] != nil {
		t.Error("after the end there are answers")
	}
}
