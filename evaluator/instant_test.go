package evaluator

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestParseTime holds times to package time: every day of 9,999 years, and random times in
// random zones.
func TestParseTime(t *testing.T) {
	check := func(at time.Time, text string) {
		t.Helper()
		if got, ok := timeOf(StringValue(text)); !ok || got != at.Unix() {
			t.Fatalf("%s: got %d, %v, want %d", text, got, ok, at.Unix())
		}
	}
	for day := time.Date(1, 1, 1, 23, 59, 58, 0, time.UTC); day.Year() < 10_000; day = day.AddDate(0, 0, 1) {
		check(day, day.Format(time.RFC3339))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		zone := time.FixedZone("", 60*(rnd.IntN(2*1440-1)-1439))
		at := time.Unix(firstSecond+86_400+rnd.Int64N(lastSecond-firstSecond-2*86_400), rnd.Int64N(1e9)).In(zone)
		check(at, at.Format(time.RFC3339Nano))
	}
}

func TestTimeText(t *testing.T) {
	for want, r := range map[string]timeRange{
		"from 2026-12-01T02:00:00Z on":                              {1796090400, 1<<63 - 1},
		"before 2026-12-01T02:00:00Z":                               {-1 << 63, 1796090399},
		"from 1969-12-31T23:59:59Z and before 2026-12-01T02:00:00Z": {-1, 1796090399},
		"at any time": {-1 << 63, 1<<63 - 1},
		"at no time":  {-1 << 63, -1 << 62},
	} {
		if got := r.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTimeAllocates(t *testing.T) {
	v, r := StringValue("2026-12-01T10:00:00.123456789+08:00"), timeRange{0, lastSecond}
	if n := testing.AllocsPerRun(100, func() {
		if !r.has(v) {
			t.Error("it isn't in the range")
		}
	}); n != 0 {
		t.Errorf("a comparison takes %v allocations", n)
	}
}
