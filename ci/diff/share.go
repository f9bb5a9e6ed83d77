package diff

import (
	"fmt"
	"math/big"
	"strings"
)

// A Share is a part of a whole, from 0 to 1, exactly. The zero Share is nothing.
// It is immutable.
type Share struct{ rat *big.Rat }

// countShare returns n of all.
func countShare(n, all int64) Share {
	if all == 0 {
		return Share{}
	}
	return Share{big.NewRat(n, all)}
}

// ParseShare reads a share such as 5%, 0.5% or 3‰.
func ParseShare(text string) (Share, error) {
	number, per := strings.TrimSpace(text), int64(1)
	if rest, ok := strings.CutSuffix(number, "%"); ok {
		number, per = rest, 100
	} else if rest, ok := strings.CutSuffix(number, "‰"); ok {
		number, per = rest, 1000
	}
	number = strings.TrimSpace(number)
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

func (s Share) value() *big.Rat {
	if s.rat == nil {
		return new(big.Rat)
	}
	return s.rat
}

// IsZero reports whether s is nothing.
func (s Share) IsZero() bool { return s.value().Sign() == 0 }

func (s Share) plus(t Share) Share { return Share{new(big.Rat).Add(s.value(), t.value())} }

func (s Share) cmp(t Share) int { return s.value().Cmp(t.value()) }

// Float returns the share as a number from 0 to 1, rounded.
func (s Share) Float() float64 {
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
