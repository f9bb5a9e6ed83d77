package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

// maxBallast is how much garbage a server may have beyond what it has in use, in bytes.
const maxBallast = 32 << 20

// holdBallast makes the garbage collector run less often until release is called. It runs
// when the heap has doubled, which for a server of a few megabytes is many times a second.
// So the heap gets a block that is never touched, and so takes up no memory, but counts. With
// a limit of memory (GOMEMLIMIT) it is a quarter of that at most. With GOGC there is none:
// somebody has chosen.
func holdBallast() (release func()) {
	size := maxBallast
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		size = int(min(limit/4, maxBallast))
	}
	if os.Getenv("GOGC") != "" {
		size = 0
	}
	ballast := make([]byte, size)
	return func() { runtime.KeepAlive(ballast) }
}
