package openfeature_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/sdk/openfeature"
)

// A scenario is one row of a scenario of the OpenFeature specification
// (github.com/open-feature/spec, Apache License 2.0): what is asked for, and what
// must come of it. Each is named by its feature file and scenario.
type scenario struct {
	name    string
	key     string
	def     any
	context map[string]any
	value   any // an integer is an int64
	variant string
	reason  of.Reason
	code    of.ErrorCode
}

var (
	pictures = map[string]any{"showImages": true, "title": "Check out these pics!", "imagesPerPage": float64(100)}
	other    = map[string]any{"a": float64(1)}
	address  = map[string]any{"email": "ballmer@macrosoft.com"}
	noMatch  = map[string]any{"email": "ballmer@none.com"}
	noValue  = map[string]any{"email": nil}
)

// evaluation are the scenarios of gherkin/evaluation.feature.
var evaluation = []scenario{
	{name: "evaluation/boolean", key: "boolean-flag", def: false, value: true, variant: "on", reason: of.StaticReason},
	{name: "evaluation/string", key: "string-flag", def: "bye", value: "hi", variant: "greeting", reason: of.StaticReason},
	{name: "evaluation/integer", key: "integer-flag", def: 1, value: int64(10), variant: "ten", reason: of.StaticReason},
	{name: "evaluation/float", key: "float-flag", def: 0.1, value: 0.5, variant: "half", reason: of.StaticReason},
	{name: "evaluation/object", key: "object-flag", def: nil, value: pictures, variant: "template",
		reason: of.StaticReason},
	{name: "evaluation/context", key: "context-aware", def: "EXTERNAL", value: "INTERNAL", variant: "internal",
		reason:  of.TargetingMatchReason,
		context: map[string]any{"fn": "Sulisław", "ln": "Świętopełk", "age": 29, "customer": false}},
	{name: "evaluation/no context", key: "context-aware", def: "none", value: "EXTERNAL", variant: "external",
		reason: of.DefaultReason},
	{name: "evaluation/not found", key: "missing-flag", def: "uh-oh", value: "uh-oh", reason: of.ErrorReason,
		code: of.FlagNotFoundCode},
	{name: "evaluation/type error", key: "wrong-flag", def: 13, value: int64(13), reason: of.ErrorReason,
		code: of.TypeMismatchCode},
}

// evaluation2 are the scenarios of gherkin/evaluation_v2.feature that have to do
// with one answer and are not those of evaluation. Providers that cache answers
// have one more.
var evaluation2 = []scenario{
	{name: "evaluation_v2/zero boolean", key: "boolean-zero-flag", def: true, value: false, variant: "zero",
		reason: of.StaticReason},
	{name: "evaluation_v2/zero string", key: "string-zero-flag", def: "hi", value: "", variant: "zero",
		reason: of.StaticReason},
	{name: "evaluation_v2/zero integer", key: "integer-zero-flag", def: 1, value: int64(0), variant: "zero",
		reason: of.StaticReason},
	{name: "evaluation_v2/zero float", key: "float-zero-flag", def: 0.1, value: 0.0, variant: "zero",
		reason: of.StaticReason},
	{name: "evaluation_v2/zero object", key: "object-zero-flag", def: other, value: map[string]any{}, variant: "zero",
		reason: of.StaticReason},

	{name: "evaluation_v2/several attributes", key: "context-aware", def: "false", value: "INTERNAL",
		variant: "internal", reason: of.TargetingMatchReason,
		context: map[string]any{"email": "ballmer@macrosoft.com", "role": "admin", "age": 65, "customer": false}},

	{name: "evaluation_v2/boolean not found", key: "non-existent-flag", def: false, value: false,
		reason: of.ErrorReason,
		code:   of.FlagNotFoundCode},
	{name: "evaluation_v2/integer not found", key: "non-existent-flag", def: 1, value: int64(1), reason: of.ErrorReason,
		code: of.FlagNotFoundCode},
	{name: "evaluation_v2/float not found", key: "non-existent-flag", def: 0.1, value: 0.1, reason: of.ErrorReason,
		code: of.FlagNotFoundCode},
	{name: "evaluation_v2/object not found", key: "non-existent-flag", def: other, value: other, reason: of.ErrorReason,
		code: of.FlagNotFoundCode},

	{name: "evaluation_v2/boolean as string", key: "boolean-flag", def: "bye", value: "bye", reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "evaluation_v2/string as boolean", key: "string-flag", def: false, value: false, reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "evaluation_v2/string as integer", key: "string-flag", def: 1, value: int64(1), reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "evaluation_v2/string as object", key: "string-flag", def: map[string]any{}, value: map[string]any{},
		reason: of.ErrorReason, code: of.TypeMismatchCode},
	{name: "evaluation_v2/boolean as integer", key: "boolean-flag", def: 1, value: int64(1), reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "evaluation_v2/boolean as float", key: "boolean-flag", def: 0.1, value: 0.1, reason: of.ErrorReason,
		code: of.TypeMismatchCode},

	{name: "evaluation_v2/disabled boolean", key: "boolean-disabled-flag", def: false, value: false, variant: "off",
		reason: of.DisabledReason},
	{name: "evaluation_v2/disabled string", key: "string-disabled-flag", def: "bye", value: "bye", variant: "parting",
		reason: of.DisabledReason},
}

// tck are the scenarios of provider-tck/gherkin/evaluation.feature, errors.feature
// and reason.feature that none of the above is. What it calls a disabled flag
// leaves the value to the caller; ours serves its off variant, see evaluation2.
var tck = []scenario{
	{name: "tck/31 bits", key: "large-integer-flag", def: 1, value: int64(2147483647), variant: "max-int32",
		reason: of.StaticReason},
	{name: "tck/53 bits", key: "huge-integer-flag", def: 1, value: int64(9007199254740991), variant: "max-safe",
		reason: of.StaticReason},
	{name: "tck/context without rules", key: "string-flag", def: "bye", value: "hi", variant: "greeting",
		reason:  of.StaticReason,
		context: map[string]any{of.TargetingKey: "f20bd32d-703b-48b6-bc8e-79d53c85134a"}},
	{name: "tck/key that matches", key: "targeting-key-flag", def: "fallback", value: "hit", variant: "hit",
		reason:  of.TargetingMatchReason,
		context: map[string]any{of.TargetingKey: "5c3d8535-f81a-4478-a6d3-afaa4d51199e"}},
	{name: "tck/key that doesn't match", key: "targeting-key-flag", def: "fallback", value: "miss", variant: "miss",
		reason:  of.DefaultReason,
		context: map[string]any{of.TargetingKey: "f20bd32d-703b-48b6-bc8e-79d53c85134a"}},
	{name: "tck/no key", key: "targeting-key-flag", def: "fallback", value: "miss", variant: "miss",
		reason: of.DefaultReason},
	{name: "tck/string as float", key: "string-flag", def: 0.1, value: 0.1, reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/integer as boolean", key: "integer-flag", def: false, value: false, reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/integer as string", key: "integer-flag", def: "fallback", value: "fallback", reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/float as boolean", key: "float-flag", def: false, value: false, reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/float as string", key: "float-flag", def: "fallback", value: "fallback", reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/float as integer", key: "float-flag", def: 1, value: int64(1), reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/object as boolean", key: "object-flag", def: false, value: false, reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/object as string", key: "object-flag", def: "fallback", value: "fallback", reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/object as integer", key: "object-flag", def: 1, value: int64(1), reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	{name: "tck/object as float", key: "object-flag", def: 0.1, value: 0.1, reason: of.ErrorReason,
		code: of.TypeMismatchCode},
	// Not a scenario, but what its counterpart leaves open.
	{name: "integer as float", key: "integer-flag", def: 0.1, value: 10.0, variant: "ten", reason: of.StaticReason},
}

// targeted are the scenarios of evaluation_v2 in which a rule serves a type's zero
// value: with the context it matches, one it doesn't, a null, and none.
func targeted() []scenario {
	var all []scenario
	for _, f := range []struct {
		key        string
		def, value any
	}{
		{"boolean-targeted-zero-flag", true, false}, {"string-targeted-zero-flag", "hi", ""},
		{"integer-targeted-zero-flag", 1, int64(0)},
		{"float-targeted-zero-flag", 0.1, 0.0}, {"object-targeted-zero-flag", other, map[string]any{}},
	} {
		s := scenario{key: f.key, def: f.def, value: f.value, variant: "zero", reason: of.DefaultReason}
		for name, context := range map[string]map[string]any{"matches": address, "doesn't match": noMatch,
			"null":       noValue,
			"no context": nil} {
			s.name, s.context, s.reason = "evaluation_v2/"+f.key+" "+name, context, of.DefaultReason
			if name == "matches" {
				s.reason = of.TargetingMatchReason
			}
			all = append(all, s)
		}
	}
	return all
}

// TestEvaluationScenarios asks the go-sdk's client for each scenario's flag.
func TestEvaluationScenarios(t *testing.T) {
	client := stable(t).NewClient()
	var all []scenario
	all = append(append(append(append(all, evaluation...), evaluation2...), tck...), targeted()...)
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			d := ask(t.Context(), client, s.key, s.def, of.NewTargetlessEvaluationContext(s.context))
			if key, ok := s.context[of.TargetingKey].(string); ok {
				d = ask(t.Context(), client, s.key, s.def, of.NewEvaluationContext(key, nil))
			}
			if diff := cmp.Diff(s.value, d.Value); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if d.FlagKey != s.key || d.Variant != s.variant || d.Reason != s.reason || d.ErrorCode != s.code {
				t.Errorf("key %q, variant %q, reason %s, error code %q; want %q, %q, %s, %q",
					d.FlagKey, d.Variant, d.Reason, d.ErrorCode, s.key, s.variant, s.reason, s.code)
			}
			if (d.ErrorMessage == "") != (s.code == "") {
				t.Errorf("error message %q beside error code %q", d.ErrorMessage, s.code)
			}
		})
	}
}

// TestDetailScenarios are the scenarios of evaluation_v2 that are about a part of
// the details: the message of an error, metadata, the caller's context.
func TestDetailScenarios(t *testing.T) {
	client := stable(t).NewClient()
	if d := ask(t.Context(), client, "error-flag", false, of.EvaluationContext{}); !strings.Contains(d.ErrorMessage,
		"flag error-flag not found") {
		t.Errorf("error message: %q", d.ErrorMessage)
	}
	want := of.FlagMetadata{
		"string": "1.0.2", "integer": int64(2), "float": 0.1, "boolean": true, // the scenario's
		"environment": "production", "revision": int64(1), "flagSetId": "production", "version": "1", // ours
	}
	d := ask(t.Context(), client, "metadata-flag", true, of.EvaluationContext{})
	if diff := cmp.Diff(want, d.FlagMetadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	d.FlagMetadata["string"] = "changed"
	if again := ask(t.Context(), client, "metadata-flag", true,
		of.EvaluationContext{}); again.FlagMetadata["string"] != "1.0.2" {
		t.Error("callers share metadata")
	}
	attributes := map[string]any{"email": "ballmer@macrosoft.com", "tags": []string{"vip"}}
	ask(t.Context(), client, "boolean-flag", false, of.NewEvaluationContext("u-1", attributes))
	if diff := cmp.Diff(map[string]any{"email": "ballmer@macrosoft.com", "tags": []string{"vip"}},
		attributes); diff != "" {
		t.Errorf("the caller's context has changed (-want +got):\n%s", diff)
	}
}

// TestStateScenarios are the scenarios of evaluation_v2 and of
// provider-tck/lifecycle.feature about providers that are not ready.
func TestStateScenarios(t *testing.T) {
	defaults := map[string]any{"boolean-flag": false, "string-flag": "bye", "integer-flag": 1, "float-flag": 0.1,
		"object-flag": other}
	ends := func(t *testing.T, client *of.Client, state of.State, code of.ErrorCode) {
		t.Helper()
		if got := client.State(); got != state {
			t.Errorf("the state is %s, want %s", got, state)
		}
		for key, def := range defaults {
			want := def
			if i, ok := def.(int); ok {
				want = int64(i)
			}
			d := ask(t.Context(), client, key, def, of.EvaluationContext{})
			if diff := cmp.Diff(want, d.Value); diff != "" || d.Reason != of.ErrorReason || d.ErrorCode != code {
				t.Errorf("%s: reason %s, error code %s, want %s; value (-want +got):\n%s", key, d.Reason, d.ErrorCode,
					code, diff)
			}
		}
	}
	t.Run("ready", func(t *testing.T) {
		api := stable(t)
		if got := api.NewClient().State(); got != of.ReadyState {
			t.Errorf("the state is %s", got)
		}
	})
	t.Run("fatal", func(t *testing.T) {
		api := newAPI(t)
		if err := api.SetProviderAndWait(t.Context(), openfeature.New(nil, openfeature.Config{})); err == nil {
			t.Error("a provider without a client is ready")
		}
		ends(t, api.NewClient(), of.FatalState, of.ProviderFatalCode)
	})
	t.Run("unavailable", func(t *testing.T) {
		api := newAPI(t)
		if err := api.SetProviderAndWait(t.Context(),
			openfeature.New(open(t, t.TempDir(), newKeys(t)), openfeature.Config{})); err == nil {
			t.Error("a provider without flags is ready")
		}
		ends(t, api.NewClient(), of.ErrorState, of.ProviderNotReadyCode)
	})
}

// A recorder is a hook that records its calls.
type recorder struct {
	of.UnimplementedHook
	name  string
	calls *[]string
	last  *of.InterfaceEvaluationDetails
}

func (r recorder) Before(context.Context, of.HookContext, of.HookHints) (*of.EvaluationContext, error) {
	*r.calls = append(*r.calls, r.name+"before")
	return nil, nil
}

func (r recorder) After(_ context.Context, _ of.HookContext, d of.InterfaceEvaluationDetails, _ of.HookHints) error {
	*r.calls, *r.last = append(*r.calls, r.name+"after"), d
	return nil
}

func (r recorder) Error(context.Context, of.HookContext, error, of.HookHints) {
	*r.calls = append(*r.calls, r.name+"error")
}

func (r recorder) Finally(_ context.Context, _ of.HookContext, d of.InterfaceEvaluationDetails, _ of.HookHints) {
	*r.calls, *r.last = append(*r.calls, r.name+"finally"), d
}

// TestHookScenarios are the scenarios of gherkin/hooks.feature.
func TestHookScenarios(t *testing.T) {
	for _, test := range []struct {
		scenario
		calls string
	}{
		{scenario{name: "details", key: "boolean-flag", def: false, value: true, variant: "on", reason: of.StaticReason},
			"before after finally"},
		{scenario{name: "not found", key: "missing-flag", def: "uh-oh", value: "uh-oh", reason: of.ErrorReason,
			code: of.FlagNotFoundCode}, "before error finally"},
		{scenario{name: "type error", key: "wrong-flag", def: 13, value: int64(13), reason: of.ErrorReason,
			code: of.TypeMismatchCode}, "before error finally"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var calls []string
			var d of.InterfaceEvaluationDetails
			client := stable(t).NewClient()
			client.AddHooks(recorder{calls: &calls, last: &d})
			ask(t.Context(), client, test.key, test.def, of.EvaluationContext{})
			if got := strings.Join(calls, " "); got != test.calls {
				t.Errorf("the hook was called for %q, want %q", got, test.calls)
			}
			if d.FlagKey != test.key || d.Value != test.value || d.Variant != test.variant || d.Reason != test.reason ||
				d.ErrorCode != test.code {
				t.Errorf("the hook was told %+v", d)
			}
		})
	}
}

// TestHookOrder is the scenario of evaluation_v2 about hooks of one evaluation.
func TestHookOrder(t *testing.T) {
	var calls []string
	var d of.InterfaceEvaluationDetails
	client := stable(t).NewClient()
	ask(t.Context(), client, "boolean-flag", false, of.EvaluationContext{},
		of.WithHooks(recorder{name: "1 ", calls: &calls, last: &d}, recorder{name: "2 ", calls: &calls, last: &d}))
	if got := strings.Join(calls, ", "); got != "1 before, 2 before, 2 after, 1 after, 2 finally, 1 finally" {
		t.Errorf("hooks were called in the order %s", got)
	}
}

// A level is a hook that adds to the context.
type level struct{ of.UnimplementedHook }

func (level) Before(context.Context, of.HookContext, of.HookHints) (*of.EvaluationContext, error) {
	c := of.NewTargetlessEvaluationContext(map[string]any{"level": "Before Hooks"})
	return &c, nil
}

// TestContextScenarios are the scenarios of gherkin/contextMerging.feature: what
// reaches a rule is the context that the go-sdk has merged.
func TestContextScenarios(t *testing.T) {
	with := func(level string) of.EvaluationContext {
		return of.NewTargetlessEvaluationContext(map[string]any{"level": level})
	}
	api := stable(t)
	client, ctx, invocation, options := api.NewClient(), t.Context(), of.EvaluationContext{}, []of.Option(nil)
	for _, step := range []struct {
		want string
		set  func()
	}{
		{"API", func() { api.SetEvaluationContext(with("API")) }},
		{"Transaction", func() { ctx = of.WithTransactionContext(ctx, with("Transaction")) }},
		{"Client", func() { client.SetEvaluationContext(with("Client")) }},
		{"Invocation", func() { invocation = with("Invocation") }},
		{"Before Hooks", func() { options = append(options, of.WithHooks(level{})) }},
	} {
		step.set()
		if d := ask(ctx, client, "merged", "default", invocation, options...); d.Value != step.want {
			t.Errorf("with the context of %s the rule sees %v", step.want, d.Value)
		}
	}
}

// TestTrackingScenarios are the scenarios of gherkin/tracking.feature that the
// provider has a part in.
func TestTrackingScenarios(t *testing.T) {
	type event struct {
		name  string
		key   string
		plan  any
		value float64
	}
	var got []event
	api := newAPI(t)
	track := func(_ context.Context, name string, evalCtx of.EvaluationContext, details of.TrackingEventDetails) {
		got = append(got, event{name, evalCtx.TargetingKey(), evalCtx.Attribute("plan"), details.Value()})
	}
	if err := api.SetProviderAndWait(t.Context(),
		openfeature.New(openClient(t), openfeature.Config{Track: track})); err != nil {
		t.Fatal(err)
	}
	api.SetEvaluationContext(of.NewTargetlessEvaluationContext(map[string]any{"plan": "plus"}))
	api.NewClient().Track(t.Context(), "the-event", of.NewEvaluationContext("u-1", nil), of.NewTrackingEventDetails(3))
	if diff := cmp.Diff([]event{{"the-event", "u-1", "plus", 3}}, got, cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("tracked (-want +got):\n%s", diff)
	}
	stable(t).NewClient().Track(t.Context(), "the-event", of.EvaluationContext{},
		of.TrackingEventDetails{}) // goes nowhere
}
