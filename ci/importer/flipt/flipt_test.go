package flipt

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestEngineDecisions replays what Flipt's own evaluation engine answered for random flags.
func TestEngineDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/features.yaml").Replay(t, "testdata/decisions.jsonl")
}

// TestNobodyMoves holds that of many entities, a million in a soak, none has another variant
// than Flipt's formulas say.
func TestNobodyMoves(t *testing.T) {
	flags := importtest.Text(t, Read, `
flags:
- key: f
  enabled: true
  variants: [{key: a}, {key: b}, {key: c, default: true}]
  rules:
  - segment: all
    distributions: [{variant: a, rollout: 33.34}, {variant: b, rollout: 0}, {variant: b, rollout: 12.5}]
- key: g
  type: BOOLEAN_FLAG_TYPE
  enabled: false
  rollouts: [{threshold: {percentage: 33.3, value: true}}]
segments: [{key: all}]`).Flags
	f, g := flags.Flag("f"), flags.Flag("g")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		if i == 0 {
			id = ""
		}
		want := "c"
		switch bucket := crc32.ChecksumIEEE([]byte("f"+id)) % 1000; {
		case bucket < 333:
			want = "a"
		case bucket < 333+125:
			want = "b"
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%q has %s, not %s", id, got, want)
		}
		on := float32(crc32.ChecksumIEEE([]byte(id+"g"))%100) < 33.3
		if got := g.Evaluate(&evaluator.Context{Key: id}).Variant() == "on"; got != on {
			t.Fatalf("%q has %v, not %v", id, got, on)
		}
	}
}

// TestMissingID holds that contexts without an ID get what Flipt's hash of the empty text says.
func TestMissingID(t *testing.T) {
	for n := range 50 {
		key := fmt.Sprintf("flag-%d", n)
		flags := importtest.Text(t, Read, fmt.Sprintf(`
flags:
- {key: %s, type: BOOLEAN_FLAG_TYPE, enabled: false, rollouts: [{threshold: {percentage: 40, value: true}},
	{threshold: {percentage: 60, value: true}}]}
- {key: v%s, enabled: true, variants: [{key: a}], rules: [{segment: all, distributions: [{variant: a, rollout: 50}]}]}
segments: [{key: all}]`, key, key)).Flags
		want := crc32.ChecksumIEEE([]byte(key))%100 < 60
		if got := flags.Flag(key).Evaluate(&evaluator.Context{}).Variant() == "on"; got != want {
			t.Errorf("%s: %v, not %v", key, got, want)
		}
		want = crc32.ChecksumIEEE([]byte("v"+key))%1000 < 500
		if got := flags.Flag("v"+key).Evaluate(&evaluator.Context{}).Variant() == "a"; got != want {
			t.Errorf("v%s: %v, not %v", key, got, want)
		}
	}
}

// TestNamespaces holds that a file may have several documents, and --env takes one namespace.
func TestNamespaces(t *testing.T) {
	const source = `
namespace: {key: Shop, name: Shop}
flags: [{key: f, enabled: true}]
---
namespace: ops
flags: [{key: f, enabled: true}, {key: g, enabled: true, rules: [{segment: s}]}]
segments: [{key: s}]
`
	imp, err := Read([]byte(source), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(imp.Refused) != 1 || imp.Refused[0].Place != "documents[1].flags[0].key" ||
		!strings.Contains(imp.Refused[0].Reason, "--env") {
		t.Errorf("refused: %v", imp.Refused)
	}
	if imp.Flags[0].Namespace != "shop" || imp.Flags[1].Namespace != "ops" || imp.Flags[1].Type != "boolean" {
		t.Errorf("%+v, %+v", imp.Flags[0], imp.Flags[1])
	}
	if imp, err = Read([]byte(source), importer.Options{Environment: "ops"}); err != nil || len(imp.Flags) != 2 ||
		len(imp.Refused) != 0 {
		t.Errorf("%v, %v", imp, err)
	}
	if got := importtest.Import(t, imp).Flags.Flag("g").Evaluate(&evaluator.Context{}); got.Variant() != "on" {
		t.Errorf("g is %s, not on", got.Variant())
	}
	for _, bad := range []struct{ source, reason string }{
		{"flags: []", "there are no flags"}, {"", "there are no flags"}, {"flags: 5", "isn't a document"}, {"a: b: c",
			"isn't a document"},
		{"version: '2.0'\nflags: []", "version"}, {"segments: [{key: a}, {key: a}]", "two segments"},
	} {
		if _, err := Read([]byte(bad.source), importer.Options{}); err == nil ||
			!strings.Contains(err.Error(), bad.reason) {
			t.Errorf("%s: %v", bad.source, err)
		}
	}
	if _, err := Read([]byte(source), importer.Options{Environment: "x"}); err == nil {
		t.Error("no error for a namespace that doesn't exist")
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ flag, constraint, place, reason string }{
		{`type: LIST_FLAG_TYPE`, ``, "flags[0].type", "unknown type"},
		{`variants: [{key: a}, {key: a}]`, ``, "flags[0].variants[1].key", "two variants"},
		{`variants: [{name: a}]`, ``, "flags[0].variants[0].key", "missing"},
		{`rules: [{segment: x}]`, ``, "flags[0].rules[0].segment", "no segment"},
		{`rules: [{}]`, ``, "flags[0].rules[0].segments", "names no segment"},
		{`rules: [{rank: 2, segment: s}, {rank: 1, segment: s}]`, ``, "flags[0].rules[1].rank", "order"},
		{`rules: [{segment: {keys: [s, s], operator: XOR}}]`, ``, "flags[0].rules[0].segment", "unknown operator"},
		{`rules: [{segment: s, distributions: [{variant: x, rollout: 1}]}]`, ``,
			"flags[0].rules[0].distributions[0].variant", "no variant"},
		{`rules: [{segment: s, distributions: [{variant: a, rollout: -1}]}]`, ``,
			"flags[0].rules[0].distributions[0].rollout", "from 0 to 100"},
		{`rules: [{segment: s, distributions: [{variant: a, rollout: 60}, {variant: a, rollout: 41}]}]`, ``,
			"flags[0].rules[0].distributions[1].rollout", "more than 100%"},
		{`type: BOOLEAN_FLAG_TYPE, rollouts: [{threshold: {percentage: .nan}}]`, ``,
			"flags[0].rollouts[0].threshold.percentage", "from 0 to 100"},
		{`type: BOOLEAN_FLAG_TYPE, rollouts: [{threshold: {}, segment: {key: s}}]`, ``, "flags[0].rollouts[0]", "both"},
		{``, `type: X, property: a, operator: eq`, "segments[0].constraints[0].type", "unknown type"},
		{``, `type: STRING_COMPARISON_TYPE, operator: eq`, "segments[0].constraints[0].property", "missing"},
		{``, `type: STRING_COMPARISON_TYPE, property: entityId, operator: eq`, "segments[0].constraints[0].property",
			"ID of the entity"},
		{``, `type: STRING_COMPARISON_TYPE, property: a, operator: near`, "segments[0].constraints[0].operator",
			"unknown operator"},
		{``, `type: NUMBER_COMPARISON_TYPE, property: a, operator: prefix, value: 1`,
			"segments[0].constraints[0].operator",
			"unknown operator"},
		{``, `type: NUMBER_COMPARISON_TYPE, property: a, operator: eq, value: 9007199254740994`,
			"segments[0].constraints[0].value", "2^53"},
		{``, `type: NUMBER_COMPARISON_TYPE, property: a, operator: eq, value: 1e-300`,
			"segments[0].constraints[0].value",
			"digits"},
		{``, `type: BOOLEAN_COMPARISON_TYPE, property: a, operator: eq`, "segments[0].constraints[0].operator",
			"unknown operator"},
		{``, `type: DATETIME_COMPARISON_TYPE, property: a, operator: eq, value: "2026-01-01T00:00:00.5Z"`,
			"segments[0].constraints[0].value", "fraction"},
	} {
		for _, member := range []string{"key: f", "enabled: true", "variants: [{key: a}, {key: b}]",
			"rules: [{segment: s}]"} {
			name, _, _ := strings.Cut(member, ":")
			if !strings.Contains(test.flag, name) {
				test.flag += ", " + member
			}
		}
		source := "flags: [{" + strings.TrimPrefix(test.flag, ", ") + "}]\nsegments: [{key: s, constraints: " +
			"[{" + test.constraint + "}]}]"
		if test.constraint == "" {
			source = strings.Replace(source, ", constraints: [{}]", "", 1)
		}
		importtest.Refuses(t, Read, source, test.place, test.reason)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`
flags:
- {key: f, enabled: true, variants: [{key: a, attachment: {x: 1}}, {key: b}], rules: [{segment: {keys: [s, t]},
	distributions: [{variant: a, rollout: 20.5}]}]}
- {key: g, type: BOOLEAN_FLAG_TYPE, rollouts: [{segment: {key: t, value: true}}, {threshold: {percentage: 7,
	value: true}}]}
segments:
- {key: s, constraints: [{type: NUMBER_COMPARISON_TYPE, property: n, operator: isoneof, value: "[1, 2.5]"}]}
- {key: t, match_type: ANY_MATCH_TYPE, constraints: [{type: STRING_COMPARISON_TYPE, property: a, operator: prefix,
	value: "x "}]}`))
	f.Add([]byte(`{"namespace": "x", "flags": [{"key": "f", "enabled": true, "rules": [{"segment": "s"}]}], "segments": [{"key": "s", "constraints":
		[{"type": "DATETIME_COMPARISON_TYPE", "property": "t", "operator": "neq", "value": "2026-01-01"}]}]}`))
	importtest.Fuzz(f, Read)
}
