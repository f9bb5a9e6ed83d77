package evaluator

import (
	"math"
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

// append appends the symbols in ascending order.
func (l *symbolList) append(symbols []uint32, mod *Module) []uint32 {
	if !l.bits {
		return append(symbols, mod.operands[l.from:l.from+l.n]...)
	}
	for i, word := range mod.bits[l.from : l.from+l.n] {
		for ; word != 0; word &= word - 1 {
			symbols = append(symbols, l.base+uint32(64*i+bits.TrailingZeros64(word)))
		}
	}
	return symbols
}

// symbolList returns the index in Module.lists of a list of an attribute's texts. Lists of the
// same symbols mostly share one.
func (c *compiler) symbolList(attribute uint16, list []string) uint32 {
	c.symbols = c.symbols[:0]
	least, most := uint32(math.MaxUint32), uint32(0)
	for _, text := range list {
		symbol := c.symbol(attribute, text)
		least, most = min(least, symbol), max(most, symbol)
		c.symbols = append(c.symbols, symbol)
	}
	// Each word of bits takes as much memory as two symbols.
	if words := most/64 - least/64 + 1; int(words) <= len(list)/2+2 {
		return c.bitList(least/64*64, words)
	}
	return c.sortedList()
}

// bitList is symbolList for c.symbols as bits.
func (c *compiler) bitList(base, words uint32) uint32 {
	mod := c.module
	from := len(mod.bits)
	mod.bits = append(mod.bits, make([]uint64, words)...)
	bits := mod.bits[from:]
	for _, symbol := range c.symbols {
		i := symbol - base
		bits[i/64] |= 1 << (i % 64)
	}
	hash := uint64(base)
	for _, word := range bits {
		hash = mix(hash, word)
	}
	l := symbolList{from: uint32(from), n: words, base: base, bits: true}
	known, same := c.recentList(hash)
	if same && known.bits && known.base == base && slices.Equal(mod.bits[known.from:known.from+known.n], bits) {
		mod.bits = mod.bits[:from]
		return c.recentLists[hash>>(64-recentBits)]
	}
	return c.addList(l, hash)
}

// sortedList is symbolList for c.symbols in order.
func (c *compiler) sortedList() uint32 {
	mod := c.module
	slices.Sort(c.symbols)
	symbols := slices.Compact(c.symbols)
	hash := uint64(len(symbols))
	for _, symbol := range symbols {
		hash = mix(hash, uint64(symbol))
	}
	known, same := c.recentList(hash)
	if same && !known.bits && slices.Equal(mod.operands[known.from:known.from+known.n], symbols) {
		return c.recentLists[hash>>(64-recentBits)]
	}
	l := symbolList{from: uint32(len(mod.operands)), n: uint32(len(symbols))}
	mod.operands = append(mod.operands, symbols...)
	return c.addList(l, hash)
}

// recentList returns the list that was last added with about this hash, if there is one.
func (c *compiler) recentList(hash uint64) (l symbolList, ok bool) {
	i := c.recentLists[hash>>(64-recentBits)]
	if int(i) >= len(c.module.lists) {
		return symbolList{}, false
	}
	return c.module.lists[i], true
}

func (c *compiler) addList(l symbolList, hash uint64) uint32 {
	i := uint32(len(c.module.lists))
	c.module.lists = append(c.module.lists, l)
	c.recentLists[hash>>(64-recentBits)] = i
	return i
}

// appendSymbols appends the symbols that codeIs, codeIn or codeAmong looks for.
func (mod *Module) appendSymbols(symbols []uint32, in *instr) []uint32 {
	switch in.op {
	case codeIs:
		return append(symbols, in.arg)
	case codeAmong:
		return mod.lists[in.arg].append(symbols, mod)
	}
	return append(symbols, mod.operands[in.arg:in.arg+uint32(in.n)]...)
}
