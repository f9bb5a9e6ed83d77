package sdk

import (
	"testing"
	"time"
	"unsafe"
)

// setBack returns a time as it is read after the wall clock was set back: the other
// clock goes on.
func setBack(at time.Time, by time.Duration) time.Time {
	at = at.Add(-by)
	reading := (*int64)(unsafe.Add(unsafe.Pointer(&at), unsafe.Sizeof(uint64(0)))) // see time.Time
	*reading += int64(by)
	return at
}

// TestElapsed sets clocks and freezes programs between two times.
func TestElapsed(t *testing.T) {
	from := time.Now()
	for _, test := range []struct {
		name     string
		from, to time.Time
		want     time.Duration
	}{
		{"nothing", from, from, 0},
		{"an hour", from, from.Add(time.Hour), time.Hour},
		{"an hour, in which the clock was set back", from, setBack(from.Add(time.Hour), 24*time.Hour), time.Hour},
		{"an hour, and another one in which the program was frozen", from, setBack(from.Add(time.Hour), -time.Hour),
			2 * time.Hour},
		{"an hour, with a restart", from.Round(0), from.Add(time.Hour), time.Hour},
		{"an hour, with a restart and the clock set back", from.Round(0), setBack(from.Add(time.Hour), 2*time.Hour), 0},
	} {
		if got := elapsed(test.from, test.to); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	var r record
	if r.confirmed.Store(&from); r.age(setBack(from.Add(time.Hour), 24*time.Hour)) != 3600 {
		t.Errorf("flags are %d s old", r.age(setBack(from.Add(time.Hour), 24*time.Hour)))
	}
}
