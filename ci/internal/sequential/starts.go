package sequential

import (
	"math"
	"time"
)

const (
	maxStarts    = 288         // that a step has unless a Config asks for more
	grid         = time.Minute // between starts of a step that isn't too long for it
	mostStarts   = 1440        // that a Config may ask for
	doubtful     = 3.0         // the average from which on a test that hasn't failed is inconclusive
	alternatives = 7           // len(ratios)
)

// ratios are the alternatives of each test, as multiples of the largest value that is
// fine.
var ratios = [alternatives]float64{1.25, 1.5, 2, 3, 5, 10, 30}

// A Config says how strict a test is and where it looks for the start of a fault.
type Config struct {
	// Alpha is the chance that the test ever fails although nothing is wrong, above 0 and
	// below 1. Divide the chance of a whole plan with [Split].
	Alpha float64
	// Length is the planned length of the step, above 0. Faults that start later are found
	// too, but more slowly.
	Length time.Duration
	// Starts is how many points of the step a fault is looked for from, at most 1,440.
	// 0: one every minute, at most 288.
	Starts int
}

// Split divides the chance of a false alarm of a whole plan among its steps and the
// metrics of each, equally. Both numbers must be above 0.
func Split(alpha float64, steps, metrics int) (float64, error) {
	if err := checkAlpha(alpha); err != nil {
		return 0, err
	}
	if steps < 1 || metrics < 1 {
		return 0, invalid("a plan has at least one step and one metric, not %d and %d", steps, metrics)
	}
	return alpha / float64(steps) / float64(metrics), nil
}

// starts is an average of e-processes, one from each point of a grid. An e-process is a
// mixture of likelihood ratios, one for each alternative.
//
// The logarithm of such a ratio is a sum over periods. With s for the running sum since the
// beginning of the step and b for what it was at a start, the e-value of the start is
// exp(s-b) = exp(s)·exp(-b). So the sum over all starts needs no more than the sum of
// exp(-b), which is kept as a logarithm, one for each alternative.
type starts struct {
	n         int           // planned
	every     time.Duration // between two
	threshold float64       // the logarithm of 1/alpha
	begun     int           // so far
	before    [alternatives]float64
	sum       [alternatives]float64
	end       time.Duration // of the last period
	average   float64       // its logarithm
	highest   float64       // that average has been
	failedAt  time.Duration // the end of the period in which highest reached threshold, or 0
}

func newStarts(cfg Config) (*starts, error) {
	if err := checkAlpha(cfg.Alpha); err != nil {
		return nil, err
	}
	if cfg.Length <= 0 {
		return nil, invalid("the length of a step is above 0, not %v", cfg.Length)
	}
	if cfg.Starts < 0 || cfg.Starts > mostStarts {
		return nil, invalid("there are 0 to %d starts, not %d", mostStarts, cfg.Starts)
	}
	n := cfg.Starts
	if n == 0 {
		n = int(min(maxStarts, (cfg.Length+grid-1)/grid))
	}
	every := max(cfg.Length/time.Duration(n), 1)
	s := &starts{n: n, every: every, threshold: -math.Log(cfg.Alpha)}
	s.start()
	s.average = s.logAverage()
	s.highest = s.average
	return s, nil
}

// start begins the e-processes of all points up to the present.
func (s *starts) start() {
	for s.begun < s.n && time.Duration(s.begun)*s.every <= s.end {
		for k, at := range s.sum {
			if s.begun == 0 {
				s.before[k] = -at
			} else {
				s.before[k] = logAdd(s.before[k], -at)
			}
		}
		s.begun++
	}
}

// add adds a period that ends at end. more is the logarithm of its likelihood ratio, for
// each alternative.
func (s *starts) add(end time.Duration, more [alternatives]float64) {
	s.start()
	for i := range s.sum {
		s.sum[i] += more[i]
	}
	s.end = end
	s.average = s.logAverage()
	s.highest = max(s.highest, s.average)
	if s.failedAt == 0 && s.average >= s.threshold {
		s.failedAt = end
	}
}

// logAverage returns the logarithm of the average. Starts still to come count as 0, which
// errs on the side of no alarm.
func (s *starts) logAverage() float64 {
	var of [alternatives]float64
	for k, sum := range s.sum {
		of[k] = sum + s.before[k]
	}
	return logMean(of[:]) - math.Log(float64(s.n))
}

// logAdd returns the logarithm of the sum of two numbers given as logarithms.
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// verdict says what the average means.
func (s *starts) verdict() Verdict {
	switch {
	case s.failedAt != 0:
		return Fail
	case s.average >= math.Log(doubtful):
		return Inconclusive
	}
	return Pass
}

// evidence returns what is known so far.
func (s *starts) evidence() Evidence {
	return Evidence{
		Verdict: s.verdict(), LogE: s.average, MaxLogE: s.highest, Threshold: s.threshold, FailedAt: s.failedAt,
		End: s.end, Starts: s.begun,
	}
}
