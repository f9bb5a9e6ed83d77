package soak_test

import (
	"testing"

	"github.com/serin-flags/serin/internal/soak"
)

func TestTimes(t *testing.T) {
	for value, want := range map[string]int{"": 3, "1": 1000} {
		t.Setenv(soak.Env, value)
		if got := soak.Times(3, 1000); got != want {
			t.Errorf("with %s=%q: %d times, want %d", soak.Env, value, got, want)
		}
	}
}
