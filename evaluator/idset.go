package evaluator

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// An idSet is a set of texts. It is made for very many of them. If all are short
// each takes 21 bytes, its own included; otherwise each takes 7 bytes beside its
// own. A question for what isn't there mostly looks at the tags alone, which are
// few enough for a processor's cache, and one for what is there at one text.
type idSet struct {
	few []string // up to fewIDs are compared one by one

	// A hash table, whose slots are in groups of groupSlots. In which group to
	// begin to look says the hash of the id; from there on it is in the first
	// one that had a free slot.
	tags  []uint64  // of a group: each slot's tag, the first as the lowest byte; 0 is a free slot
	short []shortID // slots of ids up to maxShortID, or
	long  []uint32  // slots of any: where in ids it is
	ids   string    // of long: each text after its length, 7 bits in a byte, low bits first

	count   int
	random  uint64   // of this set
	symbols []uint32 // of a few ids; nil: there are none
}

// fewIDs is the number of texts up to which comparing all is quicker than
// hashing.
const fewIDs = 4

// groupSlots is how many tags fit a word.
const groupSlots = 8

func newIDSet(list []string) idSet {
	s := idSet{random: maphash.String(maphash.MakeSeed(), "")}
	if len(list) <= fewIDs {
		s.few, s.count = slices.Clone(list), len(list)
		return s
	}
	longest := 0
	for _, id := range list {
		longest = max(longest, len(id))
	}
	// Four of five slots are in use, and so one is always free.
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

// addLong fills the slots long.
func (s *idSet) addLong(list []string) {
	size := 0
	for _, id := range list {
		size += len(id) + (max(bits.Len(uint(len(id))), 1)+6)/7
	}
	var ids strings.Builder
	ids.Grow(size)
	for _, id := range list {
		s.ids = ids.String()
		h := s.hash(id)
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

// take notes that a slot, which was free, has a text with the hash h.
func (s *idSet) take(slot int, h uint64) {
	s.tags[slot/groupSlots] |= tag(h) << (slot % groupSlots * 8)
	s.count++
}

// tag returns the tag of a text with the hash h.
func tag(h uint64) uint64 { return max(h>>56, 1) }

// equalTags returns a word whose lowest bit set is the highest of the first byte
// of tags that is t; it is 0 if there is none. Above that there may be bits that
// mean nothing, but seldom are.
func equalTags(tags, t uint64) uint64 {
	other := tags ^ t*eachByte // 0 where it is equal
	return (other - eachByte) &^ other & (0x80 * eachByte)
}

// A shortID is an id of up to 15 bytes: the first eight, and the others with
// 1 + the length as the last byte. Bytes stand from the lowest on.
type shortID struct{ first, rest uint64 }

const maxShortID = 15

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

func (s *idSet) hashShort(id shortID) uint64 { return fold128(id.first^s.random, id.rest^phi) * phi }

// maxIDs is how many bytes the texts of a set may have: their places fit 32 bits.
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
		_, found = s.findLong(id, s.hash(id))
	default:
		for _, one := range s.few {
			if one == id {
				return true
			}
		}
	}
	return found
}

// findShort returns the slot where id, with the hash h, is or belongs.
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

// findLong is findShort for ids of any length. (If it takes a free slot for one in
// use it compares id with the first text, where no harm is done.)
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

// slotOf returns the slot of a group that the lowest bit stands for, see equalTags.
func slotOf(group int, found uint64) int {
	return group*groupSlots + bits.TrailingZeros64(found)/8
}

// start returns which of n groups a text with the hash h belongs into, if one of
// its slots is free.
func start(h uint64, n int) int { return int(uint64(uint32(h)) * uint64(n) >> 32) }

// hash returns the hash of an id, in the manner of wyhash: sixteen bytes at a
// time are multiplied with each other. It takes half of what maphash does, which
// is a good part of the whole question. Nobody can prepare ids that collide, for
// every set has a random number of its own.
func (s *idSet) hash(id string) uint64 {
	h := s.random + uint64(len(id))*phi
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

func fold128(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// load8 returns the first eight bytes. The compiler makes one load of it.
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

// at reports whether the text that stands at a place is id.
func (s *idSet) at(place uint32, id string) bool {
	rest := s.ids[place:]
	if rest == "" { // before there is a first one
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

// all yields the texts of the set.
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

// String lists the texts, of many the first in order.
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
