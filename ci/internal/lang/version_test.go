package lang

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

func TestVersionRange(t *testing.T) {
	for given, want := range map[string]string{
		"^2.3.1":          ">=2.3.1 <3.0.0-0",
		"^2.3":            ">=2.3 <3.0.0-0",
		"^2":              ">=2 <3.0.0-0",
		"^0.2.3":          ">=0.2.3 <0.3.0-0",
		"^0.2":            ">=0.2 <0.3.0-0",
		"^0.0.3":          ">=0.0.3 <0.0.4-0",
		"^0.0.0":          ">=0.0.0 <0.0.1-0",
		"^0.0":            ">=0.0 <0.1.0-0",
		"^0":              ">=0 <1.0.0-0",
		"^0.9.9":          ">=0.9.9 <0.10.0-0",
		"^1.2.3-beta.2":   ">=1.2.3-beta.2 <2.0.0-0",
		"^0.0.3-beta":     ">=0.0.3-beta <0.0.4-0",
		"^2-rc.1":         ">=2-rc.1 <3.0.0-0",
		"^0-rc.1":         ">=0-rc.1 <1.0.0-0",
		"^1.2.3+b7-1.5":   ">=1.2.3+b7-1.5 <2.0.0-0",
		"~1.2.3":          ">=1.2.3 <1.3.0-0",
		"~1.2":            ">=1.2 <1.3.0-0",
		"~1":              ">=1 <2.0.0-0",
		"~0.0.3":          ">=0.0.3 <0.1.0-0",
		"~0":              ">=0 <1.0.0-0",
		"~1.2.3-beta.2":   ">=1.2.3-beta.2 <1.3.0-0",
		"~1.2-x.9.9+9.9.": ">=1.2-x.9.9+9.9. <1.3.0-0",
		// No number of a version is larger than this one.
		"^9999999999999999999":     ">=9999999999999999999",
		"^0.9999999999999999999":   ">=0.9999999999999999999 <1.0.0-0",
		"~1.9999999999999999999.5": ">=1.9999999999999999999.5 <2.0.0-0",
		"^0.0.9999999999999999999": ">=0.0.9999999999999999999 <0.1.0-0",
		"^9999999999999999998.1.2": ">=9999999999999999998.1.2 <9999999999999999999.0.0-0",
	} {
		if got := versionRange(given[:1], given[1:]); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}

// TestVersionRangeMeaning holds the comparisons that ranges become to what the guide says
// of ranges: they hold for versions that are at least v and whose numbers are the same up
// to one of those of v.
func TestVersionRangeMeaning(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	number := func() string {
		return []string{"0", "0", "1", "2", "10", "2097151", "9999999999999999998", "9999999999999999999"}[rnd.IntN(8)]
	}
	version := func(least int) string {
		numbers := make([]string, least+rnd.IntN(4-least))
		for i := range numbers {
			numbers[i] = number()
		}
		return strings.Join(numbers, ".") + []string{"", "", "", "-0", "-0.0", "-1", "-rc.1", "-rc.1+b",
			"+b-1.2"}[rnd.IntN(9)]
	}
	held := 0
	for range 20_000 {
		sign, v, asked := []string{"^", "~"}[rnd.IntN(2)], version(1), version(3)
		want := holds(t, ">="+v, asked) && sameUpTo(sign, v, asked)
		if got := holds(t, versionRange(sign, v), asked); got != want {
			t.Fatalf("%s is in %s%s: got %v, want %v", asked, sign, v, got, want)
		}
		if want {
			held++
		}
	}
	if held < 1000 {
		t.Errorf("only %d of the versions are in the ranges", held)
	}
}

func holds(t *testing.T, constraint, version string) bool {
	t.Helper()
	f, err := evaluator.Condition{Op: evaluator.OpSemver, Strings: []string{constraint}}.Holds(evaluator.AttrSemver)
	if err != nil {
		t.Fatalf("%s: %v", constraint, err)
	}
	return f(evaluator.StringValue(version))
}

// sameUpTo reports whether two versions, the latter with three numbers, agree as a range
// demands.
func sameUpTo(sign, v, asked string) bool {
	numbers := func(s string) []string {
		end := strings.IndexFunc(s, func(r rune) bool { return r == '-' || r == '+' })
		if end >= 0 {
			s = s[:end]
		}
		return strings.Split(s, ".")
	}
	ours, theirs := numbers(v), numbers(asked)
	for i, n := range ours {
		if n != theirs[i] {
			return false
		}
		if sign == "~" && i == 1 || sign == "^" && n != "0" {
			return true
		}
	}
	return true
}
