package evaluator

import (
	"math"
	"math/bits"
	"slices"
)

// A sieve finds the rule of a flag that a context matches. A walk through the instructions
// branches at each comparison, and processors predict such branches badly, since users differ.
// A sieve looks at each attribute once instead, for several rules: which of them does the value
// exclude?
//
// A sieve stops before the first rule that it can't represent, from which a walk goes on.
type sieve struct {
	start uint32 // the instruction at which it replaces a walk; noSieve if there is none
	parts []sievePart
}

const noSieve = math.MaxUint32

// A sievePart is about consecutive rules, as one or more entries for each. An entry is a
// conjunction of comparisons. A rule has one for each way in which its condition can hold.
type sievePart struct {
	attributes []sifted // in the order in which rules compare them
	masks      []uint8  // of texts
	spans      []span   // of numbers
	excluded   uint8    // a bit for each entry that the part doesn't have
	// ways are where an evaluation goes on if an entry is the first that isn't excluded: at what
	// the rule serves or, if the rule also has comparisons that a sieve can't make, at the first of
	// its comparisons. The last way of the last part is where it goes on if all entries are excluded.
	ways [sieveEntries + 1]way
	// decided are how many attributes, in their order, decide whether an entry is excluded.
	// The second half is a single 0: no more are needed if all entries are excluded.
	decided [2 * sieveEntries]uint8
}

const (
	sieveEntries = 8 // bits of a mask
	// sieveParts limits the parts, since a flag may have very many rules, most of which few
	// users come to.
	sieveParts = 8
)

// A sifted is what a sievePart knows about an attribute. If spans is 0, the attribute is a text:
// masks[at+i] are the entries that the symbol base+i excludes, for i below n, and masks[at] those
// that all other symbols exclude. Otherwise so many spans from spans[at] on exclude entries.
type sifted struct {
	rank        uint8 // see Module.ranks
	spans       uint32
	at, base, n uint32
}

// A span excludes entries for all numbers but those from lo to lo+width, modulo 2^64.
type span struct {
	lo, width uint64
	rank      uint8 // of the attribute
	entries   uint8 // mask
}

// mask returns the entries that a symbol of an attribute excludes. Like outside, it has no branches
// that depend on the value.
func (p *sievePart) mask(a *sifted, symbol uint32) (excluded uint8) {
	i := symbol - a.base // wraps around below base
	return p.masks[a.at+i&-uint32(bit(i < a.n))]
}

// outside returns the entries that a number excludes.
func (s *span) outside(n uint64) (excluded uint8) {
	return s.entries & (bit(n-s.lo <= s.width) - 1)
}

// next returns where an evaluation goes on.
func (s *sieve) next(numbers *[memoSize]uint64) *way {
	for i := 0; ; i++ {
		p := &s.parts[i]
		excluded := p.excluded
		for j := range p.attributes {
			a := &p.attributes[j]
			if a.spans == 0 {
				excluded |= p.mask(a, uint32(numbers[a.rank%memoSize]))
			}
		}
		for j := range p.spans {
			excluded |= p.spans[j].outside(numbers[p.spans[j].rank%memoSize])
		}
		// That the last part excludes all is no branch: it would be hard to predict.
		if i == len(s.parts)-1 || excluded != math.MaxUint8 {
			return &p.ways[bits.TrailingZeros8(^excluded)]
		}
	}
}

// find does what next does, for a context of which nothing is known. It looks for one attribute
// after the other, until it knows the entry. It returns nil if a sieve can't represent a value.
func (s *sieve) find(mod *Module, ctx *Context) *way {
	for i := 0; ; i++ {
		p := &s.parts[i]
		entry, ok := p.find(mod, ctx)
		if !ok {
			return nil
		}
		if i == len(s.parts)-1 || entry < sieveEntries {
			return &p.ways[entry]
		}
	}
}

// find returns the first entry that isn't excluded, or sieveEntries.
func (p *sievePart) find(mod *Module, ctx *Context) (entry int, ok bool) {
	excluded := p.excluded
	for j := range p.attributes {
		a := &p.attributes[j]
		r := &mod.ranked[a.rank%memoSize]
		if a.spans == 0 {
			excluded |= p.mask(a, r.symbol(ctx))
		} else if n, ok := r.number(ctx, lastPlace(ctx.Attrs, r.name)); ok {
			for j := range p.spans[a.at : a.at+a.spans] {
				excluded |= p.spans[a.at+uint32(j)].outside(n)
			}
		} else {
			return 0, false
		}
		if entry = bits.TrailingZeros8(^excluded); int(p.decided[entry%len(p.decided)]) <= j+1 {
			return entry, true
		}
	}
	return bits.TrailingZeros8(^excluded), true
}

// symbol returns the symbol of a context's text of an attribute.
func (r *ranked) symbol(ctx *Context) uint32 {
	if r.unit && ctx.Key != "" {
		return r.dictionary.symbol(ctx.Key)
	}
	for i := len(ctx.Attrs) - 1; i >= 0; i-- {
		if a := &ctx.Attrs[i]; sameName(a.Name, r.name) {
			if a.Value.kind != KindString {
				return 0
			}
			return r.dictionary.symbol(a.Value.str)
		}
	}
	return 0
}

// number returns the value at a place of a context as a number: the symbol of a text, 2^63 plus an
// integer, or 1 plus the order of a version. A missing value and one of another type are 0. It isn't ok
// if that is ambiguous.
func (r *ranked) number(ctx *Context, place uint32) (n uint64, ok bool) {
	switch place {
	case 0:
		return 0, true
	case placeKey:
		return uint64(r.dictionary.symbol(ctx.Key)), true
	}
	v := &ctx.Attrs[place-1].Value
	switch {
	case r.typ == AttrString && v.kind == KindString:
		return uint64(r.dictionary.symbol(v.str)), true
	case (r.typ == AttrSemver || r.typ == AttrSemverV) && v.kind == KindString:
		if order, ok := orderOf(v.str, r.typ == AttrSemverV); ok {
			return orderNumber(order), true
		}
		return 0, true
	}
	return intNumber(r.typ, v)
}

// number returns the value of a slot as ranked.number does.
func (s *slot) number(t AttributeType) (n uint64, ok bool) {
	switch {
	case t == AttrString:
		return uint64(s.symbol), true
	case s.isVersion:
		return orderNumber(s.order), true
	}
	return intNumber(t, &s.value)
}

// intNumber returns 2^63 plus an integer, or 0. The least integer isn't ok, because it would be 0 as well.
func intNumber(t AttributeType, v *Value) (n uint64, ok bool) {
	if t != AttrInteger || v.kind != KindInt {
		return 0, true
	}
	n = v.num ^ 1<<63
	return n, n != 0
}

// orderNumber returns the number of a version. No version has the second highest order.
func orderNumber(order uint64) uint64 { return min(order, math.MaxUint64-1) + 1 }

// noRank is the rank of attributes that sieves don't look at.
const noRank = memoSize

// A ranked is an attribute that has a rank, with copies of what the Module says about it.
type ranked struct {
	attribute  uint16
	typ        AttributeType
	unit       bool
	name       string // "" if there are fewer attributes
	dictionary dictionary
}

// rank ranks the attributes that flags compare, by the number of comparisons. Sieves look at the
// first few.
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
		mod.ranked[rank] = ranked{uint16(most), mod.attributes[most].Type, uint16(most) == mod.unit,
			mod.attributes[most].Name, mod.dictionaries[most]}
	}
}
