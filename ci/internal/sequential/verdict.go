package sequential

import (
	"fmt"
	"math"
	"time"
)

// A Verdict is what a test says about the data so far.
type Verdict int

// The verdicts of a test. See the package comment for what they mean.
const (
	Pass Verdict = iota + 1
	Fail
	Inconclusive
)

// String returns "pass", "fail" or "inconclusive".
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	case Inconclusive:
		return "inconclusive"
	}
	return fmt.Sprintf("Verdict(%d)", int(v))
}

// Evidence is what a test has found so far. No number in it is NaN or infinite.
type Evidence struct {
	Verdict   Verdict
	LogE      float64       // the natural logarithm of the e-value now
	MaxLogE   float64       // the highest it has been, which decides about Fail
	Threshold float64       // the logarithm of 1/alpha, where the test fails
	FailedAt  time.Duration // the end of the period in which it failed, or 0
	New, Rest Arm           // totals of all periods
	// Excluded is the smallest of a few ratios that the data rule out, with a chance of
	// error of alpha, as the ratio of the whole step; 0: they rule out none. A fault that
	// started late may be larger. Tests of an absolute limit leave it 0.
	Excluded float64
}

// Ratio returns the rate of bad events in the new arm, divided by that in the rest. It
// returns false if that isn't known because an arm had no exposures or the rest no bad
// events.
func (e Evidence) Ratio() (float64, bool) {
	r := e.New.Bad / e.New.Exposures / (e.Rest.Bad / e.Rest.Exposures)
	return r, !math.IsNaN(r) && !math.IsInf(r, 0) && e.New.Exposures > 0
}

func checkAlpha(alpha float64) error {
	if !(alpha > 0 && alpha < 1) || math.IsInf(-math.Log(alpha), 0) {
		return fmt.Errorf("alpha is above 0 and below 1, not %v", alpha)
	}
	return nil
}

// maxCount is the largest count. Up to it, float64 knows every integer.
const maxCount = 1 << 53

// checkCount reports a number that isn't a count of what.
func checkCount(what string, n float64) error {
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0):
		return fmt.Errorf("%s: %v isn't a number", what, n)
	case n < 0:
		return fmt.Errorf("%s: %v is negative", what, n)
	case n > maxCount:
		return fmt.Errorf("%s: %v is more than 2^53", what, n)
	}
	return nil
}
