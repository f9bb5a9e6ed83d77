package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// A life leads a plan through time, as a robot that looks now and then does.
type life struct {
	plan  *Plan
	lines Lines
	now   time.Time
	fake  *fake
	log   []string
}

// look looks at the plan, and writes its line.
func (l *life) look(t *testing.T) Decision {
	t.Helper()
	d := Run(t.Context(), []*Plan{l.plan}, l.lines, Options{
		Open: func(context.Context, string, string) (Source, error) { return l.fake, nil },
		Now:  func() time.Time { return l.now },
	})[0]
	if line, ok := d.Line("robot"); ok {
		l.lines[line.Key()] = line
		what := fmt.Sprintf("%v %s %v", l.now.Sub(monday).Round(time.Minute), d.Action, line.Share)
		if d.Action == Note {
			what += fmt.Sprintf(" blind=%t", !line.Blind.IsZero())
		}
		l.log = append(l.log, what)
	}
	return d
}

// until looks every so often until a time.
func (l *life) until(t *testing.T, end time.Time, every time.Duration) {
	t.Helper()
	for ; !l.now.After(end); l.now = l.now.Add(every) {
		l.look(t)
	}
}

// shares returns numbers of the arms in the shares that the plan has.
func (l *life) shares() func(context.Context, Query) (Answer, error) {
	return numbers(func(name, arm string, values []float64) {
		share := float64(l.lines[l.plan.Key()].Share) / float64(plan.Whole)
		if arm == Rest {
			share = 1 - share
		}
		for i := range values {
			switch name {
			case "exposures":
				values[i] = 1000 * share
			case "bad":
				values[i] = 10 * share
			}
		}
	})
}

// TestLife leads a plan through its whole life, with an outage of its source on the way.
func TestLife(t *testing.T) {
	l := &life{plan: small(), lines: make(Lines), now: hours(-1)}
	l.fake = &fake{answer: l.shares()}
	l.until(t, hours(5), 5*time.Minute)
	l.fake.answer = func(context.Context, Query) (Answer, error) { return Answer{}, errors.New("broken") }
	l.until(t, hours(10), 5*time.Minute)
	l.fake.answer = l.shares()
	l.until(t, hours(40), 15*time.Minute)
	key := l.plan.Key()
	l.lines[key] = l.lines[key].Approve(l.plan.Steps[2].To, l.now, "ann")
	l.until(t, hours(24*6), time.Hour)
	want := []string{
		"0s advance 10%", "4h0m0s advance 25%",
		// The source fails from 5:05 on. It is there again at 10:05, and a quarter of the
		// grace period of 24 hours after the outage began, the line says so.
		"5h5m0s note 25% blind=true", "11h5m0s note 25% blind=false",
		// Step 3 is due at 28:00, and approved at 40:00.
		"40h5m0s advance 50%", "64h5m0s advance 100%", "112h5m0s finish 100%",
	}
	if got := strings.Join(l.log, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("its life was\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if d := l.look(t); d.Action != Nothing {
		t.Error(&d)
	}
}

// TestOutage holds a plan whose source is broken for longer than the grace period, and lets it
// go on from there.
func TestOutage(t *testing.T) {
	l := &life{plan: small(), lines: make(Lines), now: monday}
	l.fake = &fake{answer: l.shares()}
	l.until(t, hours(5), 5*time.Minute)
	l.fake.answer = func(context.Context, Query) (Answer, error) { return Answer{}, errors.New("broken") }
	l.until(t, hours(48), 5*time.Minute)
	want := "0s advance 10%\n4h0m0s advance 25%\n5h5m0s note 25% blind=true\n29h5m0s hold 25%"
	if got := strings.Join(l.log, "\n"); got != want {
		t.Fatalf("its life was\n%s\nwant\n%s", got, want)
	}
	key := l.plan.Key()
	if why := l.lines[key].Why; !strings.Contains(why, "exposures: error (broken) since 2026-12-07 14:05:00 UTC") {
		t.Errorf("held: %s", why)
	}
	l.fake.answer, l.log = l.shares(), nil
	l.lines[key] = l.lines[key].Resume(l.plan, time.Time{}, l.now, "ann").Approve(plan.Whole, l.now, "ann")
	l.until(t, l.now.Add(25*time.Hour), 5*time.Minute)
	if got := strings.Join(l.log, "\n"); got != "72h5m0s advance 50%" {
		t.Errorf("then\n%s", got)
	}
}

// TestFault rolls a plan back soon after a fault begins: here, 20 times as many errors at 1%
// of 200 requests a second, three hours into the step.
func TestFault(t *testing.T) {
	fault := hours(3)
	l := &life{plan: small(), lines: make(Lines), now: monday}
	l.plan.Steps[0].To = 10_000_000
	l.fake = &fake{answer: func(_ context.Context, q Query) (Answer, error) {
		a := Answer{Values: make(map[string][]float64)}
		for i := range q.Periods {
			seconds := q.Period.Seconds()
			badNew := .02
			if !q.Start.Add(time.Duration(i) * q.Period).Before(fault) {
				badNew *= 20
			}
			number := map[string][2]float64{"exposures": {2 * seconds, 198 * seconds},
				"bad": {badNew * seconds, 1.98 * seconds}, "latency": {.2, 0}}
			for name, of := range number {
				if strings.Contains(q.Text, name) {
					for k, arm := range []string{New, Rest}[:len(q.Arms)] {
						a.Values[arm] = append(a.Values[arm], of[k])
					}
				}
			}
		}
		return a, nil
	}}
	l.until(t, fault, time.Minute)
	for l.now = fault; l.look(t).Action != RollBack; l.now = l.now.Add(15 * time.Second) {
		if l.now.After(fault.Add(time.Hour)) {
			t.Fatalf("no rollback: %v", l.log)
		}
	}
	if took := l.now.Sub(fault); took > 2*time.Minute {
		t.Errorf("rolled back %v after the fault began", took)
	}
	t.Logf("rolled back %v after the fault began", l.now.Sub(fault))
}
