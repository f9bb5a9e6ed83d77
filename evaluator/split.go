package evaluator

import (
	"math/bits"
	"slices"
)

// split compiles a split into s and returns the index of its unit.
func (c *compiler) split(f *Flag, split *Split, s *serve) (unit uint16) {
	c.uses.comparisons++
	c.uses.chance = c.uses.chance || split.By == ""
	c.uses.time = c.uses.time || split.Ramp != nil
	if split.By == "" {
		s.kind = splitChance
		if split.Bucketing != (Bucketing{}) {
			c.errorf("a split by chance has no hash, no salt and no number of positions")
		}
	} else {
		unit, s.seed = c.bucketing("a split", split.Bucketing)
		s.unit = unit
		if split.Salt != f.Key {
			s.salt = c.symbol(split.Salt)
		}
	}
	if split.Ramp != nil {
		s.kind |= splitRamp
		if len(split.Ranges) > 0 {
			c.errorf("a split has ranges or a ramp, not both")
		}
		s.from = c.ramp(f, split.Ramp)
	} else {
		s.kind |= splitRanges
		c.ranges(f, split.Ranges, s)
	}
	return unit
}

// bucketed is the valid Bucketing that was met last, and what came of it.
type bucketed struct {
	Bucketing
	unit uint16
	seed uint32
}

// bucketing checks a Bucketing, and returns the index of the unit and the seed.
// what is what it is for.
func (c *compiler) bucketing(what string, b Bucketing) (unit uint16, seed uint32) {
	if b == c.bucketed.Bucketing && b.Hash != "" { // as in all rules of a flag
		return c.bucketed.unit, c.bucketed.seed
	}
	before := c.count
	if err := b.Check(); err != nil {
		c.errorf("%s: %w", what, err)
	} else if b.Hash != HashMurmur3 {
		c.errorf("the hash %q is not known; a newer version may know it", b.Hash)
	}
	unit, ok := c.attribute(b.By)
	if t := c.unit.attributes; !ok || t[unit].Type != AttrString && t[unit].Type != AttrInteger {
		c.errorf("the unit %q of %s is not a declared string or integer attribute", b.By, what)
	}
	if !slices.Contains(c.unit.splitters, unit) {
		c.unit.splitters = append(c.unit.splitters, unit)
	}
	seed = seedOf(b.Salt)
	if c.count == before { // or else it is an error in each of them
		c.bucketed = bucketed{b, unit, seed}
	}
	return unit, seed
}

// ranges compiles ranges into s. Most splits have two, and need no more than s.
func (c *compiler) ranges(f *Flag, ranges []Range, s *serve) {
	u := c.unit
	var from, hash uint64
	before := len(u.ends)
	for i, r := range ranges {
		if r.From != from || r.To <= r.From || r.To > Positions {
			c.errorf("the ranges of a split do not follow each other")
			return
		}
		from = r.To
		s.last = c.variant(f, r.Variant)
		if i == 0 {
			s.end, s.variant = uint32(r.To-1), s.last
		}
		if len(ranges) > 2 {
			u.ends = append(u.ends, uint32(r.To-1))
			u.picks = append(u.picks, s.last)
			hash = mix(hash, r.To<<16|uint64(s.last))
		}
	}
	s.n = uint32(len(u.ends) - before)
	if s.n > 0 {
		s.from = c.shareRanges(before, hash)
	}
	if from != Positions {
		c.errorf("the ranges of a split do not cover all positions")
	}
}

// shareRanges is shared for ranges, whose ends and picks stand side by side.
func (c *compiler) shareRanges(from int, hash uint64) uint32 {
	u := c.unit
	place := &c.recentRanges[hash>>(64-recentBits)]
	if end := int(*place) + len(u.ends) - from; end <= from &&
		slices.Equal(u.ends[*place:end], u.ends[from:]) && slices.Equal(u.picks[*place:end], u.picks[from:]) {
		u.ends, u.picks = u.ends[:from], u.picks[:from]
	} else {
		*place = uint32(from)
	}
	return *place
}

// reserve compiles a reservation, which goes on at yes or no, and returns where
// it starts.
func (c *compiler) reserve(r *Reservation, yes, no uint32) uint32 {
	u := c.unit
	unit, seed := c.bucketing("a reservation", r.Bucketing)
	from := uint64(0)
	for _, s := range r.Spans {
		if s.From < from || s.To <= s.From || s.To > Positions {
			c.errorf("the spans of a reservation are not in order")
			break
		}
		from = s.To
	}
	if len(r.Spans) == 0 {
		c.errorf("a reservation has no spans")
	}
	u.reservations = append(u.reservations, reservation{layer: r.Layer, salt: r.Salt, seed: seed, spans: slices.Clone(r.Spans)})
	return c.emit(instr{op: codeReserve, attribute: unit, yes: yes, no: no, arg: uint32(len(u.reservations) - 1)})
}

// A ramp is a compiled Ramp.
type ramp struct {
	points        []Point
	linear        bool
	variant, rest uint16
}

// ramp compiles a ramp and returns where it stands.
func (c *compiler) ramp(f *Flag, r *Ramp) uint32 {
	for i, p := range r.Points {
		if i > 0 && p.At <= r.Points[i-1].At {
			c.errorf("the points of a ramp are not in order")
		}
		if p.Level > Positions {
			c.errorf("the level of a ramp is more than all positions")
		}
	}
	if len(r.Points) == 0 {
		c.errorf("a ramp has no points")
	}
	c.unit.ramps = append(c.unit.ramps, ramp{slices.Clone(r.Points), r.Linear, c.variant(f, r.Variant), c.variant(f, r.Rest)})
	return uint32(len(c.unit.ramps) - 1)
}

// level returns how many positions the ramp's variant owns at a time.
func (r *ramp) level(now int64) uint64 {
	i, exact := slices.BinarySearchFunc(r.points, now, func(p Point, now int64) int {
		switch {
		case p.At < now:
			return -1
		case p.At > now:
			return 1
		}
		return 0
	})
	if exact {
		return r.points[i].Level
	}
	if i == 0 {
		return 0
	}
	a := r.points[i-1]
	if !r.linear || i == len(r.points) {
		return a.Level
	}
	b := r.points[i]
	// Differences of two int64 fit a uint64.
	done, whole := uint64(now)-uint64(a.At), uint64(b.At)-uint64(a.At)
	if a.Level <= b.Level {
		return a.Level + part(b.Level-a.Level, done, whole)
	}
	return a.Level - part(a.Level-b.Level, done, whole)
}

// part returns n·done/whole, rounded down, for done < whole.
func part(n, done, whole uint64) uint64 {
	hi, lo := bits.Mul64(n, done)
	q, _ := bits.Div64(hi, lo, whole)
	return q
}

// halved is the number of ranges above which half of them are left out at once.
const halved = 8

// pick returns the variant that owns a position.
func (u *Module) pick(s *serve, position uint32, now int64) uint16 {
	if s.kind&splitRamp != 0 {
		r := &u.ramps[s.from]
		if uint64(position) < r.level(now) {
			return r.variant
		}
		return r.rest
	}
	if s.n == 0 {
		if position <= s.end {
			return s.variant
		}
		return s.last
	}
	ends, before := u.ends[s.from:s.from+s.n], int(s.from)
	for len(ends) > halved {
		half := len(ends) / 2
		if position > ends[half-1] {
			before += half
			ends = ends[half:]
		} else {
			ends = ends[:half]
		}
	}
	// Of few all are counted, for where to stop can't be guessed.
	for _, end := range ends {
		if position > end {
			before++
		}
	}
	return u.picks[before]
}
