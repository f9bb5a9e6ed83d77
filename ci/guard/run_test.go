package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// A fake is a source whose answers a test makes up.
type fake struct {
	answer func(ctx context.Context, q Query) (Answer, error)
	alarms func(arn string) (Alarm, error)
	asked  atomic.Int64
}

func (f *fake) Range(ctx context.Context, q Query) (Answer, error) {
	f.asked.Add(1)
	return f.answer(ctx, q)
}

func (f *fake) Alarm(_ context.Context, arn string) (Alarm, error) { return f.alarms(arn) }

// numbers returns answers in which each period has the numbers of the query's name: "bad" is
// 1 in the new arm and 9 in the rest, and so on.
func numbers(change func(name string, arm string, values []float64)) func(context.Context, Query) (Answer, error) {
	each := map[string][2]float64{"exposures": {100, 900}, "bad": {1, 9}, "latency": {.2, 0}}
	return func(_ context.Context, q Query) (Answer, error) {
		name := ""
		for n := range each {
			if strings.Contains(q.Text, n) {
				name = n
			}
		}
		a := Answer{Values: make(map[string][]float64), Sent: q.Text, Host: "prometheus.test"}
		for _, arm := range q.Arms {
			values := make([]float64, q.Periods)
			for i := range values {
				values[i] = each[name][map[string]int{New: 0, Rest: 1}[arm]]
			}
			if change != nil {
				change(name, arm, values)
			}
			a.Values[arm] = values
		}
		return a, nil
	}
}

// run measures the plan at a time, with its second step cleared on monday.
func run(t *testing.T, p *Plan, f *fake, now time.Time) Decision {
	t.Helper()
	l := cleared(p, 1, monday)
	d := Run(t.Context(), []*Plan{p}, Lines{l.Key(): l}, Options{
		Open: func(context.Context, string, string) (Source, error) { return f, nil },
		Now:  func() time.Time { return now },
	})[0]
	if data, err := d.Evidence(); err != nil || !json.Valid(data) {
		t.Errorf("evidence %s: %v", data, err)
	}
	if line, ok := d.Line("robot"); ok && strings.Contains(line.String(), "\n") {
		t.Errorf("line %v", line)
	}
	return d
}

// small is the plan with shares that fit the numbers.
func small() *Plan {
	p := search()
	p.Steps[0].To, p.Steps[1].To = plan.Whole/10, plan.Whole/4
	return p
}

func TestMeasure(t *testing.T) {
	now := hours(4)
	nan := math.NaN()
	in := func(name, arm string, change func(values []float64)) func(string, string, []float64) {
		return func(n, a string, values []float64) {
			if n == name && a == arm {
				change(values)
			}
		}
	}
	all := func(x float64) func([]float64) {
		return func(values []float64) {
			for i := range values {
				values[i] = x
			}
		}
	}
	last := func(x float64, n int) func([]float64) {
		return func(values []float64) { all(x)(values[max(0, len(values)-n):]) }
	}
	for _, tt := range []struct {
		name   string
		change func(name, arm string, values []float64)
		want   Action
		says   string
	}{
		{"healthy", nil, Advance, "2 metrics passed with 47900 exposures"},
		{"twice as bad", in("bad", New, all(2)), RollBack, "errors failed: 2% of 47900 bad in the new arm, 1% of 431100 in the rest, ratio 2 (limit 1.1)"},
		{"bad of late", in("bad", New, last(40, 4)), RollBack, "errors failed: "},
		{"no bad of late", in("bad", New, last(0, 400)), Advance, "passed"},
		{"slightly worse", in("bad", New, all(1.05)), Advance, "passed"},
		{"no bad at all", func(n, _ string, v []float64) {
			if n == "bad" {
				all(0)(v)
			}
		}, Advance, "passed"},
		{"nobody exposed", in("exposures", New, all(0)), Note, "errors: error (479 bad events are more than 0 exposures"},
		{"nobody exposed, and nothing bad", func(n, arm string, v []float64) {
			if arm == New && n != "latency" {
				all(0)(v)
			}
		}, Hold, "sample ratio mismatch: 0 exposures in the new arm"},
		{"a wrong share at first", in("exposures", New, func(v []float64) { all(2000)(v[:9]) }), Advance, "passed"},
		{"a wrong share later", in("exposures", New, func(v []float64) { all(2000)(v[10:19]) }), Hold, "sample ratio mismatch: "},
		{"wrong share", in("exposures", New, all(120)), Hold, "sample ratio mismatch: "},
		{"no data of late", in("bad", Rest, last(nan, 2)), Wait, "errors: no data (there are no data since 2026-12-07 12:58:30 UTC)"},
		{"the newest is late", in("bad", Rest, last(nan, 1)), Advance, "passed"},
		{"no data", in("bad", New, all(nan)), Wait, "errors: no data (there are no data since the step was cleared)"},
		{"no exposures", in("exposures", Rest, all(nan)), Wait, "exposures: no data"},
		{"negative", in("bad", Rest, last(-1, 1)), Note, "errors: error (a count shrank"},
		{"negative exposures", in("exposures", New, last(-1, 1)), Note, "exposures: error (a count shrank"},
		{"infinite", in("bad", New, last(math.Inf(1), 1)), Note, "errors: error (a count of +Inf"},
		{"huge", in("bad", Rest, last(1e300, 1)), Note, "errors: error (a count of 1e+300"},
		{"more bad than exposed", func(n, _ string, v []float64) {
			if n == "bad" {
				all(2000)(v)
			}
		}, RollBack, "errors failed"},
		{"more bad than exposed in the rest", in("bad", Rest, all(2000)), Note, "errors: error (958000 bad events are more than 431100 exposures"},
		{"slow twice", in("latency", New, last(.9, 2)), Hold, "latency failed: 2 of the last 3 looks are above 0.8, the newest is 0.9"},
		{"slow once", in("latency", New, last(.9, 1)), Advance, "passed"},
		{"slow and late", in("latency", New, func(v []float64) { v[0], v[1], v[2], v[3] = .9, .1, .9, nan }), Hold, "latency failed"},
		{"no number", in("latency", New, last(nan, 2)), Wait, "latency: no data (there are no data since 2026-12-07 12:58:30 UTC)"},
		{"a number is missing", in("latency", New, func(v []float64) { v[2] = nan }), Wait, "latency: no data (1 of the last 3 looks found no number)"},
		{"infinitely slow", in("latency", New, last(math.Inf(1), 1)), Note, "latency: error (the value is infinite)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := run(t, small(), &fake{answer: numbers(tt.change)}, now)
			if d.Action != tt.want || !strings.Contains(d.Reason, tt.says) {
				t.Errorf("%v\nwant %s: %s", d.Text(), tt.want, tt.says)
			}
		})
	}
}

// A pass needs exposures, even if nothing else asks for some.
func TestMeasureNobody(t *testing.T) {
	p := small()
	p.Guard.Exposures.Distinct, p.Guard.Min = false, plan.Min{}
	d := run(t, p, &fake{answer: numbers(func(name, _ string, v []float64) {
		if name != "latency" {
			for i := range v {
				v[i] = 0
			}
		}
	})}, hours(4))
	if d.Action != Wait || !strings.Contains(d.Reason, "errors: inconclusive (nobody was exposed in one of the arms)") {
		t.Error(&d)
	}
}

// The chance of a false alarm is divided among steps and tests.
func TestMeasureAlpha(t *testing.T) {
	p := small()
	p.Guard.Metrics[0].Max = pointer(.5)
	d := run(t, p, &fake{answer: numbers(nil)}, hours(4))
	tests := append(d.Findings.Metrics[0].Tests, d.Findings.Mismatch.Tests...)
	if len(tests) != 3 {
		t.Fatalf("tests %+v", tests)
	}
	for _, test := range tests {
		if want := .001 / 4 / 3; math.Abs(test.Alpha-want) > 1e-12 || math.Abs(test.Threshold+math.Log(want)) > 1e-4 {
			t.Errorf("test %+v", test)
		}
	}
}

// What a source is asked: whole periods since the step was cleared, and for values the newest.
func TestMeasureQueries(t *testing.T) {
	asked := make(map[string]Query)
	f := &fake{answer: func(ctx context.Context, q Query) (Answer, error) {
		asked[q.Text] = q
		return numbers(nil)(ctx, q)
	}}
	p := small()
	l := cleared(p, 1, monday.Add(7*time.Second))
	Run(t.Context(), []*Plan{p}, Lines{l.Key(): l}, Options{
		Open: func(_ context.Context, kind, address string) (Source, error) {
			if kind != Prometheus || address != "https://prometheus.test" {
				t.Errorf("opened %s at %s", kind, address)
			}
			return f, nil
		},
		Now: func() time.Time { return hours(1) },
	})
	bad, value := asked[p.Guard.Metrics[0].Bad.Text], asked["latency"]
	if !bad.Start.Equal(monday.Add(30*time.Second)) || bad.Period != 30*time.Second || bad.Periods != 118 ||
		bad.Window != 0 ||
		bad.Scrape != 15*time.Second || strings.Join(bad.Arms, " ") != "new rest" || bad.Flag != "search-index" ||
		bad.Environment != "production" {
		t.Errorf("asked for bad events: %+v", bad)
	}
	// The oldest of 4 looks is 90 s before the newest, and its window begins with the step.
	if !value.End().Equal(bad.End()) || value.Periods != 4 ||
		value.Window != bad.End().Add(-90*time.Second).Sub(l.Since)+15*time.Second || len(value.Arms) != 1 {
		t.Errorf("asked for values: %+v", value)
	}
}

// Early looks wait, and don't say that there are no data.
func TestMeasureEarly(t *testing.T) {
	p := small()
	p.Steps[1].After, p.Guard.Min = 0, plan.Min{}
	for minutes := range 3 {
		d := run(t, p, &fake{answer: numbers(nil)}, monday.Add(time.Duration(minutes)*30*time.Second))
		if d.Action != Wait || strings.Contains(d.Reason, "no data") {
			t.Errorf("after %d periods: %v", minutes, &d)
		}
	}
	if d := run(t, p, &fake{answer: numbers(nil)}, monday.Add(5*time.Minute)); d.Action != Advance {
		t.Error(&d)
	}
}

// At 100% there is no rest.
func TestMeasureEveryone(t *testing.T) {
	p := small()
	p.Steps = []plan.Step{{To: plan.Whole}}
	p.Guard.Metrics[0].Max = pointer(.02)
	arms := make(map[string]bool)
	f := &fake{answer: func(ctx context.Context, q Query) (Answer, error) {
		arms[strings.Join(q.Arms, " ")] = true
		return numbers(nil)(ctx, q)
	}}
	d := run(t, p, f, hours(48))
	if d.Action != Finish || len(arms) != 1 || !arms[New] || d.Findings.Mismatch != nil {
		t.Errorf("%v, asked for %v", d.Text(), arms)
	}
	p.Guard.Metrics[0].Max = pointer(.005)
	if d := run(t, p, f, hours(2)); d.Action != RollBack {
		t.Error(d.Text())
	}
	p.Guard.Metrics[0].Max = nil
	if d := run(t, p, f, hours(48)); d.Action != Finish || len(d.Findings.Metrics) != 1 {
		t.Error(d.Text())
	}
}

func TestLyingSources(t *testing.T) {
	good := numbers(nil)
	for name, answer := range map[string]func(ctx context.Context, q Query) (Answer, error){
		"an error":        func(context.Context, Query) (Answer, error) { return Answer{}, errors.New("broken") },
		"nothing":         func(context.Context, Query) (Answer, error) { return Answer{}, nil },
		"too few periods": func(ctx context.Context, q Query) (Answer, error) { q.Periods--; return good(ctx, q) },
		"a clock ahead": func(ctx context.Context, q Query) (Answer, error) {
			a, err := good(ctx, q)
			a.Clock = hours(4).Add(61 * time.Second)
			return a, err
		},
		"a clock behind": func(ctx context.Context, q Query) (Answer, error) {
			a, err := good(ctx, q)
			a.Clock = hours(4).Add(-61 * time.Second)
			return a, err
		},
	} {
		d := run(t, small(), &fake{answer: answer}, hours(4))
		if d.Action != Note && d.Action != Wait {
			t.Errorf("%s: %v", name, &d)
		}
	}
	l := cleared(small(), 1, monday)
	d := Run(t.Context(), []*Plan{small()}, Lines{l.Key(): l}, Options{Now: func() time.Time { return hours(4) }})[0]
	if d.Action != Note || !strings.Contains(d.Reason, "sources aren't asked here") {
		t.Error(&d)
	}
}

// TestRandomSources holds that no answer panics, makes evidence that can't be written, or
// clears a step when something isn't known.
func TestRandomSources(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	strange := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e17, 1e308, 5e-324, 0}
	for range 300 {
		now := monday.Add(time.Duration(rnd.IntN(6*3600)) * time.Second)
		broken := false
		f := &fake{answer: numbers(func(name, arm string, values []float64) {
			if rnd.IntN(6) > 0 || len(values) == 0 {
				return
			}
			x := strange[rnd.IntN(len(strange))]
			for i := rnd.IntN(len(values)); i < len(values); i++ {
				values[i] = x
			}
			broken = broken || math.IsInf(x, 0) || name != "latency" && (x > 1e16 || x < 0)
		})}
		if d := run(t, small(), f, now); broken && d.Action == Advance {
			t.Fatal(d.Text())
		}
	}
}

func TestAlarmsAndCommands(t *testing.T) {
	const arn = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:pager"
	p := small()
	p.Guard.Exposures, p.Guard.Min.Exposures = nil, 0
	p.Guard.Metrics = []plan.Metric{{Name: "pager", Alarm: arn, Back: true}}
	for _, tt := range []struct {
		alarm Alarm
		err   error
		want  Action
		says  string
	}{
		{Alarm{State: "OK"}, nil, Advance, "passed"},
		{Alarm{State: "ALARM", Reason: "too\nmuch"}, nil, RollBack, "pager failed: it is firing: too much"},
		{Alarm{State: "INSUFFICIENT_DATA", Since: hours(3)}, nil, Wait, "pager: no data (the alarm has too few data); if that lasts, the plan is held at 2026-12-08 12:00"},
		{Alarm{State: "INSUFFICIENT_DATA", Since: hours(-50)}, nil, Wait, "held at 2026-12-08 09:00"},
		{Alarm{State: "ok"}, nil, Note, "unknown state"},
		{Alarm{}, errors.New("denied"), Note, "pager: error (denied)"},
		{Alarm{State: "OK", Clock: hours(5)}, nil, Note, "its clock is 1h0m0s ahead of ours"},
	} {
		d := run(t, p, &fake{alarms: func(got string) (Alarm, error) {
			if got != arn {
				t.Errorf("asked for %s", got)
			}
			return tt.alarm, tt.err
		}}, hours(4))
		if d.Action != tt.want || !strings.Contains(d.Reason, tt.says) {
			t.Errorf("%+v: %v", tt.alarm, &d)
		}
	}
	p.Guard.Metrics = []plan.Metric{{Name: "smoke",
		Command: &plan.Command{Run: []string{"./smoke.sh", "-v"}, Timeout: plan.Duration(time.Minute)}}}
	for status, want := range map[int]Action{0: Advance, 1: Hold, 2: Note, 127: Note, -1: Note} {
		var got Command
		l := cleared(p, 1, monday)
		d := Run(t.Context(), []*Plan{p}, Lines{l.Key(): l},
			Options{Now: func() time.Time { return hours(4) }, Runner: runnerFunc(func(c Command) (Outcome, error) {
				got = c
				return Outcome{Status: status, Output: "output"}, nil
			})})[0]
		if d.Action != want || d.Findings.Metrics[0].Output != "output" {
			t.Errorf("status %d: %v", status, &d)
		}
		if env := strings.Join(got.Env, " "); !strings.Contains(env,
			"SERIN_FLAG=search-index SERIN_ENVIRONMENT=production SERIN_VARIANT=new SERIN_SHARE=10% SERIN_STEP=1") ||
			got.Timeout != time.Minute {
			t.Errorf("command %+v", got)
		}
	}
	l := cleared(p, 1, monday)
	d := Run(t.Context(), []*Plan{p}, Lines{l.Key(): l},
		Options{Now: func() time.Time { return hours(4) }, Runner: runnerFunc(func(Command) (Outcome, error) {
			return Outcome{Running: true}, nil
		})})[0]
	if d.Action != Wait || !strings.Contains(d.Reason, "smoke: inconclusive (it is running)") {
		t.Error(&d)
	}
	if d := run(t, p, &fake{}, hours(4)); d.Action != Note || !strings.Contains(d.Reason, "commands aren't run here") {
		t.Error(&d)
	}
}

// A command runs last, and not if the plan is rolled back anyway.
func TestCommandLast(t *testing.T) {
	for bad, want := range map[float64]int64{1: 1, 5: 0} {
		p := small()
		smoke := plan.Metric{Name: "smoke", Command: &plan.Command{Run: []string{"./smoke.sh"}}}
		p.Guard.Metrics = append([]plan.Metric{smoke}, p.Guard.Metrics...)
		f := &fake{answer: numbers(func(name, arm string, values []float64) {
			for i := range values {
				if name == "bad" && arm == New {
					values[i] = bad
				}
			}
		})}
		ran := int64(0)
		l := cleared(p, 1, monday)
		d := Run(t.Context(), []*Plan{p}, Lines{l.Key(): l}, Options{
			Open: func(context.Context, string, string) (Source, error) { return f, nil },
			Now:  func() time.Time { return hours(4) },
			Runner: runnerFunc(func(Command) (Outcome, error) {
				if ran++; f.asked.Load() != 3 {
					t.Errorf("it ran after %d queries", f.asked.Load())
				}
				return Outcome{}, nil
			}),
		})[0]
		if ran != want || (d.Action == RollBack) != (want == 0) {
			t.Errorf("it ran %d times: %v", ran, d.Text())
		}
		if want == 1 && d.Findings.Metrics[0].Metric != "smoke" {
			t.Error(d.Text())
		}
	}
}

type runnerFunc func(c Command) (Outcome, error)

func (f runnerFunc) Run(_ context.Context, c Command) (Outcome, error) { return f(c) }

// A source that doesn't answer is asked a few times and no more, and others go on.
func TestRunConcurrentSlowSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plans []*Plan
		lines := make(Lines)
		since := time.Now()
		for i := range 200 {
			p := small()
			p.Flag = fmt.Sprintf("flag-%d", i)
			if i%2 == 0 {
				p.Guard.Sources = map[string]plan.Source{"prom": {Prometheus: "https://slow.test"}}
			}
			l := cleared(p, 1, since)
			plans, lines[l.Key()] = append(plans, p), l
		}
		slow := &fake{answer: func(ctx context.Context, _ Query) (Answer, error) {
			<-ctx.Done()
			return Answer{}, ctx.Err()
		}}
		good := &fake{answer: numbers(nil)}
		var mu sync.Mutex
		opened := make(map[string]int)
		time.Sleep(4 * time.Hour)
		start := time.Now()
		decisions := Run(t.Context(), plans, lines,
			Options{Open: func(_ context.Context, kind, address string) (Source, error) {
				mu.Lock()
				defer mu.Unlock()
				opened[kind+" "+address]++
				return map[bool]Source{true: slow, false: good}[address == "https://slow.test"], nil
			}})
		if took := time.Since(start); took > 40*time.Second {
			t.Errorf("took %v", took)
		}
		if n := slow.asked.Load(); n > maxSlow+defaultParallel {
			t.Errorf("asked %d times", n)
		}
		if len(opened) != 2 || opened["prometheus https://slow.test"] != 1 {
			t.Errorf("opened %v", opened)
		}
		for i, d := range decisions {
			if want := []Action{Note, Advance}[i%2]; d.Action != want || d.Plan != plans[i] {
				t.Errorf("plan %d: %v", i, &d)
			}
		}
		if n := good.asked.Load(); n != 300 {
			t.Errorf("%d queries for 100 plans with exposures and two metrics each", n)
		}
	})
}

// Sources are kept over runs, and those that can't be opened are tried again.
func TestKeep(t *testing.T) {
	opened := make(map[string]int)
	open := Keep(func(_ context.Context, kind, address string) (Source, error) {
		opened[address]++
		if address == "broken" && opened[address] < 3 {
			return nil, errors.New("broken")
		}
		return new(fake), nil
	})
	var first Source
	for range 5 {
		s, err := open(t.Context(), Prometheus, "good")
		if first == nil {
			first = s
		}
		if err != nil || s != first {
			t.Error(s, err)
		}
		open(t.Context(), CloudWatch, "good")
		open(t.Context(), Prometheus, "broken")
	}
	if opened["good"] != 2 || opened["broken"] != 3 {
		t.Errorf("opened %v", opened)
	}
	for i := range 1000 {
		open(t.Context(), Prometheus, fmt.Sprint(i))
	}
	open(t.Context(), Prometheus, "0")
	if opened["0"] != 2 {
		t.Errorf("opened %d times", opened["0"])
	}
}

// Plans that don't run, or haven't begun, aren't measured.
func TestRunUnmeasured(t *testing.T) {
	p, other, held := small(), small(), small()
	other.Flag, held.Flag = "other", "held"
	l := cleared(held, 1, monday).Hold("why", monday, "ann")
	f := &fake{answer: numbers(nil)}
	list := Run(t.Context(), []*Plan{p, other, held}, Lines{l.Key(): l}, Options{
		Open: func(context.Context, string, string) (Source, error) { return f, nil },
		Now:  func() time.Time { return hours(1) },
	})
	if list[0].Action != Advance || list[1].Action != Advance || list[2].Action != Nothing || f.asked.Load() != 0 {
		t.Errorf("%v; %v; %v; asked %d times", &list[0], &list[1], &list[2], f.asked.Load())
	}
}

func TestGrid(t *testing.T) {
	for _, tt := range []struct {
		age, length, scrape time.Duration
		period              time.Duration
		n                   int
	}{
		{0, 0, 15 * time.Second, 30 * time.Second, 0},
		{44 * time.Second, 0, 15 * time.Second, 30 * time.Second, 0},
		{45 * time.Second, 0, 15 * time.Second, 30 * time.Second, 1},
		{24 * time.Hour, 24 * time.Hour, 15 * time.Second, 30 * time.Second, 2879},
		{48 * time.Hour, 24 * time.Hour, 15 * time.Second, 30 * time.Second, 5759},
		{100 * time.Hour, 24 * time.Hour, 15 * time.Second, time.Minute, 5999},
		{time.Hour, 14 * 24 * time.Hour, 15 * time.Second, 150 * time.Second, 23},
		{time.Hour, 24 * time.Hour, 5 * time.Second, 10 * time.Second, 359},
		{time.Hour, 24 * time.Hour, time.Minute, 2 * time.Minute, 29},
		{-time.Hour, time.Hour, time.Minute, 2 * time.Minute, 0},
	} {
		g := newGrid(monday, monday.Add(tt.age), tt.length, tt.scrape)
		if g.period != tt.period || g.n != tt.n {
			t.Errorf("%v: periods %v, %d of them", tt, g.period, g.n)
		}
		if g.start.Before(monday) || g.start.Unix()%int64(g.period/time.Second) != 0 {
			t.Errorf("%v: starts at %v", tt, g.start)
		}
		if g.n > 0 && g.end(g.n-1).After(monday.Add(tt.age-tt.scrape)) {
			t.Errorf("%v: ends at %v", tt, g.end(g.n-1))
		}
	}
}

func TestExpandQuery(t *testing.T) {
	q := Query{Text: `x{arm="$arm",f="$flag",e='$env'}[$window]`, Flag: "a-b.c_d", Environment: "production"}
	if got, err := q.Expand(New, "45s"); err != nil || got != `x{arm="new",f="a-b.c_d",e='production'}[45s]` {
		t.Errorf("%s, %v", got, err)
	}
	for _, name := range []string{`a"b`, "a'b", "a`b", `a\b`, "a$arm", "a\nb", "a}b", "a\xffb", "a\x7fb", ".*", "a,b"} {
		q.Environment = name
		if got, err := q.Expand(New, "45s"); err == nil {
			t.Errorf("%q: %s", name, got)
		}
	}
}

// Evidence is bounded, and as long texts as there can be are valid.
func TestEvidence(t *testing.T) {
	p := small()
	p.Guard.Metrics = nil
	f := Findings{Exposures: &Finding{Verdict: Pass}}
	for i := range 50 {
		m := plan.Metric{Name: fmt.Sprint("metric ", i)}
		p.Guard.Metrics = append(p.Guard.Metrics, m)
		f.Metrics = append(f.Metrics, Finding{
			Metric: m.Name, Verdict: Fail, Reason: strings.Repeat("é", 150), Output: strings.Repeat("\x01", maxText),
			Queries: []Sent{{Text: strings.Repeat(`"`, maxText)}},
		})
	}
	d := Decide(p, cleared(p, 1, monday), &f, hours(1))
	data, err := d.Evidence()
	if err != nil || len(data) > maxEvidence || !json.Valid(data) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	again, _ := d.Evidence()
	if string(again) != string(data) {
		t.Error("the evidence differs from look to look")
	}
	if text := d.Text(); !strings.HasPrefix(text, d.String()+"\n") ||
		!strings.Contains(text, "\n- metric 49: fail: é") {
		t.Errorf("text %s", text)
	}
}
