package sequential_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/internal/sequential"
)

// FuzzTests feeds arbitrary numbers to all tests. Whatever they accept, no number of the
// evidence is NaN or infinite, and a failure stays.
func FuzzTests(f *testing.F) {
	seed := func(numbers ...float64) {
		var b []byte
		for _, x := range numbers {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		f.Add(b)
	}
	seed(0.1, 0.001, 1e12, 10, 1, 90, 1, 10, 9, 90, 1)
	seed(0, 0.5, 1, 1<<53, 1<<53, 1<<53, 1<<53)
	seed(100, 1e-300, 1e18, 1e-300, 1<<53, 1<<53, 0, 0, 1, 0, 1)
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func() float64 {
			if len(data) < 8 {
				data = nil
				return 0
			}
			x := math.Float64frombits(binary.LittleEndian.Uint64(data))
			data = data[8:]
			return x
		}
		worseBy := next()
		cfg := sequential.Config{Alpha: next(), Length: time.Duration(next())}
		rate, err := sequential.NewRate(worseBy, cfg)
		if err != nil {
			return
		}
		limit, err := sequential.NewLimit(max(worseBy, 1e-9), cfg)
		if err != nil {
			return
		}
		failed := false
		for i := 0; len(data) > 0 && i < 100; i++ {
			p := sequential.Period{New: arm(next(), next()), Rest: arm(next(), next())}
			end := cfg.Length * time.Duration(i+1) / 50
			_, _ = rate.Add(end, p), limit.Add(end, p.New)
			finite(t, rate.Evidence())
			finite(t, limit.Evidence())
			if failed && rate.Evidence().Verdict != sequential.Fail {
				t.Fatal("a failed test no longer fails")
			}
			failed = rate.Evidence().Verdict == sequential.Fail
			share := next()
			if logE, err := sequential.Mismatch([]float64{p.New.Exposures, p.Rest.Exposures},
				[]float64{share, 1 - share}); err == nil {
				finite(t, sequential.Evidence{LogE: logE})
			}
		}
	})
}

func finite(t *testing.T, e sequential.Evidence) {
	t.Helper()
	for _, x := range []float64{
		e.LogE, e.MaxLogE, e.Threshold, e.Excluded, e.New.Exposures, e.New.Bad, e.Rest.Exposures, e.Rest.Bad,
	} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.Fatalf("not finite: %+v", e)
		}
	}
	if x, ok := e.Ratio(); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
		t.Fatalf("the ratio is %v", x)
	}
}

// FuzzMoments checks that a mean is always a number, and lies between the values.
func FuzzMoments(f *testing.F) {
	f.Add(1.0, 2.0, 3.0)
	f.Add(1e100, -1e100, 0.0)
	f.Fuzz(func(t *testing.T, a, b, c float64) {
		var m sequential.Moments
		low, high := math.Inf(1), math.Inf(-1)
		for range 40 {
			for _, x := range []float64{a, b, c} {
				if m.Add(x) == nil {
					low, high = min(low, x), max(high, x)
				}
			}
		}
		if m.N() == 0 {
			return
		}
		scale := max(math.Abs(low), math.Abs(high)) * 1e-9
		if !(m.Mean() >= low-scale && m.Mean() <= high+scale && m.Variance() >= 0) || math.IsInf(m.Variance(), 0) {
			t.Fatalf("mean %v, variance %v of values from %v to %v", m.Mean(), m.Variance(), low, high)
		}
		if d, err := sequential.Difference(m, m, 0.05, 1000); err == nil &&
			!(d.Radius >= 0 && !math.IsInf(d.Radius, 0)) {
			t.Fatalf("%+v", d)
		}
	})
}
