//go:build race

package evaluator_test

// idsPerKind under the race detector, which makes evaluation many times slower.
const idsPerKind = 8_000
