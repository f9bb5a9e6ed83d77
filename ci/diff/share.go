package diff

import (
	"fmt"
	"math/big"
	"strings"
)

// Shares are fractions of positions or of people. Computing with floating-point numbers would make 50% →
// 60% a little more or less than 10%, and "exact" a lie.

// A Share is a part of a whole, from 0 to 1, exactly. The zero Share is nothing.
// It is immutable.
type Share struct{ rat *big.Rat }

// countShare returns n of all, and nothing if these are none.
func countShare(n, all int64) Share {
	if all == 0 {
		return Share{}
	}
	return Share{big.NewRat(n, all)}
}

// ParseShare reads a share such as 5%, 0.5% or 3‰, from 0% to 100%. A number without a unit is an
// error: nobody knows whether 0.5 is meant to be half of the users or half a percent.
func ParseShare(text string) (Share, error) {
	number, per := strings.TrimSpace(text), int64(1)
	if rest, ok := strings.CutSuffix(number, "%"); ok {
		number, per = rest, 100
	} else if rest, ok := strings.CutSuffix(number, "‰"); ok {
		number, per = rest, 1000
	}
	number = strings.TrimSpace(number)
	// big.Rat reads fractions and exponents, too, and a long exponent would take all memory.
	plain := number != "" && len(number) <= 20 && strings.Trim(number, "0123456789.") == ""
	r, ok := new(big.Rat).SetString(number)
	if !plain || !ok || per == 1 {
		return Share{}, fmt.Errorf("%q is not a share such as 5%% or 0.5%%", text)
	}
	if r.Quo(r, big.NewRat(per, 1)); r.Cmp(big.NewRat(1, 1)) > 0 {
		return Share{}, fmt.Errorf("%q is more than everybody", text)
	}
	return Share{r}, nil
}

// value returns s as a number, which must not be modified.
func (s Share) value() *big.Rat {
	if s.rat == nil {
		return new(big.Rat)
	}
	return s.rat
}

// IsZero reports whether s is exactly zero, not just small enough to print as 0%.
func (s Share) IsZero() bool { return s.value().Sign() == 0 }

func (s Share) plus(t Share) Share { return Share{new(big.Rat).Add(s.value(), t.value())} }

// cmp is negative if s is less than t, 0 if they are equal, and positive if it is more.
func (s Share) cmp(t Share) int { return s.value().Cmp(t.value()) }

// float returns the share as a number from 0 to 1, rounded.
func (s Share) float() float64 {
	f, _ := s.value().Float64()
	return f
}

// String returns the share as a percentage of up to four digits after the point.
// What is more than nothing is not shown as nothing, nor what is less than all
// as all.
func (s Share) String() string {
	v := s.value()
	text := strings.TrimSuffix(strings.TrimRight(new(big.Rat).Mul(v, big.NewRat(100, 1)).FloatString(4), "0"), ".")
	switch {
	case text == "0" && v.Sign() > 0:
		return "<0.0001%"
	case text == "100" && v.Cmp(big.NewRat(1, 1)) < 0:
		return ">99.9999%"
	}
	return text + "%"
}
