package ci

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/evaluator"
)

// checkApart holds that no two flags of a layer have a position in common, in
// no environment, nor in two of them, and that spans are in order.
func checkApart(t *testing.T, e *Estate) {
	t.Helper()
	type owned struct {
		layer, key string
		evaluator.Span
	}
	var all []owned
	seen := make(map[owned]bool)
	for _, environment := range append([]string{""}, e.Environments()...) {
		for key, f := range compiledFlags(t, e, environment) {
			r := f.Reserved
			if r == nil {
				continue
			}
			for i, s := range r.Spans {
				if s.From >= s.To || s.To > evaluator.Positions || i > 0 && s.From <= r.Spans[i-1].To {
					t.Errorf("flag %s: spans %+v", key, r.Spans)
				}
				if o := (owned{r.Layer, key, s}); !seen[o] {
					seen[o] = true
					all = append(all, o)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b owned) int {
		return cmp.Or(cmp.Compare(a.layer, b.layer), cmp.Compare(a.From, b.From))
	})
	for i, b := range all[min(1, len(all)):] {
		if a := all[i]; a.layer == b.layer && a.To > b.From {
			t.Errorf("%+v overlaps %+v", a, b)
		}
	}
}

// layered returns an estate with a layer and the flags that it lists, each with
// one rule for everybody.
func layered(t *testing.T, layer string, serve map[string]string) *Estate {
	t.Helper()
	fsys := make(fstest.MapFS)
	fsys["serin.yaml"] = file("environments: [production]\n")
	fsys["context.yaml"] = file("attributes: {user: {type: string, unit: true}}\n")
	fsys["layers/search.yaml"] = file(layer)
	for key, s := range serve {
		fsys["shop/"+key+".yaml"] = file("type: boolean\nexclusive: search\ndefault: off\nrules: [{name: r, serve: " +
			s + "}]\n")
	}
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatalf("%s: %v", layer, err)
	}
	return e
}

// TestLayersDontOverlap holds that nobody is in two flags of a layer, nor in
// one if they are held out, whatever the shares and the rules are.
func TestLayersDontOverlap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	serves := []string{"on", "{on: 50%, off: 50%}", "{ramp: on, linear: {start: 2026-12-01, end: 2026-12-03}}"}
	keys := []string{"a", "b", "c", "d", "e"}
	for range 30 {
		left := rnd.Int64N(share.Whole / 5)
		holdout := left
		text := "holdout: \"" + share.Format(left) + "\"\nshares:\n"
		left = share.Whole - left
		serve := make(map[string]string)
		want := make(map[string]int64)
		for range 12 {
			portion := 1 + rnd.Int64N(left/4)
			left -= portion
			if key := keys[rnd.IntN(len(keys))]; rnd.IntN(3) > 0 {
				serve[key] = serves[rnd.IntN(len(serves))]
				want[key] += portion
				text += "  - {flag: " + key + ", share: " + share.Format(portion) + "}\n"
			} else {
				text += "  - {free: " + share.Format(portion) + "}\n"
			}
		}
		if len(serve) == 0 {
			continue
		}
		e := layered(t, text, serve)
		checkApart(t, e)
		for key, f := range compiledFlags(t, e, "") {
			var got uint64
			for _, s := range f.Reserved.Spans {
				if s.From < share.Boundary(holdout, evaluator.Positions) {
					t.Errorf("%s: flag %s has %+v", text, key, s)
				}
				got += s.To - s.From
			}
			if exact := share.Boundary(want[key], evaluator.Positions); got+12 < exact || got > exact+12 { // a rounding each
				t.Errorf("%s: flag %s has %d positions, want %d", text, key, got, exact)
			}
		}
		checkUsersApart(t, e, text)
	}
}

// checkUsersApart evaluates all flags of a layer for many users: each is in one
// flag at most, and they are not all in the same one.
func checkUsersApart(t *testing.T, e *Estate, text string) {
	t.Helper()
	program := compiled(t, e, "production")
	counts := make(map[string]int)
	for i := range 1000 {
		in := ""
		for _, key := range program.Keys() {
			r := program.Flag(key).Evaluate(&evaluator.Context{Key: fmt.Sprint("u-", i), Now: hour(24)})
			if r.Reason() == evaluator.ReasonDefault {
				continue
			}
			if in != "" {
				t.Fatalf("%s: user %d is in the flags %s and %s", text, i, in, key)
			}
			in = key
		}
		counts[in]++
	}
	for key, f := range compiledFlags(t, e, "") {
		var positions uint64
		for _, s := range f.Reserved.Spans {
			positions += s.To - s.From
		}
		want := int(positions * 1000 / evaluator.Positions)
		if got := counts[key]; max(got-want, want-got) > 80 { // five standard deviations
			t.Errorf("%s: flag %s has %d users of 1000, want about %d", text, key, got, want)
		}
	}
}

// TestLayerGrowth holds that a flag that grows out of free traffic keeps what it
// has, and leaves others what they have.
func TestLayerGrowth(t *testing.T) {
	serve := map[string]string{"a": "on", "b": "on"}
	before := layered(t, "shares: [{flag: a, share: 10%}, {flag: b, share: 20%}, {free: 30%}]\n", serve)
	after := layered(t, "shares: [{flag: a, share: 10%}, {flag: b, share: 20%}, {flag: a, share: 5%}, {free: 25%}]\n",
		serve)
	spans := func(e *Estate, key string) []evaluator.Span { return compiledFlags(t, e, "")[key].Reserved.Spans }
	if diff := gocmp.Diff(spans(before, "b"), spans(after, "b")); diff != "" {
		t.Errorf("b moved: -before +after:\n%s", diff)
	}
	want := append(spans(before, "a"), evaluator.Span{From: share.Boundary(share.Whole/10*3, evaluator.Positions),
		To: share.Boundary(share.Whole/100*35, evaluator.Positions)})
	if diff := gocmp.Diff(want, spans(after, "a")); diff != "" {
		t.Errorf("a: -want +got:\n%s", diff)
	}
}

// TestManyEntries holds that layers of thousands of entries are nothing special.
func TestManyEntries(t *testing.T) {
	var text strings.Builder
	text.WriteString("shares:\n")
	for range 5000 {
		text.WriteString("  - {flag: a, share: 0.01%}\n  - {flag: b, share: 0.01%}\n")
	}
	e := layered(t, text.String(), map[string]string{"a": "on", "b": "on"})
	checkApart(t, e)
	if got := len(compiledFlags(t, e, "")["a"].Reserved.Spans); got != 5000 {
		t.Errorf("a has %d spans, want 5000", got)
	}
	if err := compileModules(e, "production"); err != nil {
		t.Error(err)
	}
}
