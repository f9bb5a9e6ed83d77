package openfeature_test

import (
	"context"
	"path/filepath"
	"testing"

	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"go.uber.org/goleak"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/openfeature"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// payloads are the flags of testdata/flags, compiled.
func payloads(t testing.TB) []bundle.Payload {
	t.Helper()
	estate, err := ci.Load("testdata/flags")
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := estate.Compile("production")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// rulesets are the flags of testdata/flags, for an sdktest.Publisher.
func rulesets(t testing.TB) map[string]evaluator.Ruleset {
	t.Helper()
	r := make(map[string]evaluator.Ruleset)
	for _, p := range payloads(t) {
		r[p.Namespace] = p.Ruleset
	}
	return r
}

// newKeys returns keys that were made for the test.
func newKeys(t testing.TB) release.Keys {
	t.Helper()
	dir := t.TempDir()
	if _, err := release.InitKeys(dir, "production"); err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// open returns a client of what is published in a folder.
func open(t testing.TB, dir string, keys release.Keys) *sdk.Client {
	t.Helper()
	source, err := sdk.File(dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: keys.Root, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// openClient publishes testdata/flags to a folder, as serin publish does, and
// returns a client of it.
func openClient(t testing.TB) *sdk.Client {
	t.Helper()
	keys, dir := newKeys(t), filepath.Join(t.TempDir(), "production")
	if _, err := release.Publish(t.Context(), release.Options{
		Store: filestore.New(dir), Keys: keys, Environment: "production", Payloads: payloads(t),
	}); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, keys)
}

// newAPI returns an API of the go-sdk that is shut down when the test ends.
func newAPI(t testing.TB) *of.EvaluationAPI {
	t.Helper()
	api := isolated.NewAPI()
	t.Cleanup(func() {
		if err := api.Shutdown(context.Background()); err != nil {
			t.Errorf("shutting down: %v", err)
		}
	})
	return api
}

// stable returns an API with a provider that is ready.
func stable(t testing.TB) *of.EvaluationAPI {
	t.Helper()
	api := newAPI(t)
	if err := api.SetProviderAndWait(t.Context(), openfeature.New(openClient(t), openfeature.Config{})); err != nil {
		t.Fatal(err)
	}
	return api
}

// ask evaluates a flag by the method of its default's type.
func ask(ctx context.Context, client *of.Client, key string, def any, evalCtx of.EvaluationContext,
	options ...of.Option) of.InterfaceEvaluationDetails {
	switch def := def.(type) {
	case bool:
		d, _ := client.BooleanValueDetails(ctx, key, def, evalCtx, options...)
		return of.InterfaceEvaluationDetails{Value: d.Value, EvaluationDetails: d.EvaluationDetails}
	case string:
		d, _ := client.StringValueDetails(ctx, key, def, evalCtx, options...)
		return of.InterfaceEvaluationDetails{Value: d.Value, EvaluationDetails: d.EvaluationDetails}
	case int:
		d, _ := client.IntValueDetails(ctx, key, int64(def), evalCtx, options...)
		return of.InterfaceEvaluationDetails{Value: d.Value, EvaluationDetails: d.EvaluationDetails}
	case float64:
		d, _ := client.FloatValueDetails(ctx, key, def, evalCtx, options...)
		return of.InterfaceEvaluationDetails{Value: d.Value, EvaluationDetails: d.EvaluationDetails}
	}
	d, _ := client.ObjectValueDetails(ctx, key, def, evalCtx, options...)
	return d
}
