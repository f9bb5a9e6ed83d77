package diff_test

import (
	"testing"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/evaluator"
)

// asked returns a comparison of the city.
func asked(op evaluator.Op, texts ...string) evaluator.Condition {
	return evaluator.Condition{Op: op, Attribute: "city", Strings: texts}
}

func folded(c evaluator.Condition) evaluator.Condition {
	c.Fold = true
	return c
}

// TestVerdictsOfText: what texts have to do with each other decides whether anybody gets a
// different value: in which letter cases they are the same, and what expressions match.
func TestVerdictsOfText(t *testing.T) {
	oneOf, prefix, suffix, contains, matches := evaluator.OpOneOf, evaluator.OpPrefix, evaluator.OpSuffix,
		evaluator.OpContains, evaluator.OpMatches
	both := func(of ...evaluator.Condition) evaluator.Condition { return combine(evaluator.OpAll, of...) }
	without := func(a, b evaluator.Condition) evaluator.Condition { return both(a, combine(evaluator.OpNot, b)) }
	nobody, example, share := diff.VerdictNobody, diff.VerdictExample, diff.VerdictShare
	for _, test := range []struct {
		name     string
		old, new evaluator.Condition
		want     diff.Verdict
	}{
		{"all letter cases of a text", folded(asked(oneOf, "bj")), asked(oneOf, "bj", "bJ", "Bj", "BJ"), nobody},
		{"all letter cases but one", folded(asked(oneOf, "bj")), asked(oneOf, "bj", "Bj", "BJ"), example},
		{"the Kelvin sign", folded(asked(oneOf, "k")), asked(oneOf, "k", "K"), example},
		{"and the Kelvin sign", folded(asked(oneOf, "k")), asked(oneOf, "k", "K", "\u212a"), nobody},
		{"all letter cases of a prefix", folded(asked(prefix, "b")), asked(prefix, "b", "B"), nobody},
		{"one letter case of a prefix", folded(asked(prefix, "bj")), asked(prefix, "bj", "BJ", "Bj"), example},
		{"all letter cases of a suffix", folded(asked(suffix, "b")), asked(suffix, "b", "B"), nobody},
		{"all letter cases within", folded(asked(contains, "b")), asked(contains, "b", "B"), nobody},
		{"one letter case within", folded(asked(contains, "bj")), asked(contains, "bj", "BJ", "Bj"), example},
		{"one letter case with a prefix", both(folded(asked(prefix, "a")), folded(asked(contains, "b"))),
			both(folded(asked(prefix, "a")), asked(contains, "B")), example},
		{"a prefix as an expression", asked(prefix, "b"), asked(matches, "^b"), nobody},
		{"a folded prefix as an expression", folded(asked(prefix, "b")), asked(matches, "(?i)^b"), nobody},
		{"a suffix as an expression", asked(suffix, "b", "c"), asked(matches, "(b|c)$"), nobody},
		{"a text as an expression", asked(oneOf, "b", "ba"), asked(matches, "^b$", `\Aba\z`), nobody},
		{"no text as an expression", asked(oneOf, ""), asked(matches, "^$"), nobody},
		{"a part as an expression", asked(contains, "b", "c", "da"), asked(matches, "b|c|da"), nobody},
		{"a line's beginning", asked(prefix, "b"), asked(matches, "(?m)^b"), example},
		{"a prefix that excludes matches", asked(prefix, "b"),
			without(asked(prefix, "b"), asked(matches, "^[LG].*[SZ]$")), nobody},
		{"a prefix that allows matches", folded(asked(prefix, "g")),
			without(folded(asked(prefix, "g")), asked(matches, "^[LG].*[SZ]$")), example},
		{"a suffix that excludes matches", asked(suffix, "J"),
			without(asked(suffix, "J"), folded(asked(matches, "^[LG].*[SZ]$"))), nobody},
		{"another alternative", folded(asked(contains, "h")),
			combine(evaluator.OpAny, folded(asked(contains, "h")), asked(matches, "[hs].?1")), example},
		{"text within matches", both(folded(asked(contains, "h")), asked(matches, "^G.*S$")),
			both(folded(asked(contains, "h")), asked(matches, "^[LG].*S$")), example},
		{"letters by their numbers", both(asked(contains, "1Bc"), asked(matches, `^1\102\103$`)),
			both(asked(contains, "1Bc"), folded(asked(matches, `^1\102\103$`))), share},
		{"letters by their numbers, and more", both(asked(contains, "1Bc"), asked(matches, `^1\102\103.?$`)),
			both(asked(contains, "1Bc"), folded(asked(matches, `^1\102\103.?$`))), example},
	} {
		t.Run(test.name, func(t *testing.T) {
			for side, pair := range [2][2]evaluator.Condition{{test.old, test.new}, {test.new, test.old}} {
				r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{{
					Old: payloads([]evaluator.Flag{onOff("f", pair[0])}),
					New: payloads([]evaluator.Flag{onOff("f", pair[1])}),
				}}})
				if got := r.Environments[0].Flags[0].Verdict; got != test.want {
					t.Errorf("from side %d: %s, not %s", side, got, test.want)
				}
			}
		})
	}
}
