package evaluator

import (
	"crypto/sha1"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	twmb "github.com/twmb/murmur3"
)

// TestAlgorithms holds each hash against the formula of the system that it is from,
// computed by other means.
func TestAlgorithms(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		salt, unit := randomText(random, 1+random.IntN(40)), randomText(random, 1+random.IntN(300))
		check := func(hash string, positions uint64, want uint64) {
			t.Helper()
			b := Bucketing{Salt: salt, Hash: hash, Positions: positions}
			got, ok := b.Position(StringValue(unit))
			if !ok || got != want {
				t.Fatalf("%s of %d positions, salt %q, unit %q: got %d, %v, want %d", hash, positions, salt, unit, got, ok, want)
			}
		}
		joined := []byte(salt + ":" + unit)
		rollout, variant := uint64(twmb.SeedSum32(0, joined)), uint64(twmb.SeedSum32(86028157, joined))
		n := uint64(random.Uint32()) + 1
		check("unleash", 0, rollout%100)
		check("unleash", n, rollout%n)
		check("unleash-variants", 0, variant%1000)
		check("unleash-variants", n, variant%n)
		digits := fmt.Sprintf("%x", sha1.Sum([]byte(salt+"."+unit)))[:15]
		sixty, _ := new(big.Int).SetString(digits, 16)
		check("launchdarkly", 0, sixty.Uint64())
	}
}

// randomText returns n bytes, UTF-8 or not.
func randomText(random *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return string(b)
}

func TestBucketingCheck(t *testing.T) {
	for _, tt := range []struct {
		b     Bucketing
		total uint64
		want  string // "": it is valid
	}{
		{Bucketing{Salt: "s", Hash: HashMurmur3}, 1 << 32, ""},
		{Bucketing{Salt: "s", Hash: "unleash"}, 100, ""},
		{Bucketing{Salt: "s", Hash: "unleash", Positions: 1000}, 1000, ""},
		{Bucketing{Salt: "s", Hash: "unleash", Positions: 1 << 32}, 1 << 32, ""},
		{Bucketing{Salt: "s", Hash: "unleash-variants"}, 1000, ""},
		{Bucketing{Salt: "s", Hash: "launchdarkly"}, 1 << 60, ""},
		{Bucketing{Salt: "s", Hash: "md5"}, 0, `the hash "md5" is not known`},
		{Bucketing{Salt: "", Hash: "unleash"}, 100, "the salt is missing"},
		{Bucketing{Salt: "s", Hash: HashMurmur3, Positions: 1 << 32}, 1 << 32, "accepts no other number of positions than 4294967296"},
		{Bucketing{Salt: "s", Hash: "unleash", Positions: 1<<32 + 1}, 1<<32 + 1, "at most 4294967296"},
	} {
		err := tt.b.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got error %v, want %q", tt.b, err, tt.want)
		}
		if got := tt.b.Total(); got != tt.total {
			t.Errorf("%+v has %d positions, want %d", tt.b, got, tt.total)
		}
	}
	if got := (Bucketing{}).Total(); got != Positions {
		t.Errorf("a split by chance has %d positions", got)
	}
}

// TestEndsFit holds that the end of all positions fits the integers of conditions.
func TestEndsFit(t *testing.T) {
	for _, a := range algorithms {
		if max(a.positions, a.most) > 1<<62 {
			t.Errorf("%s has up to %d positions", a.name, max(a.positions, a.most))
		}
	}
}

// TestUnits holds which values have a position.
func TestUnits(t *testing.T) {
	for _, name := range Hashes() {
		b := Bucketing{Salt: "s", Hash: name}
		of := func(v Value) string {
			position, ok := b.Position(v)
			return strconv.FormatUint(position, 10) + " " + strconv.FormatBool(ok)
		}
		if got, want := of(IntValue(-42)), of(StringValue("-42")); got != want {
			t.Errorf("%s: the integer has %s, its text %s", name, got, want)
		}
		for _, v := range []Value{{}, StringValue(""), BoolValue(true), FloatValue(1), ListValue("u")} {
			if _, ok := b.Position(v); ok {
				t.Errorf("%s: %s has a position", name, v.JSON())
			}
		}
	}
}
