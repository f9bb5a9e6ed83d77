package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

// How much garbage a server, and a command that edits flag files, may have beyond what they have
// in use, in bytes. The latter is over before much of it is collected.
const (
	serverBallast = 32 << 20
	editBallast   = 256 << 20
)

// holdBallast makes the garbage collector run less often until release is called. It runs
// when the heap has doubled, which for a server of a few megabytes is many times a second.
// So the heap gets a block that is never touched, and so takes up no memory, but counts. With
// a limit of memory (GOMEMLIMIT) it is a quarter of that at most. With GOGC there is none:
// somebody has chosen.
func holdBallast(size int) (release func()) {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		size = int(min(limit/4, int64(size)))
	}
	if os.Getenv("GOGC") != "" {
		size = 0
	}
	ballast := make([]byte, size)
	return func() { runtime.KeepAlive(ballast) }
}
