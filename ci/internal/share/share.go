// Package share does the arithmetic of shares: which of the 2^32 positions of a
// split or a layer belong to which variant or flag.
//
// Start at [Parse] and [Ranges]. Shares are integers of a billionth, so no sum
// depends on how a machine rounds. [Rebalance] edits shares and moves the fewest
// positions that it can.
package share

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// Whole is the share of everything. Shares are exact: integers of a billionth.
const Whole = 1_000_000_000

// Rest stands for the share that the other variants leave.
const Rest = "rest"

var errShare = errors.New("it is not a share such as 20%, 3‰ or 0.125")

// Parse parses a share: a percentage with up to seven digits after the
// point, per mille with up to six, or a fraction of one with up to seven. The
// result is in billionths, at most a whole.
func Parse(text string) (int64, error) {
	number, unit, digits := text, int64(Whole), 7
	if s, ok := strings.CutSuffix(text, "%"); ok {
		number, unit = s, Whole/100
	} else if s, ok := strings.CutSuffix(text, "‰"); ok {
		number, unit, digits = s, Whole/1000, 6
	}
	if shut := strings.ReplaceAll(text, " ", ""); shut != text {
		if _, err := Parse(shut); err == nil {
			return 0, fmt.Errorf("it contains a space; did you mean %s?", shut)
		}
	}
	integer, fraction, point := strings.Cut(number, ".")
	if integer == "" || point && fraction == "" || !digitsOnly(integer) || !digitsOnly(fraction) {
		return 0, errShare
	}
	if len(fraction) > digits {
		return 0, fmt.Errorf("it has more than %d digits after the point", digits)
	}
	if integer = strings.TrimLeft(integer, "0"); len(integer) > 4 {
		return 0, errors.New("it is more than 100%")
	}
	var share int64
	if integer != "" {
		n, err := strconv.ParseInt(integer, 10, 64)
		if err != nil {
			return 0, errShare
		}
		share = n * unit
	}
	for _, digit := range []byte(fraction) {
		unit /= 10
		share += int64(digit-'0') * unit
	}
	switch {
	case share > Whole && number == text:
		return 0, fmt.Errorf("as a fraction it is more than 1; did you mean %s%%?", text)
	case share > Whole:
		return 0, errors.New("it is more than 100%")
	}
	return share, nil
}

func digitsOnly(s string) bool { return strings.Trim(s, "0123456789") == "" }

// Format returns a share as a percentage.
func Format(share int64) string {
	s := fmt.Sprintf("%d.%07d", share/(Whole/100), share%(Whole/100))
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + "%"
}

// Ranges gives each variant its share of the positions, in the order given:
// the boundary after the first i shares is floor(sum of them × total / 10^9).
// The shares must add up to Whole; those without a position are left out.
func Ranges(variants []int, shares []int64, total uint64) []evaluator.Range {
	var list []evaluator.Range
	var sum int64
	var from uint64
	for i, share := range shares {
		sum += share
		to := Boundary(sum, total)
		if to > from {
			list = append(list, evaluator.Range{From: from, To: to, Variant: variants[i]})
		}
		from = to
	}
	return list
}

// Boundary returns how many of all positions a share has, rounded down.
func Boundary(share int64, total uint64) uint64 {
	n, _ := exactly(share, total)
	return n
}

// exactly returns how many positions a share comes to, rounded down, and what is
// left of another, in billionths.
func exactly(share int64, total uint64) (n, left uint64) {
	hi, lo := bits.Mul64(uint64(share), total)
	return bits.Div64(hi, lo, Whole) // hi is below Whole, for total is below 2^63
}

// IsExact reports whether a share comes to a whole number of positions. Of few
// positions no other share makes sense; of as many as there are billionths, or
// more, each share has some.
func IsExact(share int64, total uint64) bool {
	_, left := exactly(share, total)
	return left == 0 || total >= Whole
}

// MaxVariants bounds the variants of a flag.
const MaxVariants = 1000
