package share

import (
	"fmt"

	"github.com/serin-flags/serin/evaluator"
)

// Nearest returns a number of positions as a share, rounded to the nearest.
func Nearest(n uint64) int64 {
	return int64((n*Whole + evaluator.Positions/2) / evaluator.Positions) // below 2^62
}

// Share returns the part of all positions that moves, rounded to the nearest
// billionth, such as "10%".
func (m Move) Share() string {
	if share := Nearest(m.Positions); share > 0 {
		return Format(share)
	}
	return fmt.Sprintf("%d of 2^32", m.Positions)
}
