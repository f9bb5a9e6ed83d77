package ci

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/evaluator"
)

// chain returns an estate with flags f0 to f(n-1) in several namespaces, each of
// which asks for the next; the last asks for nobody.
func chain(t testing.TB, n int) fstest.MapFS {
	fsys := base(t)
	for i := range n {
		text := "type: boolean\ndefault: off\n"
		if i+1 < n {
			text += fmt.Sprintf("rules: [{name: r, when: {flag: {f%d: on}}, serve: on}]\n", i+1)
		} else {
			text += "rules: [{name: r, when: {city: BJ}, serve: on}]\n"
		}
		fsys[fmt.Sprintf("ns%d/f%d.yaml", i%5, i)] = file(text)
	}
	return fsys
}

// The limits on comparisons that docs/evaluation.md gives: of a flag that others refer
// to, and of any flag.
const (
	maxCost     = 10_000
	maxFlagCost = 1_000_000
)

// TestLongChain holds that the cost alone limits how far flags refer to each
// other: each of a chain takes two comparisons.
func TestLongChain(t *testing.T) {
	const longest = maxCost/2 + 1 // the first isn't asked for
	e, err := LoadFS(chain(t, longest), "flags")
	if err != nil {
		t.Fatal(err)
	}
	program := compiled(t, e, "production")
	for city, want := range map[string]bool{"BJ": true, "SH": false} {
		result := program.Flag("f0").Evaluate(
			&evaluator.Context{Attrs: []evaluator.Attr{evaluator.NewAttr("city", city)}})
		if got, _ := result.Value().Bool(); got != want {
			t.Errorf("f0 in %s: %v, want %v", city, got, want)
		}
	}
	more := chain(t, longest+1)
	// The last takes one comparison, so that the second takes one too many.
	more[fmt.Sprintf("ns%d/f%d.yaml", longest%5, longest)] = file("type: boolean\ndefault: off\n")
	_, err = LoadFS(more, "flags")
	want := `flags/ns0/f0.yaml:3:33: rule "r": flag "f1" takes more than 10000 comparisons, including the flags and segments it refers to; that is too many for others to refer to it`
	if err == nil || err.Error() != want {
		t.Errorf("one more: error %v, want %s", err, want)
	}
}

// TestLongCircle holds that circles are found however long they are, and shown
// in a line.
func TestLongCircle(t *testing.T) {
	fsys := chain(t, 6_000)
	fsys["ns4/f5999.yaml"] = file(
		"type: boolean\ndefault: off\nrules: [{name: r, when: {flag: {f0: on}}, serve: on}]\n")
	_, err := LoadFS(fsys, "flags")
	want := `flags/ns4/f5999.yaml:3:33: rule "r": flag "f0" refers to itself: f0 → f1 → f2 → f3 → f4 → f5 → f6 → f7 → f8 → … → f5999 → f0`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestFlagCost holds that flags may take as much as the evaluator lets them.
func TestFlagCost(t *testing.T) {
	// 99 questions for a segment, one comparison for each of them, one for the
	// split and one for the flag itself.
	const most = maxFlagCost - 99*(maxCost+1) - 2
	for cities, want := range map[int]string{
		most:     "",
		most + 1: "flags/shop/x.yaml:1:1: the flag takes more than 1000000 comparisons, including the flags and segments it refers to",
	} {
		fsys := base(t)
		fsys["segments/many.yaml"] = file("when: {any: [" + strings.Repeat("{city: BJ}, ", maxCost-2) + "]}\n")
		fsys["shop/x.yaml"] = file(
			"type: boolean\ndefault: off\nrules: [{name: r, serve: {on: 50%, off: 50%}, when: {any: [" +
				strings.Repeat("{user: {segment: many}}, ", 99) + strings.Repeat("{city: BJ}, ", cities) + "]}}]\n")
		if got := refusal(fsys); got != want {
			t.Errorf("%d cities: got error %q, want %q", cities, got, want)
		}
	}
}

// TestPrerequisitesAgree holds that a flag serves the same whether it is asked
// in the payload of its own namespace, with all others, or by a copy of it.
func TestPrerequisitesAgree(t *testing.T) {
	fsys := base(t)
	fsys["a/one.yaml"] = file("type: string\ndefault: x\nrules: [{name: r, serve: {y: 50%, x: 50%}}]\n")
	fsys["b/two.yaml"] = file(
		"type: boolean\ndefault: off\nrules: [{name: r, when: {flag: {one: y}}, serve: on}]\nenvironments: {staging: {default: on}}\n")
	fsys["c/three.yaml"] = file("type: boolean\ndefault: off\nrules: [{name: r, when: {flag: {two: on}}, serve: on}]\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for environment, want := range map[string][2]int{"production": {50, 50}, "staging": {100, 50}} {
		program := compiled(t, e, environment)
		var three, one int
		for i := range 1000 {
			ctx := evaluator.Context{Key: fmt.Sprintf("u-%d", i)}
			if on, _ := program.Flag("three").Evaluate(&ctx).Value().Bool(); on {
				three++
			}
			if program.Flag("one").Evaluate(&ctx).Variant() == "y" {
				one++
			}
		}
		if three != one && environment == "production" || three/10 < want[0]-5 || three/10 > want[0]+5 ||
			one/10 < want[1]-5 || one/10 > want[1]+5 {
			t.Errorf("%s: three is on for %d and one y for %d of 1000", environment, three, one)
		}
	}
}

// TestPrerequisitePins holds that pinned flags need nothing of what they ask for.
func TestPrerequisitePins(t *testing.T) {
	fsys := base(t)
	fsys["a/one.yaml"] = file("type: boolean\ndefault: off\nrules: [{name: r, when: {city: BJ}, serve: on}]\n")
	fsys["b/two.yaml"] = file(
		"type: boolean\ndefault: off\nenabled: false\nrules: [{name: r, when: {flag: {one: on}}, serve: on}]\n")
	fsys["c/three.yaml"] = file("type: boolean\ndefault: off\nrules: [{name: r, when: {flag: {two: on}}, serve: on}]\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	set := e.flags.Ruleset("", []evaluator.Flag{e.flags.ByKey["three"].In("")},
		lang.Pins{Flags: map[string]string{"two": "on"}})
	variants := []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
		{Name: "off", Value: evaluator.BoolValue(false)}}
	want := evaluator.Ruleset{
		Unit:       "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		Flags: []evaluator.Flag{{
			Key: "three", Type: evaluator.KindBool, Variants: variants, Default: 1, Off: 1,
			Rules: []evaluator.Rule{{Name: "r",
				When: &evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"two", "on"}}}},
		}},
		Prerequisites: []evaluator.Flag{{Key: "two", Type: evaluator.KindBool, Variants: variants}},
	}
	if diff := cmp.Diff(want, set, cmp.Comparer(func(a, b evaluator.Value) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestBrokenPrerequisite holds that what isn't known isn't held against others.
func TestBrokenPrerequisite(t *testing.T) {
	fsys := base(t)
	fsys["a/one.yaml"] = file("type: boolean\ndefault: maybe\n")
	fsys["a/two.yaml"] = file("type: [\n")
	fsys["b/three.yaml"] = file(
		"type: boolean\ndefault: off\nrules: [{name: r, when: {flag: {one: perhaps, two: maybe}}, serve: on}]\n")
	_, err := LoadFS(fsys, "flags")
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 2 || strings.Contains(err.Error(), "three") {
		t.Errorf("error %v, want one problem each of one and two", err)
	}
}
