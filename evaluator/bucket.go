package evaluator

import (
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/spaolacci/murmur3"
)

// seedOf returns the seed for a salt, see [HashMurmur3].
func seedOf(salt string) uint32 { return uint32(hash(salt, 0)) }

// positionOf returns the position of a unit, see [HashMurmur3].
func positionOf(unit string, seed uint32) uint32 { return uint32(hash(unit, seed) >> 32) }

// hash returns the first 64 bits of murmur3_x64_128. To escape analysis it looks as if
// module murmur3 retained its input, so hash hides it in the same way as hidden.
func hash(s string, seed uint32) uint64 {
	address := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	data := *(**byte)(unsafe.Pointer(&address))
	return murmur3.Sum64WithSeed(unsafe.Slice(data, len(s)), seed)
}

// hidden returns s, but hides from escape analysis that it is the same string. Without it,
// each Context would escape to the heap. Pass the result only to functions that don't
// retain it; tests enforce that.
//
// The result is a regular pointer, and is updated if the stack moves. The uintptr isn't, but
// a stack only moves at function calls, and there is none while the uintptr is in use.
func hidden(s string) string {
	address := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	data := *(**byte)(unsafe.Pointer(&address))
	return unsafe.String(data, len(s))
}

// hashed is a unit prepared for computing its positions for many seeds. murmur3 mixes each
// block of data before it combines it with the state that depends on the seed, and hashed
// holds the mixed blocks.
type hashed struct {
	valid  bool     // the unit has positions
	blocks []uint64 // two words for each 16 bytes
	tail   [2]uint64
	length uint64
}

const (
	murmurC1 = 0x87c37b91114253d5
	murmurC2 = 0x4cf5ad432745937f
)

// newHashed prepares v. The result isn't valid if v has no positions.
func newHashed(v Value) hashed {
	text, ok := unitText(v)
	h := hashed{valid: ok, length: uint64(len(text))}
	for ; len(text) >= 16; text = text[16:] {
		h.blocks = append(h.blocks, mix1(word(text[:8])), mix2(word(text[8:16])))
	}
	h.tail = [2]uint64{mix1(word(text[:min(len(text), 8)])), mix2(word(text[min(len(text), 8):]))}
	return h
}

// unitText returns the string to hash for a unit, and whether the unit has positions. See
// bucketing.of.
func unitText(v Value) (text string, ok bool) {
	switch v.kind {
	case KindString:
		return v.str, v.str != ""
	case KindInt:
		return strconv.FormatInt(int64(v.num), 10), true
	}
	return "", false
}

// word returns up to eight bytes as a little-endian number.
func word(s string) (w uint64) {
	for i := range len(s) {
		w |= uint64(s[i]) << (8 * i)
	}
	return w
}

func mix1(k uint64) uint64 { return bits.RotateLeft64(k*murmurC1, 31) * murmurC2 }
func mix2(k uint64) uint64 { return bits.RotateLeft64(k*murmurC2, 33) * murmurC1 }

// position returns the same as positionOf.
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
