package launchdarkly

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestSDKDecisions replays what LaunchDarkly's own evaluator served for random flags.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/payload.json").Replay(t, "testdata/decisions.jsonl")
}

// TestNobodyMoves holds that of many users, a million in a soak, none is in another variation
// than LaunchDarkly's formula says.
func TestNobodyMoves(t *testing.T) {
	weights := []int{33333, 33333, 12345, 20989}
	f := importtest.Text(t, Read, `{"flags": {"f": {"on": true, "salt": "s", "offVariation": 0, "variations": ["a", "b", "c", "d"], "fallthrough": {"rollout": {"variations": [
		{"variation": 0, "weight": 33333}, {"variation": 1, "weight": 33333}, {"variation": 2, "weight": 12345}, {"variation": 3, "weight": 20989}]}}}}}`).Flags.Flag("f")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		sum := sha1.Sum([]byte("f.s." + id))
		bucket := float32(binary.BigEndian.Uint64(sum[:])>>4) / float32(0xFFFFFFFFFFFFFFF)
		want, share := "d", float32(0)
		for v, w := range weights {
			if share += float32(w) / 100000; bucket < share {
				want = string(rune('a' + v))
				break
			}
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// TestBoundary holds that a boundary is the first position that isn't below its share, for the
// comparison that SDKs make.
func TestBoundary(t *testing.T) {
	below := func(p uint64, share float32) bool { return float32(p)/float32(0xFFFFFFFFFFFFFFF) < share }
	for weight := 0; weight <= 100_000; weight += 7 {
		share := float32(weight) / 100000
		b := boundary(share)
		if b > 0 && !below(b-1, share) || b < positions && below(b, share) {
			t.Fatalf("%d of 100,000 ends at %d", weight, b)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	rule := func(clause string) string {
		return `"offVariation": 0, "fallthrough": {"variation": 0}, "rules": [{"variation": 1, "clauses": [` +
			clause + `]}]`
	}
	for _, test := range []struct{ flag, place, reason string }{
		{rule(`{"attribute": "a", "op": "near", "values": ["x"]}`), "rules[0].clauses[0].op", "unknown operator"},
		{rule(`{"attribute": "a", "op": "before", "values": [1.5]}`), "rules[0].clauses[0].values[0]", "milliseconds"},
		{rule(`{"attribute": "a", "op": "before", "values": ["tomorrow"]}`), "rules[0].clauses[0].values[0]", "no time"},
		{rule(`{"contextKind": "org", "attribute": "a", "op": "in", "values": ["x"]}`), "rules[0].clauses[0].contextKind", `kind "org"`},
		{rule(`{"contextKind": "user", "attribute": "/a/b.c", "op": "in", "values": ["x"]}`), "rules[0].clauses[0].attribute", "path"},
		{rule(`{"attribute": "kind", "op": "in", "values": ["user"]}`), "rules[0].clauses[0].attribute", "kind of the context"},
		{rule(`{"attribute": "a", "op": "in", "values": ["x", 1]}`), "rules[0].clauses[0].values", "different types"},
		{rule(`{"attribute": "a", "op": "in", "values": [9007199254740993]}`), "rules[0].clauses[0].values[0]", "2^53"},
		{rule(`{"attribute": "a", "op": "lessThan", "values": [1e300]}`), "rules[0].clauses[0].values[0]", "2^53"},
		{rule(`{"attribute": "a", "op": "matches", "values": ["(?=x)"]}`), "rules[0].clauses[0].values", "RE2"},
		{rule(`{"attribute": "a", "op": "semVerEqual", "values": ["v2"]}`), "rules[0].clauses[0].values[0]", "no semantic version"},
		{rule(`{"op": "segmentMatch", "values": ["big"]}`), "segments.big.unbounded", "big segment"},
		{rule(`{"op": "segmentMatch", "values": ["loop"]}`), "segments.loop", "refers to itself"},
		{`"fallthrough": {"variation": 0}, "on": false`, "offVariation", "program's code"},
		{`"fallthrough": {"variation": 7}, "offVariation": 0`, "fallthrough.variation", "no variation 7"},
		{`"fallthrough": {}, "offVariation": 0`, "fallthrough", "neither"},
		{`"offVariation": 0, "fallthrough": {"variation": 0}, "contextTargets": [{"contextKind": "org", "values": ["x"], "variation": 0}]`, "contextTargets[0].contextKind", `kind "org"`},
		{`"offVariation": 0, "fallthrough": {"rollout": {"contextKind": "org", "variations": [{"variation": 0, "weight": 100000}]}}`, "fallthrough.rollout.contextKind", `kind "org"`},
		{`"offVariation": 0, "fallthrough": {"variation": 0}, "variations": [true, "x"]`, "variations[1]", "different types"},
		{`"offVariation": 0, "fallthrough": {"variation": 0}, "variations": [null]`, "variations[0]", "null"},
	} {
		if !strings.Contains(test.flag, `"variations": [`) || strings.Contains(test.flag, `"rollout"`) {
			test.flag = `"variations": [true, false], ` + test.flag
		}
		if !strings.Contains(test.flag, `"on"`) {
			test.flag = `"on": true, ` + test.flag
		}
		place := test.place
		if !strings.HasPrefix(place, "segments") {
			place = "flags.f." + place
		}
		importtest.Refuses(t, Read, `{"flags": {"f": {`+test.flag+`}}, "segments": {"big": {"unbounded": true},
			"loop": {"rules": [{"clauses": [{"op": "segmentMatch", "values": ["loop"]}]}]}}}`,
			place, test.reason)
	}
}

// TestForms holds the forms of payloads that are read.
func TestForms(t *testing.T) {
	const flags = `{"flags": {"f": {"on": true, "variations": [true], "fallthrough": {"variation": 0}}}}`
	for _, in := range []string{flags, `{"path": "/", "data": ` + flags + `}`, `{"flagValues": {"f": true}}`} {
		imp, err := Read([]byte(in), importer.Options{})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		f := importtest.Import(t, imp).Flags.Flag("f")
		if value, ok := f.Evaluate(&evaluator.Context{}).Value().Bool(); !ok || !value {
			t.Errorf("%s: f isn't true", in)
		}
	}
	importtest.Unreadable(t, Read, ``, `{}`, `[]`, `{"items": []}`, `{"flags": 1}`)
}

// TestNumbersAndDates holds how numbers with fractions and dates are compared.
func TestNumbersAndDates(t *testing.T) {
	rule := func(variation int, attribute, op, value string) string {
		return fmt.Sprintf(`{"variation": %d, "clauses": [{"attribute": %q, "op": %q, "values": [%s]}]}`, variation,
			attribute, op, value)
	}
	folder := importtest.Text(t, Read, fmt.Sprintf(`{"flags": {"f": {"on": true, "salt": "s", "offVariation": 0, "fallthrough": {"variation": 0},
		"variations": ["none", "few", "many", "half", "early", "late", "soon"], "rules": [%s]}}}`, strings.Join([]string{
		rule(1, "price", "lessThan", "0.25"), rule(2, "price", "greaterThanOrEqual", "9.5"),
		rule(3, "price", "in", "0.5, 1.5"),
		rule(4, "born", "before", `"1990-06-01T00:00:00+02:00"`), rule(5, "born", "after", `"2000-01-01T00:00:00Z"`),
		rule(6, "expires", "before", "1764579600000"),
	}, ",")))
	for _, test := range []struct {
		attribute string
		value     any
		want      string
	}{
		{"price", 0.125, "few"}, {"price", -3, "few"}, {"price", 0.25, "none"}, {"price", 9.5, "many"}, {"price", 1.5, "half"}, {"price", true, "none"},
		{"born", "1990-05-31T21:59:59Z", "early"}, {"born", "1990-05-31T22:00:00Z", "none"}, {"born", "2010-01-01T00:00:00Z", "late"}, {"born", "2010", "none"},
		{"expires", 1764579599999, "soon"}, {"expires", 1764579600000, "none"},
	} {
		result, _ := folder.Ask(t, "f", map[string]any{"key": "u", test.attribute: test.value}, time.Unix(0, 0))
		if result.Variant() != test.want {
			t.Errorf("%s = %v: %s, not %s", test.attribute, test.value, result.Variant(), test.want)
		}
	}
}

// TestNested holds that a clause on a nested attribute reads it.
func TestNested(t *testing.T) {
	folder := importtest.Text(t, Read, `{"flags": {"f": {"on": true, "salt": "s", "offVariation": 0, "variations": ["no", "yes"], "fallthrough": {"variation": 0},
		"rules": [{"variation": 1, "clauses": [{"contextKind": "user", "attribute": "/address/city", "op": "in", "values": ["Oslo"]}]}]}}}`)
	for city, want := range map[string]string{"Oslo": "yes", "Rome": "no"} {
		result, _ := folder.Ask(t, "f", map[string]any{"key": "u", "address": map[string]any{"city": city}},
			time.Unix(0, 0))
		if result.Variant() != want {
			t.Errorf("%s: %s, not %s", city, result.Variant(), want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"flags": {"f": {"on": true, "variations": [true, false], "offVariation": 1, "salt": "x", "targets": [{"values": ["a"], "variation": 1}],
		"rules": [{"variation": 0, "clauses": [{"attribute": "a", "op": "in", "values": ["x"], "negate": true}]}], "fallthrough": {"variation": 0}}}}`))
	f.Add([]byte(`{"flags": {"f": {"on": true, "variations": ["a", "b"], "offVariation": 1, "salt": "x", "fallthrough": {"rollout": {"seed": 3, "bucketBy": "c",
		"variations": [{"variation": 0, "weight": 5}, {"variation": 1, "weight": 99995}]}}}}}`))
	f.Add([]byte(`{"flagValues": {"f": {"a": [1, 2.5]}}}`))
	importtest.Fuzz(f, Read)
}
