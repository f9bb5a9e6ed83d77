package featurevisor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
	twmb "github.com/twmb/murmur3"
)

// TestSDKDecisions replays what Featurevisor's own SDK for JavaScript answered for random
// features, their variations and their variables.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/datafile.json").Replay(t, "testdata/decisions.jsonl")
}

// TestPublishedPositions holds positions of keys without an attribute to those that
// Featurevisor publishes in bucketer.spec.ts of its SDK for JavaScript.
func TestPublishedPositions(t *testing.T) {
	for key, want := range map[string]uint64{"foo": 20602, "bar": 89144, "123.foo": 3151, "123.456.bar": 1982} {
		if got := bare(key); got != want {
			t.Errorf("%s is at %d, not %d", key, got, want)
		}
	}
}

// TestNobodyMoves holds that of many users, a million in a soak, none has another variation
// than Featurevisor's formula says.
func TestNobodyMoves(t *testing.T) {
	flags := importtest.Text(t, Read, `{"schemaVersion": "2", "features": {"f": {"bucketBy": "userId", "variations": [{"value": "a"}, {"value": "b"}],
		"traffic": [{"key": "1", "segments": "*", "percentage": 33333, "allocation": [{"variation": "a", "range": [0, 11111]},
		{"variation": "b", "range": [11111, 33333]}]}]}}}`).Flags
	enabled, variation := flags.Flag("f"), flags.Flag("f.variation")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		key := id + ".f"
		if i == 0 {
			id, key = "", "f"
		}
		bucket := int(float64(twmb.SeedSum32(1, []byte(key))) / (1 << 32) * 100_000)
		want := "none"
		switch {
		case bucket <= 11111:
			want = "a"
		case bucket <= 33333:
			want = "b"
		}
		context := &evaluator.Context{Key: id}
		if got := enabled.Evaluate(context).Variant() == "on"; got != (want != "none") {
			t.Fatalf("%q is %v", id, got)
		}
		if got := variation.Evaluate(context).Variant(); got != want {
			t.Fatalf("%q has %s, not %s", id, got, want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	condition := func(c string) string {
		return `"bucketBy": "u", "force": [{"enabled": true, "conditions": ` + c + `}]`
	}
	for _, test := range []struct{ flag, feature, place, reason string }{
		{"f", `"bucketBy": 5`, "features.f.bucketBy", "expected"},
		{"f", `"bucketBy": ["a", "b"]`, "features.f.bucketBy", "together"},
		{"f", `"bucketBy": "u", "traffic": 5`, "features.f", "can't stand here"},
		{"f", `"bucketBy": "u", "traffic": [{"segments": "*", "percentage": 100001}]`,
			"features.f.traffic[0].percentage",
			"100,000"},
		{"f", `"bucketBy": "u", "traffic": [{"segments": {"x": 1}, "percentage": 1}]`, "features.f.traffic[0].segments",
			"expected segments"},
		{"f", `"bucketBy": "u", "ranges": [[5, 1]], "traffic": [{"segments": "*", "percentage": 1}]`,
			"features.f.ranges[0]", "inverted"},
		{"f", `"bucketBy": "u", "variations": [{"value": "a"}], "required": [{"key": "f", "variation": "x"}]`,
			"features.f.required[0].variation", "no variation"},
		{"f.variation", `"bucketBy": "u", "variations": [{"value": "a"}, {"value": "a"}]`, "features.f.variations[1]",
			"two variations"},
		{"f.variation", `"bucketBy": "u", "variations": [{"value": "a"}], "traffic": [{"segments": "*", "percentage": 5, "allocation":
			[{"variation": "x", "range": [0, 5]}]}]`, "features.f.traffic[0].allocation[0].variation", "no variation"},
		{"f.variation", `"bucketBy": "u", "variations": [{"value": "a"}], "traffic": [{"segments": "*", "percentage": 5, "allocation":
			[{"variation": "a", "range": [0, 50]}, {"variation": "a", "range": [40,
				60]}]}]`, "features.f.traffic[0].allocation[1].range", "overlaps"},
		{"f.v", `"bucketBy": "u", "variablesSchema": {"v": {"type": "string"}}`,
			"features.f.variablesSchema.v.defaultValue", "missing"},
		{"f.v", `"bucketBy": "u", "variablesSchema": {"v": {"type": "string", "defaultValue": "x", "disabledValue": 1}}`,
			"features.f.variablesSchema.v[1]", "types"},
		{"f", condition(`{"attribute": "a", "operator": "near", "value": "x"}`), "features.f.force[0].conditions",
			"unknown operator"},
		{"f", condition(`{"attribute": "a", "operator": "equals", "value": null}`), "features.f.force[0].conditions", "null"},
		{"f", condition(`{"attribute": "a", "operator": "in", "value": [9007199254740993]}`),
			"features.f.force[0].conditions", "2^53"},
		{"f", condition(`{"attribute": "a", "operator": "matches", "value": "(?=x)"}`),
			"features.f.force[0].conditions",
			"group"},
		{"f", condition(`{"attribute": "a", "operator": "matches", "value": "x", "regexFlags": "g"}`),
			"features.f.force[0].conditions", "flags"},
		{"f", condition(`{"attribute": "a", "operator": "semverEquals", "value": "1.x"}`),
			"features.f.force[0].conditions",
			"no full semantic version"},
		{"f", condition(`{"attribute": "a", "operator": "before", "value": "soon"}`), "features.f.force[0].conditions",
			"no time"},
		{"f", condition(`5`), "features.f.force[0].conditions", "expected conditions"},
	} {
		imp, err := Read([]byte(`{"schemaVersion": "2", "features": {"f": {`+test.feature+`}}}`), importer.Options{})
		if err != nil {
			t.Errorf("%s: %v", test.feature, err)
			continue
		}
		found := false
		for _, r := range imp.Refused {
			found = found || r.Flag == test.flag && r.Place == test.place && strings.Contains(r.Reason, test.reason)
		}
		if !found {
			t.Errorf("%s: %v, not %s: %s", test.feature, imp.Refused, test.place, test.reason)
		}
	}
	importtest.Unreadable(t, Read, ``, `{}`, `{"schemaVersion": "2"}`, `{"schemaVersion": "1", "features": []}`)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schemaVersion": "2", "segments": {"s": {"conditions": "[{\"attribute\": \"a\", \"operator\": \"in\", \"value\": [\"x\"]}]"}}, "features":
		{"f": {"bucketBy": {"or": ["u", "d"]}, "variations": [{"value": "a"}, {"value": "b", "variables": {"v": 2}}],
			"variablesSchema": {"v": {"type":
		"integer", "defaultValue": 1}}, "traffic": [{"key": "1", "segments": {"not": ["s"]}, "percentage": 50000,
			"allocation": [{"variation": "a", "range":
		[0, 20000]}, {"variation": "b", "range": [20000, 50000]}]}], "required": ["g"]}, "g": {"bucketBy": "u",
			"ranges": [[10, 20]], "traffic": [{"key":
		"1", "segments": "*", "percentage": 7}], "force": [{"conditions": {"attribute": "b", "operator": "greaterThan",
			"value": 1.5}, "enabled": true}]}}}`))
	importtest.Fuzz(f, Read)
}

// TestUnitWithoutName holds that features are refused that hash users by what can't be the name
// of an attribute, and others aren't.
func TestUnitWithoutName(t *testing.T) {
	folder := importtest.Text(t, Read, `{"schemaVersion": "2", "features": {
		"f": {"bucketBy": "(", "traffic": [{"key": "1", "segments": "*", "percentage": 7}]},
		"g": {"bucketBy": "(", "traffic": [{"key": "1", "segments": "*", "percentage": 100000}]}}}`)
	if why := folder.Refused("f"); !strings.Contains(why, `an attribute can't be called "("`) {
		t.Errorf("f: %s", why)
	}
	if folder.Refused("g") != "" {
		t.Errorf("g: %s", folder.Refused("g"))
	}
}
