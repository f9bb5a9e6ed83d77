package evaluator

import (
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/spaolacci/murmur3"
)

// seedOf returns the seed of splits with that salt, see [Split].
func seedOf(salt string) uint32 { return uint32(hash(salt, 0)) }

// positionOf returns the position in [0, 2^32) of a unit, see [Split].
func positionOf(unit string, seed uint32) uint32 { return uint32(hash(unit, seed) >> 32) }

// hash returns the first 64 bits of murmur3_x64_128. murmur3 reads data through a
// variable of its own that escape analysis takes for one on the heap, so data is
// hidden from it, as hidden does.
func hash(s string, seed uint32) uint64 {
	address := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	data := *(**byte)(unsafe.Pointer(&address))
	return murmur3.Sum64WithSeed(unsafe.Slice(data, len(s)), seed)
}

// hidden returns s, hidden from escape analysis: otherwise every context would have
// to be on the heap. Use it only for functions that keep nothing of s when they
// return, which tests hold.
//
// If the stack moves meanwhile, the text returned is a pointer as any other, and
// follows. The address alone doesn't, but stacks move only where functions are
// called, which is not in the two lines that have it.
func hidden(s string) string {
	address := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	data := *(**byte)(unsafe.Pointer(&address))
	return unsafe.String(data, len(s))
}

// hashed is a unit of which everything is computed that a position does not owe
// to the seed: murmur3 mixes each part of the data before it adds it to what
// comes from the seed. Positions for many seeds are then quick.
type hashed struct {
	valid  bool     // the unit can be bucketed
	blocks []uint64 // of 16 bytes, two words each
	tail   [2]uint64
	length uint64
}

const (
	murmurC1 = 0x87c37b91114253d5
	murmurC2 = 0x4cf5ad432745937f
)

// newHashed returns v for positions, one that is not valid if it can't be
// bucketed.
func newHashed(v Value) hashed {
	text, ok := unitText(v)
	h := hashed{valid: ok, length: uint64(len(text))}
	for ; len(text) >= 16; text = text[16:] {
		h.blocks = append(h.blocks, mix1(word(text[:8])), mix2(word(text[8:16])))
	}
	h.tail = [2]uint64{mix1(word(text[:min(len(text), 8)])), mix2(word(text[min(len(text), 8):]))}
	return h
}

// unitText returns what of a unit is hashed, and whether it can be bucketed: text
// that is not empty, or an integer.
func unitText(v Value) (text string, ok bool) {
	switch v.kind {
	case KindString:
		return v.str, v.str != ""
	case KindInt:
		return strconv.FormatInt(int64(v.num), 10), true
	}
	return "", false
}

// word returns up to eight bytes, the first lowest.
func word(s string) (w uint64) {
	for i := range len(s) {
		w |= uint64(s[i]) << (8 * i)
	}
	return w
}

func mix1(k uint64) uint64 { return bits.RotateLeft64(k*murmurC1, 31) * murmurC2 }
func mix2(k uint64) uint64 { return bits.RotateLeft64(k*murmurC2, 33) * murmurC1 }

// position is positionOf.
func (h *hashed) position(seed uint32) uint32 {
	h1, h2 := uint64(seed), uint64(seed)
	for i := 0; i+1 < len(h.blocks); i += 2 {
		h1 = bits.RotateLeft64(h1^h.blocks[i], 27) + h2
		h1 = h1*5 + 0x52dce729
		h2 = bits.RotateLeft64(h2^h.blocks[i+1], 31) + h1
		h2 = h2*5 + 0x38495ab5
	}
	h1 ^= h.tail[0] ^ h.length
	h2 ^= h.tail[1] ^ h.length
	h1 += h2
	h2 += h1
	return uint32((fmix(h1) + fmix(h2)) >> 32)
}

func fmix(k uint64) uint64 {
	k ^= k >> 33
	k *= 0xff51afd7ed558ccd
	k ^= k >> 33
	k *= 0xc4ceb9fe1a85ec53
	return k ^ k>>33
}
