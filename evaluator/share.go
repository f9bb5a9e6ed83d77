package evaluator

import "slices"

// A recent remembers where lists stand in an array of many, so that of equal ones
// one is enough. It is small, to stay in the processor's cache, and forgets: a
// list takes the place of another that has the same number. So the same flags may
// take some more memory in one order than in another.
type recent [1 << recentBits]uint32

const recentBits = 10

// shared returns where the list that all has from a place on stands. If it is known
// to stand at a place before, that is cut off again.
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

// mix adds a number to a hash, of which the upper bits are to be used. What it is
// for gets slower if somebody makes them collide, and not wrong.
func mix(hash, n uint64) uint64 { return (hash ^ n) * phi }

// mixText is mix for the ends of a text.
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

// addInts appends integers, unless they stand there already, and returns where
// they do.
func (c *compiler) addInts(list []int64) uint32 {
	from, hash := len(c.unit.ints), uint64(0)
	for _, n := range list {
		hash = mix(hash, uint64(n))
	}
	c.unit.ints = append(c.unit.ints, list...)
	return shared(&c.recentInts, &c.unit.ints, from, hash)
}

// addOperands is addInts for texts.
func (c *compiler) addOperands(list []string) uint32 {
	u := c.unit
	from, hash := len(u.operands), uint64(0)
	for _, s := range list {
		symbol := c.symbol(s)
		hash = mix(hash, uint64(symbol))
		u.operands = append(u.operands, symbol)
	}
	return shared(&c.recentOperands, &u.operands, from, hash)
}

// symbol returns the number of a text.
func (c *compiler) symbol(text string) uint32 {
	u := c.unit
	known := &c.recentTexts[mixText(0, text)>>(64-recentBits)]
	if u.texts[*known] == text && *known != 0 {
		return *known
	}
	s, ok := u.symbols[text]
	if !ok {
		s = uint32(len(u.texts))
		u.symbols[text] = s
		u.texts = append(u.texts, text)
	}
	*known = s
	return s
}

// name returns where the name of a rule stands.
func (c *compiler) name(name string) uint32 {
	u := c.unit
	known := &c.recentNames[mixText(0, name)>>(64-recentBits)]
	if u.names[*known] != name {
		*known = uint32(len(u.names))
		u.names = append(u.names, name)
	}
	return *known
}

// checkedVariants are variants that a flag of a type may have.
type checkedVariants struct {
	typ  Type
	list []Variant
}

// variants checks the variants of f and returns a copy. Flags that have the same,
// such as on and off, share it.
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

// clip gives room back that lists have beyond their ends.
func (u *Module) clip() {
	clip(&u.flags)
	clip(&u.code)
	clip(&u.serves)
	clip(&u.operands)
	clip(&u.ids)
	clip(&u.ints)
	clip(&u.versions)
	clip(&u.tests)
	clip(&u.segments)
	clip(&u.reservations)
	clip(&u.bucketings)
	clip(&u.requirements)
	clip(&u.windows)
	clip(&u.ramps)
	clip(&u.ends)
	clip(&u.picks)
	clip(&u.wide)
	clip(&u.metadata)
	clip(&u.shapes)
	clip(&u.texts)
	clip(&u.names)
}

func clip[T any](list *[]T) {
	if n := len(*list); cap(*list)-n > n/64 {
		*list = append([]T(nil), *list...)
	}
}
