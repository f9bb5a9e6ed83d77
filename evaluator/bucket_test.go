package evaluator

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/spaolacci/murmur3"
	twmb "github.com/twmb/murmur3"
)

// TestHashAgainstAnother holds the hash, and the module that it is from, against
// another module, for all lengths of the tail and wherever the data begins in
// memory. Under -race, which turns on checkptr, it also holds that none of it
// reads through a pointer that isn't aligned, or beyond the data.
func TestHashAgainstAnother(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	memory := make([]byte, 320)
	for i := range memory {
		memory[i] = byte(random.Uint32())
	}
	for length := range 301 {
		for offset := range 17 {
			// An array of its own ends where the data does: to read beyond is
			// what checkptr would see.
			data := append(make([]byte, 0, offset+length), memory[:offset+length]...)[offset:]
			seed := random.Uint32()
			want, _ := twmb.SeedSum128(uint64(seed), uint64(seed), data)
			if got, _ := murmur3.Sum128WithSeed(data, seed); got != want {
				t.Fatalf("%d bytes at %d, seed %d: the 128-bit function gives %x, the other module %x", length,
					offset, seed, got, want)
			}
			unit := unsafe.String(unsafe.SliceData(data), len(data))
			prepared := newHashed(StringValue(unit))
			for name, got := range map[string]uint32{
				"positionOf": positionOf(unit, seed), "hashed.position": prepared.position(seed),
			} {
				if got != uint32(want>>32) {
					t.Fatalf("%d bytes at %d, seed %d: %s returns %x, the other module %x", length, offset, seed, name,
						got, want)
				}
			}
			if got, want := seedOf(unit), uint32(twmb.SeedSum64(0, data)); got != want {
				t.Fatalf("%d bytes at %d: the seed is %x, the other module's %x", length, offset, got, want)
			}
		}
	}
}

// TestHashDoesNotAllocate holds that texts are hashed where they are, wherever
// that is.
func TestHashDoesNotAllocate(t *testing.T) {
	heap := []string{"", "u-1", strings.Repeat("u", 1000), strings.Repeat("u", 1001)[1:]}
	for _, id := range heap {
		if n := testing.AllocsPerRun(100, func() {
			prepared := newHashed(StringValue(id))
			if prepared.position(7) != positionOf(id, 7) {
				t.Errorf("two positions of %q", id)
			}
		}); n != 0 {
			t.Errorf("to hash %d bytes allocates %v times", len(id), n)
		}
	}
	digits, positions := 0, uint32(0)
	if n := testing.AllocsPerRun(100, func() {
		var stack [20]byte
		digits++
		positions ^= positionOf(view(strconv.AppendInt(stack[:0], int64(digits), 10)), 7)
	}); n != 0 || positions == 0 {
		t.Errorf("to hash digits on the stack allocates %v times", n)
	}
}

// TestHashVectors holds the tables in sections 7.3 and 7.4 of the specification
// to what is computed.
func TestHashVectors(t *testing.T) {
	spec, err := os.ReadFile("../docs/evaluation.md")
	if err != nil {
		t.Fatal(err)
	}
	holds := func(row string) {
		t.Helper()
		if !strings.Contains(string(spec), row) {
			t.Errorf("docs/evaluation.md has no row %s", row)
		}
	}
	for _, v := range []struct {
		name, data string
		seed       uint32
	}{
		{"empty", "", 0}, {"`hello`", "hello", 0}, {"`hello`", "hello", 1},
		{"`0123456789abcde` (15 bytes)", "0123456789abcde", 7}, {"`0123456789abcdef` (16 bytes)", "0123456789abcdef", 7},
		{"`0123456789abcdef0` (17 bytes)", "0123456789abcdef0", 1<<32 - 1},
		{"`The quick brown fox jumps over the lazy dog`", "The quick brown fox jumps over the lazy dog", 0},
		{"`北京` in UTF-8", "北京", 42}, {"bytes `ff fe`", "\xff\xfe", 0},
	} {
		holds(fmt.Sprintf("| %s | %d | `%016x` |\n", v.name, v.seed, murmur3.Sum64WithSeed([]byte(v.data), v.seed)))
	}
	for _, v := range []struct{ salt, name, unit string }{
		{"new-checkout", "`u-1`", "u-1"}, {"new-checkout", "`u-42`", "u-42"}, {"new-checkout", "integer 42", "42"},
		{"new-checkout", "integer −2⁶³", "-9223372036854775808"}, {"neural-search", "`u-1`", "u-1"}, {"北京", "byte `ff`", "\xff"},
	} {
		seed := seedOf(v.salt)
		holds(fmt.Sprintf("| `%s` | %s | `%08x` | `%016x` | %d |\n", v.salt, v.name, seed,
			murmur3.Sum64WithSeed([]byte(v.unit), seed), positionOf(v.unit, seed)))
	}
}
