package vectors

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

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
		if want := rowOf(row.Salt, row.Unit, row.Hash, row.Positions); row != want {
			t.Errorf("line %d: got seed %d and position %d, want %d and %d", i+1, row.Seed, row.Position, want.Seed,
				want.Position)
		}
		lengths[len(row.Unit)] = true
	}
	for n := range 65 {
		if !lengths[n] {
			t.Errorf("there is no unit of %d bytes", n)
		}
	}
	if len(rows) < 10_500 || !lengths[10_240] {
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

func rowOf(salt, unit, name string, positions uint64) Row {
	row := Row{Salt: salt, Unit: unit, Hash: name, Positions: positions}
	switch name {
	case "":
		row.Seed = uint32(hash(salt, 0))
		row.Position = hash(unit, row.Seed) >> 32
	case "unleash":
		row.Position = uint64(murmur3.SeedSum32(0, []byte(salt+":"+unit))) % cmp.Or(positions, 100)
	case "unleash-variants":
		row.Position = uint64(murmur3.SeedSum32(86028157, []byte(salt+":"+unit))) % cmp.Or(positions, 1000)
	case "launchdarkly":
		digits := fmt.Sprintf("%x", sha1.Sum([]byte(salt+"."+unit)))[:15]
		row.Position, _ = strconv.ParseUint(digits, 16, 64)
	case "flagd":
		row.Position = uint64(murmur3.SeedSum32(0, []byte(salt+unit)))
	case "flipt":
		row.Position = uint64(crc32.ChecksumIEEE([]byte(salt+unit))) % 1000
	case "flipt-boolean":
		row.Position = uint64(crc32.ChecksumIEEE([]byte(unit+salt))) % 100
	case "growthbook-1":
		row.Position = fnv16(unit+salt) % 1000
	case "growthbook-2":
		row.Position = fnv16(strconv.FormatUint(fnv16(salt+unit), 10)) % 10_000
	case "featurevisor":
		row.Position = uint64(murmur3.SeedSum32(1, []byte(unit+"."+salt))) * 100_000 / (1 << 32)
	case "configcat":
		row.Position = remainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+unit)))[:7], 100)
	case "posthog":
		row.Position = remainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+"."+unit)))[:15], 1<<60)
	case "posthog-variants":
		row.Position = remainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+"."+unit+"variant")))[:15], 1<<60)
	case "posthog-holdouts":
		row.Position = remainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+"-"+unit)))[:15], 1<<60)
	case "split":
		seed, err := strconv.ParseInt(salt, 10, 64)
		if err != nil || salt[0] == '+' || seed < math.MinInt32 || seed > math.MaxUint32 {
			seed = int64(murmur3.SeedSum32(0, []byte(salt)))
		}
		row.Position = uint64(murmur3.SeedSum32(uint32(seed), []byte(unit))) % 100
	case "eppo":
		row.Position = remainder(fmt.Sprintf("%x", md5.Sum([]byte(salt+"-"+unit)))[:8],
			int64(cmp.Or(positions, 10_000)))
	case "gofeatureflag":
		h := fnv.New32a()
		h.Write([]byte(salt + unit))
		row.Position = uint64(h.Sum32()) % cmp.Or(positions, 100_000)
	case "flagd-legacy":
		row.Position = uint64(math.Abs(float64(int32(murmur3.SeedSum32(0, []byte(salt+unit))))))
	case "flagsmith", "flagsmith-identity":
		separator := map[string]string{"flagsmith": ",", "flagsmith-identity": "_"}[name]
		input := salt + separator + unit
		for row.Position = 9998; row.Position == 9998; input += "," + salt + separator + unit {
			row.Position = remainder(fmt.Sprintf("%x", md5.Sum([]byte(input))), 9999)
		}
	}
	return row
}

// fnv16 returns the 32-bit FNV-1a of UTF-16 code units, as GrowthBook's SDK for JavaScript
// computes it.
func fnv16(text string) uint64 {
	h := uint64(2166136261)
	for _, unit := range utf16.Encode([]rune(text)) {
		h = (h ^ uint64(unit)) * 16777619 % (1 << 32)
	}
	return h
}

// remainder divides a number with the hexadecimal digits.
func remainder(digits string, divisor int64) uint64 {
	number, _ := new(big.Int).SetString(digits, 16)
	return number.Mod(number, big.NewInt(divisor)).Uint64()
}

// TestPublished holds the hashes of other systems to the values that they publish:
// the tests of LaunchDarkly's SDKs for bucketing (spec/impl/evaluator_bucketing_spec.rb
// of ruby-server-sdk, which gives float32 fractions), and the tests of Unleash's SDKs
// for normalizedValue and normalizedVariantValue, which count from 1; GrowthBook's cases.json
// (MIT), the part "hash"; and bucketer.spec.ts of Featurevisor's SDK for JavaScript (MIT).
func TestPublished(t *testing.T) {
	rows, err := Positions(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	has := make(map[Row]bool, len(rows))
	for _, row := range rows {
		has[row] = true
	}
	for _, want := range []struct {
		salt, unit string
		fraction   float64
	}{
		{"hashKey.saltyA", "userKeyA", 0.42157587}, {"hashKey.saltyA", "userKeyB", 0.6708485}, {"hashKey.saltyA", "userKeyC", 0.10343106},
		{"hashKey.saltyA", "33333", 0.54771423},
		{"61", "userKeyA", 0.09801207}, {"61", "userKeyB", 0.14483777}, {"61", "userKeyC", 0.9242641},
	} {
		row := rowOf(want.salt, want.unit, "launchdarkly", 0)
		if got := float64(row.Position) / (1<<60 - 1); math.Abs(got-want.fraction) > 1e-7 || !has[row] {
			t.Errorf("launchdarkly: %q of %q is %v, want %v; among the rows: %v", want.unit, want.salt, got,
				want.fraction, has[row])
		}
	}
	for _, want := range []Row{
		{Salt: "gr1", Unit: "123", Position: 73 - 1, Hash: "unleash"}, {Salt: "groupX", Unit: "999", Position: 25 - 1, Hash: "unleash"},
		{Salt: "gr1", Unit: "123", Position: 96 - 1, Hash: "unleash-variants", Positions: 100},
		{Salt: "groupX", Unit: "999", Position: 60 - 1, Hash: "unleash-variants", Positions: 100},
		{Salt: "b", Unit: "a", Position: 946, Hash: "growthbook-1"}, {Salt: "ef", Unit: "d", Position: 652, Hash: "growthbook-1"},
		{Salt: "asdf", Unit: "8952klfjas09ujk", Position: 549, Hash: "growthbook-1"},
		{Salt: "seed", Unit: "a", Position: 505, Hash: "growthbook-2"}, {Salt: "seed", Unit: "b", Position: 2696, Hash: "growthbook-2"},
		{Salt: "foo", Unit: "ab", Position: 2575, Hash: "growthbook-2"}, {Salt: "foo", Unit: "def", Position: 2019, Hash: "growthbook-2"},
		{Salt: "expérience", Unit: "123", Position: 9001, Hash: "growthbook-2"},
		{Salt: "foo", Unit: "123", Position: 3151, Hash: "featurevisor"}, {Salt: "bar", Unit: "123", Position: 9710, Hash: "featurevisor"},
		{Salt: "foo", Unit: "123.456", Position: 14432, Hash: "featurevisor"},
	} {
		if !has[want] {
			t.Errorf("%+v is not among the rows", want)
		}
	}
}

// makeRows makes 10,000 rows.
func makeRows() []Row {
	var rows []Row
	add := func(salt, unit string) { rows = append(rows, rowOf(salt, unit, "", 0)) }
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
	for _, salt := range []string{"new-checkout", "Neural-Search", "layer:checkout", "ab_test.v2", "盐 🧂", "sel/été",
		" ", "\x00"} {
		for _, unit := range odd {
			add(salt, unit)
		}
	}
	r := rand.New(rand.NewPCG(2026, 11))
	salts := []string{"new-checkout", "neural-search", "dark-mode", "price-2026-q3", "layer:ranking", "订单"}
	for i := 0; len(rows) < 10_000; i++ {
		add(salts[r.IntN(len(salts))], realistic(r, i))
	}
	return append(rows, otherRows()...)
}

// otherRows makes rows of the hashes of other systems.
func otherRows() []Row {
	var rows []Row
	add := func(salt, unit, name string, positions uint64) {
		rows = append(rows, rowOf(salt, unit, name, positions))
	}
	for _, unit := range []string{"userKeyA", "userKeyB", "userKeyC", "33333"} {
		add("hashKey.saltyA", unit, "launchdarkly", 0)
		add("61", unit, "launchdarkly", 0)
	}
	add("gr1", "123", "unleash", 0)
	add("groupX", "999", "unleash", 0)
	add("gr1", "123", "unleash-variants", 100)
	add("groupX", "999", "unleash-variants", 100)
	for _, r := range []Row{
		{Salt: "b", Unit: "a"}, {Salt: "ef", Unit: "d"}, {Salt: "asdf", Unit: "8952klfjas09ujk"}, {Salt: "seed", Unit: "a"}, {Salt: "seed", Unit: "b"},
		{Salt: "foo", Unit: "ab"}, {Salt: "foo", Unit: "def"}, {Salt: "expérience", Unit: "123"},
	} {
		add(r.Salt, r.Unit, "growthbook-1", 0)
		add(r.Salt, r.Unit, "growthbook-2", 0)
	}
	add("foo", "123", "featurevisor", 0)
	add("bar", "123", "featurevisor", 0)
	add("foo", "123.456", "featurevisor", 0)
	for _, h := range []struct {
		name      string
		positions uint64
	}{{"unleash", 0}, {"unleash", 1}, {"unleash", 1 << 32}, {"unleash-variants", 0}, {"unleash-variants", 7},
		{"launchdarkly", 0}, {"flagd", 0},
		{"flipt", 0}, {"flipt-boolean", 0}, {"growthbook-1", 0}, {"growthbook-2", 0}, {"featurevisor", 0},
		{"configcat", 0}, {"posthog", 0}, {"posthog-variants", 0}, {"posthog-holdouts", 0}, {"split", 0}, {"eppo", 0}, {"eppo", 1 << 32}, {"flagsmith", 0},
		{"gofeatureflag", 0}, {"gofeatureflag", 91_000}, {"gofeatureflag", 1 << 32}, {"flagd-legacy", 0},
		{"flagsmith-identity", 0}} {
		for n := range 65 {
			add("new-checkout", strings.Repeat("0123456789abcdef", 5)[:n], h.name, h.positions)
		}
		for _, unit := range odd {
			add("盐 🧂", unit, h.name, h.positions)
		}
		add("long-units", strings.Repeat("北京", 100), h.name, h.positions)
	}
	for _, seed := range []string{"0", "-1", "1373504", "-1667452163", "2147483647", "-2147483648", "4294967295",
		"4294967296", "-2147483649", "+1", "007", "-"} {
		for _, unit := range []string{"u-1", "北京", "0123456789abcdef0123456789abcdef"} {
			add(seed, unit, "split", 0)
		}
	}
	return rows
}

// odd are units that implementations may read in another way than as bytes.
var odd = []string{
	"", " ", "0", "-1", "00", "1.0", "1e3", "true", "null", "\x00", "\x00\x00", "a\x00b", "\n", "\ufeff", "\u200d",
	"9223372036854775807", "-9223372036854775808", "9007199254740993", "\"", "\\", "<&>", "é", "e\u0301", "ß", "İ",
	"K", "北京", "ユーザー",
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
		return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12),
			0x8000|r.IntN(1<<14), r.Uint64N(1<<48))
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
