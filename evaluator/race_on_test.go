//go:build race

package evaluator_test

import "github.com/serin-flags/serin/internal/soak"

// idsPerKind under the race detector, which makes evaluation many times slower.
func idsPerKind() int { return soak.Times(4_000, 8_000) }
