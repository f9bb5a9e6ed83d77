package sequential

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// An Arm is what was counted in one arm. Counts needn't be integers, because metrics
// systems extrapolate.
type Arm struct {
	Exposures float64 // users, or requests
	Bad       float64 // bad events among them
}

// A Period is what was counted in one period of a step, such as the 15 seconds since the
// last look.
type Period struct {
	New  Arm // users who get what is being released
	Rest Arm // users of the same rule who don't, yet
}

// A named count is one of a period.
type namedCount struct {
	what string
	n    float64
}

func (p Period) counts() [4]namedCount {
	return [4]namedCount{
		{"exposures of the new arm", p.New.Exposures}, {"bad events of the new arm", p.New.Bad},
		{"exposures of the rest", p.Rest.Exposures}, {"bad events of the rest", p.Rest.Bad},
	}
}

// add adds the counts of p to a total. It fails, without adding any, if one isn't valid.
func (p Period) add(total *Period) error {
	sum := Period{
		New:  Arm{total.New.Exposures + p.New.Exposures, total.New.Bad + p.New.Bad},
		Rest: Arm{total.Rest.Exposures + p.Rest.Exposures, total.Rest.Bad + p.Rest.Bad},
	}
	totals := sum.counts()
	for i, c := range p.counts() {
		if err := checkCount(c.what, c.n); err != nil {
			return err
		}
		if err := checkCount(c.what, totals[i].n); err != nil {
			return err
		}
	}
	*total = sum
	return nil
}

// lower are the alternatives of the tests against high ratios, as multiples of the largest
// ratio that is fine, which is the last of them.
var lower = [...]float64{1. / 3, 1. / 2, 1 / 1.5, 1 / 1.25, 1 / 1.1, 1}

const candidates = len(lower) + alternatives

// A Rate tests whether bad events are more frequent in the new arm than in the rest: its
// null hypothesis is that the ratio of the rates is at most 1 + worseBy. It keeps less than
// 1 KB, however many periods there are. It isn't safe for concurrent use.
type Rate struct {
	starts *starts
	fine   float64 // the largest ratio that is
	// ratios are the candidates: those of lower and those of the alternatives, times fine. logs
	// are their logarithms, up to the same constant.
	ratios, logs [candidates]float64
	total        Period
	late         Period // bad events of an arm that had no exposures since: they wait for some
	// likelihood of the whole step at each ratio of candidates, as a logarithm and up to
	// the same constant.
	likelihood [candidates]float64
	excluded   int // the first of candidates that has been ruled out; candidates: none
}

// NewRate returns a test that the new arm isn't worse than the rest by more than worseBy,
// such as 0.1 for 10%. worseBy is from 0 to 100.
func NewRate(worseBy float64, cfg Config) (*Rate, error) {
	if !(worseBy >= 0 && worseBy <= 100) {
		return nil, fmt.Errorf("worse_by is from 0 to 100 (10,000%%), not %v", worseBy)
	}
	s, err := newStarts(cfg)
	if err != nil {
		return nil, err
	}
	r := &Rate{starts: s, fine: 1 + worseBy, excluded: candidates}
	for i, ratio := range slices.Concat(lower[:], ratios[:]) {
		r.ratios[i], r.logs[i] = r.fine*ratio, math.Log(ratio)
	}
	return r, nil
}

// Add adds what was counted in the period that ends at end, measured from the start of the
// step. It starts where the last one ended. Its length may depend on anything but the
// counts of bad events in it. A period in which nobody was exposed in one of the arms says
// nothing; bad events in that arm count for the next period.
func (r *Rate) Add(end time.Duration, p Period) error {
	if end <= r.starts.end {
		return fmt.Errorf("a period ends at %v, and the one before at %v", end, r.starts.end)
	}
	if err := p.add(&r.total); err != nil {
		return err
	}
	newBad, restBad := p.New.Bad+r.late.New.Bad, p.Rest.Bad+r.late.Rest.Bad
	odds := p.New.Exposures / p.Rest.Exposures
	if !(odds > 1e-12 && odds < 1e12) { // so nobody is exposed in one arm, or in both
		r.late.New.Bad, r.late.Rest.Bad = newBad, restBad
		r.starts.add(end, [alternatives]float64{})
		return nil
	}
	r.late = Period{}
	likelihoods := r.likelihoods(odds, newBad, restBad)
	var more [alternatives]float64
	for i := range more {
		more[i] = likelihoods[len(lower)+i] - likelihoods[len(lower)-1]
	}
	r.starts.add(end, more)
	r.exclude(likelihoods)
	return nil
}

// likelihoods returns how likely the bad events of a period are at each candidate, as logarithms
// and up to the same constant. Given the number of bad events, that of the new arm is binomial.
// With the odds o of being exposed in the new arm, its probability is oρ/(1+oρ) if the ratio of
// the rates is ρ.
func (r *Rate) likelihoods(odds, newBad, restBad float64) (logs [candidates]float64) {
	for i, ratio := range r.ratios {
		logs[i] = newBad*r.logs[i] - (newBad+restBad)*math.Log1p(odds*ratio)
	}
	return logs
}

// exclude updates which ratios are ruled out: those against which the data of the whole
// step favour lower ones. more are the likelihoods of a further period.
func (r *Rate) exclude(more [candidates]float64) {
	largest, total := math.Inf(-1), 0.0 // the sum of the likelihoods so far is total·exp(largest)
	for i := range r.likelihood {
		r.likelihood[i] += more[i]
		x := r.likelihood[i]
		// The mean isn't above the largest, so most ratios need no logarithm.
		if i >= len(lower) && i < r.excluded && largest-x >= r.starts.threshold &&
			largest+math.Log(total/float64(i))-x >= r.starts.threshold {
			r.excluded = i
		}
		if x > largest {
			largest, total = x, total*math.Exp(largest-x)+1
		} else {
			total += math.Exp(x - largest)
		}
	}
}

// Evidence returns what is known so far.
func (r *Rate) Evidence() Evidence {
	e := r.starts.evidence()
	e.New, e.Rest = r.total.New, r.total.Rest
	if r.excluded < candidates {
		e.Excluded = r.ratios[r.excluded]
	}
	return e
}

// logMean returns the logarithm of the mean of numbers given as logarithms. There is at
// least one.
func logMean(logs []float64) float64 {
	largest := logs[0]
	for _, x := range logs {
		largest = max(largest, x)
	}
	total := 0.0
	for _, x := range logs {
		total += math.Exp(x - largest)
	}
	return largest + math.Log(total/float64(len(logs)))
}
