// Package soak sizes tests that repeat a property many times.
//
// It is for tests only. Such a test runs often enough by default to meet every
// kind of case, and in "make soak", which sets SERIN_SOAK, often enough to
// meet rare combinations of them.
package soak

import "os"

// Env is the environment variable that asks for full sizes, if it isn't empty.
const Env = "SERIN_SOAK"

// Times returns short, or full in a soak.
func Times(short, full int) int {
	if os.Getenv(Env) == "" {
		return short
	}
	return full
}
