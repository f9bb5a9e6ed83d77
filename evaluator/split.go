package evaluator

import (
	"math"
	"math/bits"
	"slices"
	"sort"
)

// split compiles a split into s and returns its instruction, without the next ones.
func (c *compiler) split(f *Flag, split *Split, s *serve) (in instr) {
	c.uses.comparisons++
	c.uses.chance = c.uses.chance || split.By == ""
	c.uses.time = c.uses.time || split.Ramp != nil && !split.Ramp.constant()
	in.op = codeSplit
	switch {
	case split.By == "":
		s.kind = splitChance
		if split.Bucketing != (Bucketing{}) {
			c.errorf("a split by chance has no hash, no salt and no number of positions")
		}
	default:
		unit, b := c.bucketing("a split", split.Bucketing)
		in.attribute, s.unit = unit, unit
		if b.Hash != HashMurmur3 {
			in.op, s.kind, s.seed = codeSplitOther, splitOther, c.addBucketing(b)
			break
		}
		s.seed = b.seed
		if split.Salt != f.Key {
			s.salt = name(&c.recentSalts, &c.module.salts, split.Salt)
		}
	}
	switch total := split.Total(); {
	case split.Ramp != nil:
		s.kind |= splitRamp
		if split.Ramp.Guarded {
			s.kind |= splitGuarded
		}
		if len(split.Ranges) > 0 {
			c.errorf("a split has ranges or a ramp, not both")
		}
		s.from = c.ramp(f, split.Ramp, total)
	case s.kind&splitOther != 0:
		s.kind |= splitRanges
		c.checkRanges(split.Ranges, total)
		c.wideRanges(f, split.Ranges, s)
	default:
		s.kind |= splitRanges
		if c.checkRanges(split.Ranges, total) {
			c.ranges(f, split.Ranges, s)
		}
	}
	return in
}

// bucketed is the last valid Bucketing in its compiled form.
type bucketed struct {
	Bucketing
	unit     uint16
	compiled bucketing
}

// bucketing checks and compiles a Bucketing, and also returns the index of the unit. what
// names its purpose in errors.
func (c *compiler) bucketing(what string, b Bucketing) (unit uint16, compiled bucketing) {
	if b == c.bucketed.Bucketing && b.Hash != "" { // often the case within a flag
		return c.bucketed.unit, c.bucketed.compiled
	}
	before := c.count
	if err := b.Check(); err != nil {
		c.errorf("%s: %w", what, err)
	}
	unit, ok := c.attribute(b.By)
	if t := c.module.attributes; !ok || t[unit].Type != AttrString && t[unit].Type != AttrInteger {
		c.errorf("the unit %q of %s is not a declared string or integer attribute", b.By, what)
	}
	if !slices.Contains(c.module.splitters, unit) {
		c.module.splitters = append(c.module.splitters, unit)
	}
	compiled = newBucketing(b)
	if c.count == before { // otherwise report the error wherever it occurs
		c.bucketed = bucketed{b, unit, compiled}
	}
	return unit, compiled
}

// addBucketing returns the index of a bucketing, and appends it if necessary.
func (c *compiler) addBucketing(b bucketing) uint32 {
	all := &c.module.bucketings
	if n := len(*all); n == 0 || (*all)[n-1] != b {
		*all = append(*all, b)
	}
	return uint32(len(*all) - 1)
}

// checkRanges checks that ranges cover all positions in order, and reports whether they do.
func (c *compiler) checkRanges(ranges []Range, total uint64) bool {
	from := uint64(0)
	for _, r := range ranges {
		if r.From != from || r.To <= r.From || r.To > total {
			c.errorf("the ranges of a split do not follow each other")
			return false
		}
		from = r.To
	}
	if from != total || total == 0 {
		c.errorf("the ranges of a split do not cover all positions")
		return false
	}
	return true
}

// wideRanges compiles the ranges of a split that doesn't use HashMurmur3 into s.
func (c *compiler) wideRanges(f *Flag, ranges []Range, s *serve) {
	s.from, s.n = uint32(len(c.module.wide)), uint32(len(ranges))
	for _, r := range ranges {
		c.module.wide = append(c.module.wide, wideRange{r.To, c.variant(f, r.Variant)})
	}
}

// ranges compiles ranges of 2^32 positions into s. Two ranges, the usual number, fit into s
// itself.
func (c *compiler) ranges(f *Flag, ranges []Range, s *serve) {
	mod := c.module
	hash := uint64(0)
	before := len(mod.ends)
	for i, r := range ranges {
		s.last = c.variant(f, r.Variant)
		if i == 0 {
			s.end, s.variant = uint32(r.To-1), s.last
		}
		if len(ranges) > 2 {
			mod.ends = append(mod.ends, uint32(r.To-1))
			mod.picks = append(mod.picks, s.last)
			hash = mix(hash, r.To<<16|uint64(s.last))
		}
	}
	s.n = uint32(len(mod.ends) - before)
	if s.n > 0 {
		s.from = c.shareRanges(before, hash)
	}
}

// shareRanges is like shared, for ranges, which are kept in two parallel arrays.
func (c *compiler) shareRanges(from int, hash uint64) uint32 {
	mod := c.module
	place := &c.recentRanges[hash>>(64-recentBits)]
	if end := int(*place) + len(mod.ends) - from; end <= from &&
		slices.Equal(mod.ends[*place:end], mod.ends[from:]) && slices.Equal(mod.picks[*place:end], mod.picks[from:]) {
		mod.ends, mod.picks = mod.ends[:from], mod.picks[:from]
	} else {
		*place = uint32(from)
	}
	return *place
}

// reserve compiles a reservation, which continues at yes or no, and returns the index of its
// instruction.
func (c *compiler) reserve(r *Reservation, yes, no uint32) uint32 {
	mod := c.module
	unit, b := c.bucketing("a reservation", r.Bucketing)
	from := uint64(0)
	for _, s := range r.Spans {
		if s.From < from || s.To <= s.From || s.To > b.total {
			c.errorf("the spans of a reservation are not in order")
			break
		}
		from = s.To
	}
	if len(r.Spans) == 0 {
		c.errorf("a reservation has no spans")
	}
	mod.reservations = append(mod.reservations, reservation{r.Layer, c.addBucketing(b), slices.Clone(r.Spans)})
	return c.emit(instr{op: codeReserve, attribute: unit, yes: yes, no: no, arg: uint32(len(mod.reservations) - 1)})
}

// A ramp is a compiled Ramp.
type ramp struct {
	points        []Point
	linear        bool
	variant, rest uint16
}

// ramp compiles a ramp and returns its index.
func (c *compiler) ramp(f *Flag, r *Ramp, total uint64) uint32 {
	for i, p := range r.Points {
		if i > 0 && p.At <= r.Points[i-1].At {
			c.errorf("the points of a ramp are not in order")
		}
		if p.Level > total {
			c.errorf("the level of a ramp is more than all positions")
		}
	}
	if len(r.Points) == 0 {
		c.errorf("a ramp has no points")
	}
	compiled := ramp{slices.Clone(r.Points), r.Linear, c.variant(f, r.Variant), c.variant(f, r.Rest)}
	c.module.ramps = append(c.module.ramps, compiled)
	return uint32(len(c.module.ramps) - 1)
}

// constant reports whether the level is the same at all times.
func (r *Ramp) constant() bool { return len(r.Points) == 1 && r.Points[0].At == math.MinInt64 }

// level returns the number of positions that the ramp's variant owns at a time.
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

// pickOther is like pick, for splits that don't use HashMurmur3.
func (mod *Module) pickOther(s *serve, position uint64, now int64) uint16 {
	if s.kind&splitRamp != 0 {
		return mod.ramps[s.from].pick(position, now)
	}
	ranges := mod.wide[s.from : s.from+s.n]
	return ranges[sort.Search(len(ranges)-1, func(i int) bool { return position < ranges[i].to })].variant
}

// pick returns the variant that owns a position at a time.
func (r *ramp) pick(position uint64, now int64) uint16 {
	if position < r.level(now) {
		return r.variant
	}
	return r.rest
}

// either returns the variant that owns a position, of a split into two ranges. It has no branch, which
// would be hard to predict.
func (s *serve) either(position uint32) uint16 {
	first := -uint16(bit(position <= s.end))
	return s.variant&first | s.last&^first
}

// halved is the number of ranges above which pick searches them in a binary search.
const halved = 8

// pick returns the variant that owns a position at a time.
func (mod *Module) pick(s *serve, position uint32, now int64) uint16 {
	if s.kind&splitRamp != 0 {
		return mod.ramps[s.from].pick(uint64(position), now)
	}
	if s.n == 0 {
		return s.either(position)
	}
	ends, before := mod.ends[s.from:s.from+s.n], int(s.from)
	for len(ends) > halved {
		half := len(ends) / 2
		if position > ends[half-1] {
			before += half
			ends = ends[half:]
		} else {
			ends = ends[:half]
		}
	}
	// Compare with all that remain, and without a branch: where to stop would be hard to predict.
	for _, end := range ends {
		before += int(bit(position > end))
	}
	return mod.picks[before]
}
