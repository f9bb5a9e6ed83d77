package share

import (
	"fmt"
	"math/bits"
)

// Nearest returns n of all positions as a share, rounded to the nearest.
func Nearest(n, total uint64) int64 {
	hi, lo := bits.Mul64(n, Whole)
	lo, carry := bits.Add64(lo, total/2, 0)
	share, _ := bits.Div64(hi+carry, lo, total)
	return int64(share)
}

// Share returns the share of all positions that moves, such as "10%", rounded to the
// nearest billionth.
func (m Move) Share() string {
	if share := Nearest(m.Positions, m.Total); share > 0 {
		return Format(share)
	}
	return fmt.Sprintf("%d of 2^%d", m.Positions, bits.Len64(m.Total)-1) // only of many
}
