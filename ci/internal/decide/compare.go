package decide

import (
	"math/big"
	"slices"
	"sync"

	"github.com/serin-flags/serin/evaluator"
)

// A Verdict is what is known of two flags.
type Verdict struct {
	// Same says that both serve the same to everybody, at any time: it is proved.
	Same bool
	// Shares are of people who get a different value at the present, or if
	// nobody is, at the first time from which on some are; Later those at the
	// time, after that, at which they are the largest. Nobody else gets a different
	// value, except named people. nil: not known.
	Shares, Later []Share
	// Named is how many values of the unit, named in the flags, get a different value,
	// if nobody else does: 0 if others do.
	Named int
	// Aside says that differences are in the past, or of old flags, only.
	Aside bool
	// Examples are contexts that get a different value: several if people are
	// named, and otherwise one, or none if none was found.
	Examples []Example
}

// An Example is a context that two flags serve differently.
type Example struct {
	Context  evaluator.Context
	From, To string // variants
	Timed    bool   // the flags tell times apart
}

// A Share says how many get a different value.
type Share struct {
	// Rule is whose people these are, or "" if no rule serves them; Old
	// says that it is one of the old flag's rules. Everybody: of all.
	Rule      string
	Old       bool
	Everybody bool
	// With and Without are attributes that these people have, or don't.
	With, Without []string
	Chance        bool  // it is drawn by chance
	At            int64 // when, if not at the present
	Moves         []Move
	OldRule       int // the rules that served, if all who move had one; else -1
	NewRule       int
}

// A Move is a part of people that was served one variant and will be another.
type Move struct {
	From, To string
	Part     *big.Rat
}

// Moved returns the part of people that gets a different value.
func (s *Share) Moved() *big.Rat {
	sum := new(big.Rat)
	for _, m := range s.Moves {
		sum.Add(sum, m.Part)
	}
	return sum
}

// A comparison is two flags at a clock.
type comparison struct {
	*builder
	moved node // where the outcomes differ
	// both is the number of a pair. It takes long, and shares alone need it.
	both  func() node
	pairs []pair
}

type pair struct{ old, new served }

// compare compares the flags at a clock.
func (p *problem) compare(c clock) *comparison {
	x := &comparison{builder: p.builder(c)}
	x.both = sync.OnceValue(x.pair)
	x.moved = x.builder.moved()
	return x
}

// pair returns the number of a pair of what both sides serve.
func (x *comparison) pair() node {
	numbers := make(map[pair]int)
	return x.combine(x.serves(0), x.serves(1), func(i, j node) (node, bool) {
		if !i.isConstant() || !j.isConstant() {
			return never, false
		}
		k := pair{x.served[i.value()], x.served[j.value()]}
		n, ok := numbers[k]
		if !ok {
			n = len(x.pairs)
			numbers[k] = n
			x.pairs = append(x.pairs, k)
		}
		return constant(n), true
	})
}

// Compare compares two flags.
func (c *Comparer) Compare(old, new Side) Verdict {
	h := c.hide(old, new)
	p := h.problem()
	f := p.differences()
	if f.none() {
		return Verdict{Same: true}
	}
	if len(p.opaques) == 0 {
		v, _ := f.verdict()
		return v
	}
	all := c.newProblem(old, new, nil).differences()
	if all.limited {
		h.addValues(all.problem)
		if v, ok := h.search(f); ok {
			return v
		}
	}
	v, _ := all.verdict()
	return v
}

// findings are the comparisons that came out different.
type findings struct {
	*problem
	whole   []*comparison // of all times of a clock
	single  []*comparison // of single times
	limited bool          // there may be differences that weren't found
	// contradicted are opaque conditions about which a candidate supposed what isn't so.
	contradicted []opaque
}

// differences compares the flags at all clocks.
func (p *problem) differences() *findings {
	f := &findings{problem: p, limited: !p.complete}
	for _, clock := range p.clocks {
		x := p.compare(clock)
		if x.full {
			f.limited = true
			break // there is no room for the others either
		}
		if x.moved != never {
			f.add(x)
		}
	}
	return f
}

// none reports whether it is proved that nothing differs.
func (f *findings) none() bool { return len(f.whole) == 0 && !f.limited }

// add adds a comparison, with those of single times, of which none may differ.
func (f *findings) add(x *comparison) {
	f.whole = append(f.whole, x)
	single := len(f.single)
	for _, t := range x.moments(x.clock) {
		y := x
		if t != x.clock {
			y = x.problem.compare(t)
		}
		switch {
		case y.full:
			f.limited = true
		case y.moved != never:
			f.single = append(f.single, y)
		}
	}
	f.limited = f.limited || single == len(f.single)
}

// moments returns single times of a clock: all, where nothing moves.
func (p *problem) moments(c clock) []clock {
	for _, r := range p.ramps {
		if lo, hi := c.levels(r.ramp); lo != hi {
			middle := c.from + (c.to-c.from)/2
			list := []clock{c.at(c.now), c.at(middle), c.at(c.to - 1)}
			return slices.Compact(list)
		}
	}
	return []clock{c}
}

// full reports whether a diagram is full: then what was made of it may be wrong.
func (f *findings) full() bool {
	return slices.ContainsFunc(slices.Concat(f.whole, f.single), func(x *comparison) bool { return x.full })
}

// verdict says what is known of the differences, and whether that is anything. With
// opaque conditions, differences are real only if there is an example, and named
// people count only if each of them is one.
func (f *findings) verdict() (v Verdict, known bool) {
	if f.none() {
		return Verdict{Same: true}, true
	}
	var ahead, aside []*comparison
	for _, x := range f.single {
		if x.clock.age == 0 && x.clock.now >= f.c.now {
			ahead = append(ahead, x)
		} else {
			aside = append(aside, x)
		}
	}
	f.room = f.c.steps // whatever it took to find them
	most, supposed := 1, len(f.opaques) > 0
	named, values := false, []evaluator.Value(nil)
	if !f.limited {
		if named, values = namedOnly(f.whole); named {
			most = shownNamed
			if supposed {
				most = min(len(values), maxGuesses)
			}
		}
	}
	examples := func() {
		for _, x := range slices.Concat(ahead, aside) {
			if v.Examples = x.examples(most, f); len(v.Examples) > 0 {
				return
			}
		}
	}
	if supposed {
		if examples(); len(v.Examples) == 0 {
			return v, false
		}
	}
	if !f.limited {
		v.Aside = len(ahead) == 0
		switch {
		case !named && (!supposed || v.Examples[0].Context.Now >= f.c.now):
			v.shares(ahead, f.c.now)
		case named && (!supposed || len(v.Examples) == len(values)):
			v.Named = len(values)
		}
	}
	if f.full() {
		v, most = Verdict{Examples: v.Examples}, 1
	}
	if v.Shares == nil && !supposed {
		examples()
	}
	v.Examples = v.Examples[:min(len(v.Examples), shownNamed)]
	return v, v.Shares != nil || len(v.Examples) > 0
}

// shownNamed is how many of the people that flags name are examples.
const shownNamed = 3
