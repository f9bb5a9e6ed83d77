package evaluator_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// contexts is how many contexts each ruleset is evaluated for.
const contexts = 10

// TestDifferential holds the evaluator against the naive interpreter of
// docs/evaluation.md.
func TestDifferential(t *testing.T) {
	pairs := soak.Times(40_000, 10_000_000)
	pools := newPools()
	var next atomic.Int64
	var mu sync.Mutex
	reasons := make(map[evaluator.Reason]int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			seen := make(map[evaluator.Reason]int)
			for !t.Failed() {
				i := next.Add(1)
				if i > int64(pairs/contexts) {
					break
				}
				g := &generator{next: byRandom(1, uint64(i)), pools: pools}
				if err := compare(g, contexts, seen); err != nil {
					t.Errorf("ruleset %d: %v", i, err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for reason, n := range seen {
				reasons[reason] += n
			}
		})
	}
	workers.Wait()
	if t.Failed() {
		return
	}
	for reason := evaluator.ReasonStatic; reason <= evaluator.ReasonStale; reason++ {
		if reasons[reason] < pairs/50 {
			t.Errorf("the reason %v was given %d times in %d pairs; the generator has lost sight of it", reason,
				reasons[reason], pairs)
		}
	}
}

// FuzzEvaluate does the same with rulesets and contexts that a fuzzer chooses.
func FuzzEvaluate(f *testing.F) {
	for n := range 20 {
		f.Add(randomBytes(200 * n))
	}
	pools := newPools()
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &generator{next: byBytes(data), pools: pools}
		if err := compare(g, 2, make(map[evaluator.Reason]int)); err != nil {
			t.Error(err)
		}
	})
}

// compare generates rulesets and evaluates all their flags for some contexts. It
// counts the reasons.
func compare(g *generator, contexts int, reasons map[evaluator.Reason]int) error {
	sets := g.rulesets()
	program, err := evaluator.Compile(sets...)
	if err != nil {
		return fmt.Errorf("compiling: %w\n%s", err, printed(sets))
	}
	again, err := streamed(sets)
	if err != nil {
		return fmt.Errorf("compiling flag by flag: %w\n%s", err, printed(sets))
	}
	for i := range contexts {
		if i%2 == 1 { // both are to do the same
			program, again = again, program
		}
		if err := compareAll(program, sets, g.context(), i == 0, reasons); err != nil {
			return err
		}
	}
	return nil
}

// compareAll holds what a program answers against the naive interpreter, and if
// explained its explanations.
func compareAll(program *evaluator.Program, sets []evaluator.Ruleset, ctx evaluator.Context, explained bool,
	reasons map[evaluator.Reason]int) error {
	all := make(map[string]answer)
	for f, r := range program.All(&ctx) {
		all[f.Key()] = answerOf(r)
	}
	var view evaluator.View
	view.Set(&ctx)
	for _, set := range sets {
		for _, f := range set.Flags {
			want := naive{set, ctx}.evaluate(f.Key)
			reasons[want.Reason]++
			err := compareFlag(program.Flag(f.Key), ctx, want)
			if err == nil {
				err = differ("through a view", answerOf(view.Evaluate(program.Flag(f.Key))), want)
			}
			if err == nil {
				err = differ("all flags at once", all[f.Key], want)
			}
			if err == nil && explained {
				err = compareTrace(naive{set, ctx}, f, program.Flag(f.Key).Explain(&ctx))
			}
			if err != nil {
				return fmt.Errorf("flag %q: %w\n%s\n%s", f.Key, err, printed(ctx), printed(set))
			}
		}
	}
	return nil
}

// compareFlag holds what the evaluator answers against want.
func compareFlag(f *evaluator.CompiledFlag, ctx evaluator.Context, want answer) error {
	if err := differ("one flag", answerOf(f.Evaluate(&ctx)), want); err != nil {
		return err
	}
	other := ctx
	if !f.UsesChance() {
		other.Chance ^= 1 << 31
	}
	if !f.UsesTime() {
		other.Now ^= 1 << 40
	}
	if !f.UsesAge() {
		other.Age ^= 1 << 40
	}
	return differ("with another time, age and chance, of which it says that it doesn't use them",
		answerOf(f.Evaluate(&other)), want)
}

func answerOf(r evaluator.Result) answer {
	return answer{r.Value(), r.Variant(), r.Rule(), r.Reason(), r.MissingUnit(), r.Metadata()}
}

// differ says where got and want differ.
func differ(how string, got, want answer) error {
	same := got.Value == want.Value && got.Variant == want.Variant && got.Rule == want.Rule &&
		got.Reason == want.Reason &&
		got.Missing == want.Missing && slices.Equal(got.Metadata, want.Metadata)
	if same {
		return nil
	}
	values := cmp.Comparer(func(a, b evaluator.Value) bool { return a == b })
	return fmt.Errorf("%s (-want +got):\n%s", how, cmp.Diff(want, got, values))
}

// printed returns JSON with what isn't ASCII, or not UTF-8, escaped.
func printed(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprintf("%+q", b), `"`), `\"`, `"`)
}

// TestGenerator holds that the generator makes conditions of each operator that
// hold for some of its contexts and not for others.
func TestGenerator(t *testing.T) {
	const rounds = 1000
	pools := newPools()
	for op := evaluator.OpExists; op <= evaluator.OpBucket; op++ {
		hold := 0
		for i := range rounds {
			g := &generator{next: byRandom(2, uint64(i)), pools: pools}
			g.ruleset("f")
			if op == evaluator.OpServes || op == evaluator.OpInSegment {
				g.set.Segments = append(g.set.Segments, evaluator.Segment{Name: "s", Include: pools.units[:10]})
				g.refs = 1
			}
			c := g.comparison(op)
			if c.Op != op {
				t.Fatalf("asked for %v, it makes %v", op, c.Op)
			}
			if (naive{*g.set, g.context()}).holds(c) {
				hold++
			}
		}
		if hold < rounds/100 || hold > rounds-rounds/100 {
			t.Errorf("%v holds %d of %d times", op, hold, rounds)
		}
	}
}

// TestCorners holds what docs/evaluation.md says where it is easily got wrong,
// and seldom tried by chance.
func TestCorners(t *testing.T) {
	window := evaluator.Condition{Op: evaluator.OpWindow, Strings: []string{"zone"}, Ints: []int64{127, 0, 43200}}
	ahead := []evaluator.Zone{{Name: "zone", Offsets: []evaluator.Offset{{Seconds: 86399}}}}
	behind := []evaluator.Zone{{Name: "zone", Offsets: []evaluator.Offset{{Seconds: -86399}}}}
	reserved := &evaluator.Reservation{Bucketing: evaluator.Bucketing{By: "user", Salt: "s",
		Hash: evaluator.HashMurmur3}, Spans: []evaluator.Span{{From: 0, To: 1}}}
	on := evaluator.Rule{Name: "r", When: &window}
	tests := []struct {
		name  string
		zones []evaluator.Zone
		flag  evaluator.Flag
		ctx   evaluator.Context
		want  string
	}{
		// 2^63-1 is 55,807 seconds after midnight, -2^63 30,592.
		{"local time after the last second, 4.18", ahead, evaluator.Flag{Rules: []evaluator.Rule{on}}, evaluator.Context{Now: math.MaxInt64}, "off DEFAULT"},
		{"local time after the last second, 4.18", ahead, evaluator.Flag{Rules: []evaluator.Rule{on}}, evaluator.Context{Now: math.MaxInt64 - 43200}, "on TARGETING_MATCH"},
		{"local time before the first second, 4.18", behind, evaluator.Flag{Rules: []evaluator.Rule{on}}, evaluator.Context{Now: math.MinInt64}, "on TARGETING_MATCH"},
		{"local time before the first second, 4.18", behind, evaluator.Flag{Rules: []evaluator.Rule{on}}, evaluator.Context{Now: math.MinInt64 + 43200}, "off DEFAULT"},
		{"a reservation without rules, 6.1", nil, evaluator.Flag{Reserved: reserved}, evaluator.Context{}, "off STATIC"},
		{"a reservation and the kill switch, 6.1", nil, evaluator.Flag{Reserved: reserved, Disabled: true, Rules: []evaluator.Rule{{Name: "r"}}}, evaluator.Context{}, "on DISABLED"},
		{"a reservation without its unit, 6.2", nil, evaluator.Flag{Reserved: reserved, Rules: []evaluator.Rule{{Name: "r"}}}, evaluator.Context{}, "off DEFAULT user"},
	}
	for _, test := range tests {
		f := test.flag
		f.Key, f.Type, f.Default = "f", evaluator.KindBool, 1
		f.Variants = []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
			{Name: "off", Value: evaluator.BoolValue(false)}}
		set := evaluator.Ruleset{Unit: "user", Attributes: declared(), Zones: test.zones, Flags: []evaluator.Flag{f}}
		p, err := evaluator.Compile(set)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		r := p.Flag("f").Evaluate(&test.ctx)
		n := naive{set, test.ctx}.evaluate("f")
		got := strings.TrimSpace(fmt.Sprint(r.Variant(), " ", r.Reason(), " ", r.MissingUnit()))
		if spec := strings.TrimSpace(fmt.Sprint(n.Variant, " ", n.Reason, " ", n.Missing)); got != test.want ||
			spec != test.want {
			t.Errorf("%s: got %q, the naive interpreter %q, want %q", test.name, got, spec, test.want)
		}
	}
}

// TestFoldTable holds the table in section 4.16 for both.
func TestFoldTable(t *testing.T) {
	for folded, texts := range map[string][]string{
		"k": {"K", "k", "\u212a"}, "s": {"S", "s", "\u017f"}, "Σ": {"Σ", "σ", "ς"}, "ß": {"ß", "ẞ"},
		"\u0130": {"\u0130"}, "\u0131": {"\u0131"}, "\xff": {"\xff"}, "\ufffd": {"\ufffd"}, "i": {"I", "i"},
	} {
		equal := evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{folded}, Fold: true}
		program, _ := verdicts(t, equal, true)
		for _, text := range texts {
			if got := naiveFold(text); got != folded {
				t.Errorf("%+q folds to %+q, want %+q", text, got, folded)
			}
			ctx := evaluator.Context{Attrs: []evaluator.Attr{evaluator.NewAttr("city", text)}}
			if got := program.Flag("f").Evaluate(&ctx).Variant(); got != "on" {
				t.Errorf("%+q does not equal %+q", text, folded)
			}
		}
		for _, text := range []string{"k", "s", "Σ", "ß", "\u0130", "\u0131", "\xff", "\ufffd", "i", "ss"} {
			ctx := evaluator.Context{Attrs: []evaluator.Attr{evaluator.NewAttr("city", text)}}
			if got := program.Flag("f").Evaluate(&ctx).Variant(); (got == "on") != (text == folded) {
				t.Errorf("%+q and %+q: %s", text, folded, got)
			}
		}
	}
}
