package decide

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

var (
	domains = flag.Int("domains", soak.Times(1500, 50_000), "how many random domains to hold to all short texts")
	first   = flag.Uint64("first", 0, "the seed of the first domain")
)

// letters are characters with letter cases of one, two and three bytes, without any, the end of a
// line, and a byte that is no character, beside the character that stands for it.
var letters = []string{"b", "B", "k", "K", "\u212a", "s", "ſ", "京", "1", "\n", "\xe4", "\ufffd"}

// shortTexts returns all texts of up to so many letters.
func shortTexts(most int) []string {
	list := []string{""}
	for from := 0; most > 0; most-- {
		to := len(list)
		for _, text := range list[from:to] {
			for _, letter := range letters {
				list = append(list, text+letter)
			}
		}
		from = to
	}
	return list
}

// TestTextClasses holds the classes of text to their promise: each short text is in one of them.
// A text in no class would be a user that no proof considers.
func TestTextClasses(t *testing.T) {
	all := shortTexts(soak.Times(3, 4))
	complete := 0
	for seed := *first; seed < *first+uint64(*domains); seed++ {
		random := rand.New(rand.NewPCG(seed, 2))
		c := New(0, MaxSteps)
		d := &domain{name: "a", unit: random.IntN(4) == 0}
		for range 1 + random.IntN(4) {
			switch random.IntN(16) {
			case 0: // texts that are too many to be looked at one by one
				long := &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "a", Strings: randomPart(random, all)}
				d.addAtom(c.atom(evaluator.AttrString, long), evaluator.AttrString)
			case 1:
				s := &evaluator.Segment{Include: randomPart(random, all), Exclude: all[:random.IntN(3)]}
				for _, a := range c.segmentAtoms(s) {
					d.addAtom(a, evaluator.AttrString)
				}
			default:
				d.addAtom(c.atom(evaluator.AttrString, randomComparison(random)), evaluator.AttrString)
			}
		}
		if d.build(c); !d.complete {
			continue
		}
		complete++
		known := make(map[classKey]bool)
		for _, class := range d.classes {
			known[classKey{class.sig, class.usable, class.named != nil}] = true
		}
		for _, text := range all {
			v := evaluator.StringValue(text)
			if !known[classKey{d.signature(v), d.unit && canBucket(v), d.unit && d.isNamed(text)}] {
				for _, a := range d.atoms {
					t.Logf("%s %.99s fold=%t", a.cond.Op, fmt.Sprintf("%q", a.cond.Strings), a.cond.Fold)
				}
				t.Fatalf("seed %d: %q is in no class: % x", seed, text, d.signature(v))
			}
		}
	}
	if complete < *domains/2 {
		t.Errorf("of %d domains, only %d are complete", *domains, complete)
	}
}

// randomPart returns somewhat more texts of a list than are looked at one by one.
func randomPart(random *rand.Rand, list []string) []string {
	list = slices.Clone(list[:min(len(list), maxNamed+maxNamed/2)])
	for len(list) > maxNamed+10 {
		i := random.IntN(len(list))
		list = slices.Delete(list, i, i+1)
	}
	return list
}

// randomComparison returns a comparison of text.
func randomComparison(random *rand.Rand) *evaluator.Condition {
	choose := func(list ...string) string { return list[random.IntN(len(list))] }
	text := func() string {
		text := choose(letters...)
		for random.IntN(2) == 0 {
			text += choose(letters...)
		}
		return text
	}
	c := evaluator.Condition{Attribute: "a", Fold: random.IntN(2) == 0, Op: []evaluator.Op{evaluator.OpOneOf,
		evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains, evaluator.OpMatches}[random.IntN(5)]}
	for range 1 + random.IntN(2) {
		if c.Op == evaluator.OpMatches {
			c.Strings = append(c.Strings, randomExpression(choose))
		} else {
			c.Strings = append(c.Strings, text())
		}
	}
	return &c
}

// randomExpression returns a regular expression.
func randomExpression(choose func(...string) string) string {
	text := choose("", "^", "^", "(?i)", "(?i)^", "(?m)^", `\A`, "x|")
	for range 2 {
		text += choose("b", "B", "k", "s", "京", "1", "[bk]", "(b|K)", "(?:bs|1)", "[^b]", ".", ".*", "b?",
			"(?i:k)", "(?i:k)b", "", "", `\102`, `\x{fffd}`, `[b\x{fffd}]`, `\pL`, "(^s|b$)", "bk|s", `\b`)
	}
	return text + choose("", "$", "$", `\z`, "(?m:$)", "|^1", "|k$", "|")
}
