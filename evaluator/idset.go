package evaluator

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// An idSet is a set of texts. It is made for very many of them: beside their own
// bytes each takes about 12 bytes, of which one or two are for its length, and a
// question touches two places in memory.
type idSet struct {
	few []string // up to fewIDs are compared one by one

	// An open hash table. A slot is 0 or has, in its upper half, the upper
	// half of a text's hash and, in its lower half, 1 + the place of the text
	// in ids. The lower half of the hash says where to begin to look.
	slots  []uint64
	ids    string // each text after its length, 7 bits in a byte, low bits first
	count  int
	random uint64
}

// fewIDs is the number of texts up to which comparing all is quicker than
// hashing.
const fewIDs = 4

func newIDSet(list []string) idSet {
	if len(list) <= fewIDs {
		return idSet{few: slices.Clone(list), count: len(list)}
	}
	size := 0
	for _, id := range list {
		size += len(id) + (max(bits.Len(uint(len(id))), 1)+6)/7
	}
	var ids strings.Builder
	ids.Grow(size)
	s := idSet{slots: make([]uint64, len(list)+len(list)/3), random: maphash.String(maphash.MakeSeed(), "")}
	for _, id := range list {
		s.ids = ids.String()
		if !s.add(id, len(s.ids), s.hash(id)) {
			continue
		}
		n := uint(len(id))
		for ; n >= 0x80; n >>= 7 {
			ids.WriteByte(byte(n) | 0x80)
		}
		ids.WriteByte(byte(n))
		ids.WriteString(id)
		s.count++
	}
	s.ids = ids.String()
	return s
}

// maxIDs is how many bytes the texts of a set may have: their places fit 32 bits.
const maxIDs = 1<<32 - 1<<20

// has reports whether id is in the set.
func (s *idSet) has(id string) bool {
	if s.slots == nil {
		for _, one := range s.few {
			if one == id {
				return true
			}
		}
		return false
	}
	h := s.hash(id)
	for i := s.start(h); ; i++ {
		if i == len(s.slots) {
			i = 0
		}
		switch e := s.slots[i]; {
		case e == 0:
			return false
		case e>>32 == h>>32 && s.at(uint32(e)-1, id):
			return true
		}
	}
}

// hash returns the hash of an id, in the manner of wyhash: sixteen bytes at a
// time are multiplied with each other. It takes half of what maphash does, which
// is a good part of the whole question. Nobody can prepare ids that collide, for
// every set has a random number of its own.
func (s *idSet) hash(id string) uint64 {
	const k = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	h := s.random + uint64(len(id))*k
	for ; len(id) > 16; id = id[16:] {
		h = fold128(load8(id)^h, load8(id[8:])^k)
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
	return fold128(a^h, b^k) * k
}

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

// start returns the slot where to begin to look for a text with the hash h.
func (s *idSet) start(h uint64) int { return int(uint64(uint32(h)) * uint64(len(s.slots)) >> 32) }

// add adds id, which begins at a place in ids and has the hash h, unless the set
// has it already.
func (s *idSet) add(id string, place int, h uint64) bool {
	for i := s.start(h); ; i++ {
		if i == len(s.slots) {
			i = 0
		}
		switch e := s.slots[i]; {
		case e == 0:
			s.slots[i] = h&^(1<<32-1) | uint64(place+1)
			return true
		case e>>32 == h>>32 && s.at(uint32(e)-1, id):
			return false
		}
	}
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
	for rest := s.ids; rest != ""; {
		var id string
		if id, rest = cutText(rest); !yield(id) {
			return
		}
	}
}
