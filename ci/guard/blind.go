package guard

import (
	"fmt"
	"time"
)

// unmeasured decides about a step of which something can't be measured; ok is false if
// everything can. The plan keeps its share, and after the grace period it is held or rolled
// back.
//
// A source without data says since when it has none. An error doesn't: the line remembers the
// first one.
func (d *decider) unmeasured(found []verdict) (decision Decision, ok bool) {
	var first *verdict
	blind := d.line.Blind
	if blind.After(d.Time.Add(maxSkew)) {
		blind = time.Time{} // or grace would never end
	}
	since, lasting := blind, true // since when, and whether that is known of all
	for i, f := range found {
		if f.Verdict != NoData && f.Verdict != Error {
			continue
		}
		if first == nil {
			first = &found[i]
		}
		if f.Verdict == Error {
			lasting = lasting && !blind.IsZero()
			continue
		}
		last := newest(f.At, d.line.Since)
		if since.IsZero() || last.Before(since) {
			since = last
		}
	}
	if first == nil {
		return Decision{}, false
	}
	none := d.Plan.Guard.NoData
	if since.IsZero() {
		since = d.Time
	}
	if end := since.Add(time.Duration(none.Grace)); d.Time.Before(end) {
		d.Until = end
		what := "held"
		if none.Back {
			what = "rolled back"
		}
		if !lasting {
			d.blind = d.Time
			return d.end(Note, "%s; if that lasts, the plan is %s at %s", first.text(), what, clock(end)), true
		}
		return d.end(Wait, "%s; if that lasts, the plan is %s at %s", first.text(), what, clock(end)), true
	}
	reason := fmt.Sprintf("%s since %s", first.text(), clock(since))
	if none.Back {
		return d.end(RollBack, "%s", reason), true
	}
	return d.end(Hold, "%s", reason), true
}

// sighted adds to a decision to wait that everything can be measured again. It does so some
// time after the line began to say otherwise, so that a source that fails now and then doesn't
// write a line with each look.
func (d *decider) sighted(decision Decision) Decision {
	blind := d.line.Blind
	if decision.Action != Wait || blind.IsZero() {
		return decision
	}
	for _, f := range d.found() {
		if f.Verdict == NoData || f.Verdict == Error {
			return decision
		}
	}
	if d.Time.Before(blind.Add(time.Duration(d.Plan.Guard.NoData.Grace) / 4)) {
		return decision
	}
	decision.Action, decision.blind = Note, time.Time{}
	return decision
}

func newest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
