package launchdarkly

import (
	"crypto/sha1"
	"encoding/binary"
	"sort"
)

// The hash of LaunchDarkly, and how many positions it has.
const (
	hash      = "launchdarkly"
	positions = 1 << 60
)

// boundary returns the first position that isn't below a share, as SDKs compute it: with
// numbers of 32 bits, in which many positions are equal.
func boundary(share float32) uint64 {
	const scale = float32(0xFFFFFFFFFFFFFFF)
	n := sort.Search(positions, func(position int) bool { return !(float32(uint64(position))/scale < share) })
	return uint64(n)
}

// emptyPosition returns the position of an empty text.
func emptyPosition(salt string) uint64 {
	sum := sha1.Sum([]byte(salt + "."))
	return binary.BigEndian.Uint64(sum[:]) >> 4
}
