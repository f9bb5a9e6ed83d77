package vectors

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/murmur3"
)

var update = flag.Bool("update", false, "make testdata/vectors/bucketing.jsonl anew")

// TestBucketing computes the positions of bucketing.jsonl with
// github.com/twmb/murmur3, which the evaluator doesn't use. With -update it
// makes the file.
func TestBucketing(t *testing.T) {
	if *update {
		write(t, makeRows())
	}
	rows, err := Positions(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	lengths := make(map[int]bool)
	for i, row := range rows {
		if want := rowOf(row.Salt, row.Unit); row != want {
			t.Errorf("line %d: got seed %d and position %d, want %d and %d", i+1, row.Seed, row.Position, want.Seed, want.Position)
		}
		lengths[len(row.Unit)] = true
	}
	for n := range 65 {
		if !lengths[n] {
			t.Errorf("there is no unit of %d bytes", n)
		}
	}
	if len(rows) != 10_000 || !lengths[10_240] {
		t.Errorf("there are %d rows, or none has a very long unit", len(rows))
	}
}

func write(t *testing.T, rows []Row) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, row := range rows {
		if err := enc.Encode(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/bucketing.jsonl", b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestReference holds the hash of this file against values of the reference
// implementation of MurmurHash3_x64_128.
func TestReference(t *testing.T) {
	for _, test := range []struct {
		text string
		seed uint32
		want uint64
	}{
		{"", 0, 0},
		{"hello", 0, 0xcbd8a7b341bd9b02},
		{"The quick brown fox jumps over the lazy dog", 0, 0xe34bbc7bbc071b6c},
	} {
		if got := hash(test.text, test.seed); got != test.want {
			t.Errorf("hash(%q, %d) = %x, want %x", test.text, test.seed, got, test.want)
		}
	}
}

// hash returns the first 64 bits of murmur3_x64_128.
func hash(text string, seed uint32) uint64 {
	h, _ := murmur3.SeedSum128(uint64(seed), uint64(seed), []byte(text))
	return h
}

func rowOf(salt, unit string) Row {
	seed := uint32(hash(salt, 0))
	return Row{Salt: salt, Unit: unit, Seed: seed, Position: uint32(hash(unit, seed) >> 32)}
}

// makeRows makes 10,000 rows.
func makeRows() []Row {
	var rows []Row
	add := func(salt, unit string) { rows = append(rows, rowOf(salt, unit)) }
	for n := range 65 { // every length of what is left after blocks of 16
		for _, salt := range []string{"new-checkout", "layer:checkout", "盐"} {
			add(salt, strings.Repeat("0123456789abcdef", 5)[:n])
			add(salt, strings.Repeat("z", n))
		}
		if n > 0 {
			add(strings.Repeat("salt", 17)[:n], "u-1")
		}
	}
	for _, n := range []int{255, 256, 257, 1000, 4095, 4096, 10_239, 10_240} {
		add("long-units", strings.Repeat("long unit ", n/10+1)[:n])
	}
	add("long-units", strings.Repeat("北京", 10_240/6))
	add(strings.Repeat("a long salt ", 200), "u-1")
	for _, salt := range []string{"new-checkout", "Neural-Search", "layer:checkout", "ab_test.v2", "盐 🧂", "sel/été", " ", "\x00"} {
		for _, unit := range odd {
			add(salt, unit)
		}
	}
	r := rand.New(rand.NewPCG(2026, 11))
	salts := []string{"new-checkout", "neural-search", "dark-mode", "price-2026-q3", "layer:ranking", "订单"}
	for i := 0; len(rows) < 10_000; i++ {
		add(salts[r.IntN(len(salts))], realistic(r, i))
	}
	return rows
}

// odd are units that implementations may read in another way than as bytes.
var odd = []string{
	"", " ", "0", "-1", "00", "1.0", "1e3", "true", "null", "\x00", "\x00\x00", "a\x00b", "\n", "\ufeff", "\u200d",
	"9223372036854775807", "-9223372036854775808", "9007199254740993", "\"", "\\", "<&>", "é", "e\u0301", "ß", "İ", "K", "北京", "ユーザー",
	"😀", "👨\u200d👩\u200d👧", "مرحبا", "שלום", "नमस्ते", "\U0010ffff", "\ufffd", "u-1", "U-1", "u-1 ", "ab", "ba",
}

// realistic returns an id of the kinds that there are in the world.
func realistic(r *rand.Rand, i int) string {
	switch i % 10 {
	case 0:
		return fmt.Sprintf("u-%d", i)
	case 1:
		return strconv.Itoa(100_000 + i)
	case 2:
		return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), 0x8000|r.IntN(1<<14), r.Uint64N(1<<48))
	case 3:
		return fmt.Sprintf("%s.%s%d@example.com", names[r.IntN(len(names))], names[r.IntN(len(names))], r.IntN(1000))
	case 4:
		return fmt.Sprintf("+86138%08d", r.IntN(100_000_000))
	case 5:
		return fmt.Sprintf("%016x", r.Uint64())
	case 6:
		return strconv.FormatInt(int64(r.Uint64()), 10)
	case 7:
		return fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256))
	case 8:
		return fmt.Sprintf("用户%d", r.IntN(1_000_000))
	}
	return fmt.Sprintf("tenant-%d/user-%d", r.IntN(50), r.IntN(1_000_000))
}

var names = []string{"anna", "bo", "chen", "dmitri", "eva", "farid", "grace", "hana", "ivan", "jun", "wei", "zoë"}
