package evaluator

// uses is what compiling a flag or a segment has found in it.
type uses struct {
	comparisons int     // of its own
	segments    stretch // of compiler.asked
	flags       stretch // of Module.requirements
	chance      bool
	time        bool
}

// A stretch is the part [from, to) of a list.
type stretch struct{ from, to uint32 }

// begin begins to note what a flag or a segment uses, and end ends it.
func (c *compiler) begin() {
	c.uses = uses{segments: stretch{from: uint32(len(c.asked))}, flags: stretch{from: uint32(len(c.module.requirements))}}
}

func (c *compiler) end() uses {
	c.uses.segments.to = uint32(len(c.asked))
	c.uses.flags.to = uint32(len(c.module.requirements))
	return c.uses
}

// A cost is what a question for membership in a segment, or for what a flag
// serves, takes at most, however a context steers it, and what the answer may
// depend on.
type cost struct {
	comparisons int // 0: not known yet
	depth       int // segments in the longest chain from here
	chance      bool
	time        bool
	age         bool
}

// tooMuch is the cost of what is part of a circle, or of too long a chain.
var tooMuch = cost{comparisons: MaxFlagCost + 1}

// checkCosts refuses circles and what takes too long, and notes what flags
// depend on.
func (c *compiler) checkCosts() {
	k := costs{c, make([]cost, len(c.segmentUses)), make([]cost, len(c.flagUses))}
	for i := range k.segments {
		c.at = CompileError{Segment: c.set.Segments[i].Name}
		if k.segment(uint32(i), 1).comparisons > MaxCost {
			c.errorf("it refers to itself in a circle, takes more than %d comparisons, or nests segments deeper than %d", MaxCost, MaxDepth)
		}
	}
	for i := range k.flags {
		f := &c.module.flags[i]
		c.at = CompileError{Flag: f.key}
		cost := k.flag(uint32(i), 1)
		if cost.comparisons > MaxFlagCost {
			c.errorf("it depends on itself in a circle, or takes more than %d comparisons", MaxFlagCost)
		}
		f.chance, f.time, f.age = cost.chance, cost.time, cost.age
		f.varies = f.chance || f.time || f.age
	}
}

// costs are those known so far.
type costs struct {
	c               *compiler
	segments, flags []cost
}

// segment returns the cost of a segment. depth is the number of segments in the
// chain that led here.
func (k *costs) segment(i uint32, depth int) cost {
	if k.segments[i].comparisons != 0 {
		return k.segments[i]
	}
	if depth > MaxDepth {
		return tooMuch
	}
	k.segments[i] = tooMuch // for those that come back here
	uses := &k.c.segmentUses[i]
	total := cost{comparisons: 2 + uses.comparisons, depth: 1, time: uses.time} // the two lists
	for _, s := range k.c.asked[uses.segments.from:uses.segments.to] {
		total.add(k.segment(s, depth+1))
	}
	if total.depth > MaxDepth {
		total = tooMuch
	}
	k.segments[i] = total
	return total
}

// flag returns the cost of a flag. depth is the number of flags in the chain
// that led here; each of them takes a comparison.
func (k *costs) flag(i uint32, depth int) cost {
	if k.flags[i].comparisons != 0 {
		return k.flags[i]
	}
	if depth > MaxCost {
		return tooMuch
	}
	k.flags[i] = tooMuch
	uses := &k.c.flagUses[i]
	f := &k.c.module.flags[i]
	total := cost{comparisons: 1 + uses.comparisons, chance: uses.chance, time: uses.time, age: f.age}
	for _, s := range k.c.asked[uses.segments.from:uses.segments.to] {
		total.add(k.segment(s, 1))
	}
	for _, r := range k.c.module.requirements[uses.flags.from:uses.flags.to] {
		if r.flag == noFlag {
			continue
		}
		required := k.flag(r.flag, depth+1)
		if required.comparisons > MaxCost {
			required = tooMuch
		}
		total.add(required)
	}
	if f.disabled { // whatever it takes counts, so that it can be enabled
		total.chance, total.time, total.age = false, false, false
	}
	k.flags[i] = total
	return total
}

// add adds what part takes, one level deeper.
func (total *cost) add(part cost) {
	total.comparisons = min(total.comparisons+part.comparisons, tooMuch.comparisons)
	total.depth = max(total.depth, part.depth+1)
	total.chance = total.chance || part.chance
	total.time = total.time || part.time
	total.age = total.age || part.age
}
