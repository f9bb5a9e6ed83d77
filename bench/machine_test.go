package bench

import (
	"testing"
	"time"
)

func TestFileName(t *testing.T) {
	day := time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)
	if got, want := FileName(day, "AMD EPYC 9R14 (2 cores)"), "2026-03-04-amd-epyc-9r14-2-cores"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
