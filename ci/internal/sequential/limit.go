package sequential

import (
	"fmt"
	"time"
)

// A Limit tests whether bad events in one arm are more frequent than an absolute limit:
// its null hypothesis is that there are at most so many per exposure. It needs no other
// arm, so it also works at 100%. It keeps less than 1 KB. It isn't safe for concurrent use.
type Limit struct {
	starts *starts
	most   float64 // bad events per exposure
	total  Period
}

// NewLimit returns a test that bad events per exposure are at most most, such as 0.02 for
// 2%. most is above 0 and at most 1,000.
func NewLimit(most float64, cfg Config) (*Limit, error) {
	if !(most >= 1e-12 && most <= 1000) {
		return nil, fmt.Errorf("a limit of bad events per exposure is above 0 and at most 1000, not %v", most)
	}
	s, err := newStarts(cfg)
	if err != nil {
		return nil, err
	}
	return &Limit{starts: s, most: most}, nil
}

// Add adds what was counted in the period that ends at end, measured from the start of the
// step. It starts where the last one ended.
func (l *Limit) Add(end time.Duration, a Arm) error {
	if end <= l.starts.end {
		return fmt.Errorf("a period ends at %v, and the one before at %v", end, l.starts.end)
	}
	if err := (Period{New: a}).add(&l.total); err != nil {
		return err
	}
	var logs [alternatives]float64
	for i, ratio := range ratios {
		logs[i] = a.Bad*logRatios[i] - a.Exposures*l.most*(ratio-1)
	}
	l.starts.add(end, logs)
	return nil
}

// Evidence returns what is known so far. The rest is empty.
func (l *Limit) Evidence() Evidence {
	e := l.starts.evidence()
	e.New = l.total.New
	return e
}
