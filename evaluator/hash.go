package evaluator

import (
	"bytes"
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
)

// An algorithm is a hash that maps units to positions.
type algorithm struct {
	name      string
	positions uint64 // its own number of positions; below 2^63, so that ends fit an int64
	most      uint64 // the largest other number that it accepts; 0 if it accepts none
	// position returns a position below positions. It must not retain its arguments,
	// see hidden.
	position func(salt, unit string, positions uint64) uint64
}

// algorithms are all hashes, which docs/evaluation.md specifies.
var algorithms = [...]algorithm{
	{name: HashMurmur3, positions: Positions}, // computed by positionOf
	{"unleash", 100, 1 << 32, func(salt, unit string, n uint64) uint64 {
		return murmur32(salt, ":", unit, 0) % n
	}},
	{"unleash-variants", 1000, 1 << 32, func(salt, unit string, n uint64) uint64 {
		return murmur32(salt, ":", unit, 86028157) % n
	}},
	{"launchdarkly", 1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		return sha1Of(salt, ".", unit, "") >> 4
	}},
	{"flagd", 1 << 32, 0, func(salt, unit string, _ uint64) uint64 {
		return murmur32(salt, "", unit, 0)
	}},
	{"flipt", 1000, 0, func(salt, unit string, _ uint64) uint64 {
		return crc32Of(salt, unit) % 1000
	}},
	{"flipt-boolean", 100, 0, func(salt, unit string, _ uint64) uint64 {
		return crc32Of(unit, salt) % 100
	}},
	{"growthbook-1", 1000, 0, func(salt, unit string, _ uint64) uint64 {
		return uint64(fnv1a(fnv1a(fnvStart, unit), salt)) % 1000
	}},
	{"growthbook-2", 10_000, 0, func(salt, unit string, _ uint64) uint64 {
		var buf [10]byte
		inner := strconv.AppendUint(buf[:0], uint64(fnv1a(fnv1a(fnvStart, salt), unit)), 10)
		return uint64(fnv1a(fnvStart, view(inner))) % 10_000
	}},
	{"featurevisor", 100_000, 0, func(salt, unit string, _ uint64) uint64 {
		return murmur32(unit, ".", salt, 1) * 100_000 >> 32
	}},
	{"configcat", 100, 0, func(salt, unit string, n uint64) uint64 {
		return sha1Of(salt, "", unit, "") >> 36 % n
	}},
	{"posthog", 1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		return sha1Of(salt, ".", unit, "") >> 4
	}},
	{"posthog-variants", 1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		return sha1Of(salt, ".", unit, "variant") >> 4
	}},
	{"posthog-holdouts", 1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		return sha1Of(salt, "-", unit, "") >> 4
	}},
	{"split", 100, 0, func(salt, unit string, n uint64) uint64 {
		return murmur32("", "", unit, numericSeed(salt)) % n
	}},
	{"eppo", 10_000, 1 << 32, func(salt, unit string, n uint64) uint64 {
		hi, _ := md5Of(salt, "-", unit, 1)
		return hi >> 32 % n
	}},
	{"flagsmith", 9998, 0, func(salt, unit string, n uint64) uint64 {
		return flagsmithPosition(salt, ",", unit, n)
	}},
	{"flagsmith-identity", 9998, 0, func(salt, unit string, n uint64) uint64 {
		return flagsmithPosition(salt, "_", unit, n)
	}},
	{"gofeatureflag", 100_000, 1 << 32, func(salt, unit string, n uint64) uint64 {
		return uint64(fnv1aBytes(fnv1aBytes(fnvStart, salt), unit)) % n
	}},
	{"flagd-legacy", 1<<31 + 1, 0, func(salt, unit string, _ uint64) uint64 {
		h := murmur32(salt, "", unit, 0)
		return min(h, 1<<32-h) // the absolute value, of a number with a sign
	}},
}

// algorithmOf returns the hash with the given name, or nil.
func algorithmOf(name string) *algorithm {
	for i := range algorithms {
		if algorithms[i].name == name {
			return &algorithms[i]
		}
	}
	return nil
}

// Hashes returns the names of all hashes that a [Bucketing] may use.
func Hashes() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.name
	}
	return names
}

// Total returns the number of positions: b.Positions or, if that is 0, the hash's own
// number. It returns 2^32 if b has no hash, as in splits by chance, and 0 if the hash isn't
// known.
func (b Bucketing) Total() uint64 {
	switch a := algorithmOf(b.Hash); {
	case b.Hash == "":
		return Positions
	case a == nil:
		return 0
	case b.Positions == 0:
		return a.positions
	}
	return b.Positions
}

// Check returns an error unless b.Hash is known and accepts b.Salt and b.Positions.
func (b Bucketing) Check() error {
	a := algorithmOf(b.Hash)
	switch {
	case a == nil:
		return fmt.Errorf("the hash %q is not known; a newer version may know it", b.Hash)
	case b.Salt == "":
		return errors.New("the salt is missing")
	case b.Positions != 0 && a.most == 0:
		return fmt.Errorf("the hash %q accepts no other number of positions than %d", b.Hash, a.positions)
	case b.Positions > a.most:
		return fmt.Errorf("the hash %q accepts at most %d positions", b.Hash, a.most)
	}
	return nil
}

// Position returns the position of a unit, and whether it has one. It ignores b.By. It
// panics if the hash isn't known, see [Bucketing.Check].
func (b Bucketing) Position(unit Value) (position uint64, ok bool) {
	compiled := newBucketing(b)
	return compiled.of(unit)
}

// A bucketing is a compiled Bucketing.
type bucketing struct {
	Bucketing // without By
	algorithm *algorithm
	total     uint64
	seed      uint32 // of HashMurmur3
}

// newBucketing compiles b, which [Bucketing.Check] accepts.
func newBucketing(b Bucketing) bucketing {
	b.By = ""
	compiled := bucketing{Bucketing: b, algorithm: algorithmOf(b.Hash), total: b.Total()}
	if b.Hash == HashMurmur3 {
		compiled.seed = seedOf(b.Salt)
	}
	return compiled
}

// of returns the position of a unit, and whether it has one: non-empty strings and integers
// do. If the empty string counted, everyone without an ID would share a bucket.
func (b *bucketing) of(unit Value) (position uint64, ok bool) {
	switch unit.kind {
	case KindString:
		return b.position(unit.str), unit.str != ""
	case KindInt:
		var buf [20]byte
		return b.position(view(strconv.AppendInt(buf[:0], int64(unit.num), 10))), true
	}
	return 0, false
}

func (b *bucketing) position(unit string) uint64 {
	if b.algorithm.position == nil {
		return uint64(positionOf(unit, b.seed))
	}
	return b.algorithm.position(b.Salt, hidden(unit), b.total)
}

// inputSize is the length up to which the input of a hash is assembled on the stack.
const inputSize = 256

// murmur32 returns the murmur3_x86_32 of the concatenation of three strings.
func murmur32(first, second, third string, seed uint32) uint64 {
	var buf [inputSize]byte
	return uint64(murmur3x86(append(append(append(buf[:0], first...), second...), third...), seed))
}

// crc32Of returns the CRC-32 of the concatenation of two strings. It exists because what it
// hashes stays on the stack, unlike what it would pass to crc32.ChecksumIEEE.
func crc32Of(first, second string) uint64 {
	crc := ^uint32(0)
	for _, s := range [...]string{first, second} {
		for i := range len(s) {
			crc = crc32.IEEETable[byte(crc)^s[i]] ^ crc>>8
		}
	}
	return uint64(^crc)
}

// fnvStart is the offset basis of FNV-1a.
const fnvStart = 0x811c9dc5

// fnv1a continues the 32-bit FNV-1a hash h with the UTF-16 code units of s, where others take
// bytes. Bytes that aren't UTF-8 count as U+FFFD each.
func fnv1a(h uint32, s string) uint32 {
	const prime = 0x01000193
	for _, r := range s {
		if r > 0xFFFF {
			high, low := utf16.EncodeRune(r)
			h, r = (h^uint32(high))*prime, low
		}
		h = (h ^ uint32(r)) * prime
	}
	return h
}

// fnv1aBytes continues the 32-bit FNV-1a hash h with the bytes of s.
func fnv1aBytes(h uint32, s string) uint32 {
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 0x01000193
	}
	return h
}

// murmur3x86 returns the MurmurHash3_x86_32 of data. It exists because module murmur3
// implements that with misaligned pointers.
func murmur3x86(data []byte, seed uint32) uint32 {
	mix := func(k uint32) uint32 { return bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593 }
	h := seed
	tail := data
	for ; len(tail) >= 4; tail = tail[4:] {
		h = bits.RotateLeft32(h^mix(binary.LittleEndian.Uint32(tail)), 13)*5 + 0xe6546b64
	}
	var last [4]byte
	copy(last[:], tail)
	h ^= mix(binary.LittleEndian.Uint32(last[:])) ^ uint32(len(data))
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

// numericSeed returns the seed that a salt stands for: its number, if it consists of decimal
// digits, with or without a minus, and fits 32 bits, and else its murmur3_x86_32.
func numericSeed(salt string) uint32 {
	digits, negative := strings.CutPrefix(salt, "-")
	n, ok := int64(0), digits != ""
	for i := 0; ok && i < len(digits); i++ {
		n = n*10 + int64(digits[i]) - '0'
		ok = '0' <= digits[i] && digits[i] <= '9' && n <= math.MaxUint32
	}
	if negative {
		n = -n
	}
	if !ok || n < math.MinInt32 {
		return uint32(murmur32(salt, "", "", 0))
	}
	return uint32(n)
}

// sha1Of returns the first 64 bits of the SHA-1 of the concatenation of four strings. It
// isn't used for security, and so works where FIPS 140 is enforced.
func sha1Of(salt, separator, unit, end string) uint64 {
	var buf [inputSize]byte
	data := append(append(append(append(buf[:0], salt...), separator...), unit...), end...)
	if fips140.Enforced() {
		sum, copied := uint64(0), bytes.Clone(data) // a closure makes what it captures escape
		fips140.WithoutEnforcement(func() { sum = first64(copied) })
		return sum
	}
	return first64(data)
}

func first64(data []byte) uint64 {
	sum := sha1.Sum(data)
	return binary.BigEndian.Uint64(sum[:])
}

// md5Of returns the MD5 of the salt, the separator and the unit, which stand there as often
// as repeat says, with commas between them. Like sha1Of, it isn't used for security.
func md5Of(salt, separator, unit string, repeat int) (hi, lo uint64) {
	var buf [inputSize]byte
	data := append(append(append(buf[:0], salt...), separator...), unit...)
	for range repeat - 1 {
		data = append(append(append(append(data, ','), salt...), separator...), unit...)
	}
	if fips140.Enforced() {
		var sum [2]uint64
		copied := bytes.Clone(data)
		fips140.WithoutEnforcement(func() { sum[0], sum[1] = md5Words(copied) })
		return sum[0], sum[1]
	}
	return md5Words(data)
}

func md5Words(data []byte) (hi, lo uint64) {
	sum := md5.Sum(data)
	return binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])
}

// flagsmithPosition returns the position of Flagsmith's hashes, a remainder of 9,999. The last
// remainder isn't a position; where it results, the input is repeated once more.
func flagsmithPosition(salt, separator, unit string, positions uint64) uint64 {
	for repeat := 1; ; repeat++ {
		hi, lo := md5Of(salt, separator, unit, repeat)
		if position := bits.Rem64(hi, lo, positions+1); position < positions {
			return position
		}
	}
}
