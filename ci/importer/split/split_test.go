package split

import (
	"fmt"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/twmb/murmur3"
)

// TestSDKDecisions replays what the evaluator of Split's own SDKs for JavaScript served for
// random feature flags.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/changes.json").Replay(t, "testdata/decisions.jsonl")
}

// TestNobodyMoves holds that of many keys, a million in a soak, none has another treatment than
// Split's formula says.
func TestNobodyMoves(t *testing.T) {
	imp, err := Read([]byte(`{"splits": [{"name": "f", "status": "ACTIVE", "algo": 2, "seed": -1667452163, "defaultTreatment": "z",
		"trafficAllocation": 60, "trafficAllocationSeed": 1373504, "conditions": [{"conditionType": "ROLLOUT", "label": "all",
		"matcherGroup": {"combiner": "AND", "matchers": [{"matcherType": "ALL_KEYS"}]},
		"partitions": [{"treatment": "a", "size": 33}, {"treatment": "b", "size": 0}, {"treatment": "c", "size": 67}]}]}]}`), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bucket := func(id string, seed int32) uint32 { return murmur3.SeedSum32(uint32(seed), []byte(id))%100 + 1 }
	f := importtest.Import(t, imp).Flags.Flag("f")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		want := "c"
		switch {
		case bucket(id, 1373504) > 60:
			want = "z"
		case bucket(id, -1667452163) <= 33:
			want = "a"
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	condition := func(matcher string) string {
		return `"conditions": [{"conditionType": "ROLLOUT", "matcherGroup": {"combiner": "AND", "matchers": [{"keySelector": {"attribute": "a"}, ` + matcher + `}]},
			"partitions": [{"treatment": "on", "size": 100}]}]`
	}
	const at = "splits[0].conditions[0]"
	const matcher = at + ".matcherGroup.matchers[0]"
	for _, test := range []struct{ flag, place, reason string }{
		{`"status": "ARCHIVED"`, "splits[0].status", "ARCHIVED"},
		{`"algo": 1`, "splits[0].algo", "algorithm 1"},
		{`"defaultTreatment": ""`, "splits[0].defaultTreatment", "missing"},
		{`"trafficAllocation": 101, ` + condition(`"matcherType": "ALL_KEYS"`), "splits[0].trafficAllocation", "0 to 100"},
		{`"trafficAllocation": 50, ` + condition(`"matcherType": "ALL_KEYS"`), "splits[0].trafficAllocationSeed", "missing"},
		{`"seed": 9007199254740993, ` + condition(`"matcherType": "ALL_KEYS"`), "splits[0].seed", "32 bits"},
		{`"prerequisites": [{"n": "none", "ts": ["on"]}]`, "splits[0].prerequisites[0]", `no feature flag "none"`},
		{`"conditions": [{"conditionType": "OTHER"}]`, at + ".conditionType", "unknown type"},
		{`"conditions": [{"conditionType": "ROLLOUT"}]`, at + ".matcherGroup.matchers", "no matchers"},
		{`"conditions": [{"conditionType": "ROLLOUT", "matcherGroup": {"combiner": "OR"}}]`, at + ".matcherGroup.combiner", "unknown combiner"},
		{strings.Replace(condition(`"matcherType": "ALL_KEYS"`), "100", "99", 1), at + ".partitions", "add up to 99"},
		{strings.Replace(condition(`"matcherType": "ALL_KEYS"`), "100", "-1", 1), at + ".partitions[0].size", "0 to 100"},
		{strings.Replace(condition(`"matcherType": "ALL_KEYS"`), `"a"`, `"key"`, 1), matcher + ".keySelector.attribute", "can't be called"},
		{condition(`"matcherType": "NEAR"`), matcher + ".matcherType", "unknown matcher"},
		{condition(`"matcherType": "IN_SEGMENT", "userDefinedSegmentMatcherData": {"segmentName": "s"}`), matcher, "aren't in the file"},
		{condition(`"matcherType": "EQUAL_TO_SET", "whitelistMatcherData": {"whitelist": ["x"]}`), matcher + ".matcherType", "no other elements"},
		{condition(`"matcherType": "WHITELIST"`), matcher + ".whitelistMatcherData", "missing"},
		{condition(`"matcherType": "STARTS_WITH", "whitelistMatcherData": {"whitelist": [""]}`), matcher + ".whitelistMatcherData", "empty text"},
		{condition(`"matcherType": "MATCHES_STRING", "stringMatcherData": "(?=x)"`), matcher + ".stringMatcherData", "RE2"},
		{condition(`"matcherType": "EQUAL_TO"`), matcher, "missing"},
		{condition(`"matcherType": "EQUAL_TO", "unaryNumericMatcherData": {"value": 9007199254740993}`), matcher, "2^53"},
		{condition(`"matcherType": "EQUAL_TO", "unaryNumericMatcherData": {"dataType": "COLOUR", "value": 1}`), matcher, "unknown type"},
		{condition(`"matcherType": "BETWEEN", "betweenMatcherData": {"start": 5, "end": 1}`), matcher + ".betweenMatcherData", "inverted"},
		{condition(`"matcherType": "EQUAL_TO_BOOLEAN"`), matcher + ".booleanMatcherData", "missing"},
		{condition(`"matcherType": "EQUAL_TO_SEMVER", "stringMatcherData": "1.2"`), matcher, "no full semantic version"},
		{condition(`"matcherType": "EQUAL_TO_SEMVER", "stringMatcherData": "1.2.3+b"`), matcher, "build metadata"},
		{condition(`"matcherType": "BETWEEN_SEMVER"`), matcher, "missing"},
		{condition(`"matcherType": "IN_SPLIT_TREATMENT"`), matcher + ".dependencyMatcherData", "missing"},
		{condition(`"matcherType": "IN_RULE_BASED_SEGMENT", "userDefinedSegmentMatcherData": {"segmentName": "none"}`), matcher, "isn't in the file"},
		{condition(`"matcherType": "IN_RULE_BASED_SEGMENT", "userDefinedSegmentMatcherData": {"segmentName": "loop"}`), "rbs.d[0]", "to themselves"},
		{condition(`"matcherType": "IN_RULE_BASED_SEGMENT", "userDefinedSegmentMatcherData": {"segmentName": "out"}`), "rbs.d[1].excluded.segments", "aren't in the file"},
	} {
		for _, member := range []string{`"algo": 2`, `"defaultTreatment": "off"`} {
			if name, _, _ := strings.Cut(member, ":"); !strings.HasPrefix(test.flag, name) {
				test.flag += ", " + member
			}
		}
		importtest.Refuses(t, Read, `{"splits": [{"name": "f", `+test.flag+`}], "rbs": {"d": [{"name": "loop", "conditions": [{"matcherGroup": {"matchers": [
			{"matcherType": "IN_RULE_BASED_SEGMENT", "userDefinedSegmentMatcherData": {"segmentName": "loop"}}]}}]},
			{"name": "out", "excluded": {"segments": [{"type": "standard", "name": "s"}]}}]}}`,
			test.place, test.reason)
	}
	importtest.Unreadable(t, Read, ``, `{}`, `[]`, `{"splits": []}`, `{"ff": {"d": []}}`, `{"splits": 1}`)
}

// TestTwice holds that the second of two feature flags with a name is refused.
func TestTwice(t *testing.T) {
	imp, err := Read([]byte(
		`{"splits": [{"name": "f", "algo": 2, "defaultTreatment": "a"}, {"name": "f", "algo": 2, "defaultTreatment": "b"}]}`), importer.Options{})
	if err != nil || len(imp.Flags) != 1 || len(imp.Refused) != 1 || imp.Refused[0].Place != "splits[1].name" {
		t.Errorf("%v, refused %v", err, imp.Refused)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"ff": {"d": [{"name": "f", "status": "ACTIVE", "algo": 2, "seed": -5, "defaultTreatment": "off", "trafficAllocation": 50, "trafficAllocationSeed": 7,
		"conditions": [{"conditionType": "ROLLOUT", "label": "x", "matcherGroup": {"combiner": "AND", "matchers": [{"keySelector": {"attribute": "a"},
		"matcherType": "BETWEEN", "negate": true, "betweenMatcherData": {"dataType": "DATETIME", "start": 1, "end": 99999}}]},
		"partitions": [{"treatment": "on", "size": 40}, {"treatment": "off", "size": 60}]}]}]}}`))
	f.Add([]byte(`{"splits": [{"name": "f", "algo": 2, "defaultTreatment": "off", "conditions": [{"matcherGroup": {"matchers": [{"matcherType": "IN_RULE_BASED_SEGMENT",
		"userDefinedSegmentMatcherData": {"segmentName": "s"}}]}, "partitions": [{"treatment": "on", "size": 100}]}]}],
		"rbs": {"d": [{"name": "s", "excluded": {"keys": ["x"]}, "conditions": [{"matcherGroup": {"matchers": [{"matcherType": "WHITELIST", "whitelistMatcherData": {"whitelist": ["y"]}}]}}]}]}}`))
	importtest.Fuzz(f, Read)
}
