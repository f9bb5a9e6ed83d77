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
	otherwise uint32 // where a walk begins if there are no parts
}

// A sievePart is about consecutive rules, as one or more entries for each. An entry is a
// conjunction of comparisons. A rule has one for each way in which its condition can hold.
type sievePart struct {
	texts    []siftedText
	spans    []span
	masks    []uint8 // of texts
	excluded uint8   // a bit for each entry that the part doesn't have
	// targets are where a walk goes on if an entry is the first that isn't excluded: at what
	// the rule serves or, if the rule also has comparisons that a sieve can't make, at the
	// first of its comparisons. The last is where a walk goes on if all entries are excluded;
	// only the last part has it.
	targets [sieveEntries + 1]uint32
}

const (
	sieveEntries = 8 // bits of a mask
	// sieveParts limits the parts, since a flag may have very many rules, most of which few
	// users come to.
	sieveParts = 8
)

// A siftedText is what a sievePart knows about an attribute that is a text: masks[at+i] are
// the entries that the symbol base+i excludes, for i below n, and masks[at] those that all
// other symbols exclude.
type siftedText struct {
	rank        uint8 // see Module.ranks
	base, n, at uint32
}

// A span excludes entries for all numbers but those from lo to lo+width, modulo 2^64.
type span struct {
	lo, width uint64
	rank      uint8 // see Module.ranks
	entries   uint8 // mask
}

// next returns the instruction with which a walk goes on. It has no branches that depend on the
// numbers, as long as there is one part.
func (s *sieve) next(numbers *[memoSize]uint64) uint32 {
	for i := range s.parts {
		p := &s.parts[i]
		excluded, masks := p.excluded, p.masks
		for j := range p.texts {
			t := &p.texts[j]
			i := uint32(numbers[t.rank%memoSize]) - t.base // wraps around below base
			i &= -uint32(bit(i < t.n))
			excluded |= masks[t.at+i]
		}
		for j := range p.spans {
			span := &p.spans[j]
			inside := bit(numbers[span.rank%memoSize]-span.lo <= span.width)
			excluded |= span.entries & (inside - 1)
		}
		if i == len(s.parts)-1 || excluded != math.MaxUint8 {
			return p.targets[bits.TrailingZeros8(^excluded)]
		}
	}
	return s.otherwise
}

// number returns a value of an attribute as sieves compare it: the symbol of a text, 2^63
// plus an integer, or 1 plus the order of a version. A missing value and one of another type
// are 0. The least integer isn't ok, because it would be 0 as well.
func (mod *Module) number(attribute uint16, v Value) (n uint64, ok bool) {
	switch t := mod.attributes[attribute].Type; {
	case t == AttrString && v.kind == KindString:
		return uint64(mod.dictionaries[attribute].symbol(v.str)), true
	case t == AttrInteger && v.kind == KindInt:
		n = v.num ^ 1<<63
		return n, n != 0
	case (t == AttrSemver || t == AttrSemverV) && v.kind == KindString:
		if order, ok := orderOf(v.str, t == AttrSemverV); ok {
			return orderNumber(order), true
		}
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
