package diff_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/evaluator"
)

// A maker makes random flags, and random edits of them.
type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 1))} }

func choose[T any](m maker, list ...T) T { return list[m.IntN(len(list))] }

// boundary returns one of few positions, so that all of them can be gone through.
const cells = 32

func (m maker) boundary() uint64 { return uint64(m.IntN(cells+1)) * (evaluator.Positions / cells) }

func (m maker) ranges(variants int) []evaluator.Range {
	var list []evaluator.Range
	from := uint64(0)
	for from < evaluator.Positions {
		to := m.boundary()
		if m.IntN(3) == 0 {
			to = evaluator.Positions
		}
		if to > from {
			list = append(list, evaluator.Range{From: from, To: to, Variant: m.IntN(variants)})
			from = to
		}
	}
	return list
}

func (m maker) spans() []evaluator.Span {
	for {
		var list []evaluator.Span
		from := m.boundary()
		for from < evaluator.Positions && m.IntN(4) > 0 {
			to := m.boundary()
			if to > from {
				list = append(list, evaluator.Span{From: from, To: to})
				from = min(to+evaluator.Positions/cells, evaluator.Positions)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
}

func (m maker) split(key string, variants int) *evaluator.Split {
	s := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: choose(m, key, key, "shared"), Hash: evaluator.HashMurmur3}}
	if m.IntN(8) == 0 {
		s.By = "device"
	}
	if m.IntN(4) == 0 {
		s.Ramp = &evaluator.Ramp{Variant: m.IntN(variants), Rest: m.IntN(variants), Linear: m.IntN(2) == 0, Points: []evaluator.Point{
			{At: at - 100, Level: m.boundary()}, {At: at, Level: m.boundary()}, {At: at + 100, Level: m.boundary()},
		}}
	} else {
		s.Ranges = m.ranges(variants)
	}
	return s
}

func (m maker) condition(depth int) evaluator.Condition {
	cities := []string{"BJ", "SH", "GZ", "LS", "CD", "XA"}
	m.Shuffle(len(cities), func(i, j int) { cities[i], cities[j] = cities[j], cities[i] })
	if depth > 0 && m.IntN(3) == 0 {
		c := evaluator.Condition{Op: choose(m, evaluator.OpAll, evaluator.OpAny, evaluator.OpNot)}
		for range 1 + m.IntN(3) {
			c.Of = append(c.Of, m.condition(depth-1))
		}
		if c.Op == evaluator.OpNot {
			c.Of = c.Of[:1]
		}
		return c
	}
	switch m.IntN(10) {
	case 0, 1, 2:
		return evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: slices.Clone(cities[:1+m.IntN(4)])}
	case 3:
		return evaluator.Condition{Op: evaluator.OpBetween, Attribute: "uid", Ints: []int64{10, 10 + int64(m.IntN(90))}}
	case 4:
		return evaluator.Condition{Op: evaluator.OpModulo, Attribute: "uid", Ints: []int64{10, int64(m.IntN(10)), int64(m.IntN(10))}}
	case 5:
		return evaluator.Condition{Op: evaluator.OpSemver, Attribute: "version", Strings: []string{choose(m, ">=2.3.0", "<2", ">=1.0.0 <3")}}
	case 6:
		return evaluator.Condition{Op: evaluator.OpCIDR, Attribute: "ip", Strings: []string{choose(m, "10.0.0.0/8", "2001:db8::/32", "192.168.7.0/24")}}
	case 7:
		return evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user", Strings: []string{"staff"}}
	case 8:
		return evaluator.Condition{Op: evaluator.OpAnyOf, Attribute: "tags", Strings: slices.Clone(cities[:1+m.IntN(2)])}
	}
	return evaluator.Condition{
		Op: choose(m, evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains, evaluator.OpMatches), Attribute: "city",
		Strings: []string{choose(m, "B", "H", "^[LG].*[SZ]$")}, Fold: m.IntN(2) == 0,
	}
}

func (m maker) rule(key, name string, variants int) evaluator.Rule {
	r := evaluator.Rule{Name: name, Variant: m.IntN(variants)}
	if m.IntN(3) > 0 {
		c := m.condition(2)
		r.When = &c
	}
	if m.IntN(3) > 0 {
		r.Split = m.split(key, variants)
	}
	return r
}

func (m maker) flag(key string) evaluator.Flag {
	f := evaluator.Flag{Key: key, Type: evaluator.TypeString, Disabled: m.IntN(10) == 0}
	for i := range 2 + m.IntN(2) {
		f.Variants = append(f.Variants, evaluator.Variant{Name: "v" + strconv.Itoa(i), Value: evaluator.StringValue(strconv.Itoa(i))})
	}
	f.Default, f.Off = m.IntN(len(f.Variants)), m.IntN(len(f.Variants))
	if m.IntN(4) == 0 {
		f.Reserved = m.reserved()
	}
	for i := range m.IntN(4) {
		f.Rules = append(f.Rules, m.rule(key, "r"+strconv.Itoa(i), len(f.Variants)))
	}
	return f
}

func (m maker) reserved() *evaluator.Reservation {
	return &evaluator.Reservation{Layer: "page", Bucketing: evaluator.Bucketing{By: "user", Salt: "layer:page", Hash: evaluator.HashMurmur3}, Spans: m.spans()}
}

// edit changes a flag somewhere.
func (m maker) edit(f evaluator.Flag) evaluator.Flag {
	f.Rules = slices.Clone(f.Rules)
	n := len(f.Variants)
	if len(f.Rules) > 0 {
		r := &f.Rules[m.IntN(len(f.Rules))]
		switch m.IntN(7) {
		case 0, 1:
			r.Split = m.split(f.Key, n)
			return f
		case 2:
			c := m.condition(2)
			r.When = &c
			return f
		case 3:
			m.Shuffle(len(f.Rules), func(i, j int) { f.Rules[i], f.Rules[j] = f.Rules[j], f.Rules[i] })
			return f
		case 4:
			f.Rules = f.Rules[1:]
			return f
		}
	}
	switch m.IntN(5) {
	case 0:
		f.Default = m.IntN(n)
	case 1:
		f.Disabled = !f.Disabled
	case 2:
		f.Reserved = m.reserved()
	case 3:
		f.Variants = slices.Clone(f.Variants)
		f.Variants[0].Value = evaluator.StringValue("new")
	default:
		f.Rules = append(f.Rules, m.rule(f.Key, "new", n))
	}
	return f
}

func payloads(flags []evaluator.Flag, staff ...string) []bundle.Payload {
	return []bundle.Payload{{Environment: "test", Namespace: "shop", Ruleset: evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString}, {Name: "device", Type: evaluator.AttrString},
			{Name: "city", Type: evaluator.AttrString}, {Name: "uid", Type: evaluator.AttrInteger},
			{Name: "version", Type: evaluator.AttrSemver}, {Name: "ip", Type: evaluator.AttrIP},
			{Name: "tags", Type: evaluator.AttrList},
		},
		Segments: []evaluator.Segment{{Name: "staff", Include: append([]string{"u-1"}, staff...)}},
		Flags:    flags,
	}}}
}

// pair returns random flags and an edit of each.
func (m maker) pair(n int) diff.Pair {
	var old, new []evaluator.Flag
	for i := range n {
		f := m.flag("flag-" + strconv.Itoa(i))
		old = append(old, f)
		new = append(new, m.edit(f))
	}
	m.Shuffle(len(new), func(i, j int) { new[i], new[j] = new[j], new[i] })
	return diff.Pair{Environment: "test", Old: payloads(old), New: payloads(new)}
}

func compile(t *testing.T, p []bundle.Payload) *evaluator.Program {
	t.Helper()
	program, err := evaluator.Compile(p[0].Ruleset)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// rewritten returns payloads that say the same in another way.
func (m maker) rewritten(p []bundle.Payload) []bundle.Payload {
	set := p[0].Ruleset
	flags := slices.Clone(set.Flags)
	for i := range flags {
		flags[i].Rules = slices.Clone(flags[i].Rules)
		for j := range flags[i].Rules {
			if when := flags[i].Rules[j].When; when != nil {
				c := m.rewrite(*when)
				flags[i].Rules[j].When = &c
			}
		}
	}
	return payloads(flags)
}

func (m maker) rewrite(c evaluator.Condition) evaluator.Condition {
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny, evaluator.OpNot:
		of := make([]evaluator.Condition, len(c.Of))
		for i := range of {
			of[i] = m.rewrite(c.Of[i])
		}
		m.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		c.Of = of
	case evaluator.OpOneOf, evaluator.OpAnyOf:
		c.Strings = append(slices.Clone(c.Strings), c.Strings[0])
		m.Shuffle(len(c.Strings), func(i, j int) { c.Strings[i], c.Strings[j] = c.Strings[j], c.Strings[i] })
	}
	switch m.IntN(4) {
	case 0:
		return evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{c}}
	case 1:
		not := evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{c}}
		return evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{not}}
	}
	return c
}

// TestSelf compares estates with themselves, and with themselves written in
// another way.
func TestSelf(t *testing.T) {
	for seed := range uint64(50) {
		m := newMaker(seed)
		p := m.pair(10).Old
		for _, other := range [][]bundle.Payload{p, m.rewritten(p)} {
			r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{{Old: p, New: other}}, People: 100})
			if !r.Equal() || r.Counted != nil {
				t.Fatalf("seed %d: %+v", seed, r.Environments[0].Flags[0].Edits)
			}
		}
	}
}

// nudge changes a condition a little, deep inside, or not at all.
func (m maker) nudge(c evaluator.Condition) evaluator.Condition {
	if n := len(c.Of); n > 0 {
		c.Of = slices.Clone(c.Of)
		i := m.IntN(n)
		switch {
		case m.IntN(8) == 0 && c.Op != evaluator.OpNot:
			c.Op = evaluator.OpAll + evaluator.OpAny - c.Op
		case m.IntN(8) == 0:
			c.Of[i] = evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{c.Of[i]}}
		case m.IntN(8) == 0 && n > 1:
			c.Of = slices.Delete(c.Of, i, i+1)
		default:
			c.Of[i] = m.nudge(c.Of[i])
		}
		return c
	}
	switch c.Op {
	case evaluator.OpOneOf, evaluator.OpAnyOf:
		if len(c.Strings) > 1 {
			c.Strings = slices.Delete(slices.Clone(c.Strings), 0, 1)
		}
	case evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains, evaluator.OpMatches:
		c.Fold = !c.Fold
	case evaluator.OpModulo:
		c.Ints = []int64{c.Ints[0], c.Ints[2], c.Ints[1]} // the same
	case evaluator.OpBetween:
		c.Ints = []int64{c.Ints[0], c.Ints[1] + int64(m.IntN(2))}
	}
	return c
}

// TestEqualIsEqual holds that flags in which no difference is found that users
// could see, though they were changed and rewritten, serve the same.
func TestEqualIsEqual(t *testing.T) {
	same := 0
	for seed := range uint64(60) {
		m := newMaker(seed)
		p := m.pair(0)
		var flags []evaluator.Flag
		for i := range 10 {
			f := m.flag("flag-" + strconv.Itoa(i))
			flags = append(flags, f)
		}
		p.Old = payloads(flags)
		p.New = m.rewritten(p.Old)
		for i := range p.New[0].Ruleset.Flags {
			for j := range p.New[0].Ruleset.Flags[i].Rules {
				if r := &p.New[0].Ruleset.Flags[i].Rules[j]; r.When != nil {
					c := m.nudge(*r.When)
					r.When = &c
				}
			}
		}
		r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{p}, People: 50})
		old, new := compile(t, p.Old), compile(t, p.New)
		for f := range new.Flags() {
			found := slices.ContainsFunc(r.Environments[0].Flags, func(g diff.Flag) bool { return g.Key == f.Key() })
			if found {
				continue
			}
			same++
			if moved, _ := countMoves(t, p, old.Flag(f.Key()), f, "", 300); len(moved) > 0 {
				t.Errorf("seed %d: %s is said to be the same, but serves %v", seed, f.Key(), moved)
			}
		}
	}
	if same < 50 {
		t.Errorf("only %d flags are the same", same)
	}
}

// TestMirror compares the same pair forth and back.
func TestMirror(t *testing.T) {
	for seed := range uint64(25) {
		p := newMaker(seed).pair(10)
		forth := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{p}, Population: people(500)})
		back := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{{Environment: "test", Old: p.New, New: p.Old}}, Population: people(500)})
		if got, want := moves(back, true), moves(forth, false); !cmp.Equal(got, want) {
			t.Fatalf("seed %d: -forth +back:\n%s", seed, cmp.Diff(want, got))
		}
	}
}

// moves lists the moves of a report, turned round or not.
func moves(r diff.Report, back bool) []string {
	var list []string
	for _, f := range r.Environments[0].Flags {
		for _, g := range f.Groups {
			for _, m := range g.Moves {
				if back {
					m.From, m.To = m.To, m.From
				}
				list = append(list, fmt.Sprintf("%s %q %v %s → %s %v", f.Key, g.Rule, g.Exact, m.From, m.To, m.Share))
			}
		}
	}
	slices.Sort(list)
	return list
}

// TestExact holds exact shares to those of many people, evaluated: of everybody,
// or of those whom a rule is for.
func TestExact(t *testing.T) {
	const n = 8000
	everybody, rules := 0, 0
	for seed := range uint64(40) {
		p := newMaker(seed).pair(8)
		old, new := compile(t, p.Old), compile(t, p.New)
		r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{p}, People: 100})
		for _, f := range r.Environments[0].Flags {
			for _, g := range f.Groups {
				if !g.Exact {
					continue
				}
				if g.Rule == "" {
					everybody++
				} else {
					rules++
				}
				got, total := countMoves(t, p, old.Flag(f.Key), new.Flag(f.Key), g.Rule, n)
				for _, m := range g.Moves {
					key := m.From + m.To
					if off := math.Abs(float64(got[key])/float64(total) - m.Share.Float()); total > 1000 && off > 0.035 {
						t.Errorf("seed %d, %s, rule %q: %s → %s is %v, but %d of %d", seed, f.Key, g.Rule, m.From, m.To, m.Share, got[key], total)
					}
					delete(got, key)
				}
				if total > 1000 && len(got) > 0 {
					t.Errorf("seed %d, %s, rule %q: nobody moves as these do: %v", seed, f.Key, g.Rule, got)
				}
			}
		}
	}
	if everybody < 50 || rules < 30 {
		t.Errorf("only %d groups of everybody and %d of rules were seen", everybody, rules)
	}
}

// countMoves evaluates a flag for people on both sides. With a rule, only those
// count whom it is for: whom no condition before it, but its own, holds for.
func countMoves(t *testing.T, p diff.Pair, old, new *evaluator.CompiledFlag, rule string, n int) (moved map[string]int, total int) {
	t.Helper()
	moved = make(map[string]int)
	m := newMaker(7)
	isFor := compileFirst(t, p.New, new.Key())
	for i := range n {
		ctx := evaluator.Context{Key: "user-" + strconv.Itoa(i), Now: at, Attrs: []evaluator.Attr{
			evaluator.StringAttr("device", "device-"+strconv.Itoa(i)), evaluator.StringAttr("city", choose(m, "BJ", "SH", "GZ", "LS")),
			evaluator.IntAttr("uid", int64(m.IntN(200))), evaluator.StringAttr("version", choose(m, "1.0.0", "2.5.0", "3.1.0")),
			evaluator.StringAttr("ip", choose(m, "10.1.2.3", "192.168.7.9")), evaluator.ListAttr("tags", choose(m, "BJ", "SH")),
		}}
		if rule != "" && isFor.Evaluate(&ctx).Rule() != rule {
			continue
		}
		total++
		a, b := old.Evaluate(&ctx), new.Evaluate(&ctx)
		if a.Variant() != b.Variant() || a.Value() != b.Value() {
			moved[a.Variant()+b.Variant()]++
		}
	}
	return moved, total
}

// compileFirst returns a flag that tells whom each rule is for: without splits and
// layers.
func compileFirst(t *testing.T, p []bundle.Payload, key string) *evaluator.CompiledFlag {
	t.Helper()
	for _, f := range p[0].Ruleset.Flags {
		if f.Key != key {
			continue
		}
		f.Reserved, f.Disabled, f.Rules = nil, false, slices.Clone(f.Rules)
		for i := range f.Rules {
			f.Rules[i].Split = nil
		}
		return compile(t, payloads([]evaluator.Flag{f})).Flag(key)
	}
	t.Fatalf("there is no flag %s", key)
	return nil
}

// TestExactByEnumeration goes through all positions of a split and a layer, in
// steps as wide as ranges begin and end at, and counts: to the last digit it is
// what the ranges say.
func TestExactByEnumeration(t *testing.T) {
	for seed := range uint64(300) {
		m := newMaker(seed)
		old := evaluator.Flag{Key: "f", Type: evaluator.TypeBoolean, Default: m.IntN(2), Variants: []evaluator.Variant{
			{Name: "on", Value: evaluator.BoolValue(true)}, {Name: "off", Value: evaluator.BoolValue(false)},
		}}
		rule := func() []evaluator.Rule {
			return []evaluator.Rule{{Name: "r", Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "f", Hash: evaluator.HashMurmur3}, Ranges: m.ranges(2)}}}
		}
		new := old
		old.Rules, new.Rules = rule(), rule()
		if m.IntN(2) == 0 {
			old.Reserved = m.reserved()
		}
		if m.IntN(2) == 0 {
			new.Reserved = m.reserved()
		}
		serves := func(f evaluator.Flag, layer, split uint64) string {
			if r := f.Reserved; r != nil && !slices.ContainsFunc(r.Spans, func(s evaluator.Span) bool { return s.From <= layer && layer < s.To }) {
				return f.Variants[f.Default].Name
			}
			for _, r := range f.Rules[0].Split.Ranges {
				if split < r.To {
					return f.Variants[r.Variant].Name
				}
			}
			return ""
		}
		want := make(map[string]int)
		const step = evaluator.Positions / cells
		for x := range uint64(cells) {
			for y := range uint64(cells) {
				if a, b := serves(old, x*step, y*step), serves(new, x*step, y*step); a != b {
					want[a+" → "+b]++
				}
			}
		}
		got := make(map[string]int)
		r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{{Old: payloads([]evaluator.Flag{old}), New: payloads([]evaluator.Flag{new})}}})
		for _, f := range r.Environments[0].Flags {
			for _, move := range f.Groups[0].Moves {
				got[move.From+" → "+move.To] = int(move.Share.Float()*cells*cells + 0.001)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("seed %d: of %d cells, -enumerated +exact:\n%s", seed, cells*cells, d)
		}
	}
}

// TestReachedIsCounted holds what is counted of flags of which conditions alone
// differ, or what they refer to, and for most people aren't evaluated, to the
// evaluation of all.
func TestReachedIsCounted(t *testing.T) {
	const n = 600
	seen := 0
	for seed := range uint64(30) {
		m := newMaker(seed)
		var flags []evaluator.Flag
		for i := range 12 {
			f := m.flag("flag-" + strconv.Itoa(i))
			when := m.condition(2)
			if i > 8 {
				when = evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"flag-" + strconv.Itoa(m.IntN(9)), "v0"}}
			}
			f.Rules = append([]evaluator.Rule{{Name: "first", When: &when, Variant: 1}}, f.Rules...)
			flags = append(flags, f)
		}
		var staff []string
		for i := range 40 {
			staff = append(staff, "u-"+strconv.Itoa(i*i%n))
		}
		p := diff.Pair{Environment: "test", Old: payloads(flags), New: payloads(flags, staff...)}
		if m.IntN(2) == 0 {
			p.New[0].Ruleset.Flags = slices.Clone(flags)
			p.New[0].Ruleset.Flags[3] = m.edit(flags[3])
			for i := range 3 { // conditions that differ, in several flags alike
				f := &p.New[0].Ruleset.Flags[i]
				when := m.nudge(*f.Rules[0].When)
				f.Rules = slices.Clone(f.Rules)
				f.Rules[0].When = &when
			}
		}
		r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{p}, Population: people(n)})
		old, new := compile(t, p.Old), compile(t, p.New)
		for f := range new.Flags() {
			want, got := make(map[string]int), make(map[string]int)
			for line := range bytes.Lines(contexts(n)) {
				ctx, err := evaluator.DecodeContext(line)
				if err != nil {
					t.Fatal(err)
				}
				ctx.Now = at
				if a, b := old.Flag(f.Key()).Evaluate(&ctx), f.Evaluate(&ctx); a.Variant() != b.Variant() || a.Value() != b.Value() {
					want[a.Variant()+b.Variant()]++
				}
			}
			i := slices.IndexFunc(r.Environments[0].Flags, func(g diff.Flag) bool { return g.Key == f.Key() })
			if i >= 0 && r.Environments[0].Flags[i].Groups[0].Exact {
				continue
			}
			if i >= 0 {
				seen++
				for _, move := range r.Environments[0].Flags[i].Groups[0].Moves {
					got[move.From+move.To] = int(move.Share.Float()*n + 0.5)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("seed %d, %s: -evaluated +counted:\n%s", seed, f.Key(), d)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d flags were counted", seen)
	}
}
