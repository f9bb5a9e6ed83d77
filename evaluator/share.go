package evaluator

import "slices"

// A recent remembers the indices of lists in a large array, so that equal lists are stored
// once. It is small enough for the processor's cache, and forgets: a list evicts another
// one with the same hash. So the memory that flags take depends a little on their order.
type recent [1 << recentBits]uint32

const recentBits = 10

// shared returns the index of the list (*all)[from:]. If all is known to contain an equal
// list further ahead, shared removes the copy at the end.
func shared[T comparable](known *recent, all *[]T, from int, hash uint64) uint32 {
	place := &known[hash>>(64-recentBits)]
	list := (*all)[from:]
	if end := int(*place) + len(list); end <= from && slices.Equal((*all)[*place:end], list) {
		*all = (*all)[:from]
	} else {
		*place = uint32(from)
	}
	return *place
}

// mix adds a number to a hash. Use the upper bits of the hash. Collisions cost time,
// never correctness.
func mix(hash, n uint64) uint64 { return (hash ^ n) * phi }

// mixText adds the length of a string and some of its first and last bytes to a hash.
func mixText(hash uint64, s string) uint64 {
	n := len(s)
	switch {
	case n >= 8:
		hash = mix(mix(hash, load8(s)), load8(s[n-8:]))
	case n >= 4:
		hash = mix(hash, load4(s)<<32|load4(s[n-4:]))
	case n > 0:
		hash = mix(hash, uint64(s[0])<<16|uint64(s[n/2])<<8|uint64(s[n-1]))
	}
	return mix(hash, uint64(n))
}

// addInts returns the index of a list in Module.ints, and appends it if necessary.
func (c *compiler) addInts(list []int64) uint32 {
	from, hash := len(c.module.ints), uint64(0)
	for _, n := range list {
		hash = mix(hash, uint64(n))
	}
	c.module.ints = append(c.module.ints, list...)
	return shared(&c.recentInts, &c.module.ints, from, hash)
}

// addOperands is like addInts, for the symbols of an attribute's texts in Module.operands.
func (c *compiler) addOperands(attribute uint16, list []string) uint32 {
	mod := c.module
	from, hash := len(mod.operands), uint64(0)
	for _, s := range list {
		symbol := c.symbol(attribute, s)
		hash = mix(hash, uint64(symbol))
		mod.operands = append(mod.operands, symbol)
	}
	return shared(&c.recentOperands, &mod.operands, from, hash)
}

// symbol returns the symbol of an attribute's text.
func (c *compiler) symbol(attribute uint16, text string) uint32 {
	d := &c.module.dictionaries[attribute]
	known := &c.recentTexts[mixText(uint64(attribute), text)>>(64-recentBits)]
	if i := *known; i != 0 && int(i) < len(d.texts) && d.texts[i] == text {
		return i
	}
	*known = d.add(text)
	return *known
}

// name returns the index of a string in a list whose first element is empty, and appends it
// unless it is known.
func name(known *recent, all *[]string, text string) uint32 {
	i := &known[mixText(0, text)>>(64-recentBits)]
	if (*all)[*i] != text {
		*i = uint32(len(*all))
		*all = append(*all, text)
	}
	return *i
}

// checkedVariants are valid variants of a flag of the given type.
type checkedVariants struct {
	typ  Kind
	list []Variant
}

// variants checks the variants of f and returns a copy, which flags with equal variants,
// such as on and off, share.
func (c *compiler) variants(f *Flag) ([]Variant, bool) {
	hash := uint64(0)
	for i := range f.Variants {
		v := &f.Variants[i]
		hash = mixText(mixText(mix(hash, v.Value.num), v.Name), v.Value.str)
	}
	known := &c.recentVariants[hash>>(64-recentBits)%uint64(len(c.recentVariants))]
	if known.list != nil && known.typ == f.Type && slices.Equal(known.list, f.Variants) {
		return known.list, true
	}
	if !c.checkVariants(f) {
		return nil, false
	}
	*known = checkedVariants{f.Type, slices.Clone(f.Variants)}
	return known.list, true
}

// clip releases the spare capacity of lists.
func (mod *Module) clip() {
	clip(&mod.flags)
	clip(&mod.code)
	clip(&mod.serves)
	clip(&mod.operands)
	clip(&mod.ids)
	clip(&mod.ints)
	clip(&mod.versions)
	clip(&mod.tests)
	clip(&mod.segments)
	clip(&mod.reservations)
	clip(&mod.bucketings)
	clip(&mod.requirements)
	clip(&mod.windows)
	clip(&mod.ramps)
	clip(&mod.ends)
	clip(&mod.picks)
	clip(&mod.wide)
	clip(&mod.metadata)
	clip(&mod.shapes)
	clip(&mod.salts)
	clip(&mod.names)
	clip(&mod.lists)
	clip(&mod.bits)
}

func clip[T any](list *[]T) {
	if n := len(*list); cap(*list)-n > n/64 {
		*list = append([]T(nil), *list...)
	}
}
