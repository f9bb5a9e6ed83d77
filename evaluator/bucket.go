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
//
// murmur3 reads data through a variable of its own that the compiler takes for
// one on the heap. But it stays on the stack, and nothing of it is left when the
// function returns; so data is safe wherever it is, and is hidden from escape
// analysis. Else every context would have to be on the heap.
func hash(s string, seed uint32) uint64 {
	address := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	data := *(**byte)(unsafe.Pointer(&address))
	return murmur3.Sum64WithSeed(unsafe.Slice(data, len(s)), seed)
}
