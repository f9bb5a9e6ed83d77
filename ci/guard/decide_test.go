package guard

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

var monday = time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)

func hours(n float64) time.Time { return monday.Add(time.Duration(n * float64(time.Hour))) }

func pointer[T any](v T) *T { return &v }

// search is a plan with one metric of each consequence, and a share of each kind.
func search() *Plan {
	return &Plan{
		Environment: "production", Flag: "search-index", Rule: "new index", Variant: "new", Start: monday.Unix(),
		Steps: []plan.Step{
			{To: 10_000_000}, {To: 50_000_000, After: plan.Duration(4 * time.Hour)},
			{To: 500_000_000, After: plan.Duration(24 * time.Hour), Approval: true}, {To: plan.Whole, After: plan.Duration(24 * time.Hour)},
		},
		Guard: &plan.Guard{
			Name:    "search-slo",
			Sources: map[string]plan.Source{"prom": {Prometheus: "https://prometheus.test"}},
			Exposures: &plan.Exposures{Query: plan.Query{Source: "prom",
				Text: `sum(increase(exposures{arm="$arm"}[$window]))`}, Distinct: true},
			Metrics: []plan.Metric{
				{Name: "errors", Bad: &plan.Query{Source: "prom", Text: `sum(increase(bad{arm="$arm"}[$window]))`}, Rest: true, WorseBy: 0.1, Failures: 1, Looks: 1, Back: true},
				{Name: "latency", Value: &plan.Query{Source: "prom", Text: "latency"}, Max: pointer(0.8), Failures: 2, Looks: 3},
			},
			Min:    plan.Min{Exposures: 2000, Time: plan.Duration(30 * time.Minute)},
			NoData: plan.NoData{Grace: plan.Duration(24 * time.Hour)}, Watch: plan.Duration(48 * time.Hour),
			Alpha: 0.001,
		},
	}
}

// healthy is what is measured of the plan if nothing is wrong.
func healthy(at time.Time) *Findings {
	return &Findings{
		Exposures: &Finding{Verdict: Pass, At: at, New: &Count{Exposures: 5000}},
		Mismatch:  &Finding{Verdict: Pass, At: at},
		Metrics: []Finding{
			{Metric: "errors", Verdict: Pass, At: at, New: &Count{Exposures: 4000}},
			{Metric: "latency", Verdict: Pass, At: at},
		},
	}
}

// cleared is the line of the plan after some steps, the last at a time.
func cleared(p *Plan, steps int, at time.Time) Line {
	l := plan.NewLine(p)
	for step := range steps {
		l = l.Clear(p, step+1, at, "robot")
	}
	return l
}

func TestDecide(t *testing.T) {
	p := search()
	set := func(change func(f *Findings)) func(time.Time) *Findings {
		return func(at time.Time) *Findings { f := healthy(at); change(f); return f }
	}
	says := func(i int, v Verdict) func(f *Findings) {
		return func(f *Findings) { f.Metrics[i].Verdict, f.Metrics[i].Reason = v, "why" }
	}
	one, two, three, all := cleared(p, 1, monday), cleared(p, 2, monday), cleared(p, 3, monday), cleared(p, 4, monday)
	change := func(l Line, change func(l *Line)) Line { change(&l); return l }
	for _, tt := range []struct {
		name     string
		line     Line
		after    float64 // hours since the step
		findings func(time.Time) *Findings
		want     Action
		reason   string
		until    time.Time
	}{
		{"before the start", plan.NewLine(p), -1, nil, Wait, "it starts at 2026-12-07 09:00:00 UTC", monday},
		{"at the start", plan.NewLine(p), 0, nil, Advance, "it started at", time.Time{}},
		{"healthy, too early", one, 3, healthy, Wait, "step 2 of 4 waits until 2026-12-07 13:00:00 UTC", hours(4)},
		{"healthy", one, 4, healthy, Advance, "2 metrics passed with 5000 exposures", time.Time{}},
		{"nothing measured", one, 4, nil, Note, "exposures: error (it wasn't measured); if that lasts, the plan is held", hours(28)},
		{"a metric left out", one, 4, set(func(f *Findings) { f.Metrics = f.Metrics[:1] }), Note, "latency: error (it wasn't measured)", hours(28)},
		{"an empty verdict", one, 4, set(says(1, "")), Note, `latency: error (unknown verdict "")`, hours(28)},
		{"failed with back, at once", one, .01, set(says(0, Fail)), RollBack, "errors failed: why", time.Time{}},
		{"failed with hold, at once", one, .01, set(says(1, Fail)), Hold, "latency failed: why", time.Time{}},
		{"both", one, 5, set(func(f *Findings) { says(1, Fail)(f); says(0, Fail)(f) }), RollBack, "errors failed: why", time.Time{}},
		{"failed, and no data of another", one, 5, set(func(f *Findings) { says(1, NoData)(f); says(0, Fail)(f) }), RollBack, "errors failed", time.Time{}},
		{"failed with few exposures", one, 5, set(func(f *Findings) { f.Exposures.New.Exposures = 1; says(0, Fail)(f) }), RollBack, "errors failed", time.Time{}},
		{"no data for a while", one, 5, set(func(f *Findings) { says(0, NoData)(f); f.Metrics[0].At = hours(4.5) }),
			Wait,
			"errors: no data (why); if that lasts, the plan is held at 2026-12-08 13:30:00 UTC", hours(28.5)},
		{"no data at all", one, 24, set(func(f *Findings) { says(0, NoData)(f); f.Metrics[0].At = time.Time{} }), Hold,
			"errors: no data (why) since 2026-12-07 09:00:00 UTC", time.Time{}},
		{"no exposures at all", one, 25, set(func(f *Findings) { *f.Exposures = Finding{Verdict: NoData} }), Hold, "exposures: no data", time.Time{}},
		{"an error", one, 100, set(says(1, Error)), Note, "latency: error (why)", hours(124)},
		{"an error of the future", change(one, func(l *Line) { l.Blind = hours(9e5) }), 100, set(says(1, Error)), Note, "latency: error (why)", hours(124)},
		{"an error that lasts", change(one, func(l *Line) { l.Blind = hours(90) }), 100, set(says(1, Error)), Wait, "latency: error (why)", hours(114)},
		{"an error that lasted", change(one, func(l *Line) { l.Blind = hours(70) }), 100, set(says(1, Error)), Hold,
			"latency: error (why) since 2026-12-10 07:00:00 UTC", time.Time{}},
		{"an error that is over", change(one, func(l *Line) { l.Blind = hours(.1) }), 3.5, healthy, Wait, "waits until", hours(4)},
		{"one that is over for long", change(three, func(l *Line) { l.Blind = hours(1) }), 8, healthy, Note, "waits until", hours(24)},
		{"one that is over when a step is due", change(one, func(l *Line) { l.Blind = hours(3.9) }), 4, healthy, Advance, "passed", time.Time{}},
		{"sample ratio mismatch", one, .5,
			set(func(f *Findings) { f.Mismatch.Verdict, f.Mismatch.Reason = Fail, "1 : 3" }), Hold,
			"sample ratio mismatch: 1 : 3", time.Time{}},
		{"sample ratio not measured", one, 5, set(func(f *Findings) { f.Mismatch = nil }), Note, "sample ratio: error", hours(29)},
		{"few exposures", one, 5, set(func(f *Findings) { f.Exposures.New.Exposures = 1999 }), Wait, "1999 of 2000 exposures", time.Time{}},
		{"few exposures with data", one, 5, set(func(f *Findings) { f.Metrics[0].New.Exposures = 7 }), Wait, "7 of 2000 exposures", time.Time{}},
		{"old evidence", one, 5, set(func(f *Findings) { f.Metrics[1].At = monday }), Wait, "latency: no evidence is newer than the step", time.Time{}},
		{"a step of the future", change(one, func(l *Line) { l.Since = hours(9) }), 4, healthy, Note,
			"clock: error (the step was cleared at 2026-12-07 18:00:00 UTC, which is in the future: the clock here or that of its writer is wrong); if that lasts, the plan is held",
			hours(28)},
		{"a step of the future, failed", change(one, func(l *Line) { l.Since = hours(9) }), 4, set(says(0, Fail)), RollBack, "errors failed", time.Time{}},
		{"a step of this minute, by another clock", change(one, func(l *Line) { l.Since = hours(4.01) }), 4, healthy, Wait, "waits until", hours(8.01)},
		{"finished, and steps were added", change(two, func(l *Line) { l.State = plan.Finished }), 24, healthy, Nothing,
			`it was finished, and has more steps now: "serin release resume search-index" goes on`, time.Time{}},
		{"a line of another rule", change(one, func(l *Line) { l.Rule = "other" }), 4, healthy, Refuse,
			`the ramp is in rule "new index", and releases.lock has it in rule "other": "serin release replan search-index" writes its line again`, time.Time{}},
		{"inconclusive", one, 500, set(says(0, Inconclusive)), Wait, "errors: inconclusive (why)", time.Time{}},
		{"not approved", two, 24, healthy, Wait, `step 3 (50%) waits for approval`, time.Time{}},
		{"approved less", change(two, func(l *Line) { l.Approved = 50_000_000 }), 24, healthy, Wait, `waits for approval`, time.Time{}},
		{"approved", change(two, func(l *Line) { l.Approved = 500_000_000 }), 24, healthy, Advance, `passed`, time.Time{}},
		{"approved, inconclusive", change(two, func(l *Line) { l.Approved = plan.Whole }), 24, set(says(0, Inconclusive)), Wait, `inconclusive`, time.Time{}},
		{"everyone, watched", all, 47, healthy, Wait, "the last step is watched until", hours(48)},
		{"everyone, done", all, 48, healthy, Finish, "all metrics passed for 48h0m0s", time.Time{}},
		{"everyone: no comparison", all, 48, set(says(0, Fail)), Finish, "all metrics passed", time.Time{}},
		{"everyone: no ratio", all, 48, set(func(f *Findings) { f.Mismatch = nil }), Finish, "all metrics passed", time.Time{}},
		{"everyone: a limit", all, 1, set(says(1, Fail)), Hold, "latency failed", time.Time{}},
		{"everyone: no data", all, 48, set(says(1, NoData)), Wait, "latency: no data", hours(72)},
		{"held", change(one, func(l *Line) { *l = l.Hold("broken", monday, "ann") }), 100, set(says(0, Fail)), Nothing, "it is held: broken", time.Time{}},
		{"rolled back", change(one, func(l *Line) { *l = l.RollBack(p, 0, "broken", monday, "ann") }), 100, healthy, Nothing, "it was rolled back: broken", time.Time{}},
		{"finished", change(all, func(l *Line) { *l = l.Finish(monday, "ann") }), 100, healthy, Nothing, "it is finished", time.Time{}},
		{"another plan", change(one, func(l *Line) { l.Plan = "0123456789ab" }), 100, healthy, Refuse, "serin release replan", time.Time{}},
		{"no share of a step", change(one, func(l *Line) { l.Share = 20_000_000 }), 100, set(says(0, Fail)), Refuse, "serin release replan", time.Time{}},
		{"of another flag", change(one, func(l *Line) { l.Flag = "other" }), 100, healthy, Refuse, `its line is that of flag "other"`, time.Time{}},
		{"of no known state", change(one, func(l *Line) { l.State = "paused" }), 100, healthy, Refuse, `unknown state "paused"`, time.Time{}},
		{"a clock behind the line", one, -1, healthy, Note, "clock: error (the step was cleared at 2026-12-07 09:00:00 UTC", hours(23)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := hours(tt.after)
			var f *Findings
			if tt.findings != nil {
				f = tt.findings(now)
			}
			d := Decide(p, tt.line, f, now)
			if d.Action != tt.want || !strings.Contains(d.Reason, tt.reason) {
				t.Fatalf("%s: %q, want %s: %q", d.Action, d.Reason, tt.want, tt.reason)
			}
			if tt.name != "everyone: no data" && !d.Until.Equal(tt.until) {
				t.Errorf("until %v, want %v", d.Until, tt.until)
			}
		})
	}
}

// A plan that is rolled back starts again at the time somebody named.
func TestRestart(t *testing.T) {
	p := search()
	l := cleared(p, 2, monday).RollBack(p, 0, "broken", hours(1), "robot")
	l = l.Resume(p, hours(10), hours(2), "ann")
	if d := Decide(p, l, nil, hours(9)); d.Action != Wait || !d.Until.Equal(hours(10)) {
		t.Errorf("before: %s until %v", d.Action, d.Until)
	}
	d := Decide(p, l, nil, hours(10))
	next, ok := d.Line("robot")
	if d.Action != Advance || d.To != p.Steps[0].To || !ok || next.Share != p.Steps[0].To || next.Count != l.Count+1 {
		t.Errorf("then: %s to %v, line %v", d.Action, d.To, next)
	}
}

// The first step can need an approval, and a plan's grace can end in a rollback.
func TestApprovedFirst(t *testing.T) {
	p := search()
	p.Steps[0].Approval = true
	p.Guard.NoData = plan.NoData{Back: true}
	if d := Decide(p, plan.NewLine(p), nil, hours(1)); d.Action != Wait || !strings.Contains(d.Reason, "approval") {
		t.Errorf("not approved: %s: %s", d.Action, d.Reason)
	}
	l := plan.NewLine(p).Approve(p.Steps[0].To, hours(1), "ann")
	if d := Decide(p, l, nil, hours(1)); d.Action != Advance {
		t.Errorf("approved: %s: %s", d.Action, d.Reason)
	}
	d := Decide(p, cleared(p, 1, monday), nil, hours(1))
	if line, _ := d.Line("robot"); d.Action != RollBack || line.Share != 0 || line.State != plan.Back ||
		d.Status() != 4 {
		t.Errorf("no grace: %s, line %v", d.Action, line)
	}
}

// TestDecideNever holds, over random plans, lines, findings and times: a plan never advances
// without a pass of all that it asks for, never by more than a step or beyond its last one,
// and always goes back if something fails that says so.
func TestDecideNever(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	actions := make(map[Action]int)
	for range 50_000 {
		p := randomPlan(rnd)
		line := randomLine(rnd, p)
		now := monday.Add(time.Duration(rnd.IntN(60*60)) * time.Minute)
		f := randomFindings(rnd, p, line, now)
		d := Decide(p, line, f, now)
		actions[d.Action]++
		checkNever(t, p, line, f, now, d)
		if t.Failed() {
			t.Fatalf("plan %+v\nguard %+v\nline %v\nfindings %+v\nnow %v\ndecision %v", p, p.Guard, line, f, now, &d)
		}
	}
	for _, a := range []Action{Nothing, Wait, Note, Advance, Hold, RollBack, Finish, Refuse} {
		if actions[a] < 25 {
			t.Errorf("only %d of the decisions are %q", actions[a], a)
		}
	}
}

func checkNever(t *testing.T, p *Plan, before Line, f *Findings, now time.Time, d Decision) {
	after, written := d.Line("robot")
	if !written {
		after = before
	} else if after.Count != before.Count+1 {
		t.Errorf("the count went from %d to %d", before.Count, after.Count)
	}
	step, _ := p.Cleared(before.Share)
	running := before.State == plan.Running && p.Fits(before) == nil && p.Guard != nil && grows(p)
	if !running && written {
		t.Errorf("a line was written for a plan that doesn't run")
	}
	if (after.Share > before.Share) != (d.Action == Advance && p.Steps[step].To > before.Share) || d.To != after.Share {
		t.Errorf("%s: the share went from %v to %v", d.Action, before.Share, after.Share)
	}
	if !running || step == 0 {
		return
	}
	back, sure := judge(p, before, f, now)
	if back && d.Action != RollBack {
		t.Errorf("a failure led to %s", d.Action)
	}
	if d.Action == Advance || d.Action == Finish {
		if !sure {
			t.Errorf("%s without evidence", d.Action)
		}
		if d.Action == Advance && (step >= len(p.Steps) || after.Share != p.Steps[step].To) {
			t.Errorf("not one step")
		}
		if d.Action == Finish && step != len(p.Steps) {
			t.Errorf("finished too early")
		}
	}
}

// grows reports whether each step of a plan increases the share.
func grows(p *Plan) bool {
	for i := 1; i < len(p.Steps); i++ {
		if p.Steps[i].To <= p.Steps[i-1].To {
			return false
		}
	}
	return true
}

// judge says whether a failure rolls back, and whether all that the plan asks for passed.
func judge(p *Plan, l Line, f *Findings, now time.Time) (back, sure bool) {
	if f == nil {
		f = new(Findings)
	}
	sure = true
	of := make(map[string]Finding)
	for _, m := range f.Metrics {
		of[m.Metric] = m
	}
	for _, m := range p.Guard.Metrics {
		if m.Rest && m.Max == nil && l.Share == plan.Whole {
			continue
		}
		got := of[m.Name]
		back = back || m.Back && got.Verdict == Fail
		sure = sure && got.Verdict == Pass && got.At.After(l.Since) &&
			(got.New == nil || got.New.Exposures >= float64(p.Guard.Min.Exposures))
	}
	if e := p.Guard.Exposures; e != nil {
		sure = sure && f.Exposures != nil && f.Exposures.Verdict == Pass &&
			f.Exposures.New.Exposures >= float64(p.Guard.Min.Exposures)
		if e.Distinct && l.Share < plan.Whole {
			sure = sure && f.Mismatch != nil && f.Mismatch.Verdict == Pass
		}
	}
	step, _ := p.Cleared(l.Share)
	wait := time.Duration(p.Guard.Watch)
	if step < len(p.Steps) {
		wait = time.Duration(p.Steps[step].After)
		sure = sure && (!p.Steps[step].Approval || l.Approved >= p.Steps[step].To)
	}
	return back, sure && !now.Before(l.Since.Add(wait)) && !now.Before(l.Since.Add(time.Duration(p.Guard.Min.Time)))
}

func randomPlan(rnd *rand.Rand) *Plan {
	p := search()
	p.Steps = nil
	shares := []plan.Share{1_000_000, 10_000_000, 20_000_000, 200_000_000, 500_000_000, plan.Whole}
	if rnd.IntN(20) == 0 {
		shares[2] = shares[1]
	}
	for _, s := range shares[rnd.IntN(3) : 3+rnd.IntN(4)] {
		p.Steps = append(p.Steps,
			plan.Step{To: s, After: plan.Duration(rnd.IntN(5)) * plan.Duration(time.Hour), Approval: rnd.IntN(4) == 0})
	}
	if len(p.Steps) == 0 {
		p.Steps = []plan.Step{{To: plan.Whole}}
	}
	p.Steps[0].After = 0
	g := p.Guard
	g.Metrics = nil
	for _, name := range []string{"a", "b", "c"}[:rnd.IntN(4)] {
		m := plan.Metric{Name: name, Rest: rnd.IntN(2) == 0, Back: rnd.IntN(2) == 0}
		if !m.Rest || rnd.IntN(2) == 0 {
			m.Max = new(float64)
		}
		g.Metrics = append(g.Metrics, m)
	}
	g.Exposures.Distinct = rnd.IntN(2) == 0
	if rnd.IntN(3) == 0 {
		g.Exposures, g.Min.Exposures = nil, 0
	}
	g.Min.Time = plan.Duration(rnd.IntN(3)) * plan.Duration(time.Hour)
	g.NoData = plan.NoData{Grace: plan.Duration(rnd.IntN(20)) * plan.Duration(time.Hour), Back: rnd.IntN(2) == 0}
	g.Watch = plan.Duration(rnd.IntN(20)) * plan.Duration(time.Hour)
	if rnd.IntN(20) == 0 {
		p.Guard = nil
	}
	return p
}

func randomLine(rnd *rand.Rand, p *Plan) Line {
	if rnd.IntN(10) == 0 {
		return plan.NewLine(p)
	}
	l := cleared(p, rnd.IntN(len(p.Steps)+1), monday.Add(time.Duration(rnd.IntN(20))*time.Hour))
	if rnd.IntN(2) == 0 {
		l.Approved = p.Steps[rnd.IntN(len(p.Steps))].To
	}
	if rnd.IntN(4) == 0 {
		l.Blind = monday.Add(time.Duration(rnd.IntN(60*60)) * time.Minute)
	}
	switch rnd.IntN(12) {
	case 0:
		l.State = []plan.State{plan.Held, plan.Back, plan.Finished, "other", ""}[rnd.IntN(5)]
	case 1:
		l.Plan = p.Hash(rnd.IntN(len(p.Steps) + 1))
	case 2:
		l.Share = plan.Share(rnd.IntN(3)) * 10_000_000
	}
	return l
}

func randomFindings(rnd *rand.Rand, p *Plan, line Line, now time.Time) *Findings {
	if p.Guard == nil || rnd.IntN(30) == 0 {
		return nil
	}
	one := func(name string) Finding {
		f := Finding{Metric: name, Verdict: Pass, At: now, New: &Count{Exposures: float64(1990 + 10*rnd.IntN(8))}}
		if rnd.IntN(6) == 0 {
			f.Verdict = []Verdict{Fail, Inconclusive, NoData, Error, "", "success"}[rnd.IntN(6)]
		}
		if rnd.IntN(10) == 0 {
			f.At = monday.Add(time.Duration(rnd.IntN(20)) * time.Hour)
		}
		return f
	}
	f := new(Findings)
	for _, m := range p.Guard.Metrics {
		if rnd.IntN(30) > 0 {
			f.Metrics = append(f.Metrics, one(m.Name))
		}
	}
	if rnd.IntN(30) > 0 {
		f.Exposures, f.Mismatch = pointer(one("")), pointer(one(""))
	}
	return f
}
