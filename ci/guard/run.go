package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// The kinds of sources that [Options.Open] opens.
const (
	Prometheus = "prometheus" // at a URL
	CloudWatch = "cloudwatch" // in a region; it has alarms too
)

const (
	defaultParallel = 8
	defaultTimeout  = 10 * time.Second
	// maxSlow is after how many queries in a row without an answer a source isn't asked again.
	maxSlow = 3
)

// Options say how to measure.
type Options struct {
	// Open opens a source, by its kind and its URL or region. A run opens each once, however
	// many plans have it; for many runs, use [Keep]. Nil: no source can be opened, which is an error of every metric.
	Open func(ctx context.Context, kind, address string) (Source, error)
	// Runner runs commands. Nil: none is run, which is an error of the metric.
	Runner Runner
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Parallel is how many plans are measured at once. 0: 8.
	Parallel int
	// Timeout is how long a source may take to answer one query. 0: 10 s. A source that
	// didn't answer three times in a row isn't asked again in the same run.
	Timeout time.Duration
}

// maxKept is how many sources Keep keeps.
const maxKept = 100

// Keep returns a function like open that opens each source once for many runs, so that
// connections and temporary credentials live longer than a run. A source that can't be opened
// is tried again.
func Keep(
	open func(ctx context.Context, kind, address string) (Source, error),
) func(ctx context.Context, kind, address string) (Source, error) {
	var mu sync.Mutex
	kept := make(map[[2]string]Source)
	return func(ctx context.Context, kind, address string) (Source, error) {
		key := [2]string{kind, address}
		mu.Lock()
		defer mu.Unlock()
		if s, ok := kept[key]; ok {
			return s, nil
		}
		s, err := open(ctx, kind, address)
		if err != nil {
			return nil, err
		}
		if len(kept) >= maxKept {
			clear(kept)
		}
		kept[key] = s
		return s, nil
	}
}

// Run measures plans and decides about each, in their order. Their lines are those of lines.
// It returns early with errors as evidence when ctx ends: plans then keep their shares.
func Run(ctx context.Context, plans []*Plan, lines Lines, options Options) []Decision {
	if options.Now == nil {
		options.Now = time.Now
	}
	r := &runner{options: options, sources: make(map[[2]string]*source)}
	decisions := make([]Decision, len(plans))
	next := make(chan int)
	var workers sync.WaitGroup
	parallel := options.Parallel
	if parallel <= 0 {
		parallel = defaultParallel
	}
	for range min(parallel, len(plans)) {
		workers.Go(func() {
			for i := range next {
				decisions[i] = r.decide(ctx, plans[i], lines)
			}
		})
	}
	for i := range plans {
		next <- i
	}
	close(next)
	workers.Wait()
	return decisions
}

// A runner is a run.
type runner struct {
	options Options
	mu      sync.Mutex
	sources map[[2]string]*source
}

// decide measures a plan, if that is called for, and decides about it.
func (r *runner) decide(ctx context.Context, p *Plan, lines Lines) Decision {
	line, now := lines.Get(p), r.options.Now()
	if !Measures(p, line, now) {
		return Decide(p, line, nil, now)
	}
	step, _ := p.Cleared(line.Share)
	return Decide(p, line, r.measure(ctx, p, line, step, now), now)
}

// A source is one that the run has opened.
type source struct {
	open  sync.Once
	to    Source
	err   error
	mu    sync.Mutex
	slow  int // queries in a row without an answer
	about string
}

// source opens a source, once.
func (r *runner) source(ctx context.Context, kind, address string) *source {
	key := [2]string{kind, address}
	r.mu.Lock()
	s := r.sources[key]
	if s == nil {
		s = &source{about: kind + " at " + address}
		r.sources[key] = s
	}
	r.mu.Unlock()
	s.open.Do(func() {
		if r.options.Open == nil {
			s.err = errors.New("sources aren't asked here")
			return
		}
		s.to, s.err = r.options.Open(ctx, kind, address)
		if s.err == nil && s.to == nil {
			s.err = fmt.Errorf("there is no %s", s.about)
		}
	})
	return s
}

// ask asks a source that a guard names.
func (r *runner) ask(ctx context.Context, config plan.Source, q Query) (answer Answer, err error) {
	kind, address := Prometheus, config.Prometheus
	if address == "" {
		kind, address = CloudWatch, config.CloudWatch
	}
	s := r.source(ctx, kind, address)
	err = r.within(ctx, s, func(ctx context.Context) (err error) {
		answer, err = s.to.Range(ctx, q)
		return err
	})
	return answer, err
}

// alarm asks for the state of an alarm.
func (r *runner) alarm(ctx context.Context, arn string) (alarm Alarm, err error) {
	region, err := plan.AlarmRegion(arn)
	if err != nil {
		return Alarm{}, err
	}
	s := r.source(ctx, CloudWatch, region)
	err = r.within(ctx, s, func(ctx context.Context) (err error) {
		alarms, ok := s.to.(Alarms)
		if !ok {
			return fmt.Errorf("%s has no alarms", s.about)
		}
		alarm, err = alarms.Alarm(ctx, arn)
		return err
	})
	return alarm, err
}

// within asks a source, for no longer than it may take. It remembers whether it answered.
func (r *runner) within(ctx context.Context, s *source, ask func(context.Context) error) error {
	if s.err != nil {
		return s.err
	}
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	if slow >= maxSlow {
		return fmt.Errorf("%w: it isn't asked again in this run, after %d queries", ErrSlow, slow)
	}
	timeout := r.options.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := ask(asking)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		s.slow++
		return fmt.Errorf("%w: waited %v", ErrSlow, timeout)
	}
	s.slow = 0
	return err
}

// checkClock reports a clock that is too far from ours for the times of samples to be
// comparable with the time at which a step was cleared.
func (r *runner) checkClock(of time.Time) error {
	if of.IsZero() {
		return nil
	}
	ahead := of.Sub(r.options.Now()).Round(time.Second)
	switch {
	case ahead > maxSkew:
		return fmt.Errorf("its clock is %v ahead of ours", ahead)
	case ahead < -maxSkew:
		return fmt.Errorf("its clock is %v behind ours", -ahead)
	}
	return nil
}
