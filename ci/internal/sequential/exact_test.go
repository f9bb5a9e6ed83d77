package sequential_test

import (
	"math"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/serin-flags/serin/ci/internal/sequential"
)

// newRate returns a test of an hour.
func newRate(t testing.TB, worseBy, alpha float64, starts int) *sequential.Rate {
	t.Helper()
	r, err := sequential.NewRate(worseBy,
		sequential.WithStarts(sequential.Config{Alpha: alpha, Length: time.Hour}, starts))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// planned is the weight of the starts in the planned length.
const planned = 15. / 16

// TestRateExact enumerates everything that can happen in four periods with two bad events
// each, with other odds of exposure in each. Where the ratio is the largest that is fine,
// the e-value is on average the weight of the starts so far; below it is less; and no more
// than alpha of the paths ever fail.
func TestRateExact(t *testing.T) {
	odds := []float64{0.1, 1, 0.03, 4}
	for _, c := range []struct {
		ratio, alpha float64
	}{{1.1, 0.5}, {1.1, 0.2}, {1.1, 0.05}, {1, 0.2}, {0.3, 0.2}} {
		mean, fail := 0.0, 0.0
		for path := range 81 {
			r, chance := newRate(t, 0.1, c.alpha, 4), 1.0
			for i, o := range odds {
				x := float64(path / []int{1, 3, 9, 27}[i] % 3)
				p := o * c.ratio / (1 + o*c.ratio)
				chance *= distuv.Binomial{N: 2, P: p}.Prob(x)
				period := sequential.Period{
					New: sequential.Arm{Exposures: 1000 * o, Bad: x}, Rest: sequential.Arm{Exposures: 1000, Bad: 2 - x},
				}
				if err := r.Add(time.Duration(i+1)*15*time.Minute, period); err != nil {
					t.Fatal(err)
				}
			}
			e := r.Evidence()
			mean += chance * math.Exp(e.LogE)
			if e.FailedAt != 0 {
				fail += chance
			}
		}
		switch {
		case c.ratio == 1.1 && !(math.Abs(mean-planned) < 1e-9):
			t.Errorf("at the limit, the e-value is %v on average, not %v", mean, planned)
		case c.ratio < 1.1 && mean > planned-0.05:
			t.Errorf("at a ratio of %v, the e-value is %v on average", c.ratio, mean)
		}
		if fail > c.alpha {
			t.Errorf("at a ratio of %v, %v of the paths fail, more than %v", c.ratio, fail, c.alpha)
		}
	}
}

// TestRateFormula compares a period with the formula of the e-value, term by term.
func TestRateFormula(t *testing.T) {
	r := newRate(t, 0.1, 0.001, 1)
	p := sequential.Period{New: sequential.Arm{Exposures: 50, Bad: 3}, Rest: sequential.Arm{Exposures: 950, Bad: 8}}
	if err := r.Add(time.Minute, p); err != nil {
		t.Fatal(err)
	}
	const share = 0.05
	p0 := share * 1.1 / (share*1.1 + 1 - share)
	want := 0.0
	for _, ratio := range []float64{1.25, 1.5, 2, 3, 5, 10, 30} {
		q := share * 1.1 * ratio / (share*1.1*ratio + 1 - share)
		want += math.Pow(q/p0, 3) * math.Pow((1-q)/(1-p0), 8) / 7 * planned
	}
	if got := math.Exp(r.Evidence().LogE); !(math.Abs(got/want-1) < 1e-12) {
		t.Errorf("the e-value is %v, not %v", got, want)
	}
}

// TestRestarts checks that a fault counts from the last start before it: what was quiet
// before costs no more than the weight of that start.
func TestRestarts(t *testing.T) {
	quiet := sequential.Period{New: sequential.Arm{Exposures: 1000}, Rest: sequential.Arm{Exposures: 9000, Bad: 900}}
	fault := sequential.Period{New: sequential.Arm{Exposures: 1000, Bad: 20},
		Rest: sequential.Arm{Exposures: 9000, Bad: 10}}
	after, alone := newRate(t, 0.1, 0.001, 4), newRate(t, 0.1, 0.001, 1)
	for i, p := range []sequential.Period{quiet, quiet, fault} {
		if err := after.Add(time.Duration(i+1)*15*time.Minute, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := alone.Add(time.Minute, fault); err != nil {
		t.Fatal(err)
	}
	if got, want := after.Evidence().LogE, alone.Evidence().LogE-math.Log(4); math.Abs(got-want) > 1e-6 {
		t.Errorf("the e-value of a late fault is exp(%v), not exp(%v)", got, want)
	}
	if e := after.Evidence(); e.Verdict != sequential.Fail || e.FailedAt != 45*time.Minute || after.Starts() != 3 {
		t.Errorf("a late fault: %+v", e)
	}
}

// TestLimitExact sums over all counts. The e-value is on average the weight of the starts so far
// where the rate is the limit and events are independent, and at most 1 if each exposure has at most one event.
func TestLimitExact(t *testing.T) {
	const n, most = 40, 0.1
	logE := func(bad float64) float64 {
		l, err := sequential.NewLimit(most,
			sequential.WithStarts(sequential.Config{Alpha: 0.001, Length: time.Hour}, 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Add(time.Minute, sequential.Arm{Exposures: n, Bad: bad}); err != nil {
			t.Fatal(err)
		}
		return l.Evidence().LogE
	}
	poisson, bernoulli, below := 0.0, 0.0, 0.0
	for x := range 400 {
		x := float64(x)
		poisson += math.Exp(logE(x) + distuv.Poisson{Lambda: n * most}.LogProb(x))
		below += math.Exp(logE(x) + distuv.Poisson{Lambda: n * most / 2}.LogProb(x))
		if x <= n {
			bernoulli += math.Exp(logE(x) + distuv.Binomial{N: n, P: most}.LogProb(x))
		}
	}
	if !(math.Abs(poisson-planned) < 1e-6 && bernoulli <= 1 && below <= 1) {
		t.Errorf("on average, the e-value is %v, %v if there is at most one event per exposure, and %v at half the limit",
			poisson, bernoulli, below)
	}
}

// TestMismatchExact sums over all ways in which units can fall into arms: on average, the
// e-value is 1.
func TestMismatchExact(t *testing.T) {
	value := func(counts, shares []float64) float64 {
		logE, err := sequential.Mismatch(counts, shares)
		if err != nil {
			t.Fatal(err)
		}
		return math.Exp(logE)
	}
	for _, p := range []float64{0.5, 0.1, 0.003} {
		for _, n := range []int{0, 1, 10, 60} {
			mean := 0.0
			for x := range n + 1 {
				mean += distuv.Binomial{N: float64(n),
					P: p}.Prob(float64(x)) * value([]float64{float64(x), float64(n - x)}, []float64{p, 1 - p})
			}
			if !(math.Abs(mean-1) < 1e-9) {
				t.Errorf("share %v, %d units: %v on average", p, n, mean)
			}
		}
	}
	shares, mean := []float64{0.2, 0.3, 0.5}, 0.0
	const n = 9
	for x := range n + 1 {
		for y := range n + 1 - x {
			chance := distuv.Binomial{N: n, P: 0.2}.Prob(float64(x)) * distuv.Binomial{N: float64(n - x),
				P: 0.375}.Prob(float64(y))
			mean += chance * value([]float64{float64(x), float64(y), float64(n - x - y)}, shares)
		}
	}
	if !(math.Abs(mean-1) < 1e-9) {
		t.Errorf("three arms: %v on average", mean)
	}
}

// TestMismatch checks that a bug that loses a tenth of an arm's users is found, and that
// chance isn't taken for one.
func TestMismatch(t *testing.T) {
	threshold := math.Log(1000)
	for _, c := range []struct {
		counts, shares []float64
		found          bool
	}{
		{[]float64{50000, 50000}, []float64{0.5, 0.5}, false},
		{[]float64{50200, 49800}, []float64{0.5, 0.5}, false},
		{[]float64{45000, 50000}, []float64{0.5, 0.5}, true},
		{[]float64{10000, 990000}, []float64{0.01, 0.99}, false},
		{[]float64{9000, 990000}, []float64{0.01, 0.99}, true},
		{[]float64{11000, 990000}, []float64{0.01, 0.99}, true},
		{[]float64{0, 2000}, []float64{0.01, 0.99}, true},
		{[]float64{0, 200}, []float64{0.01, 0.99}, false},
		{[]float64{5e11, 5e11}, []float64{0.5, 0.5}, false},
	} {
		logE, err := sequential.Mismatch(c.counts, c.shares)
		if err != nil || logE >= threshold != c.found {
			t.Errorf("%v in shares of %v: the e-value is exp(%v), %v", c.counts, c.shares, logE, err)
		}
	}
}

// TestLater checks that starts go on after the planned length, ever farther apart, and that
// their weights sum to 1 however long it takes.
func TestLater(t *testing.T) {
	r := newRate(t, 0.1, 0.001, 60)
	for _, c := range []struct {
		end    time.Duration
		starts int
		weight float64 // of all starts up to the end of the period before
	}{
		{time.Hour - 1, 1, planned / 60}, {time.Hour, 60, planned}, {2*time.Hour - 1, 61, planned + 1./32/60},
		{2 * time.Hour, 120, planned + 1./32}, {4 * time.Hour, 121, planned + 1./32 + 1./64/60}, {4*time.Hour + 1, 181, planned + 3./64 + 1./128/60},
		{1 << 60, 181, planned + 3./64 + 1./128/60}, {1<<60 + 1, 17 * 60, 1 - 1./16/65536}, {1<<60 + 2, 17 * 60, 1 - 1./16/65536},
	} {
		if err := r.Add(c.end, sequential.Period{}); err != nil {
			t.Fatal(err)
		}
		if e := r.Evidence(); r.Starts() != c.starts || math.Abs(math.Exp(e.LogE)-c.weight) > 1e-9 {
			t.Errorf("at %v: %d starts with a weight of %v, want %d with %v", c.end, r.Starts(), math.Exp(e.LogE),
				c.starts, c.weight)
		}
	}
}
