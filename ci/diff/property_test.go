package diff_test

import (
	"bytes"
	"flag"
	"math"
	"slices"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/internal/decide"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

func compile(t testing.TB, p []bundle.Payload) *evaluator.Program {
	t.Helper()
	program, err := evaluator.Compile(p[0].Ruleset)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var (
	pairs    = flag.Int("pairs", soak.Times(300, 100_000), "how many random pairs to compare")
	contexts = flag.Int("contexts", soak.Times(300, 1500), "how many random contexts to evaluate for each pair")
	first    = flag.Uint64("first", 0, "the seed of the first pair")
)

// tallies of what TestHonest has seen.
type tallies struct {
	differ, shown    int // flags that differ, and those with a share, names or an example
	alike, proved    int // flags that were edited and don't differ, and those of which it is proved
	groups, measured int // computed shares, and those that were measured
	verdicts         map[diff.Verdict]int
}

// TestHonest compares random pairs with the evaluation of many random contexts: where
// one gets a different value, the verdict is not "nobody", and computed shares are
// those of the contexts, within sampling error.
func TestHonest(t *testing.T) {
	seen := tallies{verdicts: make(map[diff.Verdict]int)}
	for seed := *first; seed < *first+uint64(*pairs); seed++ {
		if honest(t, seed, *contexts, decide.MaxSteps, &seen); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d pairs: %d flags differ, of %d this is shown; %d were edited and don't differ, of %d this is proved; "+
		"%d computed shares, %d measured; %v",
		*pairs, seen.differ, seen.shown, seen.alike, seen.proved, seen.groups, seen.measured, seen.verdicts)
	if seen.shown*100 < seen.differ*99 {
		t.Errorf("of %d flags that differ, only of %d this is shown", seen.differ, seen.shown)
	}
	if seen.proved*100 < seen.alike*95 {
		t.Errorf("of %d flags that don't differ, only of %d this is proved", seen.alike, seen.proved)
	}
}

// TestHonestOfBigFlags does the same with so few steps that small flags are as big ones
// are otherwise: what is shown of them is less, but as true.
func TestHonestOfBigFlags(t *testing.T) {
	seen := tallies{verdicts: make(map[diff.Verdict]int)}
	for seed := *first; seed < *first+uint64(*pairs); seed++ {
		if honest(t, seed, *contexts, 30+int(seed%40)*5, &seen); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d flags differ, of %d this is shown; %d shares, %d measured; %v", seen.differ, seen.shown, seen.groups,
		seen.measured, seen.verdicts)
	if seen.shown*100 < seen.differ*80 {
		t.Errorf("of %d flags that differ, only of %d this is shown", seen.differ, seen.shown)
	}
}

func honest(t *testing.T, seed uint64, count, steps int, seen *tallies) {
	m := newMaker(seed)
	p := m.pair()
	old, new := compile(t, p.Old), compile(t, p.New)
	r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{p}}.WithSteps(steps))
	people := make([]evaluator.Context, count)
	for i := range people {
		people[i] = m.context()
	}
	for f := range new.Flags() {
		a := old.Flag(f.Key())
		i := slices.IndexFunc(r.Environments[0].Flags, func(g diff.Flag) bool { return g.Key == f.Key() })
		verdict := diff.VerdictNobody // of a flag that isn't reported
		if i >= 0 {
			verdict = r.Environments[0].Flags[i].Verdict
		}
		differs := false
		for j := range people {
			x, y := a.Evaluate(&people[j]), f.Evaluate(&people[j])
			if x.Variant() == y.Variant() && x.Value() == y.Value() {
				continue
			}
			differs = true
			if verdict == diff.VerdictNobody {
				t.Errorf("%s: nobody gets a different value, but %+v is: %s → %s", f.Key(), people[j], x.Variant(),
					y.Variant())
				return
			}
		}
		if i < 0 {
			continue
		}
		report := &r.Environments[0].Flags[i]
		if seen.verdicts[verdict]++; verdict == diff.VerdictUnknown && steps == decide.MaxSteps {
			t.Logf("seed %d: nothing is known of %s: %v", seed, f.Key(), report.Edits)
		}
		shown := verdict == diff.VerdictShare || verdict == diff.VerdictNamed || verdict == diff.VerdictExample
		switch {
		case differs || shown:
			seen.differ++
			if shown {
				seen.shown++
			}
		default:
			seen.alike++
			if verdict == diff.VerdictNobody {
				seen.proved++
			}
		}
		for _, e := range report.Examples {
			holdExample(t, a, f, &e)
		}
		for j := range report.Groups {
			seen.groups++
			if holdShare(t, p, f.Key(), &report.Groups[j], people) {
				seen.measured++
			}
		}
	}
}

// holdExample holds an example to its evaluation.
func holdExample(t *testing.T, old, new *evaluator.CompiledFlag, e *diff.Example) {
	x, y := old.Evaluate(&e.Context), new.Evaluate(&e.Context)
	if x.Variant() != e.From || y.Variant() != e.To || x.Variant() == y.Variant() && x.Value() == y.Value() {
		t.Errorf("%s: the example %+v is served %s → %s, not %s → %s", new.Key(), e.Context, x.Variant(),
			y.Variant(), e.From, e.To)
	}
}

// holdShare holds a computed share to contexts: those of its people that no flag names.
// It reports whether there were enough of them.
func holdShare(t *testing.T, p diff.Pair, key string, g *diff.Group, people []evaluator.Context) bool {
	old, new := compile(t, p.Old).Flag(key), compile(t, p.New).Flag(key)
	is := ruleOf(t, p.New, key)
	if g.Old {
		is = ruleOf(t, p.Old, key)
	}
	var not []evaluator.Context
	moved, total := make(map[string]int), 0
	for _, ctx := range people {
		ctx.Age = 0
		ctx.Now = at
		if g.At != 0 {
			ctx.Now = g.At
		}
		if !has(&ctx, g.With, true) || !has(&ctx, g.Without, false) ||
			!g.Everybody && is.Evaluate(&ctx).Variant() != "rule "+g.Rule {
			continue
		}
		a, b := old.Evaluate(&ctx), new.Evaluate(&ctx)
		if isNamed(&ctx) && (len(g.Moves) != 1 || g.Moves[0].Share.Float() < 1) {
			continue // they are too few, and have certain positions
		}
		total++
		if a.Variant() != b.Variant() || a.Value() != b.Value() {
			moved[a.Variant()+" → "+b.Variant()]++
		} else if len(not) < 3 {
			not = append(not, ctx)
		}
	}
	for _, m := range g.Moves {
		key := m.From + " → " + m.To
		share, n := m.Share.Float(), float64(total)
		if off := math.Abs(float64(moved[key]) - share*n); off > 6*math.Sqrt(n*share*(1-share))+1e-6*n+3 ||
			share == 1 && moved[key] != total {
			t.Errorf("of %s, %s is %v, but %d of %d: not %+v", g.Who, key, m.Share, moved[key], total, not)
		}
		delete(moved, key)
	}
	if len(moved) > 0 {
		t.Errorf("of %s, %v move too", g.Who, moved)
	}
	return total > 100
}

// isNamed reports whether a context may be one that a flag names.
func isNamed(ctx *evaluator.Context) bool {
	if slices.Contains(userPool, ctx.Key) {
		return true
	}
	return slices.ContainsFunc(ctx.Attrs, func(a evaluator.Attr) bool {
		text, _ := a.Value.Text()
		n, ok := a.Value.Int()
		return a.Name == "user" && slices.Contains(userPool, text) || ok && (a.Name != "uid" || n < 200)
	})
}

// has reports whether a context has, or doesn't have, units.
func has(ctx *evaluator.Context, units []string, want bool) bool {
	for _, unit := range units {
		v := evaluator.StringValue(ctx.Key)
		if unit != "user" || ctx.Key == "" {
			v = evaluator.Value{}
			for _, a := range ctx.Attrs {
				if a.Name == unit {
					v = a.Value
				}
			}
		}
		if text, _ := v.Text(); (text != "" || v.Kind() == evaluator.KindInt) != want {
			return false
		}
	}
	return true
}

// ruleOf returns a flag that serves the name of the rule that contexts get to.
func ruleOf(t *testing.T, p []bundle.Payload, key string) *evaluator.CompiledFlag {
	t.Helper()
	set := p[0].Ruleset
	set.Flags = slices.Clone(set.Flags)
	i := slices.IndexFunc(set.Flags, func(f evaluator.Flag) bool { return f.Key == key })
	f := set.Flags[i]
	f.Key, f.Reserved, f.Stale, f.Rules = "rule of "+key, nil, nil, slices.Clone(f.Rules)
	f.Type, f.Variants = evaluator.KindString, []evaluator.Variant{{Name: "rule ", Value: evaluator.StringValue("")}}
	f.Default, f.Off = 0, 0
	for j := range f.Rules {
		r := &f.Rules[j]
		r.Variant = len(f.Variants)
		f.Variants = append(f.Variants, evaluator.Variant{Name: "rule " + r.Name, Value: evaluator.StringValue("")})
		if r.Split != nil {
			s := *r.Split
			s.Ramp, s.Ranges = nil, []evaluator.Range{{To: s.Total(), Variant: r.Variant}}
			r.Split = &s
		}
	}
	set.Flags = append(set.Flags, f)
	return compile(t, []bundle.Payload{{Ruleset: set}}).Flag(f.Key)
}

// TestCounted holds counts of a population to the evaluation of each of its people, for
// flags of which conditions alone differ, too: most people needn't be evaluated for these.
func TestCounted(t *testing.T) {
	const n = 200
	counted := 0
	for seed := range uint64(150) {
		p := newMaker(seed).pair()
		old, new := compile(t, p.Old), compile(t, p.New)
		r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{p}, Population: people(n)})
		for _, f := range r.Environments[0].Flags {
			moved := make(map[string]int)
			number := uint64(0)
			for line := range bytes.Lines(lines(n)) {
				ctx, err := evaluator.DecodeContext(line)
				if err != nil {
					t.Fatal(err)
				}
				number++
				ctx.Now, ctx.Chance = at, diff.DrawFor(number)
				a, b := old.Flag(f.Key).Evaluate(&ctx), new.Flag(f.Key).Evaluate(&ctx)
				if a.Variant() != b.Variant() || a.Value() != b.Value() {
					moved[a.Variant()+" → "+b.Variant()]++
				}
			}
			if len(f.Groups) > 0 && !f.Groups[0].Exact {
				counted++
				for _, m := range f.Groups[0].Moves {
					moved[m.From+" → "+m.To] -= int(m.Share.Float()*n + 0.5)
				}
			}
			for move, count := range moved {
				if count != 0 {
					t.Errorf("seed %d, %s: %s by %d more than was counted", seed, f.Key, move, count)
				}
			}
		}
	}
	if counted < 30 {
		t.Errorf("only %d flags were counted", counted)
	}
}
