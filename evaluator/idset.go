package evaluator

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// An idSet is a set of texts. It is made for very many of them. If all are short
// each takes 21 bytes, its own included, and a question touches one place in
// memory; otherwise each takes 12 bytes beside its own, and a question touches
// two places.
type idSet struct {
	few []string // up to fewIDs are compared one by one

	// Open hash tables, of which there is one at most. Where to begin to look
	// says the hash of the id.
	short []shortID // of ids up to maxShortID; rest is 0 in a free slot
	long  []uint64  // 0 is a free slot; see longSlot
	ids   string    // of long: each text after its length, 7 bits in a byte, low bits first

	count   int
	random  uint64   // of this set
	symbols []uint32 // of a few ids; nil: there are none
}

// fewIDs is the number of texts up to which comparing all is quicker than
// hashing.
const fewIDs = 4

func newIDSet(list []string) idSet {
	s := idSet{random: maphash.String(maphash.MakeSeed(), "")}
	longest := 0
	for _, id := range list {
		longest = max(longest, len(id))
	}
	slots := len(list) + len(list)/3
	switch {
	case len(list) <= fewIDs:
		s.few, s.count = slices.Clone(list), len(list)
	case longest <= maxShortID:
		s.short = make([]shortID, slots)
		for _, id := range list {
			if short := newShortID(id); s.addShort(short, s.hashShort(short)) {
				s.count++
			}
		}
	default:
		s.long = make([]uint64, slots)
		s.addLong(list)
	}
	return s
}

// addLong fills the table long.
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
		s.long[slot] = longSlot(h, ids.Len())
		n := uint(len(id))
		for ; n >= 0x80; n >>= 7 {
			ids.WriteByte(byte(n) | 0x80)
		}
		ids.WriteByte(byte(n))
		ids.WriteString(id)
		s.count++
	}
	s.ids = ids.String()
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

// addShort adds an id with the hash h, unless the set has it.
func (s *idSet) addShort(id shortID, h uint64) bool {
	for i := start(h, len(s.short)); ; i++ {
		if i == len(s.short) {
			i = 0
		}
		switch slot := s.short[i]; {
		case slot.rest == 0:
			s.short[i] = id
			return true
		case slot.rest == id.rest && slot.first == id.first:
			return false
		}
	}
}

// longSlot is what a slot holds of a text that begins at a place in ids: in its
// upper half that of the text's hash h, in its lower half 1 + the place.
func longSlot(h uint64, place int) uint64 { return h&^(1<<32-1) | uint64(place+1) }

// maxIDs is how many bytes the texts of a set may have: their places fit 32 bits.
const maxIDs = 1<<32 - 1<<20

// has reports whether id is in the set.
func (s *idSet) has(id string) bool {
	switch {
	case s.short != nil:
		return len(id) <= maxShortID && s.hasShort(newShortID(id))
	case s.long != nil:
		_, found := s.findLong(id, s.hash(id))
		return found
	}
	for _, one := range s.few {
		if one == id {
			return true
		}
	}
	return false
}

func (s *idSet) hasShort(id shortID) bool {
	for i := start(s.hashShort(id), len(s.short)); ; i++ {
		if i == len(s.short) {
			i = 0
		}
		switch slot := s.short[i]; {
		case slot.rest == id.rest && slot.first == id.first:
			return true
		case slot.rest == 0:
			return false
		}
	}
}

// findLong returns the slot where id, with the hash h, is or belongs.
func (s *idSet) findLong(id string, h uint64) (slot int, found bool) {
	for i := start(h, len(s.long)); ; i++ {
		if i == len(s.long) {
			i = 0
		}
		switch e := s.long[i]; {
		case e == 0:
			return i, false
		case e>>32 == h>>32 && s.at(uint32(e)-1, id):
			return i, true
		}
	}
}

// start returns which of n slots a text with the hash h belongs into, if it is
// free.
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
