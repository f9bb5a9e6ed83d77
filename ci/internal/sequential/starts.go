package sequential

import (
	"fmt"
	"math"
	"time"
)

const (
	maxStarts    = 288         // in the planned length of a step
	grid         = time.Minute // between starts of a step that isn't too long for it
	doubtful     = 3.0         // the average from which on a test that hasn't failed is inconclusive
	alternatives = 7           // len(ratios)
	reserve      = 1. / 16     // the weight of starts after the planned length
	maxEpochs    = 16          // after the planned length, which is 65,536 times that long
)

// ratios are the alternatives of each test, as multiples of the largest value that is
// fine.
var ratios = [alternatives]float64{1.25, 1.5, 2, 3, 5, 10, 30}

// logRatios are their logarithms.
var logRatios = func() (logs [alternatives]float64) {
	for i, ratio := range ratios {
		logs[i] = math.Log(ratio)
	}
	return logs
}()

// A Config says how strict a test is and where it looks for the start of a fault.
type Config struct {
	// Alpha is the chance that the test ever fails although nothing is wrong, above 0 and
	// below 1. Divide the chance of a whole plan with [Split].
	Alpha float64
	// Length is the planned length of the step, above 0. A step may take longer: faults that
	// start later are found too, a little more slowly.
	Length time.Duration

	starts int // points of the planned length that a fault is looked for from, in tests; 0: see newStarts
}

// Split divides the chance of a false alarm of a whole plan among its steps and the
// metrics of each, equally. Both numbers must be above 0.
func Split(alpha float64, steps, metrics int) (float64, error) {
	if err := checkAlpha(alpha); err != nil {
		return 0, err
	}
	if steps < 1 || metrics < 1 {
		return 0, fmt.Errorf("a plan has at least one step and one metric, not %d and %d", steps, metrics)
	}
	return alpha / float64(steps) / float64(metrics), nil
}

// starts is an average of e-processes, one from each point of a grid. An e-process is a
// mixture of likelihood ratios, one for each alternative.
//
// The logarithm of such a ratio is a sum over periods. With s for the running sum since the
// beginning of the step and b for what it was at a start, the e-value of the start is
// exp(s-b) = exp(s)·exp(-b). So the sum over all starts needs no more than the weighted
// sum of exp(-b), which is kept as a logarithm, one for each alternative.
//
// The starts in the planned length have equal weights. A step that takes longer, such as one
// that waits for an approval, goes on with epochs, each twice as long as all before it. They
// have as many starts each, farther apart, and half of the weight of the last epoch. All
// weights sum to 1, however long it takes.
type starts struct {
	n         int           // starts in the planned length, and in each epoch
	length    time.Duration // planned
	epoch     int           // of the next start; 0: the planned length
	index     int           // of the next start, in its epoch
	begun     int           // so far
	threshold float64       // the logarithm of 1/alpha
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
		return nil, fmt.Errorf("the length of a step is above 0, not %v", cfg.Length)
	}
	n := cfg.starts
	if n == 0 {
		n = int(min(maxStarts, (cfg.Length+grid-1)/grid))
	}
	s := &starts{n: n, length: cfg.Length, threshold: -math.Log(cfg.Alpha)}
	s.start()
	s.average = s.logAverage()
	s.highest = s.average
	return s, nil
}

// start begins the e-processes of all points up to the present.
func (s *starts) start() {
	for s.epoch <= maxEpochs && s.next() <= s.end {
		weight := 1 - reserve
		if s.epoch > 0 {
			weight = math.Ldexp(reserve, -s.epoch)
		}
		log := math.Log(weight / float64(s.n))
		for k, at := range s.sum {
			if s.begun == 0 {
				s.before[k] = log - at
			} else {
				s.before[k] = logAdd(s.before[k], log-at)
			}
		}
		s.begun++
		if s.index++; s.index == s.n {
			s.epoch, s.index = s.epoch+1, 0
		}
	}
}

// next returns when the next e-process begins.
func (s *starts) next() time.Duration {
	at, length := 0.0, float64(s.length)
	if s.epoch > 0 {
		length = math.Ldexp(length, s.epoch-1)
		at = length
	}
	at += length * float64(s.index) / float64(s.n)
	if at >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(at)
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
	return logMean(of[:])
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
	}
}
