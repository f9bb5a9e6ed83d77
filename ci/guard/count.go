package guard

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/sequential"
)

// exposures says whether exposures are counted.
func (m *measurer) exposures() Finding {
	f := m.exposed()
	f.Queries = m.counts.sent
	return f
}

func (m *measurer) exposed() Finding {
	s := m.counts
	switch {
	case s.err != nil:
		return failed(s.err)
	case m.grid.n == 0:
		return m.soon()
	}
	total, last := sum(m.grid.n, s.new, s.rest)
	if f, ok := m.fresh(last); !ok {
		return f
	}
	f := Finding{Verdict: Pass, At: m.grid.end(last), New: &Count{Exposures: total[0]}}
	f.Reason = fmt.Sprintf("%.0f in the new arm", total[0])
	if m.hasRest() {
		f.Rest = &Count{Exposures: total[1]}
		f.Reason += fmt.Sprintf(", %.0f in the rest", total[1])
	}
	return f
}

// sum adds up the periods of which all series have data. last is the newest of them, or -1.
// A series that is nil counts nothing.
func sum(n int, list ...[]float64) (totals []float64, last int) {
	totals, last = make([]float64, len(list)), -1
	for i := range n {
		if !known(i, list...) {
			continue
		}
		last = i
		for k, s := range list {
			if s != nil {
				totals[k] += s[i]
			}
		}
	}
	return totals, last
}

func known(i int, list ...[]float64) bool {
	for _, s := range list {
		if s != nil && math.IsNaN(s[i]) {
			return false
		}
	}
	return true
}

// mismatch tests whether the exposures of the arms are in the shares that the plan gives them.
func (m *measurer) mismatch() Finding {
	if v := m.found.Exposures; v.Verdict != Pass {
		return Finding{Verdict: v.Verdict, Reason: v.Reason, At: v.At}
	}
	from := 0
	for m.grid.end(from-1).Before(m.line.Since.Add(settle)) && from < m.grid.n {
		from++
	}
	totals, _ := sum(m.grid.n-from, m.counts.new[from:], m.counts.rest[from:])
	share := float64(m.line.Share) / float64(plan.Whole)
	logE, err := sequential.Mismatch(totals, []float64{share, 1 - share})
	if err != nil {
		return failed(err)
	}
	f := Finding{
		Verdict: Pass, At: m.found.Exposures.At, New: &Count{Exposures: totals[0]}, Rest: &Count{Exposures: totals[1]},
		Tests: []Test{m.test(fmt.Sprintf("%v of the exposures are new", m.line.Share), sequential.Evidence{
			LogE: logE, MaxLogE: logE, Threshold: -math.Log(m.alpha),
		})},
	}
	f.Reason = fmt.Sprintf("%.0f exposures in the new arm and %.0f in the rest, where %v should be new", totals[0],
		totals[1], m.line.Share)
	if !(logE < -math.Log(m.alpha)) {
		f.Verdict = Fail
	}
	return f
}

// bad tests a count of bad events.
func (m *measurer) bad(ctx context.Context, metric plan.Metric) Finding {
	s := m.count(ctx, *metric.Bad)
	f := m.badIn(metric, s)
	f.Queries = s.sent
	return f
}

func (m *measurer) badIn(metric plan.Metric, s series) Finding {
	exposed := m.counts
	switch {
	case m.plan.Guard.Exposures == nil:
		return failed(fmt.Errorf("the guard counts no exposures"))
	case s.err != nil:
		return failed(s.err)
	case exposed.err != nil:
		return failed(fmt.Errorf("exposures: %w", exposed.err))
	case m.grid.n == 0:
		return m.soon()
	}
	totals, last := sum(m.grid.n, exposed.new, exposed.rest, s.new, s.rest)
	if f, ok := m.fresh(last); !ok {
		return f
	}
	f := Finding{Verdict: Pass, At: m.grid.end(last), New: &Count{totals[0], &totals[2]}}
	if m.hasRest() {
		f.Rest = &Count{totals[1], &totals[3]}
	}
	if metric.Rest && m.hasRest() {
		m.compare(&f, metric, s)
	}
	if metric.Max != nil {
		m.limit(&f, metric, s)
	}
	doubt(&f)
	return f
}

// worse lets a finding become worse, and not better.
func worse(f *Finding, v Verdict, reason string) {
	order := map[Verdict]int{Pass: 0, Inconclusive: 1, Error: 2, Fail: 3}
	if f.Reason == "" || order[v] > order[f.Verdict] {
		f.Verdict, f.Reason = v, reason
	}
}

// doubt takes back a pass that rests on nothing or on counts that can't be true. A failure
// stays one.
func doubt(f *Finding) {
	for _, c := range []*Count{f.New, f.Rest} {
		if c == nil {
			continue
		}
		if c.Exposures == 0 {
			worse(f, Inconclusive, "nobody was exposed in one of the arms")
		}
		if *c.Bad > 5+1.05*c.Exposures {
			worse(f, Error, fmt.Sprintf(
				"%.0f bad events are more than %.0f exposures: count each exposure or user once", *c.Bad, c.Exposures))
		}
	}
}

func (m *measurer) config() sequential.Config {
	return sequential.Config{Alpha: m.alpha, Length: m.grid.length}
}

// compare tests bad events against those of the rest.
func (m *measurer) compare(f *Finding, metric plan.Metric, s series) {
	test, err := sequential.NewRate(metric.WorseBy, m.config())
	for i := range m.grid.n {
		if err == nil && known(i, m.counts.new, m.counts.rest, s.new, s.rest) {
			err = test.Add(m.since(i), sequential.Period{
				New:  sequential.Arm{Exposures: m.counts.new[i], Bad: s.new[i]},
				Rest: sequential.Arm{Exposures: m.counts.rest[i], Bad: s.rest[i]},
			})
		}
	}
	if err != nil {
		worse(f, Error, short(err.Error()))
		return
	}
	e := test.Evidence()
	name := fmt.Sprintf("new ≤ %.4g × rest", 1+metric.WorseBy)
	f.Tests = append(f.Tests, m.test(name, e))
	text := fmt.Sprintf("%s bad in the new arm, %s in the rest", rate(f.New), rate(f.Rest))
	if ratio, ok := e.Ratio(); ok {
		text += fmt.Sprintf(", ratio %.3g (limit %.4g)", ratio, 1+metric.WorseBy)
	}
	worse(f, verdictOf(e), text+m.failedAt(e))
}

// limit tests bad events against an absolute limit.
func (m *measurer) limit(f *Finding, metric plan.Metric, s series) {
	test, err := sequential.NewLimit(*metric.Max, m.config())
	for i := range m.grid.n {
		if err == nil && known(i, m.counts.new, s.new) {
			err = test.Add(m.since(i), sequential.Arm{Exposures: m.counts.new[i], Bad: s.new[i]})
		}
	}
	if err != nil {
		worse(f, Error, short(err.Error()))
		return
	}
	e := test.Evidence()
	f.Tests = append(f.Tests, m.test(fmt.Sprintf("new ≤ %s", percent(*metric.Max)), e))
	worse(f, verdictOf(e), fmt.Sprintf("%s bad in the new arm (limit %s)", rate(f.New), percent(*metric.Max))+
		m.failedAt(e))
}

// failedAt says when a test failed, which may be long ago or just now.
func (m *measurer) failedAt(e sequential.Evidence) string {
	if e.FailedAt == 0 {
		return ""
	}
	return "; the test failed at " + clock(m.grid.start.Add(e.FailedAt))
}

// since returns how long after the start of the grid a period ended.
func (m *measurer) since(period int) time.Duration { return time.Duration(period+1) * m.grid.period }

func (m *measurer) test(name string, e sequential.Evidence) Test {
	// Rounded, the same evidence has the same text on all processors.
	round := func(x float64) float64 { return math.Round(x*1e4) / 1e4 }
	t := Test{
		Name: name, Alpha: m.alpha, LogE: round(e.LogE), MaxLogE: round(e.MaxLogE), Threshold: round(e.Threshold),
		Excluded: round(e.Excluded),
	}
	if e.FailedAt > 0 {
		t.FailedAt = m.grid.start.Add(e.FailedAt)
	}
	return t
}

func verdictOf(e sequential.Evidence) Verdict {
	switch e.Verdict {
	case sequential.Pass:
		return Pass
	case sequential.Fail:
		return Fail
	case sequential.Inconclusive:
		return Inconclusive
	}
	return Error
}

// rate returns a rate of bad events, for people.
func rate(c *Count) string {
	if c.Exposures == 0 {
		return "0 of 0"
	}
	return fmt.Sprintf("%s of %.0f", percent(*c.Bad/c.Exposures), c.Exposures)
}

func percent(x float64) string { return fmt.Sprintf("%.3g%%", 100*x) }
