package sequential

import (
	"fmt"
	"math"
)

// Moments are the number, the mean and the variance of values, updated one at a time. The
// zero Moments has no values. It isn't safe for concurrent use.
type Moments struct {
	n          int64
	mean       float64
	deviations float64 // the sum of the squared deviations from the mean
}

// maxValue is the largest value of a mean. Its square is far from overflow.
const maxValue = 1e100

// Add adds a value from -1e100 to 1e100.
func (m *Moments) Add(x float64) error {
	if !(math.Abs(x) <= maxValue) {
		return fmt.Errorf("%v isn't a number from -1e100 to 1e100", x)
	}
	if m.n == maxCount {
		return fmt.Errorf("there are more than 2^53 values")
	}
	m.n++
	d := x - m.mean
	m.mean += d / float64(m.n)
	m.deviations += d * (x - m.mean)
	return nil
}

// N returns how many values there are.
func (m Moments) N() int64 { return m.n }

// Mean returns the mean, or 0 if there are no values.
func (m Moments) Mean() float64 { return m.mean }

// Variance returns the variance, the mean squared deviation from the mean, or 0 if there
// are no values.
func (m Moments) Variance() float64 {
	if m.n == 0 {
		return 0
	}
	return m.deviations / float64(m.n)
}

// An Interval is an estimate with limits that hold at all times at once, with a chance of
// error of alpha.
type Interval struct {
	Estimate float64
	Radius   float64 // from Estimate to both limits
}

// Low returns the lower limit.
func (i Interval) Low() float64 { return i.Estimate - i.Radius }

// High returns the upper limit.
func (i Interval) High() float64 { return i.Estimate + i.Radius }

// MinValues is the number of values in each arm from which on [Difference] uses the normal
// approximation.
const MinValues = 100

// Difference returns the mean of new minus the mean of rest, with an asymptotic confidence
// sequence: the limits hold at every look, if there are enough values for variances to be
// estimated well. It is narrowest, relative to what is possible, when both arms together
// have about tuned values; tuned is above 0 and must be chosen without looking at the
// values. It fails if an arm has fewer than [MinValues].
//
// Values must be independent: one per user, not one per request.
func Difference(new, rest Moments, alpha float64, tuned int64) (Interval, error) {
	if err := checkAlpha(alpha); err != nil {
		return Interval{}, err
	}
	if tuned < 1 {
		return Interval{}, fmt.Errorf("an interval is tuned for 1 value or more, not %d", tuned)
	}
	for _, m := range []Moments{new, rest} {
		if m.n < MinValues {
			return Interval{}, fmt.Errorf("a mean needs at least %d values in each arm, not %d", MinValues, m.n)
		}
	}
	n := float64(new.n) + float64(rest.n)
	variance := new.Variance()/(float64(new.n)/n) + rest.Variance()/(float64(rest.n)/n)
	radius := math.Sqrt(variance) * boundary(n, alpha, float64(tuned))
	return Interval{Estimate: new.mean - rest.mean, Radius: radius}, nil
}

// boundary returns the radius of the confidence sequence of a mean of n values with
// variance 1: sqrt(2(nρ²+1)/(n²ρ²) · log(sqrt(nρ²+1)/α)).
func boundary(n, alpha, tuned float64) float64 {
	y := n / tuned * optimum(alpha) // nρ²
	return math.Sqrt((1 + 1/y) / n * (math.Log1p(y) - 2*math.Log(alpha)))
}

// optimum returns nρ² where boundary is smallest for n: y with y = log(1+y) - 2 log(α),
// which the iteration approaches from below.
func optimum(alpha float64) float64 {
	y := -2 * math.Log(alpha)
	for range 100 {
		y = math.Log1p(y) - 2*math.Log(alpha)
	}
	return y
}
