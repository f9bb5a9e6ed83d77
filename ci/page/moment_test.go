package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/ci"
)

// smallModel returns a model of one boolean flag in production, with some more files, and the
// lines of releases.lock that next makes of the one of its plan.
func smallModel(t *testing.T, flag string, next func(*ci.Plan, ci.ReleaseLine) ci.ReleaseLine) *Model {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range map[string]string{
		"serin.yaml":      "environments: [production]\n",
		"context.yaml":    "attributes:\n  user: {type: string, unit: true}\n",
		"guards/slo.yaml": "environments: [production]\nmetrics: [{name: smoke, command: {run: [./smoke.sh]}}]\n",
		"shop/cart.yaml":  flag,
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	estate, err := ci.LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range estate.Plans("production") {
		line := next(p, ci.NewReleaseLine(p))
		estate = estate.WithReleases(ci.ReleaseLines{line.Key(): line})
	}
	return modelOf(t, estate)
}

// TestTimeGoesOn holds that a model that is looked at later says what is true then.
func TestTimeGoesOn(t *testing.T) {
	m := smallModel(t, `type: boolean
default: off
expires: 2026-12-10
rules:
  - {name: slowly, serve: {ramp: on, steps: [{to: 10%, at: 2026-12-02T09:00Z}, {to: 100%, at: 2026-12-04T09:00Z}]}}
`, nil)
	for _, c := range []struct {
		after  time.Duration
		serves string
		next   time.Duration
		states []string
	}{
		{0, "off", 24 * time.Hour, []string{"ramping"}},
		{24*time.Hour - time.Second, "off", 24 * time.Hour, []string{"ramping"}},
		{24 * time.Hour, "90% off, 10% on", 72 * time.Hour, []string{"ramping"}},
		{72 * time.Hour, "on", 0, nil},
		{20 * 24 * time.Hour, "on", 0, []string{"expired", "stale"}},
		{0, "off", 24 * time.Hour, []string{"ramping"}}, // a clock that goes back
	} {
		v := newView(m, nil, testTime.Add(c.after))
		e := v.index[0]
		next := int64(0)
		if c.next > 0 {
			next = testTime.Add(c.next).Unix()
		}
		states := slices.DeleteFunc(slices.Clone(e.States),
			func(s string) bool { return s == "warnings" || s == "stale" && !slices.Contains(c.states, s) })
		if e.Serves != c.serves || e.Changes != next || !slices.Equal(states, c.states) {
			t.Errorf("after %v it serves %q, with the states %q, and changes at %d; want %q, %q, %d", c.after,
				e.Serves, e.States, e.Changes, c.serves, c.states, next)
		}
		if found := len(find(v.index, "ramping")) == 1; found != slices.Contains(c.states, "ramping") {
			t.Errorf("after %v, a search for what is ramping finds it: %t", c.after, found)
		}
		if _, body := get(t, handlerAt(m, testTime.Add(c.after)), ""); !strings.Contains(body,
			fmt.Sprintf(`datetime="%s" title`, testTime.Add(c.next).Format(time.RFC3339))) != (c.next == 0) {
			t.Errorf("after %v, the list says of the next change:\n%s", c.after, body)
		}
	}
}

// handlerAt returns a handler that shows a model as it is at a time.
func handlerAt(m *Model, now time.Time) *Handler {
	h := NewHandler(Options{})
	h.clock = func() time.Time { return now }
	h.Update(m, nil)
	return h
}

// TestApproval holds which plans wait for an approval: those that go on, for their next step.
func TestApproval(t *testing.T) {
	const plan = `type: boolean
default: off
rules:
  - name: slowly
    serve: {ramp: on, steps: [{to: 1%%}, {to: 5%%, after: 1h%s}, {to: 100%%, after: 1h%s}], start: "2026-11-01T10:00Z", guard: slo}
`
	const gate = ", gate: approval"
	cleared := func(p *ci.Plan, l ci.ReleaseLine) ci.ReleaseLine {
		return l.Clear(p, 1, testTime.Add(-2*time.Hour), "guard")
	}
	for name, c := range map[string]struct {
		second, third string
		line          func(*ci.Plan, ci.ReleaseLine) ci.ReleaseLine
		waits         bool
	}{
		"next":         {gate, "", cleared, true},
		"a later step": {"", gate, cleared, false},
		"too early": {gate, "",
			func(p *ci.Plan, l ci.ReleaseLine) ci.ReleaseLine { return l.Clear(p, 1, testTime, "guard") }, false},
		"approved": {gate, gate, func(p *ci.Plan, l ci.ReleaseLine) ci.ReleaseLine {
			return cleared(p, l).Approve(p.Steps[1].To, testTime, "ann")
		}, false},
		"held": {gate, "", func(p *ci.Plan, l ci.ReleaseLine) ci.ReleaseLine {
			return cleared(p, l).Hold("holidays", testTime, "ann")
		}, false},
		"rolled back": {gate, "", func(p *ci.Plan, l ci.ReleaseLine) ci.ReleaseLine {
			return cleared(p, l).RollBack(p, 0, "errors", testTime, "guard")
		}, false},
	} {
		m := smallModel(t, fmt.Sprintf(plan, c.second, c.third), c.line)
		_, body := get(t, handlerAt(m, testTime), "attention.html")
		if got := strings.Contains(body, "waits for an approval"); got != c.waits {
			t.Errorf("%s: waits is %t", name, got)
		}
	}
}
