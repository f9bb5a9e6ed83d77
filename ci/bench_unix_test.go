//go:build unix

package ci

import (
	"runtime"
	"syscall"
	"testing"
)

// peakMB returns the most memory that the process has had, in megabytes.
func peakMB(tb testing.TB) float64 {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	unit := int64(1 << 10)
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(int64(usage.Maxrss)*unit) / 1e6
}
