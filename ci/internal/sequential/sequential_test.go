package sequential_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/serin-flags/serin/ci/internal/sequential"
)

func arm(exposures, bad float64) sequential.Arm {
	return sequential.Arm{Exposures: exposures, Bad: bad}
}

// TestInvalid checks that every number that can't be true is refused with its name, and
// changes nothing.
func TestInvalid(t *testing.T) {
	good := sequential.Config{Alpha: 0.001, Length: time.Hour}
	config := func(change func(*sequential.Config)) func() error {
		return func() error {
			cfg := good
			change(&cfg)
			_, err := sequential.NewRate(0.1, cfg)
			return err
		}
	}
	rate, limit := newRate(t, 0.1, 0.001, 4), func() *sequential.Limit {
		l, err := sequential.NewLimit(0.02, good)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}()
	if err := rate.Add(time.Minute, sequential.Period{New: arm(10, 1), Rest: arm(90, 1)}); err != nil {
		t.Fatal(err)
	}
	before := rate.Evidence()
	add := func(end time.Duration, new, rest sequential.Arm) func() error {
		return func() error { return rate.Add(end, sequential.Period{New: new, Rest: rest}) }
	}
	mismatch := func(counts, shares []float64) func() error {
		return func() error { _, err := sequential.Mismatch(counts, shares); return err }
	}
	for want, f := range map[string]func() error{
		"alpha is above 0 and below 1, not 0": config(
			func(c *sequential.Config) { c.Alpha = 0 }),
		"alpha is above 0 and below 1, not 1": config(
			func(c *sequential.Config) { c.Alpha = 1 }),
		"alpha is above 0 and below 1, not NaN": config(
			func(c *sequential.Config) { c.Alpha = math.NaN() }),
		"the length of a step is above 0, not 0s": config(
			func(c *sequential.Config) { c.Length = 0 }),
		"worse_by is from 0 to 100 (10,000%), not -0.1": func() error {
			_,
				err := sequential.NewRate(-0.1, good)
			return err
		},
		"worse_by is from 0 to 100 (10,000%), not NaN": func() error {
			_,
				err := sequential.NewRate(math.NaN(), good)
			return err
		},
		"a limit of bad events per exposure is above 0 and at most 1000, not 0": func() error {
			_,
				err := sequential.NewLimit(0, good)
			return err
		},
		"a plan has at least one step and one metric, not 0 and 1": func() error {
			_,
				err := sequential.Split(0.001, 0, 1)
			return err
		},
		"exposures of the new arm: -1 is negative": add(time.Hour,
			arm(-1, 0), arm(1, 0)),
		"bad events of the new arm: NaN isn't a number": add(time.Hour,
			arm(1, math.NaN()), arm(1, 0)),
		"exposures of the rest: +Inf isn't a number": add(time.Hour,
			arm(1, 0), arm(math.Inf(1), 0)),
		"bad events of the rest: 1e+16 is more than 2^53": add(time.Hour,
			arm(1, 0), arm(1, 1e16)),
		"a period ends at 1m0s, and the one before at 1m0s": add(time.Minute,
			arm(1, 0), arm(1, 0)),
		"a period ends at 0s, and the one before at 0s": func() error {
			return limit.Add(0, arm(1, 0))
		},
		"bad events of the new arm: -2 is negative": func() error {
			return limit.Add(time.Minute, arm(1, -2))
		},
		"the share of an arm is above 0 and below 1, not 0": mismatch([]float64{1,
			2}, []float64{0, 1}),
		"the share of an arm is above 0 and below 1, not 1": mismatch([]float64{1,
			2}, []float64{1, 0}),
		"the shares of the arms sum to 1, not to 0.8": mismatch([]float64{1,
			2}, []float64{0.4, 0.4}),
		"units of an arm: -1 is negative": mismatch([]float64{1,
			-1}, []float64{0.5, 0.5}),
		"units of all arms: 1e+13 is more than 10^12": mismatch(
			[]float64{1e13, 0}, []float64{0.5, 0.5}),
		"there are two or more arms, each with a count and a share, not 2 counts and 1 shares": mismatch([]float64{1,
			1}, []float64{1}),
		"a mean needs at least 100 values in each arm, not 0": func() error {
			_, err := sequential.Difference(sequential.Moments{}, sequential.Moments{}, 0.05, 1)
			return err
		},
		"an interval is tuned for 1 value or more, not 0": func() error {
			_, err := sequential.Difference(sequential.Moments{}, sequential.Moments{}, 0.05, 0)
			return err
		},
		"Inf isn't a number from -1e100 to 1e100": func() error { return new(sequential.Moments).Add(math.Inf(1)) },
	} {
		if err := f(); err == nil || err.Error() != want && "+"+want != err.Error() {
			t.Errorf("%q: %v", want, err)
		}
	}
	if after := rate.Evidence(); after != before {
		t.Errorf("after errors: %+v, before %+v", after, before)
	}
	if e := limit.Evidence(); e.New != (sequential.Arm{}) {
		t.Errorf("after errors: %+v", e)
	}
}

// TestWithoutExposures checks that a period in which one arm has no exposures says nothing,
// and that its bad events in that arm aren't lost.
func TestWithoutExposures(t *testing.T) {
	split, whole := newRate(t, 0.1, 0.001, 1), newRate(t, 0.1, 0.001, 1)
	before := split.Evidence().LogE
	for i, p := range []sequential.Period{
		{}, {New: arm(0, 2), Rest: arm(100, 1)}, {Rest: arm(100, 0)}, {New: arm(5, 1), Rest: arm(95, 0)}, {New: arm(10, 0), Rest: arm(90, 0)},
	} {
		if err := split.Add(time.Duration(i+1)*time.Minute, p); err != nil {
			t.Fatal(err)
		}
		if e := split.Evidence(); i < 3 && (e.LogE != before || e.Verdict != sequential.Pass) {
			t.Errorf("without exposures: %+v", e)
		}
	}
	if err := whole.Add(time.Minute, sequential.Period{New: arm(5, 3), Rest: arm(95, 1)}); err != nil {
		t.Fatal(err)
	}
	got, want := split.Evidence(), whole.Evidence()
	if math.Abs(got.LogE-want.LogE) > 1e-12 || got.New != arm(15, 3) || got.Rest != arm(385, 1) {
		t.Errorf("%+v, want the e-value of %+v", got, want)
	}
}

// TestVerdicts takes a test through doubt, back to passing, and to a failure, which stays.
func TestVerdicts(t *testing.T) {
	r := newRate(t, 0.1, 0.001, 1)
	for i, c := range []struct {
		p    sequential.Period
		want sequential.Verdict
	}{
		{sequential.Period{New: arm(100, 1), Rest: arm(900, 9)}, sequential.Pass},
		{sequential.Period{New: arm(100, 6), Rest: arm(900, 9)}, sequential.Inconclusive},
		{sequential.Period{New: arm(100, 0), Rest: arm(900, 20)}, sequential.Pass},
		{sequential.Period{New: arm(100, 90), Rest: arm(900, 9)}, sequential.Fail},
		{sequential.Period{New: arm(100, 0), Rest: arm(900, 900)}, sequential.Fail},
	} {
		if err := r.Add(time.Duration(i+1)*time.Minute, c.p); err != nil {
			t.Fatal(err)
		}
		if e := r.Evidence(); e.Verdict != c.want {
			t.Errorf("period %d: %v at exp(%v), want %v", i, e.Verdict, e.LogE, c.want)
		}
	}
	if e := r.Evidence(); e.FailedAt != 4*time.Minute || e.MaxLogE < e.Threshold || e.LogE >= e.Threshold {
		t.Errorf("at the end: %+v", e)
	}
	if ratio, ok := r.Evidence().Ratio(); !ok || math.Abs(ratio-97./500/(947./4500)) > 1e-12 {
		t.Errorf("the ratio is %v, %v", ratio, ok)
	}
	if ratio, ok := newRate(t, 0, 0.1, 0).Evidence().Ratio(); ok {
		t.Errorf("without data, the ratio is %v", ratio)
	}
	for v, want := range map[sequential.Verdict]string{
		sequential.Pass: "pass", sequential.Fail: "fail", sequential.Inconclusive: "inconclusive", 0: "Verdict(0)",
	} {
		if got := fmt.Sprint(v); got != want {
			t.Errorf("%d is %q", v, got)
		}
	}
}

// TestExcluded checks that enough data without a difference rules ratios out, lower ones
// the more there are.
func TestExcluded(t *testing.T) {
	r := newRate(t, 0.1, 0.001, 1)
	if e := r.Evidence(); e.Excluded != 0 {
		t.Errorf("without data: %+v", e)
	}
	last := math.Inf(1)
	for i := range 60 {
		if err := r.Add(time.Duration(i+1)*time.Minute,
			sequential.Period{New: arm(1000, 10), Rest: arm(9000, 90)}); err != nil {
			t.Fatal(err)
		}
		e := r.Evidence()
		if e.Excluded != 0 && e.Excluded > last {
			t.Fatalf("the excluded ratio rises from %v to %v", last, e.Excluded)
		}
		if e.Excluded != 0 {
			last = e.Excluded
		}
	}
	if math.Abs(last-1.1*1.25) > 1e-9 {
		t.Errorf("600 events at a ratio of 1 exclude %v", last)
	}
}

// TestMonotone checks that one more bad event in the new arm never speaks for it, nor one
// in the rest against it.
func TestMonotone(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		var tests [3]*sequential.Rate
		starts := 1 + random.IntN(30)
		for i := range tests {
			tests[i] = newRate(t, 0.1, 0.001, starts)
		}
		more := random.IntN(20)
		for i := range 20 {
			p := sequential.Period{New: arm(float64(random.IntN(50)), float64(random.IntN(4))),
				Rest: arm(float64(random.IntN(500)), float64(random.IntN(9)))}
			for k, r := range tests {
				q := p
				if i == more && k == 1 {
					q.New.Bad++
				}
				if i == more && k == 2 {
					q.Rest.Bad++
				}
				if err := r.Add(time.Duration(i+1)*time.Minute, q); err != nil {
					t.Fatal(err)
				}
			}
			plain, worse, better := tests[0].Evidence().LogE, tests[1].Evidence().LogE, tests[2].Evidence().LogE
			if worse < plain-1e-9 || better > plain+1e-9 {
				t.Fatalf("exp(%v), with one more bad event of the new arm exp(%v), of the rest exp(%v)", plain,
					worse, better)
			}
		}
	}
}

// TestMoments compares with gonum.
func TestMoments(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	var m sequential.Moments
	var values []float64
	for range 1000 {
		x := 1e9 + random.NormFloat64()
		values = append(values, x)
		if err := m.Add(x); err != nil {
			t.Fatal(err)
		}
	}
	mean, variance := stat.PopMeanVariance(values, nil)
	if m.N() != 1000 || math.Abs(m.Mean()-mean) > 1e-6 || math.Abs(m.Variance()-variance) > 1e-6 {
		t.Errorf("%v, %v, want %v, %v", m.Mean(), m.Variance(), mean, variance)
	}
}

// TestDifference compares the limits with the formula, and checks that they are narrowest
// where they are tuned for.
func TestDifference(t *testing.T) {
	moments := func(n int, mean float64) (m sequential.Moments) {
		for i := range n {
			if err := m.Add(mean + float64(i%2*2-1)); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	radius := func(tuned int64) float64 {
		d, err := sequential.Difference(moments(1000, 3), moments(3000, 2), 0.05, tuned)
		if err != nil || math.Abs(d.Estimate-1) > 1e-9 || math.Abs(d.Low()+d.High()-2) > 1e-9 {
			t.Fatalf("%+v, %v", d, err)
		}
		return d.Radius
	}
	const n = 4000.
	best := math.Inf(1)
	for rho2 := 1e-5; rho2 < 1; rho2 *= 1.01 { // the variance of the difference is 1/1000 + 1/3000, times n
		best = min(best, math.Sqrt(n/1000+n/3000)*math.Sqrt(2*(n*rho2+1)/(n*n*rho2)*math.Log(math.Sqrt(n*rho2+1)/0.05)))
	}
	if got := radius(n); math.Abs(got/best-1) > 1e-4 {
		t.Errorf("the radius is %v, and can be %v", got, best)
	}
	if radius(400) <= radius(n) || radius(40000) <= radius(n) {
		t.Errorf("tuned for 4000, the radius is %v; for others %v, %v", radius(n), radius(400), radius(40000))
	}
}

// TestGrid checks how many starts a step has.
func TestGrid(t *testing.T) {
	for length, want := range map[time.Duration]int{time.Second: 1, 30 * time.Minute: 30, 4 * time.Hour: 240,
		24 * time.Hour: 288, 1000 * time.Hour: 288} {
		r, err := sequential.NewRate(0.1, sequential.Config{Alpha: 0.001, Length: length})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if err := r.Add(length*time.Duration(i+1)/1000, sequential.Period{}); err != nil {
				t.Fatal(err)
			}
		}
		if starts := r.Starts(); starts != want {
			t.Errorf("%v: %d starts, want %d", length, starts, want)
		}
	}
}
