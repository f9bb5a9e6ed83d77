package evaluator

import (
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/spaolacci/murmur3"
)

// seedOf returns the seed for a salt, see [HashMurmur3].
func seedOf(salt string) uint32 {
	return uint32(murmur3.Sum64(unsafe.Slice(unsafe.StringData(salt), len(salt)))) // which doesn't write to it
}

// positionOf returns the position of a unit, see [HashMurmur3]. Module murmur3 reads up to 15 bytes at
// the end one by one, branching on their number, and so takes longer for short units.
func positionOf(unit string, seed uint32) uint32 {
	h1, h2 := uint64(seed), uint64(seed)
	tail := unit
	for ; len(tail) >= 16; tail = tail[16:] {
		h1, h2 = mixBlock(h1, h2, mix1(load8(tail)), mix2(load8(tail[8:])))
	}
	t1, t2 := mixTail(tail)
	return finish(h1^t1, h2^t2, len(unit))
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
	text   string       // the unit
	valid  bool         // the unit has positions
	blocks uint8        // number of mixed blocks; noBlocks if there would be more than there is room for
	mixed  [2][2]uint64 // blocks of 16 bytes
	tail   [2]uint64    // up to 15 bytes
}

const noBlocks = 255

const (
	murmurC1 = 0x87c37b91114253d5
	murmurC2 = 0x4cf5ad432745937f
)

// newHashed prepares v. The result isn't valid if v has no positions.
func newHashed(v Value) (h hashed) {
	h.text, h.valid = unitText(v)
	tail := h.text
	for ; len(tail) >= 16; tail = tail[16:] {
		if int(h.blocks) == len(h.mixed) {
			h.blocks = noBlocks
			return h
		}
		h.mixed[h.blocks] = [2]uint64{mix1(load8(tail)), mix2(load8(tail[8:]))}
		h.blocks++
	}
	h.tail[0], h.tail[1] = mixTail(tail)
	return h
}

// position returns the same as positionOf.
func (h *hashed) position(seed uint32) uint32 {
	if h.blocks == noBlocks {
		return positionOf(h.text, seed)
	}
	h1, h2 := uint64(seed), uint64(seed)
	for i := range h.blocks {
		h1, h2 = mixBlock(h1, h2, h.mixed[i][0], h.mixed[i][1])
	}
	return finish(h1^h.tail[0], h2^h.tail[1], len(h.text))
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

// mixTail mixes up to 15 bytes.
func mixTail(tail string) (k1, k2 uint64) {
	id := newShortID(tail)
	return mix1(id.first), mix2(id.rest & (1<<56 - 1)) // without the length
}

func mix1(k uint64) uint64 { return bits.RotateLeft64(k*murmurC1, 31) * murmurC2 }
func mix2(k uint64) uint64 { return bits.RotateLeft64(k*murmurC2, 33) * murmurC1 }

// mixBlock adds a mixed block to the state.
func mixBlock(h1, h2, k1, k2 uint64) (uint64, uint64) {
	h1 = (bits.RotateLeft64(h1^k1, 27)+h2)*5 + 0x52dce729
	h2 = (bits.RotateLeft64(h2^k2, 31)+h1)*5 + 0x38495ab5
	return h1, h2
}

// finish returns the upper half of murmur3's first 64 bits for a state that has all of the unit, and
// the unit's length.
func finish(h1, h2 uint64, length int) uint32 {
	h1 ^= uint64(length)
	h2 ^= uint64(length)
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
