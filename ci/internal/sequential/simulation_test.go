package sequential_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/serin-flags/serin/ci/internal/sequential"
	"github.com/serin-flags/serin/internal/soak"
)

// A traffic is users, or requests, who meet bad events at random. Rates are per second.
type traffic struct {
	exposures float64 // of both arms
	share     float64 // of the new arm
	base      float64 // bad events per exposure without a fault
	every     time.Duration
}

// period returns what is counted in one period if the new arm has mult times as many bad
// events.
func (f traffic) period(random *rand.Rand, mult float64) sequential.Period {
	n := f.exposures * f.every.Seconds()
	p := sequential.Period{
		New:  sequential.Arm{Exposures: poisson(random, n*f.share)},
		Rest: sequential.Arm{Exposures: poisson(random, n*(1-f.share))},
	}
	p.New.Bad = poisson(random, p.New.Exposures*f.base*mult)
	p.Rest.Bad = poisson(random, p.Rest.Exposures*f.base)
	return p
}

func poisson(random *rand.Rand, mean float64) float64 {
	if mean == 0 {
		return 0
	}
	return distuv.Poisson{Lambda: mean, Src: random}.Rand()
}

// rate returns the test of one of five steps, with worse_by 10% and an alpha of 0.001 for
// the plan.
func rate(t testing.TB, length time.Duration) *sequential.Rate {
	t.Helper()
	alpha, err := sequential.Split(0.001, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := sequential.NewRate(0.1, sequential.Config{Alpha: alpha, Length: length})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A fault is one that starts some time after the start of a step.
type fault struct {
	name    string
	traffic traffic
	length  time.Duration // of the step
	quiet   time.Duration // before the fault
	mult    float64
	within  time.Duration // that it must be found
}

// found returns how long the fault had lasted when it was found: a negative time if the test
// failed before the fault, and a very long one if it didn't fail.
func (f fault) found(t *testing.T, random *rand.Rand) time.Duration {
	r := rate(t, f.length)
	for at := time.Duration(0); at < f.quiet+3*f.within; {
		mult := 1.0
		if at >= f.quiet {
			mult = f.mult
		}
		at += f.traffic.every
		if err := r.Add(at, f.traffic.period(random, mult)); err != nil {
			t.Fatal(err)
		}
		if failed := r.Evidence().FailedAt; failed != 0 {
			return failed - f.quiet
		}
	}
	return math.MaxInt64
}

// TestSimulateFaults checks how long faults last before they are found.
func TestSimulateFaults(t *testing.T) {
	fast := traffic{exposures: 200, share: 0.01, base: 0.01, every: 15 * time.Second}
	slow := traffic{exposures: 20000. / 3600, share: 0.05, base: 0.01, every: 15 * time.Minute}
	for _, f := range []fault{
		{"x20", fast, 4 * time.Hour, 30 * time.Minute, 20, time.Minute},
		{"x20 in a day", fast, 24 * time.Hour, 30 * time.Minute, 20, time.Minute},
		{"x20 after 3 h", fast, 4 * time.Hour, 3 * time.Hour, 20, time.Minute},
		{"x20 after 20 h", fast, 4 * time.Hour, 20 * time.Hour, 20, 2 * time.Minute},
		{"x5", fast, 4 * time.Hour, 30 * time.Minute, 5, 7 * time.Minute},
		{"x5 in a day", fast, 24 * time.Hour, 30 * time.Minute, 5, 7 * time.Minute},
		{"x3", slow, 48 * time.Hour, 0, 3, 3 * time.Hour},
		{"x3 in a day", slow, 24 * time.Hour, 0, 3, 3 * time.Hour},
		{"x1.5", slow, 48 * time.Hour, 0, 1.5, 48 * time.Hour},
		{"x1.5 in a day", slow, 24 * time.Hour, 0, 1.5, 48 * time.Hour},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			// With fewer runs, chance alone can take the share below 95%.
			runs, least := soak.Times(300, 3000), 0.95
			if runs < 1000 {
				least = 0.92
			}
			if f.quiet > time.Hour {
				runs /= 15 // each takes long
			}
			var took []time.Duration
			early, soon := 0, 0
			for range runs {
				d := f.found(t, random)
				took = append(took, d)
				if d <= 0 {
					early++
				} else if d <= f.within {
					soon++
				}
			}
			slices.Sort(took)
			quantile := func(q float64) time.Duration { return took[int(math.Ceil(q*float64(len(took))))-1] }
			share := float64(soon) / float64(runs)
			t.Logf("%d runs: %.2f%% within %v, median %v, 95%% within %v", runs, 100*share, f.within, quantile(0.5),
				quantile(0.95))
			if early > 0 || share < least {
				t.Errorf("%.2f%% are found within %v; %d before the fault", 100*share, f.within, early)
			}
		})
	}
}

// TestSimulatePlans checks how often a plan of five steps, each of a day and checked every
// 15 minutes, is rolled back although nothing is wrong: at most once in a thousand plans.
// That also holds if the new arm is as much worse as is just fine.
func TestSimulatePlans(t *testing.T) {
	for _, c := range []struct {
		name string
		mult float64
	}{{"no effect", 1}, {"10% worse", 1.1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(3, 4))
			plans, failed, waited, looks := soak.Times(60, 10000), 0, 0, 0
			for range plans {
				fail := false
				for _, share := range []float64{0.01, 0.05, 0.1, 0.2, 0.5} {
					f := traffic{exposures: 20000. / 3600, share: share, base: 0.01, every: 15 * time.Minute}
					r := rate(t, 24*time.Hour)
					for at := f.every; at <= 24*time.Hour; at += f.every {
						if err := r.Add(at, f.period(random, c.mult)); err != nil {
							t.Fatal(err)
						}
						looks++
						if v := r.Evidence().Verdict; v == sequential.Inconclusive {
							waited++
						} else if v == sequential.Fail {
							fail = true
							break
						}
					}
				}
				if fail {
					failed++
				}
			}
			t.Logf("%d plans, %d rolled back; inconclusive at %.2f%% of the looks", plans, failed,
				100*float64(waited)/float64(looks))
			if failed*1000 > max(plans, 1000) {
				t.Errorf("%d of %d plans were rolled back", failed, plans)
			}
		})
	}
}

// TestSimulateDoubt checks what "inconclusive" is for: at the end of a step of 4 hours it
// holds up plans with a fault that isn't proved, and hardly any others.
func TestSimulateDoubt(t *testing.T) {
	f := traffic{exposures: 20000. / 3600, share: 0.05, base: 0.01, every: 15 * time.Minute}
	for _, c := range []struct {
		mult        float64
		least, most float64 // share of runs without the verdict pass
	}{{1, 0, 0.02}, {1.5, 0.3, 0.5}, {2, 0.9, 1}, {3, 1, 1}} {
		random := rand.New(rand.NewPCG(5, 6))
		runs, fail, wait := soak.Times(200, 5000), 0, 0
		for range runs {
			r := rate(t, 4*time.Hour)
			for at := f.every; at <= 4*time.Hour; at += f.every {
				if err := r.Add(at, f.period(random, c.mult)); err != nil {
					t.Fatal(err)
				}
			}
			switch r.Evidence().Verdict {
			case sequential.Fail:
				fail++
			case sequential.Inconclusive:
				wait++
			}
		}
		t.Logf("x%v: %d runs, %d failed, %d inconclusive at the end", c.mult, runs, fail, wait)
		if stopped := float64(fail+wait) / float64(runs); stopped < c.least || stopped > c.most {
			t.Errorf("x%v: %.1f%% don't pass, not %v to %v", c.mult, 100*stopped, c.least, c.most)
		}
	}
}

// TestSimulateHeavyUsers counts users or their requests in a step without any effect. One
// user in a hundred has a problem, and then with all of the user's requests, of which few
// users make most. Counts of requests take that for much more evidence than there is.
func TestSimulateHeavyUsers(t *testing.T) {
	f := traffic{exposures: 20000. / 3600, share: 0.05, base: 0.01, every: 15 * time.Minute}
	requests := distuv.Pareto{Xm: 1, Alpha: 1.5} // of a user: 3 on average
	for _, c := range []struct {
		name        string
		perUser     func(random *rand.Rand) float64
		mean        float64
		least, most float64 // share of steps that fail
	}{
		{"users", func(*rand.Rand) float64 { return 1 }, 1, 0, 0.0002},
		{"requests, 10 of each user", func(*rand.Rand) float64 { return 10 }, 10, 0.02, 1},
		{"requests, few users with most", func(random *rand.Rand) float64 {
			requests.Src = random
			return min(math.Floor(requests.Rand()), 1000)
		}, 2.55, 0.02, 1},
	} {
		random := rand.New(rand.NewPCG(7, 8))
		bad := func(users float64) (n float64) {
			for range int(users) {
				n += c.perUser(random)
			}
			return n
		}
		runs, failed := soak.Times(200, 5000), 0
		for range runs {
			r := rate(t, 24*time.Hour)
			for at := f.every; at <= 24*time.Hour && r.Evidence().Verdict != sequential.Fail; at += f.every {
				p := f.period(random, 1)
				p.New.Bad, p.Rest.Bad = bad(p.New.Bad), bad(p.Rest.Bad)
				p.New.Exposures, p.Rest.Exposures = p.New.Exposures*c.mean, p.Rest.Exposures*c.mean
				if err := r.Add(at, p); err != nil {
					t.Fatal(err)
				}
			}
			if r.Evidence().Verdict == sequential.Fail {
				failed++
			}
		}
		t.Logf("counting %s: %d of %d steps without a fault failed", c.name, failed, runs)
		if share := float64(failed) / float64(runs); share < c.least || share > c.most {
			t.Errorf("counting %s: %.2f%% of the steps fail, not %v to %v", c.name, 100*share, c.least, c.most)
		}
	}
}

// TestSimulateMeans checks how often the limits of a difference of means ever miss it, with
// skewed values, at looks from 200 to 20,000 values.
func TestSimulateMeans(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	values := distuv.LogNormal{Mu: 0, Sigma: 1, Src: random}
	const alpha = 0.05
	runs, missed := soak.Times(100, 2000), 0
	for range runs {
		var arms [2]sequential.Moments
		miss := false
		for n, look := 1, 200; n <= 20000; n++ {
			arm := 0
			if random.Float64() < 0.2 {
				arm = 1
			}
			if err := arms[arm].Add(values.Rand()); err != nil {
				t.Fatal(err)
			}
			if n < look {
				continue
			}
			look += look / 10
			if d, err := sequential.Difference(arms[1], arms[0], alpha, 2000); err == nil &&
				math.Abs(d.Estimate) > d.Radius {
				miss = true
			}
		}
		if miss {
			missed++
		}
	}
	t.Logf("missed in %d of %d runs", missed, runs)
	if float64(missed) > alpha*float64(runs) {
		t.Errorf("missed in %d of %d runs", missed, runs)
	}
}

// TestSimulateMismatch checks the test of shares at looks every 15 minutes for five days,
// without a mismatch and with one of ten units of the new arm lost.
func TestSimulateMismatch(t *testing.T) {
	const alpha, units, share = 0.001, 20000. / 4, 0.05
	for _, c := range []struct {
		kept        float64 // of the new arm
		least, most float64 // share of runs in which a mismatch is found
	}{{1, 0, alpha}, {0.9, 0.95, 1}} {
		random := rand.New(rand.NewPCG(15, 16))
		runs, found := soak.Times(100, 10000), 0
		for range runs {
			counts := []float64{0, 0}
			for range 480 {
				counts[0] += poisson(random, units*share*c.kept)
				counts[1] += poisson(random, units*(1-share))
				logE, err := sequential.Mismatch(counts, []float64{share, 1 - share})
				if err != nil {
					t.Fatal(err)
				}
				if logE >= -math.Log(alpha) {
					found++
					break
				}
			}
		}
		t.Logf("%v of the new arm kept: a mismatch in %d of %d runs", c.kept, found, runs)
		if got := float64(found) / float64(runs); got < c.least || got > c.most {
			t.Errorf("%v of the new arm kept: a mismatch in %v of the runs, not %v to %v", c.kept, got, c.least, c.most)
		}
	}
}

// BenchmarkRate is a day of a step from one range query, with a period every 15 seconds.
func BenchmarkRate(b *testing.B) {
	p := sequential.Period{New: sequential.Arm{Exposures: 30, Bad: 1}, Rest: sequential.Arm{Exposures: 2970, Bad: 30}}
	for b.Loop() {
		r := rate(b, 24*time.Hour)
		for at := 15 * time.Second; at <= 24*time.Hour; at += 15 * time.Second {
			if err := r.Add(at, p); err != nil {
				b.Fatal(err)
			}
		}
	}
}
