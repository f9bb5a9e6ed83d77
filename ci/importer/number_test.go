package importer

import (
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// compiled are the expressions that holds has compiled.
var compiled = make(map[string]*regexp.Regexp)

// holds evaluates a condition on one text, for tests.
func holds(c Condition, text string) bool {
	switch c.Op {
	case opAll:
		for _, o := range c.Of {
			if !holds(o, text) {
				return false
			}
		}
		return true
	case opAny:
		for _, o := range c.Of {
			if holds(o, text) {
				return true
			}
		}
		return false
	case opNot:
		return !holds(c.Of[0], text)
	case opNumberText:
		return holds(c.matching(), text)
	}
	for _, e := range c.Texts {
		if compiled[e] == nil {
			compiled[e] = regexp.MustCompile(e)
		}
		if compiled[e].MatchString(text) {
			return true
		}
	}
	return false
}

// TestNumbers holds that the expressions order decimal numbers as numbers.
func TestNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func() string {
		s := []string{"", "-", "+", ""}[random.IntN(4)]
		for range 1 + random.IntN(3) {
			s += string(rune('0' + random.IntN(10)))
		}
		if random.IntN(2) == 0 {
			s += "."
			for range 1 + random.IntN(3) {
				s += []string{"0", "5", "9", "1"}[random.IntN(4)]
			}
		}
		return s
	}
	for range 300 {
		constant := draw()
		n, ok := ParseNumber(constant)
		if !ok {
			t.Fatalf("%q is no number", constant)
		}
		want, _ := new(big.Rat).SetString(constant)
		texts := []string{constant, constant + ".", strings.TrimLeft(constant, "+")}
		for range 20 {
			texts = append(texts, draw())
		}
		for _, text := range texts {
			got, ok := new(big.Rat).SetString(strings.TrimSuffix(text, "."))
			if !ok || strings.Count(text, ".") > 1 {
				continue
			}
			order := got.Cmp(want)
			for name, test := range map[string]struct {
				c    Condition
				want bool
			}{
				"=": {CompareText("a", "=", n), order == 0}, ">": {CompareText("a", ">", n), order > 0},
				">=": {CompareText("a", ">=", n), order >= 0},
				"<":  {CompareText("a", "<", n), order < 0}, "<=": {CompareText("a", "<=", n), order <= 0},
			} {
				if holds(test.c, text) != test.want {
					t.Fatalf("%s %s %s isn't %v", text, name, constant, test.want)
				}
			}
		}
	}
	for _, text := range []string{"", "x", "1e3", "0x10", "1,5", "NaN", " 1"} {
		n, _ := ParseNumber("0")
		if holds(CompareText("a", "<", n), text) || holds(CompareText("a", ">=", n), text) {
			t.Errorf("%q counts as a number", text)
		}
	}
}
