// Package suggest finds what a misspelt name was meant to be.
package suggest

import (
	"fmt"
	"iter"
	"strings"
)

// maxLength is the length in bytes above which no spelling is suggested: it
// bounds the work that a hostile name can cause.
const maxLength = 64

// DidYouMean returns ` (did you mean "x"?)` for the candidate that name was
// most likely meant to be, or "" if there is none: the closest by edits or,
// failing that, the first that name abbreviates. Of equally close candidates
// the one that starts most like name counts.
func DidYouMean(name string, candidates iter.Seq[string]) string {
	if len(name) > maxLength {
		return ""
	}
	limit := max(1, min(3, len(name)/3))
	best, distance, prefix, long := "", limit+1, 0, ""
	for c := range candidates {
		if len(c) > maxLength {
			continue
		}
		if long == "" && len(name) >= 3 && strings.HasPrefix(c, name) {
			long = c
		}
		if max(len(c)-len(name), len(name)-len(c)) > limit {
			continue
		}
		d, p := editDistance(name, c), commonPrefix(name, c)
		if d < distance || d == distance && p > prefix {
			best, distance, prefix = c, d, p
		}
	}
	if distance > limit || distance >= len(name) {
		best = long
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// commonPrefix returns how many bytes a and b start with alike.
func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// editDistance returns how many bytes must be inserted, deleted, replaced or
// swapped with their neighbour to turn a into b (optimal string alignment).
func editDistance(a, b string) int {
	var before, last, row [maxLength + 1]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
