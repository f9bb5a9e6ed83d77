package openfeature_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/vectors"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/openfeature"
	"github.com/serin-flags/serin/sdk/sdktest"
)

// TestVectors asks the go-sdk's client for the answers of testdata/vectors: for all
// those that don't depend on a time, an age or a draw, which contexts of OpenFeature
// can't name.
func TestVectors(t *testing.T) {
	scenarios, err := vectors.Scenarios(os.DirFS("../../testdata/vectors"))
	if err != nil {
		t.Fatal(err)
	}
	rulesets := make(map[string]evaluator.Ruleset)
	var cases []vectors.Case
	for _, s := range scenarios {
		rulesets[s.Name] = s.Ruleset
		cases = append(cases, s.Cases...)
	}
	p := sdktest.NewPublisher(t, "production")
	p.PublishRulesets(rulesets)
	client := connect(t, p, "")
	api := newAPI(t)
	if err := api.SetProviderAndWait(t.Context(), openfeature.New(client, openfeature.Config{})); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, c := range cases {
		if c.Now != nil || c.Age != 0 || c.Chance != nil {
			continue
		}
		asked++
		kind := client.Snapshot().Evaluate(c.Flag, sdk.Context{}).Value().Kind()
		d := ask(t.Context(), api.NewClient(), c.Flag, defaultOf(kind), evalContext(t, c.Context))
		checkVector(t, c, d)
	}
	if asked < 500 {
		t.Errorf("%d of %d cases were asked for", asked, len(cases))
	}
}

// defaultOf returns a default of a flag's type.
func defaultOf(kind evaluator.Kind) any {
	switch kind {
	case evaluator.KindString:
		return "default"
	case evaluator.KindInt:
		return -1
	case evaluator.KindFloat:
		return -1.0
	case evaluator.KindObject:
		return nil
	}
	return false
}

// evalContext returns the context that a vector has as JSON.
func evalContext(t *testing.T, raw json.RawMessage) of.EvaluationContext {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var attributes map[string]any
	if err := decoder.Decode(&attributes); err != nil {
		t.Fatal(err)
	}
	key, _ := attributes[of.TargetingKey].(string)
	delete(attributes, of.TargetingKey)
	return of.NewEvaluationContext(key, attributes)
}

func checkVector(t *testing.T, c vectors.Case, d of.InterfaceEvaluationDetails) {
	t.Helper()
	if d.Variant != c.Want.Variant || string(d.Reason) != c.Want.Reason {
		t.Errorf("%s: variant %q, reason %s, want %q, %s", c.Name, d.Variant, d.Reason, c.Want.Variant, c.Want.Reason)
	}
	if c.Want.Reason == "ERROR" {
		if d.ErrorCode != of.FlagNotFoundCode {
			t.Errorf("%s: error code %q", c.Name, d.ErrorCode)
		}
		return
	}
	got, err := json.Marshal(d.Value)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decoded(t, c.Want.Value), decoded(t, got)); diff != "" {
		t.Errorf("%s: value (-want +got):\n%s", c.Name, diff)
	}
	want := map[string]any{"environment": "production", "revision": 1.0, "flagSetId": "production", "version": "1"}
	for name, text := range map[string]string{"rule": c.Want.Rule, "missingUnit": c.Want.MissingUnit,
		"arm": c.Want.Arm} {
		if text != "" {
			want[name] = text
		}
	}
	for name, value := range c.Want.Metadata {
		want[name] = decoded(t, value)
	}
	metadata, err := json.Marshal(d.FlagMetadata)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(want), decoded(t, metadata)); diff != "" {
		t.Errorf("%s: metadata (-want +got):\n%s", c.Name, diff)
	}
}

// decoded returns what JSON holds.
func decoded(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
