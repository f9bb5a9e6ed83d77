package evaluator

import (
	"math"
	"math/bits"
	"slices"
)

// A sieve finds the rule of a flag that a [View]'s context matches. A walk through the
// instructions branches at each comparison, and processors predict such branches badly, since
// users differ. A sieve looks at each attribute once instead, for several rules: which of them
// does the value exclude?
//
// A sieve stops before the first rule that it can't represent, from which a walk goes on.
type sieve struct {
	parts     []sievePart
	otherwise uint32 // where a walk goes on if all rules are excluded
}

// A sievePart is about consecutive rules, as one or more entries for each. An entry is a
// conjunction of comparisons. A rule has one for each way in which its condition can hold.
type sievePart struct {
	attributes []sifted
	excluded   uint8 // a bit for each entry that the part doesn't have
	// targets are where a walk goes on if an entry is the first that isn't excluded: at what
	// the rule serves or, if the rule also has comparisons that a sieve can't make, at the
	// first of its comparisons.
	targets [sieveEntries]uint32
}

const (
	sieveEntries = 8 // bits of a mask
	// sieveParts limits the parts, since a flag may have very many rules, most of which few
	// users come to.
	sieveParts = 8
)

// A sifted is what a sievePart knows about an attribute.
type sifted struct {
	rank uint8 // see Module.ranks
	// For a text, masks[i] are the entries that the symbol base+i excludes, and masks[0]
	// those that all other symbols exclude. Otherwise spans do that.
	base  uint32
	masks []uint8
	spans []span
}

// A span excludes entries for all numbers but those from lo to lo+width, modulo 2^64.
type span struct {
	lo, width uint64
	entries   uint8 // mask
}

// next returns the instruction with which a walk goes on.
func (s *sieve) next(numbers *[memoSize]uint64) uint32 {
	for i := range s.parts {
		p := &s.parts[i]
		excluded := p.excluded
		for j := range p.attributes {
			a := &p.attributes[j]
			n := numbers[a.rank%memoSize]
			if len(a.masks) > 0 {
				i := uint32(n) - a.base
				if i >= uint32(len(a.masks)) { // also below base
					i = 0
				}
				excluded |= a.masks[i]
			}
			for k := range a.spans {
				span := &a.spans[k]
				excluded |= span.entries & (bit(n-span.lo <= span.width) - 1)
			}
		}
		if excluded != math.MaxUint8 {
			return p.targets[bits.TrailingZeros8(^excluded)]
		}
	}
	return s.otherwise
}

// number returns a context's value of an attribute as sieves compare it: the symbol of a text,
// 2^63 plus an integer, or 1 plus the order of a version. A missing value and one of another
// type are 0. The least integer isn't ok, because it would be 0 as well.
func (e *evaluation) number(mod *Module, attribute uint16) (n uint64, ok bool) {
	switch mod.attributes[attribute].Type {
	case AttrString:
		return uint64(e.symbol(mod, attribute)), true
	case AttrInteger:
		v := e.value(mod, attribute)
		if v.kind != KindInt {
			return 0, true
		}
		n = v.num ^ 1<<63
		return n, n != 0
	case AttrSemver, AttrSemverV:
		order, ok := e.order(mod, attribute)
		if !ok {
			return 0, true
		}
		return orderNumber(order), true
	}
	return 0, true
}

// orderNumber returns the number of a version. No version has the second highest order.
func orderNumber(order uint64) uint64 { return min(order, math.MaxUint64-1) + 1 }

// noRank is the rank of attributes that Views don't remember.
const noRank = memoSize

// rank ranks the attributes that flags compare, by the number of comparisons. Views remember
// the first few.
func (mod *Module) rank() {
	counts := make([]int, len(mod.attributes))
	for i := range mod.code {
		switch in := &mod.code[i]; in.op {
		case codeServe, codeSplit, codeStale, codePeriod, codeWindow, codeServes, codeTrue, codeFalse:
		default:
			counts[in.attribute]++
		}
	}
	mod.ranks = slices.Repeat([]uint8{noRank}, len(counts))
	for rank := range uint8(noRank) {
		most := 0
		for i, n := range counts {
			if n > counts[most] {
				most = i
			}
		}
		if counts[most] == 0 {
			return
		}
		mod.ranks[most], counts[most] = rank, 0
		mod.ranked = append(mod.ranked, uint16(most))
	}
}
