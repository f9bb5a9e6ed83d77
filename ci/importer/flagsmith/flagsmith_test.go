package flagsmith

import (
	"crypto/md5"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestSDKDecisions replays what Flagsmith's own SDK for Node decided about random features.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/environment.json").Replay(t, "testdata/decisions.jsonl")
}

// percentageOf is Flagsmith's formula, for IDs with commas between them.
func percentageOf(ids string) float64 {
	for input := ids; ; input += "," + ids {
		sum := md5.Sum([]byte(input))
		rest := new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), big.NewInt(9999))
		if value := float64(rest.Int64()) / 9998 * 100; value != 100 {
			return value
		}
	}
}

// TestNobodyMoves holds that of many identities, a million in a soak, none has another value
// than Flagsmith's formula says. One of the positions is 50% exactly.
func TestNobodyMoves(t *testing.T) {
	const share = `{"id": 8, "name": "%s", "rules": [{"type": "ALL", "conditions": [{"operator": "PERCENTAGE_SPLIT",
		"property_": "%s", "value": "%s"}]}],
		"feature_states": [{"feature": {"name": "f"}, "feature_state_value": "%s",
			"feature_segment": {"priority": %d}}]}`
	f := importtest.Text(t, Read, `{"api_key": "key", "project": {"segments": [`+fmt.Sprintf(share, "a", "", "12.5", "a",
		1)+`,
		`+fmt.Sprintf(share, "b", identifierPath, "50", "b", 2)+`]}, "feature_states": [
		{"feature": {"name": "f"}, "django_id": 41, "feature_state_value": "z", "multivariate_feature_state_values": [
			{"id": 2, "percentage_allocation": 20.1, "multivariate_feature_option": {"value": "d"}},
			{"id": 1, "percentage_allocation": 50,
				"multivariate_feature_option": {"value": "c"}}]}]}`).Flags.Flag("f")
	again := 0
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		want, at := "z", percentageOf("41,key_"+id)
		switch {
		case percentageOf("8,key_"+id) <= 12.5:
			want = "a"
		case percentageOf("8,"+id) <= 50:
			want = "b"
		case at < 50:
			want = "c"
		case at < 50+20.1:
			want = "d"
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
		sum := md5.Sum([]byte("41,key_" + id))
		if new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), big.NewInt(9999)).Int64() == 9998 {
			again++
		}
	}
	if again == 0 {
		t.Error("no identity is hashed again")
	}
}

// documentOf returns a document with a feature and a segment with one condition, for which the
// feature is enabled.
func documentOf(condition string) []byte {
	return []byte(`{"api_key": "key", "feature_states": [{"feature": {"name": "f"}, "enabled": false,
		"feature_state_value": null}],
		"project": {"segments": [{"id": 5, "name": "s", "rules": [{"type": "ALL", "rules": [{"type": "ANY",
			"conditions": [{` + condition + `}]}]}],
		"feature_states": [{"feature": {"name": "f"}, "enabled": true, "feature_segment": {"priority": 0}}]}]}}`)
}

// TestConditions holds what conditions say about missing traits, and about contexts without an
// identity.
func TestConditions(t *testing.T) {
	for _, test := range []struct {
		condition string
		context   map[string]any
		want      string
	}{
		{`"operator": "NOT_EQUAL", "property_": "a", "value": "x"`, map[string]any{unit: "u"}, "off"},
		{`"operator": "NOT_EQUAL", "property_": "a", "value": "x"`, map[string]any{unit: "u", "a": "y"}, "on"},
		{`"operator": "NOT_CONTAINS", "property_": "a", "value": "x"`, map[string]any{unit: "u"}, "off"},
		{`"operator": "NOT_CONTAINS", "property_": "a", "value": "x"`, map[string]any{unit: "u", "a": ""}, "on"},
		{`"operator": "IS_NOT_SET", "property_": "a"`, map[string]any{unit: "u"}, "on"},
		{`"operator": "IS_NOT_SET", "property_": "a"`, map[string]any{}, "off"},
		{`"operator": "IN", "property_": "a", "value": "1,2"`, map[string]any{unit: "u", "a": 2}, "on"},
		{`"operator": "IN", "property_": "a", "value": "1,b"`, map[string]any{unit: "u", "a": "1"}, "on"},
		{`"operator": "IN", "property_": "a", "value": ["b", "c,d"]`, map[string]any{unit: "u", "a": "c,d"}, "on"},
		{`"operator": "IN", "property_": "a", "value": "[]"`, map[string]any{unit: "u", "a": "[]"}, "off"},
		{`"operator": "IN", "property_": "$.identity.identifier", "value": "1,2"`, map[string]any{unit: "1"}, "on"},
		{`"operator": "EQUAL", "property_": "$.identity.identifier", "value": "1"`, map[string]any{unit: "1"}, "on"},
		{`"operator": "EQUAL", "property_": "a", "value": "05"`, map[string]any{unit: "u", "a": "05"}, "on"},
		{`"operator": "EQUAL", "property_": "a", "value": true`, map[string]any{unit: "u", "a": true}, "on"},
		{`"operator": "REGEX", "property_": "a", "value": "b$"`, map[string]any{unit: "u", "a": "ab"}, "on"},
		{`"operator": "MODULO", "property_": "a", "value": "10|3"`, map[string]any{unit: "u", "a": 13}, "on"},
		{`"operator": "PERCENTAGE_SPLIT", "value": 100`, map[string]any{unit: "u"}, "on"},
		{`"operator": "PERCENTAGE_SPLIT", "value": "100"`, map[string]any{}, "off"},
	} {
		imp, err := Read(documentOf(test.condition), importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		folder := importtest.Import(t, imp)
		if got, ok := folder.Ask(t, "f", test.context, time.Now()); !ok || got.Variant() != test.want {
			t.Errorf("%s for %v: %q, not %s (%s)", test.condition, test.context, got.Variant(), test.want,
				folder.Refused("f"))
		}
	}
}

// TestTypes holds which flags a feature becomes.
func TestTypes(t *testing.T) {
	folder := importtest.Text(t, Read, `{"api_key": "key", "feature_states": [
		{"feature": {"name": "toggle"}, "enabled": true, "feature_state_value": ""},
		{"feature": {"name": "banner"}, "enabled": false, "feature_state_value": "hi"},
		{"feature": {"name": "limit"}, "enabled": true, "feature_state_value": 5},
		{"feature": {"name": "sometimes"}, "enabled": true, "feature_state_value": null}],
		"identity_overrides": [{"identifier": "u-1", "identity_features": [{"feature": {"name": "sometimes"},
			"enabled": false, "feature_state_value": "x"}]},
			{"identifier": "u-2", "identity_features": [{"feature": {"name": "limit"}, "enabled": true,
				"feature_state_value": 7}]}]}`)
	for _, test := range []struct{ flag, id, want string }{
		{"toggle", "u-1", `true`}, {"toggle-enabled", "u-1", ""},
		{"banner", "u-1", `"hi"`}, {"banner-enabled", "u-1", `false`},
		{"limit", "u-1", `5`}, {"limit", "u-2", `7`}, {"limit-enabled", "u-2", `true`},
		{"sometimes", "u-1", `"x"`}, {"sometimes", "u-2", `""`}, {"sometimes-enabled", "u-1", `false`},
		{"sometimes-enabled", "u-2", `true`},
	} {
		got := ""
		if result, ok := folder.Ask(t, test.flag, map[string]any{unit: test.id}, time.Now()); ok {
			got = string(result.Value().JSON())
		}
		if got != test.want {
			t.Errorf("%s for %s: %s, not %s", test.flag, test.id, got, test.want)
		}
	}
	for _, f := range folder.Plan.Import.Flags {
		if f.IsApproximate() != (f.Key == "sometimes") {
			t.Errorf("%s: %v", f.Key, f.Notes)
		}
	}
}

// TestRefusedConditions holds which conditions are refused, with their places.
func TestRefusedConditions(t *testing.T) {
	const rules = "project.segments[0].rules[0].rules[0]"
	const at = rules + ".conditions[0]"
	for _, test := range []struct{ condition, place, reason string }{
		{`"operator": "NEAR", "property_": "a", "value": "x"`, at + ".operator", "unknown operator"},
		{`"operator": "EQUAL", "value": "x"`, at + ".property_", "missing"},
		{`"operator": "EQUAL", "property_": "identifier", "value": "x"`, at + ".property_", "can't be called"},
		{`"operator": "EQUAL", "property_": "$.environment.name", "value": "x"`, at + ".property_",
			"neither the identifier nor a trait"},
		{`"operator": "EQUAL", "property_": "a", "value": ""`, at + ".value", "empty"},
		{`"operator": "EQUAL", "property_": "a"`, at + ".value", "missing"},
		{`"operator": "EQUAL", "property_": "a", "value": "1.2:semver"`, at + ".value", "no full semantic version"},
		{`"operator": "CONTAINS", "property_": "a", "value": "1.2.3:semver"`, at + ".value", "version"},
		{`"operator": "GREATER_THAN", "property_": "a", "value": "x"`, at + ".value", "neither a version nor a number"},
		{`"operator": "GREATER_THAN", "property_": "a", "value": "9007199254740994"`, at + ".value", "2^53"},
		{`"operator": "REGEX", "property_": "a", "value": "(?=x)"`, at + ".value", "RE2"},
		{`"operator": "REGEX", "property_": "a", "value": "("`, at + ".value", "RE2"},
		{`"operator": "MODULO", "property_": "a", "value": "2|2"`, at + ".value", "lower remainder"},
		{`"operator": "MODULO", "property_": "a", "value": "2"`, at + ".value", "lower remainder"},
		{`"operator": "IN", "property_": "a", "value": [1]`, at + ".value", "else than texts"},
		{`"operator": "IN", "property_": "a", "value": {}`, at + ".value", "list of texts"},
		{`"operator": "PERCENTAGE_SPLIT", "property_": "a", "value": "5"`, at + ".property_", "disagree"},
		{`"operator": "PERCENTAGE_SPLIT", "value": "5%"`, at + ".value", "0 to 100"},
		{`"operator": "PERCENTAGE_SPLIT", "value": "101"`, at + ".value", "0 to 100"},
		{`}]}, {"type": "SOME", "conditions": [{`, "project.segments[0].rules[0].rules[1].type", "unknown type"},
		{`"operator": "IS_SET", "property_": "a"}], "rules": [{"type": "ALL"}, {"type": "ALL"`, rules + ".rules",
			"below a rule of the type ANY"},
	} {
		if strings.HasPrefix(test.condition, "}") {
			test.condition = `"operator": "IS_SET", "property_": "a"` + test.condition
		}
		refusedAs(t, string(documentOf(test.condition)), test.place, test.reason)
	}
}

// TestRefusals holds what else is refused, with its place.
func TestRefusals(t *testing.T) {
	const one = `{"feature": {"name": "f"}, "feature_state_value": "a"}`
	segment := func(id int, priority string) string {
		return fmt.Sprintf(`{"id": %d, "name": "s", "rules": [{"type": "ALL"}],
			"feature_states": [{"feature": {"name": "f"}%s}]}`, id, priority)
	}
	for _, test := range []struct{ members, place, reason string }{
		{`"feature_states": [` + one + `, ` + one + `]`, "feature_states[1].feature.name", "another feature"},
		{`"feature_states": [` + one + `, {"feature": {"name": "f-enabled"}}]`, "feature_states[0].feature.name",
			`"f-enabled"`},
		{`"feature_states": [{"feature": {"name": "f"},
			"multivariate_feature_state_values": [{"percentage_allocation": 101,
			"multivariate_feature_option": {"value": "x"}}]}]`,
			"feature_states[0].multivariate_feature_state_values[0].percentage_allocation", "0 to 100"},
		{`"feature_states": [{"feature": {"name": "f"},
			"multivariate_feature_state_values": [{"percentage_allocation": 1,
			"multivariate_feature_option": {"value": "x"}}]}]`,
			"feature_states[0].multivariate_feature_state_values[0]", "mv_fs_value_uuid"},
		{`"feature_states": [{"feature": {"name": "f"}, "multivariate_feature_state_values": [{"id": 1,
			"multivariate_feature_option": {"value": "x"}}, {}]}]`,
			"feature_states[0].multivariate_feature_state_values[1].id", "some of the variants"},
		{`"feature_states": [{"feature": {"name": "f"}, "multivariate_feature_state_values": [{"id": 1,
			"percentage_allocation": 1,
			"multivariate_feature_option": {"value": "x"}}]}]`, "feature_states[0]", "neither a django_id"},
		{`"feature_states": [` + one + `], "identity_overrides": [{"identifier": "a,b",
			"identity_features": [` + one + `]}]`, "identity_overrides[0].identifier", "comma"},
		{`"feature_states": [` + one + `], "identity_overrides": [{"identifier": "a",
			"identity_features": [` + one + `, ` + one + `]}]`,
			"identity_overrides[0].identifier", "another override"},
		{`"feature_states": [` + one + `], "project": {"segments": [` + segment(1, "") + `, ` + segment(2, "") + `]}`,
			"project.segments[1].feature_states[0].feature_segment", "same priority"},
		{`"feature_states": [` + one + `], "identity_overrides": [{"identifier": "a",
			"identity_features": [{"feature": {"name": "f"}, "feature_state_value": 5}]}]`,
			"identity_overrides[0].identity_features[0].feature_state_value", "different types"},
	} {
		refusedAs(t, `{"api_key": "key", `+test.members+`}`, test.place, test.reason)
	}
	importtest.Unreadable(t, Read, ``, `{}`, `[]`, `{"api_key": "key"}`, `{"feature_states": [`+one+`]}`,
		`{"api_key": "key", "feature_states": 1}`)
}

// refusedAs fails t unless one feature of the document is refused, at a place and for a reason.
func refusedAs(t *testing.T, document, place, reason string) {
	t.Helper()
	imp, err := Read([]byte(document), importer.Options{})
	if err != nil {
		t.Errorf("%s: %v", document, err)
		return
	}
	refused := importtest.Import(t, imp).Plan.Import.Refused
	if len(refused) != 1 || refused[0].Place != place || !strings.Contains(refused[0].Reason, reason) {
		t.Errorf("%s: %v, not %s: %s", document, refused, place, reason)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(documentOf(`"operator": "NOT_EQUAL", "property_": "$.identity.traits.a", "value": "1.2.3:semver"},
		{"operator": "IN", "property_": "b", "value": "1,2,"`))
	f.Add(documentOf(`"operator": "MODULO", "property_": "a", "value": "10|3"}, {"operator": "PERCENTAGE_SPLIT",
		"property_": "$.identity.key", "value": "33.3"`))
	f.Add([]byte(`{"api_key": "key", "feature_states": [{"feature": {"name": "f"}, "django_id": 41,
		"feature_state_value": "z", "multivariate_feature_state_values": [
		{"id": 2, "percentage_allocation": 20.1, "multivariate_feature_option": {"value": "d"}},
		{"id": 1, "percentage_allocation": 33.3, "multivariate_feature_option": {"value": "c"}}]}],
		"identity_overrides": [{"identifier": "u-1", "identity_features": [{"feature": {"name": "f"}, "enabled": true,
			"feature_state_value": "x"}]}]}`))
	importtest.Fuzz(f, Read)
}
