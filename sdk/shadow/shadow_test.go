package shadow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/sdktest"
	"github.com/serin-flags/serin/sdk/shadow"
)

// flags has a flag that is on, and one that decides whose answer is served.
func flags(t testing.TB, serve bool) *sdk.Client {
	t.Helper()
	return sdktest.New(t, map[string]any{"new-cart": true, "serve-serin": serve}).Client
}

var newCart, serve = sdk.Bool("new-cart", false), sdk.Bool("serve-serin", false)

func TestServes(t *testing.T) {
	failure := errors.New("timeout")
	for _, c := range []struct {
		name                         string
		serve                        bool
		old                          bool
		err                          error
		want                         bool
		agreed, disagreed, oldErrors int64
	}{
		{"both agree", false, true, nil, true, 1, 0, 0},
		{"the old answer is served", false, false, nil, false, 0, 1, 0},
		{"ours is served", true, false, nil, true, 0, 1, 0},
		{"the old system fails, and is served", false, false, failure, false, 0, 0, 1},
		{"the old system fails, and isn't served", true, false, failure, true, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := flags(t, c.serve)
			compared := shadow.Compare(newCart, func(sdk.Context) (bool, error) { return c.old, c.err },
				shadow.Config{Serve: serve})
			if got := compared.Get(client, sdk.User("u-1")); got != c.want {
				t.Errorf("got %v", got)
			}
			r := compared.Report()
			if r.Agreed != c.agreed || r.Disagreed != c.disagreed || r.OldErrors != c.oldErrors ||
				len(r.Sample) != int(c.disagreed) {
				t.Errorf("the report is %+v", r)
			}
		})
	}
}

// TestPanics holds whose panic it is.
func TestPanics(t *testing.T) {
	old := func(sdk.Context) (bool, error) { panic("the old system is broken") }
	compared := shadow.Compare(newCart, old, shadow.Config{Serve: serve})
	if !compared.Get(flags(t, true), sdk.User("u-1")) || compared.Report().OldErrors != 1 {
		t.Error("a panic of the system that isn't served isn't an error of it")
	}
	unequal := func(bool, bool) bool { panic("the comparison is broken") }
	for _, served := range []bool{false, true} {
		compared := shadow.CompareFunc(newCart, func(sdk.Context) (bool, error) { return false, nil }, unequal,
			shadow.Config{Serve: serve})
		if got := compared.Get(flags(t, served), sdk.User("u-1")); got != served {
			t.Errorf("a comparison that panics: got %v", got)
		}
		if r := compared.Report(); r.Panics != 1 || r.Agreed+r.Disagreed+r.OldErrors != 0 {
			t.Errorf("a comparison that panics: the report is %+v", r)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a panic of the system that is served doesn't reach the caller")
		}
	}()
	compared.Get(flags(t, false), sdk.User("u-1"))
}

// TestNothingPersonal holds that reports have neither units nor the values of attributes.
func TestNothingPersonal(t *testing.T) {
	client := flags(t, false)
	compared := shadow.Compare(newCart, func(sdk.Context) (bool, error) { return false, nil }, shadow.Config{})
	compared.Get(client, sdk.User("unit-canary", sdk.Attr("city", "city-canary"), sdk.Attr("age", 4242424242)))
	r := compared.Report()
	if text := fmt.Sprintf("%+v", r); strings.Contains(text, "canary") || strings.Contains(text, "4242424242") {
		t.Errorf("the report has personal data: %s", text)
	}
	d := r.Sample[0]
	if fmt.Sprint(d.Attributes) != "[age city]" || d.Unit == 0 || d.Serin != "true" || d.Old != "false" ||
		d.Revision == 0 {
		t.Errorf("the sample is %+v", d)
	}
}

// TestBounded holds that neither the sample nor the kinds grow without end.
func TestBounded(t *testing.T) {
	const rules, users = 300, 9000
	cart := evaluator.Flag{Key: "new-cart", Type: evaluator.KindBool,
		Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}}}
	for i := range rules {
		cart.Rules = append(cart.Rules, evaluator.Rule{Name: fmt.Sprint("rule-", i),
			When: &evaluator.Condition{Op: evaluator.OpSuffix, Attribute: "user",
				Strings: []string{fmt.Sprint("-", i)}}})
	}
	p := sdktest.NewPublisher(t, "production")
	p.PublishRulesets(map[string]evaluator.Ruleset{"shop": {Unit: "user", Flags: []evaluator.Flag{cart},
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}}}})
	source, err := sdk.FromURL(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: p.Root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	compared := shadow.Compare(newCart, func(sdk.Context) (bool, error) { return false, nil }, shadow.Config{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := i; n < users; n += 8 {
				compared.Get(client, sdk.User(fmt.Sprint("u-", n, "-", n%rules)))
			}
		})
	}
	wg.Wait()
	r := compared.Report()
	if r.Disagreed != users || len(r.Sample) != 100 || len(r.Kinds) != 257 {
		t.Errorf("%d disagreements, a sample of %d, %d kinds", r.Disagreed, len(r.Sample), len(r.Kinds))
	}
	for _, k := range r.Kinds {
		if want := int64(users / rules); k.Rule == "(others)" && k.Disagreed != (rules-256)*want ||
			k.Rule != "(others)" && k.Disagreed != want {
			t.Errorf("%q has %d disagreements", k.Rule, k.Disagreed)
		}
	}
}

// TestAgreementDoesNotAllocate holds what a call costs if both agree.
func TestAgreementDoesNotAllocate(t *testing.T) {
	client := flags(t, false)
	compared := shadow.Compare(newCart, func(sdk.Context) (bool, error) { return true, nil },
		shadow.Config{Serve: serve})
	ctx := sdk.User("u-1", sdk.Attr("city", "x"))
	compared.Get(client, ctx)
	if n := testing.AllocsPerRun(1000, func() { compared.Get(client, ctx) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLog(t *testing.T) {
	client := flags(t, false)
	compared := shadow.Compare(newCart, func(sdk.Context) (bool, error) { return true, nil }, shadow.Config{})
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		compared.Get(client, sdk.User("u-1"))
		shadow.Log(ctx, slog.New(slog.NewTextHandler(&out, nil)), time.Minute, compared)
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 ||
			!strings.Contains(lines[0], "agreed=1") || !strings.Contains(lines[1], "agreed=0") {
			t.Errorf("the log is\n%s", out.String())
		}
	})
}

// BenchmarkGet compares the two calls with the comparison of both.
func BenchmarkGet(b *testing.B) {
	client := flags(b, false)
	ctx := sdk.User("u-1")
	old := func(sdk.Context) (bool, error) { return true, nil }
	compared := shadow.Compare(newCart, old, shadow.Config{Serve: serve})
	b.Run("two calls", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = old(ctx)
			newCart.Get(client, ctx)
		}
	})
	b.Run("compared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			compared.Get(client, ctx)
		}
	})
}
