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
	negligible   = -50.0       // as the logarithm of a part of a sum
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
// The logarithm of such a ratio is a sum over periods. So that a start needs just one
// number for each alternative, there is one running sum since the beginning of the step,
// and each start remembers what the sum was at the time.
type starts struct {
	n         int           // planned
	every     time.Duration // between two
	threshold float64       // the logarithm of 1/alpha
	before    [][alternatives]float64
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
	for len(s.before) < s.n && time.Duration(len(s.before))*s.every <= s.end {
		s.before = append(s.before, s.sum)
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
	largest := math.Inf(-1)
	for i := range s.before {
		for k, at := range s.before[i] {
			largest = max(largest, s.sum[k]-at)
		}
	}
	total := 0.0
	for i := range s.before {
		for k, at := range s.before[i] {
			if d := s.sum[k] - at - largest; d > negligible {
				total += math.Exp(d)
			}
		}
	}
	return largest + math.Log(total) - math.Log(float64(s.n)*alternatives)
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
		End: s.end, Starts: len(s.before),
	}
}
