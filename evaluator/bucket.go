package evaluator

import (
	"strconv"
	"unsafe"

	"github.com/spaolacci/murmur3"
)

// seedOf returns the seed of splits with that salt, see [Split].
func seedOf(salt string) uint32 { return uint32(hash(salt, 0)) }

// positionOf returns the position in [0, 2^32) of a unit, see [Split].
func positionOf(unit string, seed uint32) uint32 { return uint32(hash(unit, seed) >> 32) }

// hash returns the first 64 bits of murmur3_x64_128.
func hash(s string, seed uint32) uint64 {
	// A view of the string: []byte(s) would allocate, and murmur3 only reads.
	return murmur3.Sum64WithSeed(unsafe.Slice(unsafe.StringData(s), len(s)), seed)
}

// position returns the position of a unit with that value. It is false if the
// value can't be bucketed: there is none, or it is neither text nor an integer.
// Empty text counts as none, else everybody without an id would share a bucket.
func position(v Value, seed uint32) (uint32, bool) {
	switch v.kind {
	case StringKind:
		return positionOf(v.str, seed), v.str != ""
	case IntKind:
		var buf [20]byte
		text := strconv.AppendInt(buf[:0], int64(v.num), 10)
		return uint32(murmur3.Sum64WithSeed(text, seed) >> 32), true
	}
	return 0, false
}
