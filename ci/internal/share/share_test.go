package share

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/evaluator"
)

func FuzzShare(f *testing.F) {
	for _, s := range []string{"", "0", "1", "20%", "3‰", "0.125", "100.0000000%", "0.0000001%", "-1%", "1e9", "%",
		"‰", "18446744073709551616%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		share, err := Parse(s)
		if err != nil {
			if share != 0 {
				t.Errorf("parseShare(%q) = %d with error %v", s, share, err)
			}
			return
		}
		if share < 0 || share > Whole {
			t.Fatalf("parseShare(%q) = %d", s, share)
		}
		if back, err := Parse(Format(share)); err != nil || back != share {
			t.Errorf("parseShare(%q) = %d, which is printed as %q, which is %d: %v", s, share, Format(share), back, err)
		}
	})
}

func TestParseShare(t *testing.T) {
	tests := []struct {
		text string
		want int64
		err  string // part of the message
	}{
		{"0%", 0, ""},
		{"20%", 200_000_000, ""},
		{"100%", 1_000_000_000, ""},
		{"0100%", 1_000_000_000, ""},
		{"100.0%", 1_000_000_000, ""},
		{"0.0000001%", 1, ""},
		{"12.3456789%", 123_456_789, ""},
		{"99.9999999%", 999_999_999, ""},
		{"3‰", 3_000_000, ""},
		{"1000‰", 1_000_000_000, ""},
		{"0.000001‰", 1, ""},
		{"0", 0, ""},
		{"1", 1_000_000_000, ""},
		{"1.0", 1_000_000_000, ""},
		{"0.125", 125_000_000, ""},
		{"0.1234567", 123_456_700, ""},
		{"", 0, "not a share"},
		{"%", 0, "not a share"},
		{".%", 0, "not a share"},
		{".5", 0, "not a share"},
		{"5.", 0, "not a share"},
		{"-1%", 0, "not a share"},
		{"+1%", 0, "not a share"},
		{"1e-3", 0, "not a share"},
		{"1,5%", 0, "not a share"},
		{"1.2.3%", 0, "not a share"},
		{" 1%", 0, "did you mean 1%"},
		{"1 %", 0, "did you mean 1%"},
		{"1%%", 0, "not a share"},
		{"1%‰", 0, "not a share"},
		{"١%", 0, "not a share"},
		{"0.00000001%", 0, "more than 7 digits"},
		{"0.12345678", 0, "more than 7 digits"},
		{"0.0000001‰", 0, "more than 6 digits"},
		{"100.0000001%", 0, "more than 100%"},
		{"1000.000001‰", 0, "more than 100%"},
		{"101%", 0, "more than 100%"},
		{"9999%", 0, "more than 100%"},
		{"99999%", 0, "more than 100%"},
		{"18446744073709551617%", 0, "more than 100%"},
		{strings.Repeat("9", 1000) + "%", 0, "more than 100%"},
		{"50", 0, "did you mean 50%?"},
		{"1.5", 0, "did you mean 1.5%?"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.text)
		switch {
		case tt.err == "" && err != nil:
			t.Errorf("parseShare(%q): %v", tt.text, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("parseShare(%q): error %v, want one that contains %q", tt.text, err, tt.err)
		case got != tt.want:
			t.Errorf("parseShare(%q) = %d, want %d", tt.text, got, tt.want)
		}
	}
}

func TestFormatShare(t *testing.T) {
	for share, want := range map[int64]string{
		0: "0%", 1: "0.0000001%", 200_000_000: "20%", 3_000_000: "0.3%",
		123_456_789: "12.3456789%", Whole: "100%", 1_000_000_001: "100.0000001%",
	} {
		if got := Format(share); got != want {
			t.Errorf("formatShare(%d) = %q, want %q", share, got, want)
		}
	}
}

func TestRanges(t *testing.T) {
	const all = evaluator.Positions
	tests := []struct {
		name   string
		shares []int64
		want   []evaluator.Range
	}{
		{"half and half", []int64{Whole / 2, Whole / 2}, []evaluator.Range{{From: 0, To: all / 2, Variant: 0}, {From: all / 2, To: all, Variant: 1}}},
		// 0.2 × 2^32 = 858993459.2
		{"a fifth", []int64{Whole / 5, Whole / 5 * 4}, []evaluator.Range{{From: 0, To: 858993459, Variant: 0}, {From: 858993459, To: all, Variant: 1}}},
		// 3‰ × 2^32 = 12884901.888
		{"three in a thousand", []int64{3_000_000, 997_000_000}, []evaluator.Range{{From: 0, To: 12884901, Variant: 0}, {From: 12884901, To: all, Variant: 1}}},
		// 10^-9 × 2^32 = 4.29
		{"a billionth", []int64{1, Whole - 1}, []evaluator.Range{{From: 0, To: 4, Variant: 0}, {From: 4, To: all, Variant: 1}}},
		{"nothing", []int64{0, Whole, 0}, []evaluator.Range{{From: 0, To: all, Variant: 1}}},
	}
	for _, tt := range tests {
		variants := make([]int, len(tt.shares))
		for i := range variants {
			variants[i] = i
		}
		if diff := cmp.Diff(tt.want, Ranges(variants, tt.shares, evaluator.Positions)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
}

// TestRangesExact compares random splits with the definition, computed in
// arbitrary precision.
func TestRangesExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		shares, variants := randomSplit(rnd)
		var want []evaluator.Range
		var sum int64
		from := uint64(0)
		for i, share := range shares {
			sum += share
			exact := new(big.Int).Mul(big.NewInt(sum), big.NewInt(evaluator.Positions))
			to := exact.Div(exact, big.NewInt(Whole)).Uint64()
			if to > from {
				want = append(want, evaluator.Range{From: from, To: to, Variant: i})
			}
			from = to
		}
		if diff := cmp.Diff(want, Ranges(variants, shares, evaluator.Positions)); diff != "" {
			t.Fatalf("shares %d: -want +got:\n%s", shares, diff)
		}
		if from != evaluator.Positions {
			t.Fatalf("shares %d end at %d", shares, from)
		}
	}
}

// randomSplit returns shares that come to a whole, some of them 0.
func randomSplit(rnd *rand.Rand) (shares []int64, variants []int) {
	left := int64(Whole)
	for i := 0; ; i++ {
		share := left
		if i < 5 && left > 0 {
			share = rnd.Int64N(left + 1)
		}
		if rnd.IntN(4) == 0 && i < 5 {
			share = 0
		}
		shares, variants = append(shares, share), append(variants, i)
		if left -= share; i >= 5 {
			return shares, variants
		}
	}
}
