package featurevisor

import (
	"encoding/binary"
	"math/bits"
)

// murmur3 returns the MurmurHash3_x86_32 of data.
func murmur3(data []byte, seed uint32) uint32 {
	mix := func(k uint32) uint32 { return bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593 }
	h, size := seed, uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		h = bits.RotateLeft32(h^mix(binary.LittleEndian.Uint32(data)), 13)*5 + 0xe6546b64
	}
	var last [4]byte
	copy(last[:], data)
	h ^= mix(binary.LittleEndian.Uint32(last[:])) ^ size
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}
