package evaluator

import (
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
