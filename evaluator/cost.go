package evaluator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits on what [Compile] accepts. docs/evaluation.md defines what a comparison is.
const (
	// MaxDepth is how deep conditions may be nested, and how many segments may form a
	// chain in which each refers to the next.
	MaxDepth = 100
	// maxCost limits the comparisons of one segment, and of one flag that others refer
	// to. Like maxFlagCost it includes the segments and flags referred to.
	maxCost = 10_000
	// maxFlagCost limits the comparisons of any flag.
	maxFlagCost = 1_000_000
)

// ErrCost is wrapped by a [CompileError] if evaluation could take too long, or
// forever: a flag or a segment refers to itself, or exceeds a limit.
var ErrCost = errors.New("evaluation could take too long")

// uses is what a flag or a segment itself uses, without what it refers to.
type uses struct {
	comparisons int
	segments    stretch // of compiler.asked
	flags       stretch // of Module.requirements
	chance      bool
	time        bool
}

// A stretch is the part [from, to) of a list.
type stretch struct{ from, to uint32 }

// begin starts recording what a flag or a segment uses, and end returns it.
func (c *compiler) begin() {
	c.uses = uses{segments: stretch{from: uint32(len(c.asked))},
		flags: stretch{from: uint32(len(c.module.requirements))}}
}

func (c *compiler) end() uses {
	c.uses.segments.to = uint32(len(c.asked))
	c.uses.flags.to = uint32(len(c.module.requirements))
	return c.uses
}

// A cost is an upper bound for what a flag or a segment takes to evaluate, whatever
// the context, and what the outcome may depend on.
type cost struct {
	comparisons int
	depth       int // number of segments in the longest chain from here
	state       costState
	chance      bool
	time        bool
	age         bool
}

type costState uint8

const (
	costUnknown costState = iota
	costPending           // it is on the path that led here
	costKnown
	costRefused // it is in error, and so is no upper bound
)

// Limits on the recursion that computes costs. It ignores what is further away, which
// leaves lower bounds. They suffice to refuse the ruleset: a path of that length exceeds
// MaxDepth if it is of segments, and maxCost if it is of flags.
const (
	maxSegmentPath = 2 * MaxDepth
	maxFlagPath    = maxCost
)

// checkCosts refuses flags and segments that refer to themselves or exceed a limit,
// and records what flags depend on.
func (c *compiler) checkCosts() {
	k := costs{c: c, segments: make([]cost, len(c.segmentUses)), flags: make([]cost, len(c.flagUses))}
	for i := range k.segments {
		k.segment(uint32(i))
	}
	for i := range k.flags {
		f := &c.module.flags[i]
		cost := k.flag(uint32(i))
		f.chance, f.time, f.age = cost.chance, cost.time, cost.age
		f.varies = f.chance || f.time || f.age
	}
	c.at = CompileError{}
}

// costs are those computed so far.
type costs struct {
	c               *compiler
	segments, flags []cost
	path            []uint32 // segments or flags, from the first to the one being looked at
}

// refuse records an error that wraps ErrCost.
func (k *costs) refuse(at CompileError, format string, args ...any) {
	k.c.at = at
	k.c.errorf("%w", costError(fmt.Sprintf(format, args...)))
}

// A costError is an ErrCost with a message of its own.
type costError string

func (e costError) Error() string { return string(e) }
func (e costError) Unwrap() error { return ErrCost }

// segment returns the cost of a segment.
func (k *costs) segment(i uint32) cost {
	known := &k.segments[i]
	if known.state != costUnknown {
		return *known
	}
	if len(k.path) == maxSegmentPath {
		return cost{comparisons: 2, depth: 1, state: costKnown}
	}
	known.state = costPending
	k.path = append(k.path, i)
	name := k.segmentName(i)
	uses := &k.c.segmentUses[i]
	total := cost{comparisons: 2 + uses.comparisons, depth: 1, state: costKnown, time: uses.time} // 2: the lists
	for _, next := range k.c.asked[uses.segments.from:uses.segments.to] {
		part := k.segment(next)
		if part.state == costPending {
			k.refuse(CompileError{Segment: name, Reference: k.segmentName(next)},
				"segment %q refers to itself: %s", k.segmentName(next), k.circle(next, k.segmentName))
			continue
		}
		total.add(part)
	}
	k.path = k.path[:len(k.path)-1]
	if total.comparisons = min(total.comparisons, maxCost+1); total.comparisons > maxCost {
		k.refuse(CompileError{Segment: name},
			"the segment takes more than %d comparisons, including the segments it refers to", maxCost)
	}
	if total.depth == MaxDepth+1 { // once, and not again for each segment that leads here
		k.refuse(CompileError{Segment: name},
			"the segment starts a chain of references to other segments that is longer than %d", MaxDepth)
	}
	*known = total
	return total
}

// flag returns the cost of a flag.
func (k *costs) flag(i uint32) cost {
	known := &k.flags[i]
	if known.state != costUnknown {
		return *known
	}
	if len(k.path) == maxFlagPath {
		return cost{comparisons: 1, state: costKnown}
	}
	known.state = costPending
	k.path = append(k.path, i)
	f := &k.c.module.flags[i]
	uses := &k.c.flagUses[i]
	total := cost{comparisons: 1 + uses.comparisons, state: costKnown, chance: uses.chance, time: uses.time, age: f.age}
	for _, next := range k.c.asked[uses.segments.from:uses.segments.to] {
		total.add(k.segment(next))
	}
	for j := uses.flags.from; j < uses.flags.to; j++ {
		if next := k.c.module.requirements[j].flag; next != noFlag {
			k.require(&total, next, k.c.required[j].at)
		}
	}
	k.path = k.path[:len(k.path)-1]
	if total.state == costKnown && total.comparisons > maxFlagCost {
		total.state = costRefused
		k.refuse(CompileError{Flag: f.key},
			"the flag takes more than %d comparisons, including the flags and segments it refers to", maxFlagCost)
	}
	if f.disabled { // its comparisons still count, so that enabling it can't exceed a limit
		total.chance, total.time, total.age = false, false, false
	}
	*known = total
	return total
}

// require adds the cost of a flag that the rule at a place refers to.
func (k *costs) require(total *cost, next uint32, at CompileError) {
	part := k.flag(next)
	at.Reference = k.flagKey(next)
	switch {
	case part.state == costPending:
		k.refuse(at, "flag %q refers to itself: %s", at.Reference, k.circle(next, k.flagKey))
		total.state = costRefused
	case part.state == costRefused: // which has been said
		total.state = costRefused
	case part.comparisons > maxCost:
		k.refuse(at, "flag %q takes more than %d comparisons, including the flags and segments it refers to; "+
			"that is too many for others to refer to it", at.Reference, maxCost)
		total.state = costRefused
	}
	total.add(part)
}

func (k *costs) segmentName(i uint32) string { return k.c.module.segments[i].name }
func (k *costs) flagKey(i uint32) string     { return k.c.module.flags[i].key }

// circle shows the part of the path that leads from first back to first.
func (k *costs) circle(first uint32, name func(uint32) string) string {
	circle := k.path[slices.Index(k.path, first):]
	var names []string
	for i, n := range circle {
		switch {
		case len(circle) <= 10 || i < 9 || i == len(circle)-1:
			names = append(names, name(n))
		case i == 9:
			names = append(names, "…")
		}
	}
	return strings.Join(append(names, name(first)), " → ")
}

// add adds what a part takes, one level deeper.
func (total *cost) add(part cost) {
	total.comparisons = min(total.comparisons+part.comparisons, maxFlagCost+1)
	total.depth = max(total.depth, part.depth+1)
	total.chance = total.chance || part.chance
	total.time = total.time || part.time
	total.age = total.age || part.age
}
