package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// A figure is what the flag "shape" serves.
type figure struct {
	Sides int      `json:"sides"`
	Names []string `json:"names"`
}

// object publishes an object flag, "shape", that serves one JSON text.
func (r *repository) object(t testing.TB, text string) {
	t.Helper()
	payload := numbered(r.env, 0)[0]
	payload.Ruleset.Flags = []evaluator.Flag{
		constant("shape", evaluator.KindObject, evaluator.ObjectValue(text)),
		constant("text", evaluator.KindString, evaluator.StringValue(text)),
	}
	r.publish(t, payload)
}

func TestObject(t *testing.T) {
	r := newRepository(t, "production")
	r.object(t, `{"sides": 3, "more": {"x": [1]}}`)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	def := figure{Sides: 1, Names: []string{"dot"}}
	for name, test := range map[string]struct{ got, want any }{
		"struct":  {sdk.JSON("shape", def).Get(client, sdk.Context{}), figure{Sides: 3}},
		"pointer": {sdk.JSON("shape", &def).Get(client, sdk.Context{}), &figure{Sides: 3}},
		"map": {sdk.JSON[map[string]any]("shape", nil).Get(client, sdk.Context{}),
			map[string]any{"sides": 3.0, "more": map[string]any{"x": []any{1.0}}}},
		"JSON": {string(sdk.JSON[json.RawMessage]("shape", nil).Get(client, sdk.Context{})),
			`{"sides": 3, "more": {"x": [1]}}`},
		"string":       {sdk.JSON("shape", "x").Get(client, sdk.Context{}), "x"},
		"of a string":  {sdk.JSON("text", def).Get(client, sdk.Context{}), def},
		"text of text": {sdk.JSON("text", "x").Get(client, sdk.Context{}), "x"},
		"absent":       {sdk.JSON("gone", def).Get(client, sdk.Context{}), def},
		"nil client":   {sdk.JSON("shape", def).Get(nil, sdk.Context{}), def},
		"field of a type": {sdk.JSON("shape", struct{ Sides string }{"x"}).Get(client, sdk.Context{}),
			struct{ Sides string }{"x"}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	list := sdk.JSON("shape", []int{7})
	for range 3 {
		if got := list.Get(client, sdk.Context{}); !slices.Equal(got, []int{7}) {
			t.Errorf("a figure as a list is %v, want the default", got)
		}
	}
	e := sdk.JSON("shape", struct{ Sides string }{"x"}).Explain(client, sdk.Context{})
	if !errors.Is(e.Err, sdk.ErrTypeMismatch) || !strings.Contains(fmt.Sprint(e.Err), "Sides") ||
		e.Value.Sides != "x" ||
		e.Variant != "" {
		t.Errorf("explanation of a field of another type is %+v", e)
	}
}

// TestObjectIsDecodedOnce checks that a value is decoded once, by whoever comes
// first, and again if and only if it changes.
func TestObjectIsDecodedOnce(t *testing.T) {
	r := newRepository(t, "production")
	r.object(t, `{"sides": 3}`)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	shape := sdk.JSON[*figure]("shape", nil)
	seen := make([]*figure, 8)
	var wg sync.WaitGroup
	for i := range seen {
		wg.Go(func() { seen[i] = shape.Get(client, sdk.Context{}) })
	}
	wg.Wait()
	for i, f := range seen {
		if f == nil || f != seen[0] || f.Sides != 3 {
			t.Errorf("goroutine %d got %p %+v, the first one %p", i, f, f, seen[0])
		}
	}
	for _, step := range []struct {
		text string
		same bool
	}{{`{"sides": 3} `, false}, {`{"sides": 3}`, true}, {`{"sides": 4}`, false}, {`{"sides": 3}`, true}} {
		r.object(t, step.text)
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := shape.Get(client, sdk.Context{})
		if same := got == seen[0]; same != step.same || strings.Contains(step.text, "3") != (got.Sides == 3) {
			t.Errorf("%s is %+v, the one from before: %t", step.text, got, same)
		}
	}
}

// A touchy is a type that doesn't expect every JSON.
type touchy struct{ first byte }

func (f *touchy) UnmarshalJSON(text []byte) error {
	f.first = text[100]
	return nil
}

// TestObjectThatPanics: whoever edits a flag must not be able to take programs down.
func TestObjectThatPanics(t *testing.T) {
	r := newRepository(t, "production")
	r.object(t, `{"sides": 3}`)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	flag := sdk.JSON("shape", touchy{'x'})
	for range 2 {
		if got := flag.Get(client, sdk.Context{}); got.first != 'x' {
			t.Errorf("serves %v", got)
		}
	}
	e := flag.Explain(client, sdk.Context{})
	if !errors.Is(e.Err, sdk.ErrTypeMismatch) || !strings.Contains(e.Err.Error(), "panic") || e.Value.first != 'x' {
		t.Errorf("explanation %+v", e)
	}
	if got := client.Status().Mismatches; got != 1 {
		t.Errorf("%d mismatches", got)
	}
}
