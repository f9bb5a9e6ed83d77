package unleash

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/twmb/murmur3"
)

// A specification is a file of the client specification.
type specification struct {
	State json.RawMessage `json:"state"`
	Tests []struct {
		Description    string         `json:"description"`
		Context        map[string]any `json:"context"`
		ToggleName     string         `json:"toggleName"`
		ExpectedResult bool           `json:"expectedResult"`
	} `json:"tests"`
	VariantTests []struct {
		Description    string         `json:"description"`
		Context        map[string]any `json:"context"`
		ToggleName     string         `json:"toggleName"`
		ExpectedResult struct {
			Name           string `json:"name"`
			FeatureEnabled bool   `json:"feature_enabled"`
			Payload        *struct {
				Value string `json:"value"`
			} `json:"payload"`
		} `json:"expectedResult"`
	} `json:"variantTests"`
}

// refusedBySpec are the toggles of the specification that are refused, with a part of the
// reason.
var refusedBySpec = map[string]string{
	"F7.invalid-operator":          `unknown operator "NOT_A_VALID_OPERATOR"`,
	"F8.invalidSemverWithLeadingV": "is no semantic version",
	"Feature.UTF-8.Hellø_Wørld":    "not a valid flag key",
	"Feature.UTF-8.😊_φriend_你好_🌍":  "not a valid flag key",
}

// flat returns a context of Unleash as attributes.
func flat(context map[string]any) (out map[string]any, at time.Time) {
	out, at = maps.Clone(context), time.Unix(1_700_000_000, 0)
	properties, _ := out["properties"].(map[string]any)
	delete(out, "properties")
	for k, v := range properties {
		out[k] = v
	}
	if text, ok := out["currentTime"].(string); ok {
		delete(out, "currentTime")
		at, _ = time.Parse(time.RFC3339Nano, text)
	}
	return out, at
}

// TestSpecification holds that imported toggles answer what the client specification says, or
// are refused.
func TestSpecification(t *testing.T) {
	paths, err := filepath.Glob("testdata/client-specification/*.json")
	if err != nil || len(paths) != 20 {
		t.Fatalf("found %d specifications: %v", len(paths), err)
	}
	total, refused := 0, make(map[string]bool)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var spec specification
			if err := json.Unmarshal(data, &spec); err != nil {
				t.Fatal(err)
			}
			imp, err := Read(spec.State, importer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			folder := importtest.Import(t, imp)
			for _, r := range imp.Refused {
				refused[r.Flag] = true
				if want := refusedBySpec[r.Flag]; want == "" || !strings.Contains(r.Error(), want) {
					t.Errorf("%s is refused: %v", r.Flag, &r.Refusal)
				}
			}
			total += compare(t, folder, &spec)
		})
	}
	if total < 200 {
		t.Errorf("only %d decisions are compared", total)
	}
	t.Logf("%d decisions, %d toggles refused", total, len(refused))
	for name := range refusedBySpec {
		if !refused[name] {
			t.Errorf("%s isn't refused any more", name)
		}
	}
}

// compare asks what the specification asks.
func compare(t *testing.T, folder *importtest.Folder, spec *specification) (n int) {
	for _, test := range spec.Tests {
		context, at := flat(test.Context)
		result, ok := folder.Ask(t, test.ToggleName, context, at)
		if !ok {
			if folder.Refused(test.ToggleName) == "" && test.ExpectedResult {
				t.Errorf("%s: there is no flag %s", test.Description, test.ToggleName)
			}
			continue
		}
		n++
		if got := result.Variant() != "off" && result.Variant() != disabled; got != test.ExpectedResult {
			t.Errorf("%s: %s for %v is %s (rule %q)", test.Description, test.ToggleName, context, result.Variant(),
				result.Rule())
		}
	}
	for _, test := range spec.VariantTests {
		context, at := flat(test.Context)
		result, ok := folder.Ask(t, test.ToggleName, context, at)
		if !ok {
			continue
		}
		n++
		want, value := test.ExpectedResult.Name, test.ExpectedResult.Name
		if want == disabled && test.ExpectedResult.FeatureEnabled {
			want, value = enabled, enabled
		}
		if test.ExpectedResult.Payload != nil {
			value = test.ExpectedResult.Payload.Value
		}
		got := result.Variant()
		if text, _ := result.Value().Text(); got != want || text != value {
			if !(got == "on" && want == enabled) && !(got == "off" && want == disabled) {
				t.Errorf("%s: %s for %v is %s %q, not %s %q", test.Description, test.ToggleName, context, got, text,
					want, value)
			}
		}
	}
	return n
}

// TestClientDecisions replays what Unleash's own client answered for random toggles.
func TestClientDecisions(t *testing.T) {
	importFile(t, "testdata/client/features.json").Replay(t, "testdata/client/decisions.jsonl")
}

func importFile(t testing.TB, path string) *importtest.Folder {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	imp, err := Read(data, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return importtest.Import(t, imp)
}

// bucket is the formula of Unleash's documentation, written without the evaluator's hash.
func bucket(group, id string, seed, total uint32) uint32 {
	return murmur3.SeedSum32(seed, []byte(group+":"+id))%total + 1
}

// TestNobodyMoves holds that of many users, a million in a soak, none is in another variant, or on the other
// side of a rollout, than Unleash's formulas say.
func TestNobodyMoves(t *testing.T) {
	const toggles = `{"features": [
		{"name": "split", "enabled": true, "strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "37", "stickiness": "default", "groupId": "g"}}]},
		{"name": "both", "enabled": true, "strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "64", "stickiness": "userId"}}],
			"variants": [{"name": "a", "weight": 334, "stickiness": "userId"}, {"name": "b", "weight": 333}, {"name": "c", "weight": 333}]},
		{"name": "thirds", "enabled": true, "strategies": [], "variants": [{"name": "a", "weight": 1, "stickiness": "userId"}, {"name": "b", "weight": 1}, {"name": "c", "weight": 1}]}
	]}`
	folder := importtest.Text(t, Read, toggles)
	split, both, thirds := folder.Flags.Flag("split"), folder.Flags.Flag("both"), folder.Flags.Flag("thirds")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		ctx := evaluator.Context{Key: id}
		want := "off"
		if bucket("g", id, 0, 100) <= 37 {
			want = "on"
		}
		if got := split.Evaluate(&ctx).Variant(); got != want {
			t.Fatalf("split: %s is %s, not %s", id, got, want)
		}
		want = disabled
		if bucket("both", id, 0, 100) <= 64 {
			switch b := bucket("both", id, 86028157, 1000); {
			case b <= 334:
				want = "a"
			case b <= 667:
				want = "b"
			default:
				want = "c"
			}
		}
		if got := both.Evaluate(&ctx).Variant(); got != want {
			t.Fatalf("both: %s is %s, not %s", id, got, want)
		}
		want = string('a' + rune(bucket("thirds", id, 86028157, 3)) - 1)
		if got := thirds.Evaluate(&ctx).Variant(); got != want {
			t.Fatalf("thirds: %s is %s, not %s", id, got, want)
		}
	}
}

// TestChangedAgain holds that a toggle that has changed in Unleash gets the positions that
// Unleash gives it now, whatever the lock file kept from the import before.
func TestChangedAgain(t *testing.T) {
	toggle := func(a, b, c int) *importer.Import {
		imp, err := Read(fmt.Appendf(nil, `{"features": [{"name": "f", "enabled": true, "strategies": [], "variants": [
			{"name": "a", "weight": %d, "stickiness": "userId"}, {"name": "b", "weight": %d}, {"name": "c", "weight": %d}]}]}`, a, b, c), importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return imp
	}
	dir := importtest.Import(t, toggle(500, 300, 200)).Dir
	f := importtest.Into(t, dir, toggle(200, 300, 500)).Flags.Flag("f")
	for i := range 2000 {
		id := fmt.Sprintf("u-%d", i)
		want := "c"
		if b := bucket("f", id, 86028157, 1000); b <= 200 {
			want = "a"
		} else if b <= 500 {
			want = "b"
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// TestForms holds that all forms of files are read, and how environments are chosen.
func TestForms(t *testing.T) {
	const features = `{"version": 2, "features": [{"name": "A", "enabled": true, "strategies": [{"name": "default"}]}]}`
	const export = `{"features": [{"name": "A", "project": "web"}, {"name": "B"}],
		"featureStrategies": [{"name": "flexibleRollout", "featureName": "A", "environment": "production", "parameters": {"rollout": "20", "stickiness": "userId", "groupId": "A"}},
			{"name": "default", "featureName": "A", "environment": "development"}],
		"featureEnvironments": [{"featureName": "A", "environment": "production", "enabled": true}, {"featureName": "A", "environment": "development", "enabled": true}],
		"dependencies": [{"feature": "B", "dependencies": [{"feature": "A"}]}]}`
	for _, test := range []struct{ in, environment, err string }{
		{features, "", ""},
		{`{"*:development.x": ` + features + `}`, "", ""},
		{`[["*:development.x", ` + features + `], ["*:production.y", ` + features + `]]`, "production", ""},
		{`[["*:development.x", ` + features + `], ["*:production.y", ` + features + `]]`, "", "choose one with --env"},
		{export, "production", ""},
		{export, "", ""},
		{export, "nowhere", `there is no environment "nowhere"`},
		{`{}`, "", "there are no toggles"},
		{`{"features": []}`, "", "there are no toggles"},
		{``, "", "empty"},
		{`{"features": [`, "", "incomplete"},
		{`{"features": 3}`, "", "can't stand here"},
		{strings.Repeat("[", 5000), "", "nest deeper"},
	} {
		imp, err := Read([]byte(test.in), importer.Options{Environment: test.environment})
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%.60s: %v, not %s", test.in, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%.60s: %v", test.in, err)
			continue
		}
		folder := importtest.Import(t, imp)
		if folder.Flags == nil || folder.Flags.Flag("A") == nil {
			t.Errorf("%.60s: there is no flag A", test.in)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ toggle, place, reason string }{
		{`"strategies": [{"name": "custom"}]`, "features[0].strategies[0].name", "custom strategy"},
		{`"strategies": [{"name": "gradualRolloutRandom", "parameters": {"percentage": "50"}}]`, "features[0].strategies[0].parameters.percentage", "random stickiness"},
		{`"strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "50", "stickiness": "random"}}]`, "features[0].strategies[0].parameters.rollout", "random stickiness"},
		{`"strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "x"}}]`, "features[0].strategies[0].parameters.rollout", "no percentage"},
		{`"strategies": [{"name": "gradualRolloutUserId", "parameters": {"percentage": "5"}}]`, "features[0].strategies[0].parameters.groupId", "no group ID"},
		{`"strategies": [{"name": "remoteAddress", "parameters": {"IPs": "010.0.0.1"}}]`, "features[0].strategies[0].parameters.IPs", "octal"},
		{`"strategies": [{"name": "default", "constraints": [{"contextName": "a", "operator": "NEAR"}]}]`, "features[0].strategies[0].constraints[0].operator", "unknown operator"},
		{`"strategies": [{"name": "default", "constraints": [{"contextName": "a", "operator": "NUM_GT", "value": "1e3"}]}]`, "features[0].strategies[0].constraints[0].value", "no decimal number"},
		{`"strategies": [{"name": "default", "constraints": [{"contextName": "born", "operator": "DATE_AFTER", "value": "2022-01-29T13:00:00.000Z"}]}]`, "features[0].strategies[0].constraints[0].contextName", "current time only"},
		{`"strategies": [{"name": "default", "constraints": [{"contextName": "a", "operator": "IN", "values": ["x "]}]}]`, "features[0].strategies[0].constraints[0].values[0]", "white space"},
		{`"strategies": [{"name": "default", "constraints": [{"contextName": "now", "operator": "IN", "values": ["x"]}]}]`, "features[0].strategies[0].constraints[0]", "can't be called"},
		{`"strategies": [{"name": "default", "constraints": [{"contextName": "a", "operator": "IN", "values": ["x"]}, {"contextName": "a", "operator": "SEMVER_GT", "value": "1.2.3"}]}]`,
			"features[0].strategies[0].constraints[1]", "to be of type semver"},
		{`"variants": [{"name": "disabled", "weight": 1}], "strategies": []`, "features[0].variants[0].name", "can't be told"},
		{`"variants": [{"name": "a", "weight": 1, "stickiness": "random"}, {"name": "b", "weight": 1}], "strategies": []`, "features[0].variants", "random stickiness"},
		{`"variants": [{"name": "a", "weight": 1.5}], "strategies": []`, "features[0].variants[0].weight", "no weight"},
	} {
		importtest.Refuses(t, Read, `{"features": [{"name": "a", "enabled": true, `+test.toggle+`}]}`,
			test.place, test.reason)
	}
}

// TestDependsOnRefused holds that what depends on a refused toggle is refused too.
func TestDependsOnRefused(t *testing.T) {
	folder := importtest.Text(t, Read, `{"features": [{"name": "a", "enabled": true, "strategies": [{"name": "custom"}]},
		{"name": "b", "enabled": true, "strategies": [], "dependencies": [{"feature": "a"}]},
		{"name": "c", "enabled": true, "strategies": []}]}`)
	if folder.Refused("a") == "" || !strings.Contains(folder.Refused("b"), `depends on the flag "a"`) ||
		folder.Refused("c") != "" {
		t.Errorf("refused: %v", folder.Plan.Import.Refused)
	}
}

func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("testdata/client-specification/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var spec specification
		if json.Unmarshal(data, &spec) == nil && len(spec.State) < 4000 {
			f.Add([]byte(spec.State))
		}
	}
	importtest.Fuzz(f, Read)
}

// BenchmarkImport imports 5,000 toggles.
func BenchmarkImport(b *testing.B) {
	var features []string
	for i := range 5000 {
		features = append(features,
			fmt.Sprintf(`{"name": "toggle-%d", "project": "p%d", "enabled": true, "strategies": [{"name": "flexibleRollout", "parameters": `+
				`{"rollout": "%d", "stickiness": "default", "groupId": "toggle-%d"}, "constraints": [{"contextName": "country", "operator": "IN", "values": ["DE", "FR"]}]}],
			"variants": [{"name": "a", "weight": 500}, {"name": "b", "weight": 500}]}`, i, i%20, i%101, i))
	}
	data := []byte(`{"features": [` + strings.Join(features, ",") + `]}`)
	dir := b.TempDir()
	for b.Loop() {
		imp, err := Read(data, importer.Options{})
		if err != nil {
			b.Fatal(err)
		}
		plan, err := importer.Make(os.DirFS(dir), dir, imp, false)
		if err != nil || len(plan.Import.Flags) != 5000 {
			b.Fatal(err)
		}
	}
}
