package growthbook

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestSDKDecisions replays what GrowthBook's own SDK for JavaScript answered for random features.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/features.json").Replay(t, "testdata/decisions.jsonl")
}

// A cases holds the published cases: conditions with attributes and whether they hold, and
// features with what they serve.
type cases struct {
	EvalCondition [][]json.RawMessage `json:"evalCondition"`
	Feature       [][]json.RawMessage `json:"feature"`
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

func published(t *testing.T) (c cases) {
	t.Helper()
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	decode(t, data, &c)
	return c
}

// outcome counts what has become of published cases.
type outcome struct{ same, refused, approximated, noted int }

// holdTo asks a flag, which must be refused, or answer as published. Where its import is
// noted as approximated, it may differ.
func (o *outcome) holdTo(t *testing.T, name string, payload map[string]any, key string, attributes map[string]any,
	want any) {
	t.Helper()
	data, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	imp, err := Read(data, importer.Options{})
	if err != nil {
		o.refused++
		return
	}
	if imp.Keep([]string{key}) != nil {
		o.refused++
		return
	}
	folder := importtest.Import(t, imp)
	got, ok := folder.Ask(t, key, attributes, time.Time{})
	if !ok {
		o.refused++
		return
	}
	var value any
	decode(t, got.Value().JSON(), &value)
	switch {
	case fmt.Sprint(value) == fmt.Sprint(want):
		o.same++
	case folder.Plan.Import.Flags[len(folder.Plan.Import.Flags)-1].IsApproximate():
		o.approximated++
	case ofNotes(name):
		o.noted++
	default:
		t.Errorf("%s: %v, not %v", name, value, want)
	}
}

// ofNotes reports whether a case is about what the notes say of all features: lists in
// attributes that no condition needs to be lists, and conversions between types.
func ofNotes(name string) bool {
	for _, prefix := range []string{"$in - array", "$nin - array", "$ini - array", "$nini - array",
		"comparing numbers and strings",
		"type mismatch - $gte 5 vs \"5\"", "type mismatch - $not $gte 5 vs \"5\"", "type mismatch - $lte 5 vs \"5\"",
		"type mismatch - $not $lte 5 vs \"5\"", "type mismatch - $gt 5 vs \"8\""} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// TestPublishedConditions holds conditions to GrowthBook's published cases.
func TestPublishedConditions(t *testing.T) {
	var o outcome
	for _, c := range published(t).EvalCondition {
		var name string
		var condition any
		attributes := make(map[string]any)
		var want bool
		decode(t, c[0], &name)
		decode(t, c[1], &condition)
		if json.Unmarshal(c[2], &attributes) != nil {
			continue // the attributes are no object
		}
		decode(t, c[3], &want)
		payload := map[string]any{"features": map[string]any{"f": map[string]any{"defaultValue": false,
			"rules": []any{map[string]any{"condition": condition, "force": true}}}}}
		if len(c) > 4 {
			payload["savedGroups"] = c[4]
		}
		o.holdTo(t, name, payload, "f", attributes, want)
	}
	t.Logf("%+v", o)
}

// TestPublishedFeatures holds features to GrowthBook's published cases.
func TestPublishedFeatures(t *testing.T) {
	var o outcome
	for _, c := range published(t).Feature {
		var name, key string
		var context map[string]any
		var want struct{ Value any }
		decode(t, c[0], &name)
		decode(t, c[1], &context)
		decode(t, c[2], &key)
		decode(t, c[3], &want)
		if context["forcedVariations"] != nil || context["features"] == nil {
			continue // these aren't about features
		}
		attributes, _ := context["attributes"].(map[string]any)
		if attributes == nil {
			attributes = make(map[string]any)
		}
		o.holdTo(t, name, map[string]any{"features": context["features"], "savedGroups": context["savedGroups"]}, key,
			attributes, want.Value)
	}
	t.Logf("%+v", o)
}

// position is GrowthBook's hash for ASCII, of which it compares fractions.
func position(seed, id string, version int) float64 {
	sum := func(text string) uint32 {
		h := fnv.New32a()
		h.Write([]byte(text))
		return h.Sum32()
	}
	if version == 2 {
		return float64(sum(fmt.Sprint(sum(seed+id)))%10000) / 10000
	}
	return float64(sum(id+seed)%1000) / 1000
}

// TestNobodyMoves holds that of many users, a million in a soak, none has another variation
// than GrowthBook's formulas say.
func TestNobodyMoves(t *testing.T) {
	flags := importtest.Text(t, Read, `{"features": {
		"a": {"defaultValue": "none", "rules": [{"key": "exp", "variations": ["x", "y", "z"], "weights": [0.2, 0.3, 0.5],
			"coverage": 0.29}]},
		"b": {"defaultValue": "none", "rules": [{"seed": "s", "hashVersion": 2, "variations": ["x", "y", "z"],
			"namespace": ["ns", 0.1, 0.7]}]},
		"c": {"defaultValue": false, "rules": [{"hashVersion": 2, "force": true,
			"coverage": 0.33333}]}}}`).Flags
	a, b, c := flags.Flag("a"), flags.Flag("b"), flags.Flag("c")
	// choose returns the variation with a range that holds n.
	choose := func(n, coverage float64, weights ...float64) string {
		start := 0.0
		for i, w := range weights {
			if n >= start && n < start+float64(coverage*w) {
				return []string{"x", "y", "z"}[i]
			}
			start += w
		}
		return "none"
	}
	third := 1.0 / 3
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		context := &evaluator.Context{Key: id}
		if got, want := a.Evaluate(context).Value().JSON(), choose(position("exp", id, 1), 0.29, 0.2, 0.3,
			0.5); string(got) != `"`+want+`"` {
			t.Fatalf("%s has %s of a, not %s", id, got, want)
		}
		want := "none"
		if n := position("__ns", id, 1); n >= 0.1 && n < 0.7 {
			want = choose(position("s", id, 2), 1, third, third, third)
		}
		if got := b.Evaluate(context).Value().JSON(); string(got) != `"`+want+`"` {
			t.Fatalf("%s has %s of b, not %s", id, got, want)
		}
		if got, want := c.Evaluate(context).Variant() == "on", position("c", id, 2) < 0.33333; got != want {
			t.Fatalf("%s has %v of c, not %v", id, got, want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ feature, place, reason string }{
		{`{}`, "features.f.defaultValue", "program's code"},
		{`{"defaultValue": null}`, "features.f", "null"},
		{`{"defaultValue": 1, "rules": [{"force": "x"}]}`, "features.f", "different types"},
		{`{"defaultValue": 9007199254740993}`, "features.f", "2^53"},
		{`{"defaultValue": 1, "rules": 5}`, "features.f.rules", "can't stand here"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "range": [0.5, 0.1]}]}`, "features.f.rules[0].range", "inverted"},
		{`{"defaultValue": 1, "rules": [{"variations": [1, 2], "ranges": [[0, 0.6], [0.5, 1]]}]}`,
			"features.f.rules[0].ranges[1]", "overlaps"},
		{`{"defaultValue": 1, "rules": [{"variations": [1, 2], "ranges": [[0, 0.1], [0.2, 0.3], [0.5, 1]]}]}`,
			"features.f.rules[0].ranges[2]", "no variation"},
		{`{"defaultValue": 1, "rules": [{"variations": [1, 2], "weights": [-1, 2]}]}`, "features.f.rules[0].weights",
			"negative"},
		{`{"defaultValue": 1, "rules": [{"variations": [1, 2], "namespace": ["a", 1]}]}`,
			"features.f.rules[0].namespace",
			"expected"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "filters": [{"ranges": []}]}]}`,
			"features.f.rules[0].filters[0].seed",
			"missing"},
		{`{"defaultValue": 1, "rules": [{"contextualVariations": [1, 2]}]}`, "features.f.rules[0].contextualVariations",
			"bandits"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": []}]}`, "features.f.rules[0].condition",
			"expected a condition"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"a": {"$near": 1}}}]}`,
			"features.f.rules[0].condition.a.$near", "unknown operator"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"$where": 1}}]}`,
			"features.f.rules[0].condition.$where",
			"unknown operator"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"a": {"b": 1}}}]}`,
			"features.f.rules[0].condition.a",
			"whole object"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"a": {"$gt": "x"}}}]}`,
			"features.f.rules[0].condition.a.$gt", "can't be ordered"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"a": 1e300}}]}`, "features.f.rules[0].condition.a",
			"2^53"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"n": 9007199254740993}}]}`,
			"features.f.rules[0].condition.n", "2^53"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"a": {"$regex": "(?=x)"}}}]}`,
			"features.f.rules[0].condition.a.$regex", "group"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"a": {"$regex": "\\Ax"}}}]}`,
			"features.f.rules[0].condition.a.$regex", "something else"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"a": {"$veq": "1.2"}}}]}`,
			"features.f.rules[0].condition.a.$veq", "three numbers"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"l": {"$size": 1}}}]}`,
			"features.f.rules[0].condition.l.$size", "no equivalent"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "condition": {"$savedGroup": {"id": "loop"}}}]}`,
			"savedGroups.loop.condition", "nest deeper"},
		{`{"defaultValue": 1, "rules": [{"parentConditions": [{"id": "p", "condition": {"value": true}, "gate": true}]}]}`,
			"features.f.rules[0].parentConditions[0]", "null"},
		{`{"defaultValue": 1, "rules": [{"force": 2, "parentConditions": [{"id": "p", "condition": {"x": true}}]}]}`,
			"features.f.rules[0].parentConditions[0].condition.x", "about its value"},
	} {
		imp, err := Read([]byte(`{"features": {"f": `+test.feature+`, "p": {"defaultValue": true, "rules": [{"condition": {"a": "x"}, "force": false}]}},
			"savedGroups": {"loop": {"type": "condition", "condition": {"$savedGroup": {"id": "loop"}}}}}`), importer.Options{})
		if err != nil {
			t.Errorf("%s: %v", test.feature, err)
			continue
		}
		if len(imp.Refused) != 1 || !strings.HasPrefix(imp.Refused[0].Place, test.place) ||
			!strings.Contains(imp.Refused[0].Reason, test.reason) {
			t.Errorf("%s: %v, not %s: %s", test.feature, imp.Refused, test.place, test.reason)
		}
	}
	importtest.Unreadable(t, Read, ``, `[]`, `{}`, `{"features": {}}`, `{"encryptedFeatures": "x"}`,
		`{"features": {"f": `)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"features": {"f": {"defaultValue": false, "rules": [{"condition": {"a": {"$in": ["x", 1]}, "$not": {"b": {"$gt": 1.5}}}, "force": true, "coverage": 0.3},
		{"parentConditions": [{"id": "g", "condition": {"value": "x"}, "gate": true}]}]}, "g": {"defaultValue": "x",
			"rules": [{"variations": ["x", "y"],
		"namespace": ["n", 0, 0.5], "weights": [0.1, 0.9]}, {"condition": {"v": {"$vgt": "1.2.3"}, "t": {"$all": ["a"]}},
			"force": "y"}]}}}`))
	f.Add([]byte(`{"f": {"defaultValue": 1, "rules": [{"condition": {"$savedGroup": {"id": "s"}, "e": {"$regexi": "^a\\s[/b]"}}, "force": 2}]}}`))
	importtest.Fuzz(f, Read)
}

// TestEmptyNamespace holds that the attribute of an experiment that nobody is in isn't
// declared: nothing uses it.
func TestEmptyNamespace(t *testing.T) {
	importtest.Text(t, Read, `{"features": {"g": {"defaultValue": "x", "rules": [
		{"variations": ["x", "y"], "namespace": ["n", 0, 0], "hashAttribute": "c"},
		{"condition": {"e": "a", "id": 1}, "force": "y"}]}}}`)
}
