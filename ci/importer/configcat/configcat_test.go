package configcat

import (
	"crypto/sha1"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestSDKDecisions replays what ConfigCat's own evaluator for JavaScript served for random
// settings.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/config.json").Replay(t, "testdata/decisions.jsonl")
}

// TestNobodyMoves holds that of many users, a million in a soak, none has another value than
// ConfigCat's formula says.
func TestNobodyMoves(t *testing.T) {
	f := importtest.Text(t, Read, `{"f": {"key": {"t": 1, "v": {"s": "z"}, "p": [
		{"p": 33, "v": {"s": "a"}}, {"p": 0, "v": {"s": "b"}}, {"p": 20, "v": {"s": "c"}}, {"p": 47, "v": {"s": "a"}}]}}}`).Flags.Flag("key")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		digits := fmt.Sprintf("%x", sha1.Sum([]byte("key"+id)))[:7]
		number, err := strconv.ParseUint(digits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		want := "a"
		if bucket := number % 100; 33 <= bucket && bucket < 53 {
			want = "c"
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	user := func(rest string) string {
		return `"r": [{"c": [{"u": {"a": "x", ` + rest + `}}], "s": {"v": {"s": "v"}}}]`
	}
	for _, test := range []struct{ setting, place, reason string }{
		{`"t": 4`, "f.f.t", "from 0 to 3"},
		{`"t": 0`, "f.f.v", "type of the setting"},
		{`"v": "bare"`, "f.f.v", "version 6"},
		{`"v": {"b": true}`, "f.f.v", "type of the setting"},
		{`"t": 2, "v": {"i": 1.5}`, "f.f.v", "whole number"},
		{`"t": 2, "v": {"i": 9007199254740994}`, "f.f.v", "2^53"},
		{`"r": [{"c": []}]`, "f.f.r[0].p", "less than 100"},
		{`"r": [{"s": {"v": {"s": "v"}}, "p": [{"p": 100, "v": {"s": "v"}}]}]`, "f.f.r[0]", "both"},
		{`"p": [{"p": 50, "v": {"s": "v"}}, {"p": 49, "v": {"s": "w"}}]`, "f.f.p", "less than 100"},
		{`"p": [{"p": 33.3, "v": {"s": "v"}}]`, "f.f.p[0].p", "no whole percentage"},
		{`"p": [{"p": -1, "v": {"s": "v"}}]`, "f.f.p[0].p", "no whole percentage"},
		{`"r": [{"c": [{}], "s": {"v": {"s": "v"}}}]`, "f.f.r[0].c[0]", "one condition"},
		{`"r": [{"c": [{"s": {"s": 2, "c": 0}}], "s": {"v": {"s": "v"}}}]`, "f.f.r[0].c[0].s.s", "no such segment"},
		{`"r": [{"c": [{"s": {"s": 0, "c": 2}}], "s": {"v": {"s": "v"}}}]`, "f.f.r[0].c[0].s.c", "unknown comparator"},
		{`"r": [{"c": [{"s": {"s": 0, "c": 0}}], "s": {"v": {"s": "v"}}}]`, "s[0].r[0].c", "hashed"},
		{`"r": [{"c": [{"p": {"f": "none", "c": 0, "v": {"b": true}}}], "s": {"v": {"s": "v"}}}]`, "f.f.r[0].c[0].p.f", `no setting "none"`},
		{`"r": [{"c": [{"p": {"f": "g", "c": 0, "v": {"s": "x"}}}], "s": {"v": {"s": "v"}}}]`, "f.f.r[0].c[0].p.v", "type of the setting"},
		{`"r": [{"c": [{"p": {"f": "f", "c": 0, "v": {"s": "v"}}}], "s": {"v": {"s": "v"}}}]`, "f.f", "refers to itself"},
		{user(`"c": 36`), "f.f.r[0].c[0].u.c", "unknown comparator"},
		{user(`"c": 16, "l": ["x"]`), "f.f.r[0].c[0].u.c", "hashed"},
		{user(`"c": 27, "l": ["x"]`), "f.f.r[0].c[0].u.c", "hashed"},
		{user(`"c": 0, "s": "x"`), "f.f.r[0].c[0].u", "missing"},
		{user(`"c": 6, "s": "1.2"`), "f.f.r[0].c[0].u", "no full semantic version"},
		{user(`"c": 4, "l": ["1.2.3", " "]`), "f.f.r[0].c[0].u", "value 2"},
		{user(`"c": 6, "l": ["1.2.3"]`), "f.f.r[0].c[0].u", "missing"},
		{user(`"c": 10, "s": "5"`), "f.f.r[0].c[0].u.d", "missing"},
		{user(`"c": 10, "d": 1e300`), "f.f.r[0].c[0].u.d", "2^53"},
		{user(`"c": 10, "d": 1e-300`), "f.f.r[0].c[0].u.d", "too many digits"},
	} {
		for _, member := range []string{`"t": 1`, `"v": {"s": "v"}`} {
			if name, _, _ := strings.Cut(member, ":"); !strings.HasPrefix(test.setting, name) &&
				!strings.Contains(test.setting, ", "+name+": {\"i") {
				test.setting += ", " + member
			}
		}
		importtest.Refuses(t, Read, `{"s": [{"n": "s", "r": [{"a": "x", "c": 20, "s": "00"}]}],
			"f": {"f": {`+test.setting+`}, "g": {"t": 0, "v": {"b": true}}}}`,
			test.place, test.reason)
	}
	importtest.Unreadable(t, Read, ``, `{}`, `[]`, `{"f": {}}`, `{"p": {"u": "https://example.com", "r": 1}}`,
		`{"f": 1}`)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"p": {"s": "salt"}, "s": [{"n": "s", "r": [{"a": "Email", "c": 2, "l": ["@x"]}, {"a": "age", "c": 10, "d": 3}]}], "f": {
		"a": {"t": 0, "v": {"b": false}, "a": "Email", "r": [{"c": [{"s": {"s": 0, "c": 1}}, {"u": {"a": "v", "c": 6, "s": "1.2.3"}}], "s": {"v": {"b": true}}}]},
		"b": {"t": 3, "v": {"d": 1.5}, "r": [{"c": [{"p": {"f": "a", "c": 0, "v": {"b": true}}}], "p": [{"p": 100, "v": {"d": 2}}]}]}}}`))
	f.Add([]byte(`{"f": {"a": {"t": 1, "v": {"s": "x"}, "p": [{"p": 50, "v": {"s": "y"}}, {"p": 50, "v": {"s": "z"}}]}}}`))
	importtest.Fuzz(f, Read)
}
