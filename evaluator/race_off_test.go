//go:build !race

package evaluator_test

// idsPerKind is how many ids of each kind the tests of uniformity go through:
// one million in all.
const idsPerKind = 250_000
