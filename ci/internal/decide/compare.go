package decide

import (
	"math/big"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// A Verdict is what is known of two flags.
type Verdict struct {
	// Same says that both serve the same to everybody, at any time: it is proved.
	Same bool
	// Shares are of people who are served something else at the present, or if
	// nobody is, at the first time from which on some are; Later those at the
	// time, after that, at which they are the largest. Nobody else is served
	// something else, but for named people. nil: not known.
	Shares, Later []Share
	// Named is how many values of the unit, named in the flags, are served
	// something else, if nobody else is: 0 if others are.
	Named int
	// Aside says that differences are in the past, or of old flags, only.
	Aside bool
	// Examples are contexts that are served something else: several if people are
	// named, and otherwise one, or none if none was found.
	Examples []Example
}

// An Example is a context that two flags serve differently.
type Example struct {
	Context  evaluator.Context
	From, To string // variants
	Timed    bool   // the flags tell times apart
}

// A Share says how many are served something else.
type Share struct {
	// Rule is whose people these are, or "" for those whom no rule serves; Old
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

// Moved returns the part of people that is served something else.
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
	both  node // the number of a pair
	moved node // whether they differ
	pairs []pair
}

type pair struct{ old, new served }

// compare compares the flags at a clock.
func (p *problem) compare(c clock) *comparison {
	b := p.builder(c)
	old, new := b.side(0), b.side(1)
	x := &comparison{builder: b}
	x.moved = b.combine(old, new, func(i, j int) int {
		if p.served[i].outcome != p.served[j].outcome {
			return 1
		}
		return 0
	})
	if x.moved == never {
		return x
	}
	numbers := make(map[pair]int)
	x.both = b.combine(old, new, func(i, j int) int {
		k := pair{p.served[i], p.served[j]}
		n, ok := numbers[k]
		if !ok {
			n = len(x.pairs)
			numbers[k] = n
			x.pairs = append(x.pairs, k)
		}
		return n
	})
	return x
}

// Compare compares two flags.
func (c *Comparer) Compare(old, new Side) Verdict {
	p := c.newProblem(old, new)
	var f findings
	f.limited = !p.complete
	for _, clock := range p.clocks {
		x := p.compare(clock)
		if x.full {
			f.limited = true
			continue
		}
		if x.moved != never {
			f.add(x)
		}
	}
	v := Verdict{Same: len(f.whole) == 0 && !f.limited}
	if !v.Same {
		v.settle(&f, c.now)
	}
	return v
}

// findings are the comparisons that came out different.
type findings struct {
	whole   []*comparison // of all times of a clock
	single  []*comparison // of single times
	limited bool          // there may be differences that weren't found
}

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

// settle finds out what can be said of differences.
func (v *Verdict) settle(f *findings, now int64) {
	var ahead, aside []*comparison
	for _, x := range f.single {
		if x.clock.age == 0 && x.clock.now >= now {
			ahead = append(ahead, x)
		} else {
			aside = append(aside, x)
		}
	}
	most := 1
	for _, x := range f.single {
		x.problem.room = maxSteps // whatever it took to find them
	}
	if !f.limited {
		v.Aside = len(ahead) == 0
		if named, values := namedOnly(f.whole); named {
			v.Named, most = len(values), 3
		} else {
			v.shares(ahead, now)
		}
	}
	if f.full() {
		*v, most = Verdict{}, 1
	}
	if v.Shares != nil {
		return
	}
	for _, x := range slices.Concat(ahead, aside) {
		if v.Examples = x.examples(most); len(v.Examples) > 0 {
			return
		}
	}
}
