package lambda

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda/internal/limit"
)

// BenchmarkHostile measures requests of the largest size that cost as much as callers can
// make them, for all of 50 flags, of which half have regular expressions. None may take
// more than 2 ms.
func BenchmarkHostile(b *testing.B) {
	handler := New(newEstate(b, hostileRuleset()).open(b), Config{})
	fill := func(prefix, part, suffix string, limit int) string {
		n := min((defaultMaxBody-len(prefix)-len(suffix))/len(part), limit)
		return prefix + strings.Repeat(part, n) + suffix
	}
	long := strings.Repeat("Mozilla/5.0 (", 78)
	expressions := long[:limit.Matching/25] // half the flags have one
	var names strings.Builder
	for i := range 999 {
		names.WriteString(`,"attribute-` + strconv.Itoa(i) + `":"` + strings.Repeat("x", 40) + `"`)
	}
	for _, test := range []struct{ name, body string }{
		{"usual", `{"context":{"targetingKey":"u-1","city":"shenzhen","agent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"}}`},
		{"members", fill(`{"context":{`, `"a":1,`, `"a":1}}`, 1<<20)},
		{"members of the body", fill(`{`, `"a":1,`, `"a":1}`, 1<<20)},
		{"as many members as may be", fill(`{"context":{"a":1`, `,"city":"x"`, `}}`, 999)},
		{"names", `{"context":{"a":1` + names.String() + `}}`},
		{"list", fill(`{"context":{"tags":[`, `"",`, `""]}}`, 1<<20)},
		{"as long a list as may be", fill(`{"context":{"tags":["a"`, `,"tag-a-tag-a-tag-a-tag-a-tag-a-tag-a"`, `]}}`, 999)},
		{"expressions", `{"context":{"agent":"` + expressions + `"}}`},
		{"text", `{"context":{"agent":"` + long + `","city":"` + long + `"}}`},
		{"escapes", fill(`{"context":{"agent":"`, `\u0041`, `"}}`, limit.Matching/25)},
		{"too many escapes", fill(`{"context":{"agent":"`, `\u0041`, `"}}`, 1<<20)},
		{"digits", fill(`{"context":{"uid":`, `9`, `}}`, 1<<20)},
		{"depth", fill(`{"context":{"a":`, `[`, ``, 1<<20)},
		{"space", fill(`{"context":`, ` `, `{}}`, 1<<20)},
	} {
		b.Run(strings.ReplaceAll(test.name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, flagsPath, strings.NewReader(test.body)))
			}
		})
	}
}

// hostileRuleset is flags with the conditions that cost most for a byte of a context.
func hostileRuleset() evaluator.Ruleset {
	set := evaluator.Ruleset{Unit: "user", Attributes: []evaluator.Attribute{
		{Name: "user", Type: evaluator.AttrString}, {Name: "city", Type: evaluator.AttrString}, {Name: "agent", Type: evaluator.AttrString},
		{Name: "uid", Type: evaluator.AttrInteger}, {Name: "tags", Type: evaluator.AttrList},
	}}
	for i := range 50 {
		n := strconv.Itoa(i)
		when := evaluator.Condition{Op: evaluator.OpMatches, Attribute: "agent",
			Strings: []string{`(?i)(iphone|ipad|android|harmony).*os ` + n + `[._]\d+`}}
		if i%2 == 1 {
			when = evaluator.Condition{Op: evaluator.OpAnyOf, Attribute: "tags",
				Strings: []string{"beta-" + n, "staff"}}
		}
		set.Flags = append(set.Flags, evaluator.Flag{Key: "flag-" + n, Type: evaluator.KindBool,
			Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
				{Name: "on", Value: evaluator.BoolValue(true)}},
			Rules: []evaluator.Rule{{Name: "rule", When: &when, Variant: 1}}})
	}
	return set
}
