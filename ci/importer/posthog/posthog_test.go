package posthog

import (
	"crypto/sha1"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestSDKDecisions replays what PostHog's own SDK for Node decided about random flags.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/flags.json").Replay(t, "testdata/decisions.jsonl")
}

// TestNobodyMoves holds that of many users, a million in a soak, none has another variant than
// PostHog's formulas say.
func TestNobodyMoves(t *testing.T) {
	imp, err := Read([]byte(`{"flags": [{"key": "f", "active": true, "filters": {"holdout": {"id": 7, "exclusion_percentage": 10},
		"groups": [{"rollout_percentage": 33.33}], "multivariate": {"variants": [
		{"key": "a", "rollout_percentage": 33.3}, {"key": "b", "rollout_percentage": 33.3}, {"key": "c", "rollout_percentage": 33.3}]}}}]}`), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fraction := func(text string) float64 {
		number, err := strconv.ParseUint(fmt.Sprintf("%x", sha1.Sum([]byte(text)))[:15], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return float64(number) / float64(0xFFFFFFFFFFFFFFF)
	}
	f := importtest.Import(t, imp).Flags.Flag("f")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		want, sum := "on", 0.0
		for _, v := range []string{"a", "b", "c"} {
			if h := fraction("f." + id + "variant"); h >= sum && h < sum+33.3/100 {
				want = v
			}
			sum += 33.3 / 100
		}
		if fraction("f."+id) > 33.33/100 {
			want = "off"
		}
		if fraction("holdout-"+id) <= 10.0/100 {
			want = "holdout-7"
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// TestBoundary holds that a share ends before the first position whose fraction is above it.
func TestBoundary(t *testing.T) {
	for hundredth := 1; hundredth < 10_000; hundredth += 7 {
		percentage := float64(hundredth) / 100
		e := end(percentage)
		if fraction(e-1) > percentage/100 || fraction(e) <= percentage/100 {
			t.Fatalf("%v%% ends at %d", percentage, e)
		}
	}
}

// TestMissing holds what PostHog's server says about properties that a person doesn't have, as
// its source documents it: negations match, and nothing else does.
func TestMissing(t *testing.T) {
	for operator, value := range map[string]string{"exact": `"x"`, "icontains": `"x"`, "starts_with": `"x"`,
		"ends_with": `"x"`, "regex": `"x"`,
		"icontains_multi": `["x"]`, "is_set": `"x"`, "between": `[1, 2]`, "gt": `1`, "lte": `1`,
		"semver_eq": `"1.2.3"`, "semver_neq": `"1.2.3"`,
		"is_date_before": `"2026-12-01T09:00:00Z"`, "is_date_after": `"2026-12-01T09:00:00Z"`,
		"!is_not": `"x"`, "!not_icontains": `"x"`, "!not_starts_with": `"x"`, "!not_ends_with": `"x"`,
		"!not_regex":           `"x"`,
		"!not_icontains_multi": `["x"]`, "!is_not_set": `"x"`, "!not_between": `[1, 2]`} {
		operator, want := strings.CutPrefix(operator, "!")
		result, ok := importtest.Text(t, Read, `{"flags": [{"key": "f", "active": true, "filters": {"groups": [{"properties": [
			{"key": "p", "operator": "`+operator+`", "value": `+value+`}]}]}}]}`).Ask(t, "f", map[string]any{"distinct_id": "u"}, time.Unix(0, 0))
		if got := result.Variant() == on; !ok || got != want {
			t.Errorf("%s: %v, %v, not %v", operator, got, ok, want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	property := func(rest string) string { return `"filters": {"groups": [{"properties": [{` + rest + `}]}]}` }
	const at = "flags[0].filters.groups[0].properties[0]"
	for _, test := range []struct{ flag, place, reason string }{
		{`"ensure_experience_continuity": true`, "flags[0].ensure_experience_continuity", "database"},
		{`"bucketing_identifier": "device_id"`, "flags[0].bucketing_identifier", "device_id"},
		{`"filters": {"aggregation_group_type_index": 0}`, "flags[0].filters.aggregation_group_type_index", "groups"},
		{`"filters": {"groups": [{"aggregation_group_type_index": 0}]}`, "flags[0].filters.groups[0].aggregation_group_type_index", "groups"},
		{`"filters": {"super_groups": [{}]}`, "flags[0].filters.super_groups", "early access"},
		{`"filters": {"holdout_groups": [{"rollout_percentage": 10}]}`, "flags[0].filters.holdout_groups", "before"},
		{`"filters": {"holdout": {"id": 1, "exclusion_percentage": 10}}`, "flags[0].filters.holdout", "booleans"},
		{`"filters": {"groups": [{"rollout_percentage": 101}]}`, "flags[0].filters.groups[0].rollout_percentage", "0 to 100"},
		{`"filters": {"multivariate": {"variants": [{"key": "on"}]}}`, "flags[0].filters.multivariate.variants[0].key", "can't be called"},
		{`"filters": {"multivariate": {"variants": [{"key": "a"}, {"key": "a"}]}}`, "flags[0].filters.multivariate.variants[1].key", "two"},
		{`"filters": {"multivariate": {"variants": [{"key": "a", "rollout_percentage": -1}]}}`, "flags[0].filters.multivariate.variants[0].rollout_percentage", "0 to 100"},
		{property(`"key": "p", "type": "event"`), at + ".type", `"event"`},
		{property(`"key": "p", "operator": "near", "value": 1`), at + ".operator", "unknown operator"},
		{property(`"key": "$os", "value": "x"`), at, `can't be called "$os"`},
		{property(`"key": "p", "value": []`), at + ".value", "different types"},
		{property(`"key": "p", "value": ["x", 1]`), at + ".value", "different types"},
		{property(`"key": "p", "value": ["true", "false"]`), at + ".value", "different types"},
		{property(`"key": "p", "value": 9007199254740993`), at + ".value", "2^53"},
		{property(`"key": "p", "value": {}`), at + ".value", "no text"},
		{property(`"key": "p", "operator": "gt", "value": 1e300`), at + ".value", "2^53"},
		{property(`"key": "p", "operator": "gt", "value": "x"`), at + ".value", "no number"},
		{property(`"key": "p", "operator": "between", "value": [1]`), at + ".value", "two numbers"},
		{property(`"key": "p", "operator": "regex", "value": "(?=x)"`), at + ".value", "RE2"},
		{property(`"key": "p", "operator": "icontains", "value": true`), at + ".value", "no text"},
		{property(`"key": "p", "operator": "semver_gt", "value": "1.2.3-rc"`), at + ".value", "no version"},
		{property(`"key": "p", "operator": "semver_wildcard", "value": "1.2"`), at + ".value", "no version"},
		{property(`"key": "p", "operator": "is_date_after", "value": "-7d"`), at + ".value", "depend on the day"},
		{property(`"key": "p", "operator": "is_date_after", "value": "2026-12-01"`), at + ".value", "time zone"},
		{property(`"key": "g", "type": "flag", "value": true`), at + ".key", `no flag "g"`},
		{property(`"key": "f", "type": "flag", "value": "x"`), at + ".value", "no variant"},
		{property(`"key": "id", "type": "cohort", "value": 9`), at + ".value", "known to PostHog alone"},
		{property(`"key": "id", "type": "cohort", "value": 1`), "cohorts.1", "refers to itself"},
		{property(`"key": "id", "type": "cohort", "value": 2`), "cohorts.2.values[0].type", `"behavioral"`},
		{property(`"key": "id", "type": "cohort", "value": 3`), "cohorts.3.type", "unknown type"},
	} {
		importtest.Refuses(t, Read, `{"flags": [{"key": "f", "active": true, `+test.flag+`}], "cohorts": {
			"1": {"type": "OR", "values": [{"key": "id", "type": "cohort", "value": 1}]},
			"2": {"type": "OR", "values": [{"key": "x", "type": "behavioral", "value": 1}]}, "3": {"type": "XOR", "values": [{"key": "x", "value": "y"}]}}}`,
			test.place, test.reason)
	}
	importtest.Unreadable(t, Read, ``, `{}`, `[]`, `{"flags": []}`, `{"results": []}`, `{"flags": 1}`)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"flags": [{"key": "f", "active": true, "filters": {"groups": [{"properties": [{"key": "a", "operator": "is_not", "value": ["x"], "type": "person"},
		{"key": "id", "type": "cohort", "value": 1}], "rollout_percentage": 33.3, "variant": "a"}],
		"multivariate": {"variants": [{"key": "a", "rollout_percentage": 50}, {"key": "b", "rollout_percentage": 50}]}}}],
		"cohorts": {"1": {"type": "OR", "values": [{"type": "AND", "values": [{"key": "b", "operator": "gt", "value": 1, "negation": true}]}]}}}`))
	f.Add([]byte(`{"flags": [{"key": "f", "active": true, "filters": {"early_exit": true, "groups": [{"properties": [{"key": "v", "operator": "semver_tilde", "value": "1.2"}], "rollout_percentage": 5}]}},
		{"key": "g", "filters": {"groups": [{"properties": [{"key": "f", "type": "flag", "value": true}]}]}}]}`))
	importtest.Fuzz(f, Read)
}
