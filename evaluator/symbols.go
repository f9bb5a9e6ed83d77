package evaluator

import (
	"iter"
	"math/bits"
	"slices"
)

// A symbolList is a list of texts that an attribute may have, as the set of their symbols:
// a bit for each or, if the symbols are far apart, the symbols themselves in ascending
// order. Whether it has a symbol takes about the same time however long it is.
type symbolList struct {
	from, n uint32 // bits: words of Module.bits; otherwise symbols of Module.operands
	base    uint32 // bits: the symbol of the first bit
	bits    bool
}

// maxSymbols is the length of the longest list that is compiled to a symbolList. Longer
// ones are lists of IDs, which few flags share: a symbol takes twice the memory of an
// element of an idSet.
const maxSymbols = 1000

func (l *symbolList) has(mod *Module, symbol uint32) bool {
	if l.bits {
		i := symbol - l.base // wraps around below base
		return i/64 < l.n && mod.bits[l.from+i/64]>>(i%64)&1 != 0
	}
	_, found := slices.BinarySearch(mod.operands[l.from:l.from+l.n], symbol)
	return found
}

// all yields the symbols in ascending order.
func (l *symbolList) all(mod *Module) iter.Seq[uint32] {
	if !l.bits {
		return slices.Values(mod.operands[l.from : l.from+l.n])
	}
	return func(yield func(uint32) bool) {
		for i, word := range mod.bits[l.from : l.from+l.n] {
			for ; word != 0; word &= word - 1 {
				if !yield(l.base + uint32(64*i+bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// symbolList returns the index in Module.lists of a list of texts. Lists with the same
// texts mostly share one.
func (c *compiler) symbolList(list []string) uint32 {
	mod := c.module
	from := len(mod.operands)
	for _, text := range list {
		mod.operands = append(mod.operands, c.symbol(text))
	}
	symbols := mod.operands[from:]
	slices.Sort(symbols)
	symbols = slices.Compact(symbols)
	hash := uint64(len(symbols))
	for _, symbol := range symbols {
		hash = mix(hash, uint64(symbol))
	}
	known := &c.recentLists[hash>>(64-recentBits)]
	if int(*known) < len(mod.lists) && slices.Equal(slices.AppendSeq(c.known[:0], mod.lists[*known].all(mod)), symbols) {
		mod.operands = mod.operands[:from]
		return *known
	}
	*known = uint32(len(mod.lists))
	l := symbolList{from: uint32(from), n: uint32(len(symbols))}
	base := symbols[0] / 64
	// Each word takes as much memory as two symbols.
	if words := symbols[len(symbols)-1]/64 - base + 1; words <= l.n/2+2 {
		l = symbolList{from: uint32(len(mod.bits)), n: words, base: 64 * base, bits: true}
		mod.bits = append(mod.bits, make([]uint64, words)...)
		for _, symbol := range symbols {
			i := symbol - l.base
			mod.bits[l.from+i/64] |= 1 << (i % 64)
		}
		symbols = nil
	}
	mod.operands = mod.operands[:from+len(symbols)]
	mod.lists = append(mod.lists, l)
	return *known
}

// eachSymbol yields the symbols that codeIs, codeIn or codeAmong looks for.
func (mod *Module) eachSymbol(in *instr) iter.Seq[uint32] {
	switch in.op {
	case codeIs:
		return func(yield func(uint32) bool) { yield(in.arg) }
	case codeAmong:
		return mod.lists[in.arg].all(mod)
	}
	return slices.Values(mod.operands[in.arg : in.arg+uint32(in.n)])
}
