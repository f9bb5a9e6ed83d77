package evaluator

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// An idSet is a set of strings, designed for millions of them. If all are short, each takes
// 21 bytes in total; otherwise each takes 7 bytes in addition to its own. Most lookups that
// fail read nothing but tags, which are compact enough for the processor's cache. Most that
// succeed also read a single string.
type idSet struct {
	few []string // up to fewIDs strings, which has compares one by one

	// A hash table with groups of groupSlots slots. The hash selects the group where
	// probing starts. A string is in the first group from there that had a free slot.
	tags  []uint64  // for each group, the tags of its slots, the first in the lowest byte; 0 is free
	short []shortID // slots, if all strings have up to maxShortID bytes
	long  []uint32  // slots otherwise: indices into ids
	ids   string    // each string, preceded by its length as a varint

	count  int
	random uint64 // seed of the hash
}

// fewIDs is the number of strings up to which comparing all is faster than hashing.
const fewIDs = 4

// randomSeed returns a seed that nobody can predict.
func randomSeed() uint64 { return maphash.String(maphash.MakeSeed(), "") }

// groupSlots is the number of tags in a word.
const groupSlots = 8

// newIDSet returns the set of the strings of a list, which may contain duplicates. It doesn't retain
// the list.
func newIDSet(list []string) idSet {
	s := idSet{random: randomSeed()}
	if len(list) <= fewIDs {
		s.few, s.count = slices.Clone(list), len(list)
		return s
	}
	longest := 0
	for _, id := range list {
		longest = max(longest, len(id))
	}
	// At most four of five slots are in use, so there is always a free one.
	s.tags = make([]uint64, (len(list)+len(list)/4+groupSlots-1)/groupSlots)
	if longest > maxShortID {
		s.long = make([]uint32, groupSlots*len(s.tags))
		s.addLong(list)
		return s
	}
	s.short = make([]shortID, groupSlots*len(s.tags))
	for _, id := range list {
		short := newShortID(id)
		h := s.hashShort(short)
		if slot, found := s.findShort(short, h); !found {
			s.short[slot] = short
			s.take(slot, h)
		}
	}
	return s
}

// addLong fills long and ids.
func (s *idSet) addLong(list []string) {
	size := 0
	for _, id := range list {
		size += len(id) + (max(bits.Len(uint(len(id))), 1)+6)/7
	}
	var ids strings.Builder
	ids.Grow(size)
	for _, id := range list {
		s.ids = ids.String()
		h := hashText(id, s.random)
		slot, found := s.findLong(id, h)
		if found {
			continue
		}
		s.long[slot] = uint32(ids.Len())
		s.take(slot, h)
		n := uint(len(id))
		for ; n >= 0x80; n >>= 7 {
			ids.WriteByte(byte(n) | 0x80)
		}
		ids.WriteByte(byte(n))
		ids.WriteString(id)
	}
	s.ids = ids.String()
}

// take marks a free slot as taken by a string with the hash h.
func (s *idSet) take(slot int, h uint64) {
	s.tags[slot/groupSlots] |= tag(h) << (slot % groupSlots * 8)
	s.count++
}

// tag returns the tag of a string with the hash h.
func tag(h uint64) uint64 { return max(h>>56, 1) }

// equalTags returns a word in which the highest bit of each byte is set where that byte of
// tags equals t. Bytes above the first match may be false positives, which are rare.
func equalTags(tags, t uint64) uint64 {
	other := tags ^ t*eachByte // 0 where it is equal
	return (other - eachByte) &^ other & (0x80 * eachByte)
}

// A shortID is a string of up to 15 bytes as two little-endian numbers. The last byte is 1 +
// the length of the string.
type shortID struct{ first, rest uint64 }

const maxShortID = 15

// newShortID packs a string of up to maxShortID bytes. Loads that overlap avoid a loop over the
// bytes.
func newShortID(id string) shortID {
	n := len(id)
	length := uint64(n+1) << 56
	switch {
	case n >= 8:
		return shortID{load8(id), load8(id[n-8:])>>(8*(16-n)) | length}
	case n >= 4:
		return shortID{load4(id) | load4(id[n-4:])<<(8*(n-4)), length}
	case n > 0:
		return shortID{uint64(id[0]) | uint64(id[n/2])<<(8*(n/2)) | uint64(id[n-1])<<(8*(n-1)), length}
	}
	return shortID{0, length}
}

func (id shortID) String() string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], id.first)
	binary.LittleEndian.PutUint64(b[8:], id.rest)
	return string(b[:b[15]-1])
}

// hashShort is hashText for a shortID, with the set's seed.
func (s *idSet) hashShort(id shortID) uint64 { return fold128(id.first^s.random, id.rest^phi) * phi }

// maxIDs limits the bytes of the strings in a set, so that indices into ids fit 32 bits.
const maxIDs = 1<<32 - 1<<20

// has reports whether id is in the set.
func (s *idSet) has(id string) (found bool) {
	switch {
	case s.short != nil:
		if len(id) <= maxShortID {
			short := newShortID(id)
			_, found = s.findShort(short, s.hashShort(short))
		}
	case s.long != nil:
		_, found = s.findLong(id, hashText(id, s.random))
	default:
		for _, one := range s.few {
			if one == id {
				return true
			}
		}
	}
	return found
}

// findShort returns the slot of id, which has the hash h. If id isn't in the set, it returns
// the slot where id belongs.
func (s *idSet) findShort(id shortID, h uint64) (slot int, found bool) {
	for group := start(h, len(s.tags)); ; group++ {
		if group == len(s.tags) {
			group = 0
		}
		tags := s.tags[group]
		for equal := equalTags(tags, tag(h)); equal != 0; equal &= equal - 1 {
			if slot := slotOf(group, equal); s.short[slot] == id {
				return slot, true
			}
		}
		if free := equalTags(tags, 0); free != 0 {
			return slotOf(group, free), false
		}
	}
}

// findLong is like findShort, for strings of any length. (A false positive of equalTags may
// be a free slot. Then findLong compares id with the first string, which is harmless.)
func (s *idSet) findLong(id string, h uint64) (slot int, found bool) {
	for group := start(h, len(s.tags)); ; group++ {
		if group == len(s.tags) {
			group = 0
		}
		tags := s.tags[group]
		for equal := equalTags(tags, tag(h)); equal != 0; equal &= equal - 1 {
			if slot := slotOf(group, equal); s.at(s.long[slot], id) {
				return slot, true
			}
		}
		if free := equalTags(tags, 0); free != 0 {
			return slotOf(group, free), false
		}
	}
}

// slotOf returns the slot that the lowest bit of a result of equalTags stands for.
func slotOf(group int, found uint64) int {
	return group*groupSlots + bits.TrailingZeros64(found)/8
}

// start returns the group, of n, where probing for the hash h starts.
func start(h uint64, n int) int { return int(uint64(uint32(h)) * uint64(n) >> 32) }

// hashText returns a hash in the manner of wyhash, which multiplies pairs of eight bytes. It
// takes half the time of maphash, a good part of a lookup. Nobody can prepare strings that
// collide, because random is the seed of a set or table, and different for each.
func hashText(id string, random uint64) uint64 {
	h := random + uint64(len(id))*phi
	for ; len(id) > 16; id = id[16:] {
		h = fold128(load8(id)^h, load8(id[8:])^phi)
	}
	var a, b uint64
	switch n := len(id); {
	case n >= 8:
		a, b = load8(id), load8(id[n-8:])
	case n >= 4:
		a, b = load4(id), load4(id[n-4:])
	case n > 0:
		a, b = uint64(id[0])|uint64(id[n/2])<<8, uint64(id[n-1])
	}
	return fold128(a^h, b^phi) * phi
}

const phi = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio

// fold128 multiplies two words and combines both halves of the product, the step of wyhash.
func fold128(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// load8 returns the first eight bytes. The compiler turns it into a single load.
func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// load4 returns the first four bytes.
func load4(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// at reports whether the string at an index of ids is id.
func (s *idSet) at(place uint32, id string) bool {
	rest := s.ids[place:]
	if rest == "" { // the set is still empty
		return false
	}
	n := uint(len(id))
	i := 0
	for ; n >= 0x80; n >>= 7 {
		if rest[i] != byte(n)|0x80 {
			return false
		}
		i++
	}
	return rest[i] == byte(n) && strings.HasPrefix(rest[i+1:], id)
}

// all yields the strings of the set.
func (s *idSet) all(yield func(string) bool) {
	for _, id := range s.few {
		if !yield(id) {
			return
		}
	}
	for _, id := range s.short {
		if id.rest != 0 && !yield(id.String()) {
			return
		}
	}
	for rest := s.ids; rest != ""; {
		var id string
		if id, rest = cutText(rest); !yield(id) {
			return
		}
	}
}

// String lists the strings. If there are many, it lists the first few in sorted order.
func (s *idSet) String() string {
	list := make([]string, 0, mostListed+1)
	for id := range s.all {
		if i, _ := slices.BinarySearch(list, id); i < mostListed {
			list = slices.Insert(list, i, id)
			list = list[:min(len(list), mostListed)]
		}
	}
	return listText(s.count, slices.Values(list))
}
