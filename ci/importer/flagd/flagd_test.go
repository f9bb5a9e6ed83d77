package flagd

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/twmb/murmur3"
)

// TestCoreDecisions replays what flagd's own core for JavaScript resolved for random flags.
func TestCoreDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/flags.json").Replay(t, "testdata/decisions.jsonl")
}

// TestNobodyMoves holds that of many users, a million in a soak, none has another variant than
// flagd's formula says.
func TestNobodyMoves(t *testing.T) {
	f := importtest.Text(t, Read, `{"flags": {"f": {"state": "ENABLED", "variants": {"a": "a", "b": "b", "c": "c"}, "defaultVariant": "a",
		"targeting": {"fractional": [["a", 33], ["b", 33], ["c", 7]]}}}}`).Flags.Flag("f")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		want := "c"
		switch bucket := uint64(murmur3.Sum32([]byte("f"+id))) * 73 >> 32; {
		case bucket < 33:
			want = "a"
		case bucket < 66:
			want = "b"
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// legacyVariant is the formula of flagd before 0.15, with numbers of 64 bits.
func legacyVariant(text string, weights []int) int {
	bucket := math.Abs(float64(int32(murmur3.Sum32([]byte(text))))) / math.MaxInt32 * 100
	total, end := 0, 0.0
	for _, w := range weights {
		total += w
	}
	for i, w := range weights {
		if end += 100 * float64(w) / float64(total); bucket < end {
			return i
		}
	}
	return len(weights)
}

// TestNobodyMovesLegacy is TestNobodyMoves for flagd before 0.15.
func TestNobodyMovesLegacy(t *testing.T) {
	imp, err := ReadLegacy([]byte(`{"flags": {"f": {"state": "ENABLED", "variants": {"a": "a", "b": "b", "c": "c", "none": ""}, "defaultVariant": "none",
		"targeting": {"fractional": [["a", 33], ["b", 33], ["c", 7]]}},
		"g": {"state": "ENABLED", "variants": {"a": "a", "b": "b", "none": ""}, "defaultVariant": "none",
		"targeting": {"fractional": [{"cat": ["salt", {"var": "company"}]}, ["a", 50], ["b", 50]]}}}}`), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	folder := importtest.Import(t, imp)
	f, g := folder.Flags.Flag("f"), folder.Flags.Flag("g")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		want := []string{"a", "b", "c", "none"}[legacyVariant("f"+id, []int{33, 33, 7})]
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
		ctx := evaluator.Context{Attrs: []evaluator.Attr{{Name: "company", Value: evaluator.StringValue(id)}}}
		want = []string{"a", "b", "none"}[legacyVariant("salt"+id, []int{50, 50})]
		if got := g.Evaluate(&ctx).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// TestLegacyBoundary holds that a boundary is the first position that isn't below its share, for
// the comparison that flagd made, and that the last positions may belong to nobody.
func TestLegacyBoundary(t *testing.T) {
	below := func(p uint64, share float64) bool { return float64(p)/math.MaxInt32*100 < share }
	for weight := range 1001 {
		share := 100 * float64(weight) / 1000
		b := legacyBoundary(share)
		if b > 0 && !below(b-1, share) || b <= 1<<31 && below(b, share) {
			t.Fatalf("%d of 1,000 ends at %d", weight, b)
		}
	}
	if b := legacyBoundary(100); b != math.MaxInt32 {
		t.Errorf("100%% ends at %d", b)
	}
}

// TestDecided holds that a condition in place of a variant is always read as the same rules.
func TestDecided(t *testing.T) {
	const flags = `{"flags": {"f": {"state": "ENABLED", "variants": {"true": true, "false": false}, "defaultVariant": "true",
		"targeting": {"==": [{"var": "country"}, "DE"]}}}}`
	var first *importer.Import
	for range 20 {
		imp, err := Read([]byte(flags), importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = imp
		}
		if !reflect.DeepEqual(imp, first) {
			t.Fatalf("it was read as %+v, and then as %+v", first.Flags[0].Rules, imp.Flags[0].Rules)
		}
	}
	folder := importtest.Import(t, first)
	for country, want := range map[string]string{"DE": "true", "FR": "false"} {
		result, _ := folder.Ask(t, "f", map[string]any{"country": country}, time.Unix(0, 0))
		if result.Variant() != want {
			t.Errorf("%s: %s, not %s", country, result.Variant(), want)
		}
	}
}

// TestVersions holds that versions may have a v before them, in flags and in contexts.
func TestVersions(t *testing.T) {
	folder := importtest.Text(t, Read, `{"flags": {"f": {"state": "ENABLED", "variants": {"old": 1, "new": 2}, "defaultVariant": "old",
		"targeting": {"if": [{"sem_ver": [{"var": "app"}, ">=", "v2.1.0"]}, "new"]}}}}`)
	for version, want := range map[string]string{"2.1.0": "new", "v2.10.0": "new", "v2.1.0-rc.1": "old", "v2": "old",
		"x": "old"} {
		result, _ := folder.Ask(t, "f", map[string]any{"app": version}, time.Unix(0, 0))
		if result.Variant() != want {
			t.Errorf("%s: %s, not %s", version, result.Variant(), want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ flag, place, reason string }{
		{`"state": "DISABLED"`, "state", "program's code"},
		{`"state": "ON"`, "state", "ENABLED or DISABLED"},
		{`"variants": {"a": true, "b": 1}`, "variants[1]", "different types"},
		{`"variants": {}`, "variants", "no values"},
		{`"defaultVariant": "x"`, "defaultVariant", `no variant "x"`},
		{`"defaultVariant": null`, "defaultVariant", "program's code"},
		{`"targeting": "x"`, "targeting", `no variant "x"`},
		{`"targeting": {"near": [1]}`, "targeting.near", "yields no variant"},
		{`"targeting": {"if": [{"near": [1]}, "a"]}`, "targeting.if[0].near", "isn't known"},
		{`"targeting": {"if": [{"==": [{"var": "a..b"}, 1]}, "a"]}`, "targeting.if[0].==[0].var", "no path"},
		{`"targeting": {"if": [{"==": [{"var": ["a", "x"]}, 1]}, "a"]}`, "targeting.if[0].==[0].var", "without a default"},
		{`"targeting": {"if": [{"==": [{"var": "a"}, 9007199254740993]}, "a"]}`, "targeting.if[0].==", "2^53"},
		{`"targeting": {"if": [{"<": [{"var": "a"}, 1e300]}, "a"]}`, "targeting.if[0].<", "2^53"},
		{`"targeting": {"if": [{"sem_ver": [{"var": "a"}, "=", "v1.0"]}, "a"]}`, "targeting.if[0].sem_ver[2]", "no full semantic version"},
		{`"targeting": {"if": [{"$ref": "none"}, "a"]}`, "targeting.if[0].$ref", "no evaluator"},
		{`"targeting": {"if": [{"$ref": "loop"}, "a"]}`, "$evaluators.loop", "nest deeper"},
		{`"targeting": {"fractional": [{"var": "email"}, ["a", 1]]}`, "targeting.fractional[0]", "without any other text"},
		{`"targeting": {"fractional": [["x", 1]]}`, "targeting.fractional[0][0]", "no variant"},
		{`"targeting": {"fractional": [["a", 1.5]]}`, "targeting.fractional[0][1]", "no whole number"},
		{`"targeting": {"fractional": [["a", 0]]}`, "targeting.fractional", "no variant has a weight"},
		{`"targeting": {"fractional": [["a", 2147483647], ["b", 1]]}`, "targeting.fractional[1]", "more than"},
	} {
		for _, member := range []string{`"state": "ENABLED"`, `"variants": {"a": "a", "b": "b"}`,
			`"defaultVariant": "a"`} {
			name, _, _ := strings.Cut(member, ":")
			if !strings.HasPrefix(test.flag, name) {
				test.flag += ", " + member
			}
		}
		place := "flags.f." + test.place
		if strings.HasPrefix(test.place, "$evaluators") {
			place = test.place
		}
		importtest.Refuses(t, Read, `{"flags": {"f": {`+test.flag+`}}, "$evaluators": {"loop": {"$ref": "loop"}}}`,
			place, test.reason)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"flags": {"f": {"state": "ENABLED", "variants": {"a": "a", "b": "b"}, "defaultVariant": "a", "targeting":
		{"if": [{"in": ["x", {"var": "a"}]}, "b", {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "c"}]}, ["a", 1], ["b", 2]]}]}}}}`))
	f.Add([]byte(`{"flags": {"g": {"state": "ENABLED", "variants": {"true": true, "false": false}, "defaultVariant": "true", "targeting":
		{"or": [{"!": {"==": [{"var": "a"}, 1]}}, {"$ref": "e"}]}}}, "$evaluators": {"e": {"sem_ver": [{"var": "v"}, "^", "1.2.3"]}}}`))
	importtest.Fuzz(f, Read)
}
