package main

import "fmt"

// maxMisspelt is how many letters of a key may be wrong for it to be suggested,
// and no more than a third of them.
const maxMisspelt = 3

// didYouMean returns ` (did you mean "x"?)` for the key that is spelt most like
// name, or "" if none is.
func didYouMean(name string, keys []string) string {
	best, least := "", min(len(name), 1+max(1, min(maxMisspelt, len(name)/3)))
	for _, key := range keys {
		if n := misspelt(name, key, least); n < least {
			best, least = key, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// misspelt returns how many bytes must be inserted, deleted or replaced to turn
// a into b, or most if it is no less.
func misspelt(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1) // for a[:i] and each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return min(most, row[len(b)])
}
