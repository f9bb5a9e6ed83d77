//go:build !race

package evaluator_test

import "github.com/serin-flags/serin/internal/soak"

// idsPerKind is how many ids of each kind the tests of uniformity go through:
// in a soak, one million in all.
func idsPerKind() int { return soak.Times(50_000, 250_000) }
