package diff_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/evaluator"
)

// onOff returns a boolean flag with rules that serve on.
func onOff(key string, when ...evaluator.Condition) evaluator.Flag {
	f := evaluator.Flag{Key: key, Type: evaluator.KindBool, Default: 1, Variants: []evaluator.Variant{
		{Name: "on", Value: evaluator.BoolValue(true)}, {Name: "off", Value: evaluator.BoolValue(false)},
	}}
	for i := range when {
		f.Rules = append(f.Rules, evaluator.Rule{Name: fmt.Sprintf("r%d", i), When: &when[i]})
	}
	return f
}

// edits returns the edits between two sides, each as a line.
func edits(t *testing.T, old, new []bundle.Payload) []string {
	t.Helper()
	r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{{Old: old, New: new}}})
	var list []string
	for _, f := range r.Environments[0].Flags {
		for _, e := range f.Edits {
			list = append(list, e.String())
		}
	}
	return list
}

func cities(names ...string) evaluator.Condition {
	return evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: names}
}

func combine(op evaluator.Op, of ...evaluator.Condition) evaluator.Condition {
	return evaluator.Condition{Op: op, Of: of}
}

func TestConditionWords(t *testing.T) {
	uid := evaluator.Condition{Op: evaluator.OpBetween, Attribute: "uid", Ints: []int64{1, 5}}
	tags := evaluator.Condition{Op: evaluator.OpAnyOf, Attribute: "tags", Strings: []string{"new"}}
	since := func(from, to int64) evaluator.Condition {
		return evaluator.Condition{Op: evaluator.OpBetween, Attribute: "since", Ints: []int64{from, to}}
	}
	six := cities("a", "b", "c", "d", "e", "f")
	for _, test := range []struct {
		old, new evaluator.Condition
		want     string
	}{
		{cities("BJ"), cities("SH"), `city one of "BJ" → city one of "SH"`},
		{six, cities("g", "b", "c", "d", "e", "h", "i", "j", "k"), `city one of: +5 −2 (+"g", "h", "i", … −"a", "f"), now 9`},
		{cities("BJ"), combine(evaluator.OpAll, cities("BJ"), uid), `+ and uid from 1 to 5`},
		{combine(evaluator.OpAll, uid, cities("BJ")), uid, `− and city one of "BJ"`},
		{cities("BJ"), tags, `city one of "BJ" → tags any of "new"`},
		{combine(evaluator.OpAll), cities("BJ"), `always → city one of "BJ"`},
		{combine(evaluator.OpAny, cities("BJ"), uid), combine(evaluator.OpAny, uid, tags), `− or city one of "BJ"; + or tags any of "new"`},
		{combine(evaluator.OpAny, cities("BJ"), uid), combine(evaluator.OpAll, cities("BJ"), uid), `− and (city one of "BJ" or uid from 1 to 5); + and city one of "BJ"; + and uid from 1 to 5`},
		{combine(evaluator.OpNot, cities("BJ")), combine(evaluator.OpNot, cities("SH")), `not city one of "BJ" → not city one of "SH"`},
		{
			combine(evaluator.OpNot, combine(evaluator.OpAny, cities("BJ"), uid)),
			combine(evaluator.OpNot, combine(evaluator.OpAny, cities("BJ"), uid, tags)),
			`within not: + or tags any of "new"`,
		},
		{since(1796090400, math.MaxInt64), since(1796090400, 1796090400), "since from 2026-12-01T02:00:00Z on → since from 2026-12-01T02:00:00Z and before 2026-12-01T02:00:01Z"},
		{combine(evaluator.OpNot, cities("BJ")), cities("BJ"), `not city one of "BJ" → city one of "BJ"`},
	} {
		got := edits(t, payloads([]evaluator.Flag{onOff("f", test.old)}),
			payloads([]evaluator.Flag{onOff("f", test.new)}))
		if d := cmp.Diff([]string{`rule "r0": condition: ` + test.want}, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
}

// TestFewestMoves: the rules that are said to have moved are the fewest.
func TestFewestMoves(t *testing.T) {
	f := onOff("f", cities("a"), cities("b"), cities("c"), cities("d"), cities("e"))
	g := f
	g.Rules = []evaluator.Rule{f.Rules[4], f.Rules[0], f.Rules[1], f.Rules[2], f.Rules[3]}
	got := edits(t, payloads([]evaluator.Flag{f}), payloads([]evaluator.Flag{g}))
	if d := cmp.Diff([]string{`rule "r4": moved from place 5 to 1`}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestReached: what flags refer to is compared wherever it is, and named by each.
func TestReached(t *testing.T) {
	zone := func(seconds int) []evaluator.Zone {
		return []evaluator.Zone{{Name: "Asia/Shanghai", Offsets: []evaluator.Offset{{Seconds: seconds}}}}
	}
	window := evaluator.Condition{Op: evaluator.OpWindow, Strings: []string{"Asia/Shanghai"},
		Ints: []int64{127, 0, 3600}}
	serves := evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"base", "on"}}
	second := evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"middle", "on"}}
	uid := evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "uid", Ints: []int64{5}}
	old := payloads([]evaluator.Flag{onOff("base", cities("BJ")), onOff("middle", serves), onOff("top", second),
		onOff("zoned", window), onOff("typed", combine(evaluator.OpNot, uid))})
	old[0].Ruleset.Zones = zone(28_800)
	texts := uid
	texts.Ints, texts.Strings = nil, []string{"5"}
	new := payloads([]evaluator.Flag{onOff("base", cities("SH")), onOff("middle", serves), onOff("top", second),
		onOff("zoned", window), onOff("typed", combine(evaluator.OpNot, texts))})
	new[0].Ruleset.Zones = zone(32_400)
	new[0].Ruleset.Attributes[slices.IndexFunc(new[0].Ruleset.Attributes,
		func(a evaluator.Attribute) bool { return a.Name == "uid" })].Type = evaluator.AttrString
	got := edits(t, old, new)
	slices.Sort(got)
	want := []string{
		`rule "r0": attribute "uid": integer → string`,
		`rule "r0": condition: city one of "BJ" → city one of "SH"`,
		`rule "r0": condition: not uid one of 5 → not uid one of "5"`,
		`rule "r0": flag "base", which it asks for, has changed`,
		`rule "r0": flag "middle", which it asks for, has changed`,
		`rule "r0": time zone "Asia/Shanghai": other offsets`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestDiamonds: segments that refer to each other in many ways are compared once.
func TestDiamonds(t *testing.T) {
	member := func(name string) evaluator.Condition {
		return evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user", Strings: []string{name}}
	}
	side := func(ids ...string) []bundle.Payload {
		p := payloads([]evaluator.Flag{onOff("f", member("s10a"))})
		set := &p[0].Ruleset
		set.Segments = append(set.Segments, evaluator.Segment{Name: "s0a", Include: ids},
			evaluator.Segment{Name: "s0b", Include: ids})
		for i := range 10 {
			when := combine(evaluator.OpAny, member(fmt.Sprintf("s%da", i)), member(fmt.Sprintf("s%db", i)))
			for _, end := range []string{"a", "b"} {
				set.Segments = append(set.Segments,
					evaluator.Segment{Name: fmt.Sprintf("s%d%s", i+1, end), When: &when})
			}
		}
		return p
	}
	r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{{Old: side("u-1"), New: side("u-1", "u-2")}}})
	if got := r.Environments[0].Flags; len(got) != 1 || len(got[0].Edits) != 2 {
		t.Errorf("%+v", got)
	}
}

// TestLongLists: of a million ids it is said what differs, and not all.
func TestLongLists(t *testing.T) {
	ids := make([]string, 1_000_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("user-%07d", i)
	}
	old, new := payloads([]evaluator.Flag{onOff("f", cities(ids...))}, ids...),
		payloads([]evaluator.Flag{onOff("f", cities(append(slices.Clone(ids[2:]), "new")...))}, ids[1:]...)
	old[0].Ruleset.Flags = append(old[0].Ruleset.Flags,
		onOff("g", evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user", Strings: []string{"staff"}}))
	new[0].Ruleset.Flags = append(new[0].Ruleset.Flags, old[0].Ruleset.Flags[1])
	want := []string{
		`rule "r0": condition: city one of: +1 −2 (+"new" −"user-0000000", "user-0000001"), now 999999`,
		`rule "r0": segment "staff": include −1 (−"user-0000000"), now 1000000`,
	}
	got := edits(t, old, new)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if text := strings.Join(got, "\n"); len(text) > 1000 {
		t.Errorf("the words have %d bytes", len(text))
	}
}

// TestQuotes: an edit whose words have a user or a city says that it quotes these.
func TestQuotes(t *testing.T) {
	quoting := 0
	for seed := range uint64(500) {
		r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{newMaker(seed).pair()}})
		for _, f := range r.Environments[0].Flags {
			for _, e := range f.Edits {
				named := slices.ContainsFunc(slices.Concat(userPool, cityPool),
					func(text string) bool { return strings.Contains(e.Words, fmt.Sprintf("%q", text)) })
				if named && !e.Quotes() {
					t.Errorf("seed %d: %q quotes", seed, e.Words)
				}
				if named {
					quoting++
				}
			}
		}
	}
	if quoting < 50 {
		t.Errorf("only %d edits name anybody", quoting)
	}
}
