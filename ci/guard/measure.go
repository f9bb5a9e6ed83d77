package guard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/sequential"
)

const (
	// maxSkew is by how much the clock of a source may differ from ours.
	maxSkew = time.Minute
	// settle is how long clients may take to load a new share. Exposures from before count as
	// exposures, and not towards the ratio of the arms.
	settle = 5 * time.Minute
	// late is how many of the newest periods may lack data: samples arrive late.
	late = 1
)

// A measurer measures one plan.
type measurer struct {
	*runner
	plan *Plan
	line Line
	step int // how many are cleared
	now  time.Time
	grid grid

	alpha  float64 // of each test
	counts series  // exposures
	found  Findings
}

// A series is what was counted in each period, in each arm. NaN: nothing is known.
type series struct {
	new, rest []float64
	sent      []Sent
	err       error
}

// measure measures all that the guard of a plan asks for at its share.
func (r *runner) measure(ctx context.Context, p *Plan, l Line, step int, now time.Time) *Findings {
	m := &measurer{runner: r, plan: p, line: l, step: step, now: now, grid: gridOf(p, l, step, now)}
	g := p.Guard
	var err error
	if m.alpha, err = sequential.Split(g.Alpha, len(p.Steps), max(tests(g), 1)); err != nil {
		m.alpha = 0 // tests then fail to start, which is an error of each metric
	}
	if g.Exposures != nil {
		m.counts = m.count(ctx, g.Exposures.Query)
		m.found.Exposures = pointerTo(m.exposures())
		if g.Exposures.Distinct && m.hasRest() {
			m.found.Mismatch = pointerTo(m.mismatch())
		}
	}
	m.metrics(ctx)
	return &m.found
}

// metrics measures the metrics of the guard. Commands come last, because they may take minutes,
// and aren't run at all if the plan is rolled back anyway.
func (m *measurer) metrics(ctx context.Context) {
	all := m.plan.Guard.Metrics
	list := make([]*Finding, len(all))
	back := false
	for _, commands := range []bool{false, true} {
		for i, metric := range all {
			if !applies(metric, m.line.Share) || (metric.Command != nil) != commands || commands && back {
				continue
			}
			f := m.metric(ctx, metric)
			f.Metric = metric.Name
			list[i] = &f
			back = back || metric.Back && f.Verdict == Fail
		}
	}
	for _, f := range list {
		if f != nil {
			m.found.Metrics = append(m.found.Metrics, *f)
		}
	}
}

func pointerTo(f Finding) *Finding { return &f }

// tests returns how many tests a step has that could fail by chance.
func tests(g *plan.Guard) (n int) {
	for _, m := range g.Metrics {
		if m.Bad != nil && m.Rest {
			n++
		}
		if m.Bad != nil && m.Max != nil {
			n++
		}
	}
	if g.Exposures != nil && g.Exposures.Distinct {
		n++
	}
	return n
}

func (m *measurer) hasRest() bool { return m.line.Share < plan.Whole }

func (m *measurer) metric(ctx context.Context, metric plan.Metric) Finding {
	switch {
	case metric.Bad != nil:
		return m.bad(ctx, metric)
	case metric.Value != nil:
		return m.value(ctx, metric)
	case metric.Alarm != "":
		return m.alarm(ctx, metric.Alarm)
	case metric.Command != nil:
		return m.command(ctx, metric.Command)
	}
	return failed(errors.New("the metric measures nothing"))
}

// failed returns the finding of an error.
func failed(err error) Finding { return Finding{Verdict: Error, Reason: short(err.Error())} }

// count asks for what was counted in each period.
func (m *measurer) count(ctx context.Context, q plan.Query) series {
	if m.grid.n == 0 {
		return series{}
	}
	query := m.query(q)
	query.Arms = []string{New}
	if m.hasRest() {
		query.Arms = append(query.Arms, Rest)
	}
	answer, sent, err := m.ask(ctx, q.Source, query)
	s := series{new: answer.Values[New], rest: answer.Values[Rest], sent: []Sent{sent}, err: err}
	for _, arm := range query.Arms {
		if err == nil {
			s.err = checkCounts(answer.Values[arm])
			err = s.err
		}
	}
	return s
}

func (m *measurer) query(q plan.Query) Query {
	return Query{
		Text: q.Text, Flag: m.plan.Flag, Environment: m.plan.Environment, Arms: []string{New},
		Start: m.grid.start, Period: m.grid.period, Periods: m.grid.n, Scrape: scrapeOf(m.plan.Guard.Sources[q.Source]),
	}
}

// ask sends a query and checks the shape of the answer.
func (m *measurer) ask(ctx context.Context, name string, q Query) (Answer, Sent, error) {
	sent := Sent{Source: name, Text: q.Text, From: q.Start, To: q.End(), Period: int(q.Period / time.Second),
		Periods: q.Periods}
	config, ok := m.plan.Guard.Sources[name]
	if !ok {
		return Answer{}, sent, fmt.Errorf("the guard has no source %q", name)
	}
	answer, err := m.runner.ask(ctx, config, q)
	if answer.Sent != "" {
		sent.Text = clip(answer.Sent, maxText)
	}
	sent.Host = answer.Host
	if err != nil {
		return Answer{}, sent, err
	}
	if err := m.runner.checkClock(answer.Clock); err != nil {
		return Answer{}, sent, err
	}
	for _, arm := range q.Arms {
		values := answer.Values[arm]
		if values == nil {
			values = make([]float64, q.Periods)
			for i := range values {
				values[i] = math.NaN()
			}
			if answer.Values == nil {
				answer.Values = make(map[string][]float64)
			}
			answer.Values[arm] = values
		}
		if len(values) != q.Periods {
			return Answer{}, sent, fmt.Errorf("the answer has %d periods instead of %d", len(values), q.Periods)
		}
		missing := 0
		for _, v := range values {
			if math.IsNaN(v) {
				missing++
			}
		}
		sent.Missing = max(sent.Missing, missing)
	}
	return answer, sent, nil
}

// checkCounts reports what can't be the number of events in a period.
func checkCounts(values []float64) error {
	for _, v := range values {
		switch {
		case v < 0:
			return fmt.Errorf("a count shrank: it changed by %.4g in a period", v)
		case v > 1<<53:
			return fmt.Errorf("a count of %.4g in a period can't be true", v)
		}
	}
	return nil
}

// soon is the finding before the first period is over.
func (m *measurer) soon() Finding {
	return Finding{Verdict: Inconclusive, Reason: fmt.Sprintf("the first %v aren't over", m.grid.period)}
}

// fresh reports whether there are data up to the present and, if not, returns the finding that
// says so. last is the newest period that has data, or -1.
func (m *measurer) fresh(last int) (f Finding, ok bool) {
	if last >= m.grid.n-1-late && last >= 0 {
		return Finding{}, true
	}
	f = Finding{Verdict: NoData, Reason: "there are no data since the step was cleared"}
	if last >= 0 {
		f.At = m.grid.end(last)
		f.Reason = "there are no data since " + clock(f.At)
	}
	return f, false
}
