package prometheus

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/internal/plan"
)

func pointer[T any](v T) *T { return &v }

// of is the query for the increase of a counter in an arm.
func of(name string) *plan.Query {
	return &plan.Query{Source: "prom", Text: `sum(increase(` + name + `{arm="$arm"}[$window]))`}
}

// release is a plan whose first step was cleared at a time, and its line.
func release(url, flag string, since time.Time, m plan.Metric) (*guard.Plan, guard.Line) {
	if m.Name == "" {
		m.Name = "metric"
	}
	m.Looks, m.Failures = max(m.Looks, 1), max(m.Failures, 1)
	p := &guard.Plan{
		Environment: "production", Flag: flag, Rule: "rule", Variant: "new",
		Steps: []plan.Step{{To: plan.Whole / 10}, {To: plan.Whole / 2}},
		Guard: &plan.Guard{
			Name: "guard", Sources: map[string]plan.Source{"prom": {Prometheus: url,
				Scrape: plan.Duration(time.Second)}},
			Exposures: &plan.Exposures{Query: *of("exposures_total"), Distinct: true},
			Metrics:   []plan.Metric{m}, Min: plan.Min{Exposures: 150},
			NoData: plan.NoData{Grace: plan.Duration(time.Hour)}, Alpha: 0.001,
		},
	}
	return p, plan.NewLine(p).Clear(p, 1, since, "robot")
}

// A case is a metric, and what the guard says about it.
type testCase struct {
	name   string
	metric plan.Metric
	action guard.Action
	says   string
}

func cases() []testCase {
	back := func(m plan.Metric) plan.Metric { m.Back = true; return m }
	value := func(text string, max float64) plan.Metric {
		return plan.Metric{Value: &plan.Query{Source: "prom", Text: text}, Max: pointer(max)}
	}
	rest := func(q *plan.Query) plan.Metric { return plan.Metric{Bad: q, Rest: true, WorseBy: .1} }
	return []testCase{
		{"healthy", rest(of("bad_total")), guard.Advance, "1 metric passed with "},
		{"worse", back(rest(of("worse_total"))), guard.RollBack, "metric failed: 30% of "},
		{"above the limit", plan.Metric{Bad: of("worse_total"), Max: pointer(.02)}, guard.Hold, "metric failed: 30% of "},
		{"below the limit", plan.Metric{Bad: of("bad_total"), Max: pointer(.02)}, guard.Advance, "passed"},
		{"no bad event", rest(of("idle_total")), guard.Advance, "passed"},
		{"value", value(`latency_seconds * 1`, .8), guard.Advance, "passed"},
		{"value too high", value(`latency_seconds * 5`, .8), guard.Hold, "metric failed: 1 of the last 1 looks are above 0.8, the newest is 1"},
		{"no series", rest(of("unknown_total")), guard.Wait, "metric: no data (there are no data since the step was cleared)"},
		{"no series of an arm", rest(&plan.Query{Source: "prom", Text: `sum(increase(bad_total{arm="$arm",arm!="new"}[$window]))`}), guard.Wait, "metric: no data"},
		{"no value", value("unknown", .8), guard.Wait, "metric: no data (the newest looks found no number)"},
		{"0/0", value("0/0", .8), guard.Wait, "metric: no data (the newest looks found no number)"},
		{"0/0 of vectors", value("sum(idle_total)/sum(idle_total)", .8), guard.Wait, "metric: no data (the newest looks found no number)"},
		{"1/0", value("1/sum(idle_total)", .8), guard.Note, "metric: error (the value is infinite)"},
		{"below two samples", value("sum(rate(exposures_total[1s]))", .8), guard.Wait, "metric: no data"},
		{"several series", value("exposures_total", .8), guard.Note, "several series: aggregate them"},
		{"several series of an arm", rest(&plan.Query{Source: "prom", Text: `increase(bad_total{arm="$arm"}[$window])`}), guard.Note, "several series: aggregate them"},
		{"a scalar of an arm", rest(&plan.Query{Source: "prom", Text: `0/0 # $arm $window`}), guard.Note, "HTTP 400"},
		{"a bad query", value("sum(", .8), guard.Note, "HTTP 400: 1:5: parse error: "},
		{"an unknown variable", value("sum($unknown)", .8), guard.Note, "HTTP 400: 1:5: parse error: "},
		{"negative counts", rest(&plan.Query{Source: "prom", Text: `sum(delta(shrinks[$window])) + 0 * sum(increase(bad_total{arm="$arm"}[$window]))`}), guard.Note, "metric: error (a count shrank"},
		{"more bad than exposed", plan.Metric{Bad: &plan.Query{Source: "prom", Text: `2 * sum(increase(exposures_total{arm="$arm"}[$window]))`}, Rest: true, WorseBy: .1}, guard.Note, "bad events are more than"},
		{"text", value(`"text"`, .8), guard.Note, "metric: error"},
	}
}

// TestReal asks a real Prometheus, which scrapes a real service, about each kind of metric.
func TestReal(t *testing.T) {
	since := time.Now().Truncate(time.Second)
	url := startPrometheus(t, "", startService(t).URL)
	all := cases()
	var plans []*guard.Plan
	lines := make(guard.Lines)
	for _, c := range all {
		p, l := release(url, strings.ReplaceAll(strings.ToLower(c.name), " ", "-"), since, c.metric)
		p.Flag = strings.NewReplacer("/", "-").Replace(p.Flag)
		l.Flag = p.Flag
		plans, lines[l.Key()] = append(plans, p), l
	}
	options := guard.Options{Timeout: time.Minute,
		Open: func(_ context.Context, kind, address string) (guard.Source, error) {
			return Open(address, Credentials{})
		}}
	// The first plan is healthy: wait until it may advance.
	deadline := time.Now().Add(60 * time.Second)
	early := 0
	for {
		d := guard.Run(t.Context(), plans[:1], lines, options)[0]
		if d.Action == guard.Advance {
			break
		}
		if early++; d.Action != guard.Wait || time.Now().After(deadline) {
			t.Fatal(&d)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if early == 0 {
		t.Error("the plan advanced without having been measured")
	}
	for i, d := range guard.Run(t.Context(), plans, lines, options) {
		c := all[i]
		t.Run(c.name, func(t *testing.T) {
			if d.Action != c.action || !strings.Contains(d.Reason, c.says) {
				t.Errorf("decision %v, want %s: %s", &d, c.action, c.says)
			}
			if _, err := d.Evidence(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("counts", func(t *testing.T) { checkTotals(t, url, since) })
	t.Run("stale", func(t *testing.T) { checkStale(t, plans, lines, options) })
	t.Run("clock", func(t *testing.T) { checkSkew(t, plans, lines, options) })
}

// checkTotals holds that the counts of all periods are together what the counters grew by.
func checkTotals(t *testing.T, url string, since time.Time) {
	source, err := Open(url, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	const period = 2 * time.Second
	end := time.Now().Add(-time.Second).Truncate(period)
	q := guard.Query{
		Text: of("exposures_total").Text, Arms: []string{guard.New, guard.Rest}, Start: since.Truncate(period),
		Period: period, Periods: int(end.Sub(since.Truncate(period)) / period), Scrape: time.Second,
	}
	answer, err := source.Range(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, arm := range q.Arms {
		counted, first := 0.0, -1
		for i, x := range answer.Values[arm] {
			if !math.IsNaN(x) {
				counted += x
				if first < 0 {
					first = i
				}
			}
		}
		if first < 0 {
			t.Fatalf("%s: no counts: %v", arm, answer.Values)
		}
		counter := func(at time.Time) float64 {
			value, _, _, err := source.api.Query(t.Context(), `sum(exposures_total{arm="`+arm+`"})`, at)
			if vector, ok := value.(model.Vector); err == nil && ok && len(vector) == 1 {
				return float64(vector[0].Value)
			}
			return 0 // before the first sample
		}
		grew := counter(end) - counter(q.Start.Add(time.Duration(first)*period))
		if ratio := counted / grew; !(ratio > .7 && ratio < 1.35) {
			t.Errorf("%s: %v counted, and the counters grew by %v", arm, counted, grew)
		}
	}
	if skew := time.Since(answer.Clock).Abs(); skew > 10*time.Second {
		t.Errorf("its clock is off by %v", skew)
	}
}

// checkStale looks some time after the newest samples.
func checkStale(t *testing.T, plans []*guard.Plan, lines guard.Lines, options guard.Options) {
	options.Now = func() time.Time { return time.Now().Add(20 * time.Second) }
	old := version(t, plans[0].Guard.Sources["prom"].Prometheus) < 2_043
	for i, d := range guard.Run(t.Context(), plans, lines, options) {
		if old && plans[i].Guard.Metrics[0].Value != nil {
			continue // it repeats values for 5 minutes, whatever it is asked for
		}
		if d.Action != guard.Wait && d.Action != guard.Note {
			t.Errorf("without new samples: %v", &d)
		}
	}
	d := guard.Run(t.Context(), plans[:1], lines, options)[0]
	if !strings.Contains(d.Reason, "exposures: no data (there are no data since 20") {
		t.Error(&d)
	}
}

// checkSkew looks with a clock that isn't that of Prometheus.
func checkSkew(t *testing.T, plans []*guard.Plan, lines guard.Lines, options guard.Options) {
	for by, want := range map[time.Duration]string{2 * time.Minute: " behind ours",
		-2 * time.Minute: " ahead of ours"} {
		options.Now = func() time.Time { return time.Now().Add(by) }
		lines := lines
		if by < 0 {
			lines = make(guard.Lines)
			p, l := release(plans[0].Guard.Sources["prom"].Prometheus, plans[0].Flag, time.Now().Add(-time.Hour),
				plans[0].Guard.Metrics[0])
			lines[l.Key()] = l
			plans = []*guard.Plan{p}
		}
		d := guard.Run(t.Context(), plans[:1], lines, options)[0]
		if d.Action != guard.Note || !strings.Contains(d.Reason, want) {
			t.Errorf("a clock that is off by %v: %v", by, &d)
		}
	}
}
