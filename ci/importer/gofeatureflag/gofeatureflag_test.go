package gofeatureflag

import (
	"fmt"
	"hash/fnv"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// bucket is the hash of GO Feature Flag, by the standard library.
func bucket(name, key string, total uint32) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name + key))
	return h.Sum32() % total
}

func read(t testing.TB, text string) *importer.Import {
	t.Helper()
	imp, err := Read([]byte(text), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return imp
}

// A want is what GO Feature Flag serves for a context at a time, computed in Go from its
// documented rules, without the importer.
type want func(c map[string]any, at time.Time) string

// is returns the answer for a condition.
func is(condition func(c map[string]any) bool) want {
	return func(c map[string]any, _ time.Time) string {
		if condition(c) {
			return "yes"
		}
		return "no"
	}
}

func text(c map[string]any, name string) (string, bool) {
	s, ok := c[name].(string)
	return strings.ToLower(s), ok
}

func number(c map[string]any, name string) (float64, bool) {
	switch n := c[name].(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// share returns which of three variants a position is in.
func share(name string, total, first, second uint32, names ...string) want {
	return func(c map[string]any, _ time.Time) string {
		switch b := bucket(name, c["key"].(string), total); {
		case b < first:
			return names[0]
		case b < second:
			return names[1]
		}
		return names[2]
	}
}

// wants are the answers for the flags in testdata/flags.yaml.
var wants = map[string]want{
	"eq": is(func(c map[string]any) bool { s, ok := text(c, "country"); return ok && s == "de" }),
	"ne": is(func(c map[string]any) bool { s, ok := text(c, "country"); return ok && s != "de" }),
	"starts-or-ends": is(func(c map[string]any) bool {
		s, ok := text(c, "email")
		return ok && (strings.HasPrefix(s, "admin") || strings.HasSuffix(s, "@example.com"))
	}),
	"contains": is(func(c map[string]any) bool { s, ok := text(c, "email"); return ok && strings.Contains(s, "ann") }),
	"list":     is(func(c map[string]any) bool { s := c["country"]; return s == "DE" || s == "FR" }),
	"age":      is(func(c map[string]any) bool { n, ok := c["age"].(int); return ok && n > 18 && n <= 65 }),
	"not-age":  is(func(c map[string]any) bool { n, ok := c["age"].(int); return ok && n != 18 }),
	"ages": is(func(c map[string]any) bool {
		n, ok := c["age"].(int)
		return ok &&
			(n == 17 || n == 18 || n == 70)
	}),
	"price":     is(func(c map[string]any) bool { n, ok := number(c, "price"); return ok && n < 9.5 }),
	"beta":      is(func(c map[string]any) bool { return c["beta"] == true }),
	"not-beta":  is(func(c map[string]any) bool { return c["beta"] == false }),
	"anonymous": is(func(c map[string]any) bool { return c["anonymous"] != true }),
	"present":   is(func(c map[string]any) bool { return c["email"] != nil && c["beta"] == nil }),
	"version": is(func(c map[string]any) bool {
		switch c["app"] {
		case "2.1.0", "2.10.0", "3.0.0-rc.1":
			return true
		}
		return false
	}),
	// and and or bind equally strongly: (country or age) and beta.
	"precedence": is(func(c map[string]any) bool {
		country, _ := text(c, "country")
		return (country == "de" || c["age"] == 70) && c["beta"] == true
	}),
	"negated": is(func(c map[string]any) bool {
		country, _ := text(c, "country")
		return !(country == "de" || c["age"] == 70)
	}),
	"key": is(func(c map[string]any) bool { return c["key"] == "u-1" || c["key"] == "u-2" }),
	"nested": is(func(c map[string]any) bool {
		plan, _ := c["plan"].(map[string]any)
		s, _ := text(plan, "tier")
		return s == "plus"
	}),
	"multiple": is(func(c map[string]any) bool { s, _ := text(c, "country"); return s == "fr" && c["beta"] == true }),
	"logic": is(func(c map[string]any) bool {
		return c["country"] == "DE" || c["country"] == "FR" && c["key"] != "u-1"
	}),
	"order": func(c map[string]any, _ time.Time) string {
		switch s, _ := text(c, "country"); {
		case c["beta"] == true:
			return "first"
		case s == "de":
			return "third"
		}
		return "none"
	},
	"thirds":    share("thirds", 100_000, 33_500, 66_750, "c", "b", "a"),
	"more":      share("more", 182_000, 91_000, 182_000, "b", "a", "?"),
	"fractions": share("fractions", 100_000, 125, 50_125, "two", "three", "one"),
	"part": func(c map[string]any, _ time.Time) string {
		if s, ok := text(c, "country"); ok && s == "de" {
			return share("part", 100_000, 20_000, 100_000, "yes", "no", "?")(c, time.Time{})
		}
		return "no"
	},
	"by-company": func(c map[string]any, _ time.Time) string {
		if bucket("by-company", c["company"].(string), 100_000) < 40_000 {
			return "yes"
		}
		return "no"
	},
	"rollout": func(c map[string]any, now time.Time) string {
		start, end := at("2026-06-01T00:00:00Z"), at("2026-06-11T00:00:00Z")
		position := bucket("rollout", c["key"].(string), 100_000)
		switch {
		case now.Before(start):
			return "no"
		case now.Before(end):
			if float64(position) < float64(now.Unix()-start.Unix())*(100_000/(10*86400.0)) {
				return "yes"
			}
			return "no"
		}
		return "yes"
	},
	"scheduled": func(c map[string]any, now time.Time) string {
		s, _ := text(c, "country")
		switch {
		case now.Before(at("2026-06-02T00:00:00Z")):
			if s == "de" {
				return "yes"
			}
		case now.Before(at("2026-06-20T00:00:00Z")):
			if s == "fr" {
				return "yes"
			}
		case s == "fr":
			return share("scheduled", 100_000, 30_000, 100_000, "yes", "no", "?")(c, now)
		default:
			return "yes"
		}
		return "no"
	},
}

// contexts are those that the flags are asked for.
func contexts() []map[string]any {
	var list []map[string]any
	countries := []any{"DE", "de", "FR", "us", "", nil}
	ages := []any{17, 18, 19, 65, 66, 70, 18.5, nil}
	emails := []any{"admin@host", "Anna@Example.com", "x@y.z", nil}
	apps := []any{"2.1.0", "2.0.9", "2.10.0", "2.1.0-beta", "3.0.0-rc.1", "3.0.0", nil}
	for i := range 48 {
		c := map[string]any{"key": fmt.Sprintf("u-%d", i), "company": fmt.Sprintf("c-%d", i%11)}
		for name, values := range map[string][]any{"country": countries, "age": ages, "email": emails, "app": apps,
			"beta": {true, false, nil}, "price": {9.49, 9.5, 3, -1.25, nil}, "anonymous": {true, nil, false}} {
			if v := values[i%len(values)]; v != nil {
				c[name] = v
			}
		}
		if i%4 > 0 {
			c["plan"] = map[string]any{"tier": []string{"plus", "free", "Plus"}[i%3]}
		}
		list = append(list, c)
	}
	return list
}

// TestDecisions holds that imported flags serve what GO Feature Flag's documented rules say.
func TestDecisions(t *testing.T) {
	data, err := os.ReadFile("testdata/flags.yaml")
	if err != nil {
		t.Fatal(err)
	}
	imp := read(t, string(data))
	folder := importtest.Import(t, imp)
	for _, r := range imp.Refused {
		t.Errorf("%s is refused: %v", r.Flag, &r.Refusal)
	}
	if len(wants) != len(imp.Flags) {
		t.Errorf("%d of %d flags are asked", len(wants), len(imp.Flags))
	}
	n := 0
	for name, want := range wants {
		for i, c := range contexts() {
			now := at("2026-05-30T12:00:01Z").Add(time.Duration(i) * 13 * time.Hour)
			result, ok := folder.Ask(t, name, c, now)
			if !ok {
				t.Fatalf("there is no flag %s", name)
			}
			expected := want(c, now)
			if n++; result.Variant() != expected {
				t.Errorf("%s at %s for %v: %s, not %s", name, now.Format(time.RFC3339), c, result.Variant(), expected)
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d decisions are compared", n)
	}
}

// TestPublished holds positions that follow from the tests of GO Feature Flag itself
// (modules/core/flag/rule_test.go, MIT licence): with the flag "flagname+", these keys get these
// variations, of which the first are the last by the alphabet.
func TestPublished(t *testing.T) {
	for _, test := range []struct {
		key        string
		total      uint64
		from, upTo uint64
	}{
		{"userkey", 100_000, 0, 9_000},                                     // variation_C of C: 9, B: 91
		{"userkey", 182_000, 91_000, 182_000},                              // variation_B of C: 91, B: 91
		{"randomUserID", 100_000, 70_000, 80_000},                          // variation_C of D: 70, C: 10, B: 20
		{"96ac59e6-7492-436b-b15a-ba1d797d2423", 100_000, 80_000, 100_000}, // variation_B of the same
	} {
		b := evaluator.Bucketing{Salt: "flagname+", Hash: hash, Positions: test.total}
		if p, ok := b.Position(evaluator.StringValue(test.key)); !ok || p < test.from || p >= test.upTo {
			t.Errorf("%s is at %d, not from %d to %d", test.key, p, test.from, test.upTo)
		}
	}
}

// TestNobodyMoves holds that of many users, a million in a soak, none has another variation than
// GO Feature Flag's formulas say.
func TestNobodyMoves(t *testing.T) {
	folder := importtest.Import(t, read(t, `{
		"split": {"variations": {"a": "1", "b": "2", "c": "3"}, "defaultRule": {"percentage": {"a": 33.333, "b": 33.334, "c": 33.333}}},
		"odd": {"variations": {"a": "1", "b": "2"}, "defaultRule": {"percentage": {"a": 0.007, "b": 91}}}}`))
	split, odd := folder.Flags.Flag("split"), folder.Flags.Flag("odd")
	for i := range soak.Times(200_000, 1_000_000) {
		key := fmt.Sprintf("user-%d", i)
		ctx := evaluator.Context{Key: key}
		want := "a"
		switch p := bucket("split", key, 100_000); {
		case p < 33_333:
			want = "c"
		case p < 66_667:
			want = "b"
		}
		if got := split.Evaluate(&ctx).Variant(); got != want {
			t.Fatalf("split: %s has %s, not %s", key, got, want)
		}
		want = "a"
		if bucket("odd", key, 91_007) < 91_000 {
			want = "b"
		}
		if got := odd.Evaluate(&ctx).Variant(); got != want {
			t.Fatalf("odd: %s has %s, not %s", key, got, want)
		}
	}
}

// TestFormats holds that a file says the same in each format.
func TestFormats(t *testing.T) {
	var imports []*importer.Import
	for _, name := range []string{"formats.yaml", "formats.json", "formats.toml"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		imp := read(t, string(data))
		if imports = append(imports, imp); !reflect.DeepEqual(imp, imports[0]) {
			t.Errorf("%s is read as %+v, and formats.yaml as %+v", name, imp.Flags[0], imports[0].Flags[0])
		}
	}
	importtest.Import(t, imports[0])
	for in, want := range map[string]string{
		"":                    "no flags",
		"{}":                  "no flags",
		"- a":                 "neither",
		"[a":                  "neither",
		`{"f": 1}`:            "can't stand here",
		"f: 1":                "reading YAML",
		"f: {variations: 1}":  "reading YAML",
		"f: &a\n  b: *a":      "",
		`{"f": {"variations"`: "incomplete",
	} {
		_, err := Read([]byte(in), importer.Options{})
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, not %s", in, err, want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	query := func(q string) string {
		return fmt.Sprintf(`"targeting": [{"query": %q, "variation": "a"}]`, q)
	}
	for _, test := range []struct{ flag, place, reason string }{
		{`"variations": null`, "variations", "before version 1.0"},
		{`"variations": {"a": 1, "b": "x"}`, "variations[1]", "different types"},
		{`"variations": {"a": null, "b": 1}`, "variations[0]", "null"},
		{`"defaultRule": null`, "defaultRule", "no default rule"},
		{`"defaultRule": {}`, "defaultRule", "neither a variation"},
		{`"defaultRule": {"variation": "x"}`, "defaultRule.variation", `no variation "x"`},
		{`"disable": true`, "disable", "program's code"},
		{`"experimentation": {"end": "2026-12-01T00:00:00Z"}`, "experimentation", "program's code"},
		{`"bucketingKey": "key"`, "bucketingKey", "targeting key"},
		{`"targeting": [{"variation": "a"}]`, "targeting[0].query", "has a query"},
		{`"targeting": [{"query": "a eq 1"}]`, "targeting[0]", "neither a variation"},
		{`"targeting": [{"query": "a eq 1", "variation": "x"}]`, "targeting[0].variation", `no variation "x"`},
		{`"defaultRule": {"percentage": {"x": 100}}`, "defaultRule.percentage.x", "no variation"},
		{`"defaultRule": {"percentage": {"a": -1, "b": 101}}`, "defaultRule.percentage.a", "no percentage"},
		{`"defaultRule": {"percentage": {"a": 0}}`, "defaultRule.percentage", "add up to 0"},
		{`"defaultRule": {"percentage": {}}`, "defaultRule.percentage", "add up to 0"},
		{`"variations": {"a": 1, "b": 2, "c": 3}, "defaultRule": {"percentage": {"a": 33.3, "b": 33.3, "c": 33.4}}`, "defaultRule.percentage", "random order"},
		{`"defaultRule": {"progressiveRollout": {}}`, "defaultRule.progressiveRollout", "are needed"},
		{`"defaultRule": {"progressiveRollout": ` + progress("a", "0", "b", "0.0001") + `}`, "defaultRule.progressiveRollout.end.percentage", "thousandths"},
		{`"defaultRule": {"progressiveRollout": ` + progress("a", "50", "b", "20") + `}`, "defaultRule.progressiveRollout.end.percentage", "shrinks"},
		{`"defaultRule": {"progressiveRollout": ` + progress("a", "0", "x", "20") + `}`, "defaultRule.progressiveRollout", "no variation"},
		{`"targeting": [{"query": "a eq 1", "progressiveRollout": ` + progress("b", "0", "a", "20") + `}],
			"defaultRule": {"progressiveRollout": ` + progress("a", "0", "b", "20") + `}`, "defaultRule.progressiveRollout.initial.variation", "different variations"},
		{`"scheduledRollout": [{"date": "2026-06-01T00:00:00Z", "variations": {"a": 7}}]`, "scheduledRollout[0].variations.a", "one value"},
		{`"scheduledRollout": [{"date": "2026-06-01T00:00:00Z", "disable": true}]`, "scheduledRollout[0].disable", "program's code"},
		{`"scheduledRollout": [{"date": "2026-06-01T00:00:00Z", "targeting": [{"name": "n", "query": "a eq 1", "variation": "a"}]}, {"date": "2026-07-01T00:00:00Z"}]`,
			"scheduledRollout[0].targeting[0]", "another step follows"},
		{query(`a near 1`), "targeting[0].query", "expected an operator"},
		{query(`a  eq 1`), "targeting[0].query", "expected an operator"},
		{query(`a eq 1 AND b eq 1`), "targeting[0].query", "or the end"},
		{query(`a eq x`), "targeting[0].query", "expected a value"},
		{query(`a eq 1e3`), "targeting[0].query", "expected a value"},
		{query(`a eq 9007199254740993`), "targeting[0].query", "2^53"},
		{query(`a gt "x"`), "targeting[0].query", "order of its letters"},
		{query(`a co 1`), "targeting[0].query", "always false"},
		{query(`a gt true`), "targeting[0].query", "always false"},
		{query(`a in 1`), "targeting[0].query", "always false"},
		{query(`a in [1.5]`), "targeting[0].query", "expected a value"},
		{query(`a co 1.2.3`), "targeting[0].query", "always false"},
		{query(`a gt null`), "targeting[0].query", "always false"},
		{query(`(a eq 1`), "targeting[0].query", "closing parenthesis"},
		{query(`in eq 1`), "targeting[0].query", "name of an attribute"},
		{query(strings.Repeat("(", 50) + "a eq 1"), "targeting[0].query", "nest deeper"},
		{query(`{"near": [1]}`), "targeting[0].query.near", "isn't known"},
		{query(`{"==": [{"var": "a"}, 1]`), "targeting[0].query", "operation"},
	} {
		if !strings.HasPrefix(test.flag, `"variations"`) {
			test.flag = `"variations": {"a": 1, "b": 2}, ` + test.flag
		}
		if !strings.Contains(test.flag, `"defaultRule"`) {
			test.flag += `, "defaultRule": {"variation": "b"}`
		}
		imp := read(t, `{"f": {`+test.flag+`}}`)
		if len(imp.Refused) != 1 || imp.Refused[0].Place != "f."+test.place ||
			!strings.Contains(imp.Refused[0].Reason, test.reason) {
			t.Errorf("%s: %v, not %s: %s", test.flag, imp.Refused, test.place, test.reason)
		}
	}
}

func progress(initial, from, end, to string) string {
	return fmt.Sprintf(`{"initial": {"variation": %q, "percentage": %s, "date": "2026-06-01T00:00:00Z"},
		"end": {"variation": %q, "percentage": %s, "date": "2026-06-11T00:00:00Z"}}`, initial, from, end, to)
}

// TestGap holds that positions without a variation, which rounded sums leave, are reported.
func TestGap(t *testing.T) {
	imp := read(t, `{"f": {"variations": {"a": 1, "b": 2}, "defaultRule": {"percentage": {"a": 0.1, "b": 32.3}}}}`)
	if note := imp.Flags[0].Notes[0]; !note.Approximate || !strings.Contains(note.Reason, "1 of 32400 positions") {
		t.Errorf("the report says %+v", note)
	}
	f := importtest.Import(t, imp).Flags.Flag("f")
	percentage := 32.3 // times 1,000, this is less than 32,300
	for i := range 200_000 {
		key, want := fmt.Sprintf("u-%d", i), "b"
		if bucket("f", key, 32_400) >= uint32(percentage*1000) {
			want = "a"
		}
		if got := f.Evaluate(&evaluator.Context{Key: key}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", key, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"flags.yaml", "formats.json", "formats.toml"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("f:\n  variations: {a: 1, b: 2}\n  defaultRule: {percentage: {a: 33.3, b: 66.7}}\n"))
	f.Add([]byte("f: {variations: {a: true, b: false}, defaultRule: {variation: a}, targeting: [{query: 'not (a eq \"x\" or b.c in [1, 2])', variation: b}]}"))
	importtest.Fuzz(f, Read)
}
