package guard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// value looks at the newest values of a metric.
func (m *measurer) value(ctx context.Context, metric plan.Metric) Finding {
	if m.grid.n == 0 {
		return m.soon()
	}
	looks := max(metric.Looks, 1)
	q := m.query(*metric.Value)
	q.Periods = min(m.grid.n, looks+late)
	q.Start = m.grid.end(m.grid.n - 1 - q.Periods)
	// The window of all looks ends with the step's beginning, not before.
	q.Window = q.Start.Add(q.Period).Sub(m.line.Since).Truncate(time.Second) + q.Scrape
	answer, sent, err := m.ask(ctx, metric.Value.Source, q)
	var f Finding
	if err != nil {
		f = failed(err)
	} else {
		f = m.lookAt(metric, answer.Values[New], looks)
	}
	f.Queries, f.Limit = []Sent{sent}, metric.Max
	return f
}

// lookAt judges the newest values. Enough failures among them fail; a pass needs all looks.
func (m *measurer) lookAt(metric plan.Metric, values []float64, looks int) Finding {
	if metric.Max == nil {
		return failed(errors.New("the metric has no limit"))
	}
	last := len(values) - 1
	for last >= 0 && math.IsNaN(values[last]) {
		last--
	}
	at := m.grid.n - len(values) + last
	if last < 0 {
		at = -1
	}
	if f, ok := m.fresh(at); !ok {
		if last < 0 {
			f.Reason = "the newest looks found no number"
		}
		return f
	}
	f := Finding{At: m.grid.end(at)}
	failures, missing := 0, 0
	for _, v := range values[max(0, last+1-looks) : last+1] {
		switch {
		case math.IsNaN(v):
			missing++
			continue
		case math.IsInf(v, 0):
			return failed(errors.New("the value is infinite"))
		case v > *metric.Max:
			failures++
		}
		f.Values = append(f.Values, v)
	}
	newest := values[last]
	switch seen := len(f.Values); {
	case failures >= max(metric.Failures, 1):
		f.Verdict, f.Reason = Fail, fmt.Sprintf("%d of the last %d looks are above %.6g, the newest is %.6g",
			failures, seen, *metric.Max, newest)
	case missing > 0:
		f.Verdict, f.Reason = NoData, fmt.Sprintf("%d of the last %d looks found no number", missing, seen+missing)
	case seen < looks:
		f.Verdict, f.Reason = Inconclusive, fmt.Sprintf("%d of %d looks so far", seen, looks)
	case failures > 0:
		f.Verdict, f.Reason = Pass, fmt.Sprintf("%d of the last %d looks are above %.6g, and %d would fail", failures,
			seen, *metric.Max, metric.Failures)
	default:
		f.Verdict, f.Reason = Pass, fmt.Sprintf("%.6g (limit %.6g)", newest, *metric.Max)
	}
	return f
}

// alarm looks at an alarm.
func (m *measurer) alarm(ctx context.Context, arn string) Finding {
	sent := Sent{Source: "alarm", Text: arn}
	a, err := m.runner.alarm(ctx, arn)
	sent.Host = a.Host
	if err == nil {
		err = m.checkClock(a.Clock)
	}
	f := Finding{At: m.now}
	switch {
	case err != nil:
		f = failed(err)
	case a.State == "OK":
		f.Verdict, f.Reason = Pass, "it isn't firing"
	case a.State == "ALARM":
		f.Verdict, f.Reason = Fail, "it is firing"
		if a.Reason != "" {
			f.Reason += ": " + clip(oneLine(a.Reason), 200)
		}
	case a.State == "INSUFFICIENT_DATA":
		f = Finding{Verdict: NoData, Reason: "the alarm has too few data", At: a.Since}
		if a.Since.After(m.now) {
			f.At = m.now
		}
	default:
		f = failed(fmt.Errorf("the alarm has the unknown state %q", clip(a.State, 50)))
	}
	f.Queries = []Sent{sent}
	return f
}

// command runs a command.
func (m *measurer) command(ctx context.Context, c *plan.Command) Finding {
	if m.options.Runner == nil {
		return failed(errors.New("commands aren't run here"))
	}
	out, err := m.options.Runner.Run(ctx, Command{
		Run: c.Run, Timeout: time.Duration(c.Timeout),
		Env: []string{
			"SERIN_FLAG=" + m.plan.Flag, "SERIN_ENVIRONMENT=" + m.plan.Environment, "SERIN_VARIANT=" + m.plan.Variant,
			fmt.Sprintf("SERIN_SHARE=%v", m.line.Share), fmt.Sprintf("SERIN_STEP=%d", m.step),
			"SERIN_SINCE=" + m.line.Since.UTC().Format(time.RFC3339),
		},
	})
	f := Finding{At: m.now, Reason: fmt.Sprintf("exit status %d", out.Status)}
	switch {
	case err != nil:
		f = failed(err)
	case out.Running:
		f.Verdict, f.Reason = Inconclusive, "it is running"
	case out.Status == 0:
		f.Verdict = Pass
	case out.Status == 1:
		f.Verdict = Fail
	default:
		f.Verdict = Error
	}
	f.Output = clip(out.Output, maxText)
	f.Queries = []Sent{{Source: "command", Text: clip(strings.Join(c.Run, " "), 500)}}
	return f
}
