package evaluator_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestHashes holds each hash to the formula of the specification, computed by other
// means, for random bytes of all lengths.
func TestHashes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	for _, name := range evaluator.Hashes() {
		naive, ok := naiveHashes[name]
		if !ok {
			t.Errorf("the naive interpreter lacks the hash %q", name)
			continue
		}
		for i := range 1000 {
			b := evaluator.Bucketing{Salt: text(1 + random.IntN(40)), Hash: name}
			if naive.most > 0 && i%2 == 0 {
				b.Positions = 1 + random.Uint64N(naive.most)
			}
			if name == "split" && i%2 == 0 { // a seed, or nearly
				b.Salt = strconv.FormatInt(random.Int64N(1<<34)-1<<33, 10) + []string{"", "", "", " "}[random.IntN(4)]
			}
			unit := text(1 + random.IntN(300))
			got, ok := b.Position(evaluator.StringValue(unit))
			if want := naivePosition(unit, b); !ok || got != want {
				t.Fatalf("%+v, unit %q: got %d, %v, want %d", b, unit, got, ok, want)
			}
		}
	}
}

func TestBucketingCheck(t *testing.T) {
	for _, tt := range []struct {
		b     evaluator.Bucketing
		total uint64
		want  string // "": it is valid
	}{
		{evaluator.Bucketing{Salt: "s", Hash: evaluator.HashMurmur3}, 1 << 32, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "unleash"}, 100, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "unleash", Positions: 1000}, 1000, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "unleash", Positions: 1 << 32}, 1 << 32, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "unleash-variants"}, 1000, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "launchdarkly"}, 1 << 60, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "gofeatureflag"}, 100_000, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "flagd-legacy"}, 1<<31 + 1, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "flagsmith-identity"}, 9998, ""},
		{evaluator.Bucketing{Salt: "s", Hash: "md5"}, 0, `the hash "md5" is not known`},
		{evaluator.Bucketing{Salt: "", Hash: "unleash"}, 100, "the salt is missing"},
		{evaluator.Bucketing{Salt: "s", Hash: evaluator.HashMurmur3, Positions: 1 << 32}, 1 << 32, "accepts no other number of positions than 4294967296"},
		{evaluator.Bucketing{Salt: "s", Hash: "unleash", Positions: 1<<32 + 1}, 1<<32 + 1, "at most 4294967296"},
	} {
		err := tt.b.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got error %v, want %q", tt.b, err, tt.want)
		}
		if got := tt.b.Total(); got != tt.total {
			t.Errorf("%+v has %d positions, want %d", tt.b, got, tt.total)
		}
	}
	if got := (evaluator.Bucketing{}).Total(); got != evaluator.Positions {
		t.Errorf("a split by chance has %d positions", got)
	}
}

// TestEndsFit holds that the end of all positions fits the integers of conditions.
func TestEndsFit(t *testing.T) {
	for _, name := range evaluator.Hashes() {
		if n := max(naiveHashes[name].most, evaluator.Bucketing{Hash: name}.Total()); n > 1<<62 {
			t.Errorf("%s has up to %d positions", name, n)
		}
	}
}

// TestUnits holds which values have a position.
func TestUnits(t *testing.T) {
	for _, name := range evaluator.Hashes() {
		b := evaluator.Bucketing{Salt: "s", Hash: name}
		of := func(v evaluator.Value) string {
			position, ok := b.Position(v)
			return strconv.FormatUint(position, 10) + " " + strconv.FormatBool(ok)
		}
		if got, want := of(evaluator.IntValue(-42)), of(evaluator.StringValue("-42")); got != want {
			t.Errorf("%s: the integer has %s, its text %s", name, got, want)
		}
		for _, v := range []evaluator.Value{{}, evaluator.StringValue(""), evaluator.BoolValue(true),
			evaluator.FloatValue(1), evaluator.ListValue("u")} {
			if _, ok := b.Position(v); ok {
				t.Errorf("%s: %s has a position", name, v.JSON())
			}
		}
	}
}
