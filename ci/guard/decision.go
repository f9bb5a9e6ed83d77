package guard

import (
	"fmt"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// An Action is what becomes of a plan.
type Action string

// The actions. All but Nothing, Wait and Refuse write a line.
const (
	Nothing  Action = "nothing"   // the plan is held, rolled back, finished or has no guard
	Wait     Action = "wait"      // it keeps its share for now
	Note     Action = "note"      // as Wait, and the line says since when nothing can be measured
	Advance  Action = "advance"   // it clears one more step
	Hold     Action = "hold"      // it keeps its share until somebody resumes it
	RollBack Action = "roll back" // its share is 0 until somebody resumes it
	Finish   Action = "finish"    // nothing watches it any more
	Refuse   Action = "refuse"    // plan and line don't fit: somebody has to correct them
)

// A Decision is what becomes of a plan, and why.
type Decision struct {
	Plan   *Plan
	Time   time.Time // when it was taken
	Action Action
	Reason string // one line, in words
	// Until is when waiting ends at the earliest. It is zero if that isn't known.
	Until time.Time
	// Step is how many steps are cleared now, and From the share that they end at. To is
	// the share after the decision.
	Step     int
	From, To plan.Share
	// Findings is what was measured. It is nil if the decision needed none.
	Findings *Findings

	line       Line      // the line before
	blind      time.Time // for Note
	unapproved bool      // it waits for nothing else
}

// Line returns the line that the decision writes; ok is false if it writes none. by says who
// writes it.
func (d *Decision) Line(by string) (line Line, ok bool) {
	switch d.Action {
	case Note:
		return d.line.See(d.blind, d.Time, by), true
	case Advance:
		return d.line.Clear(d.Plan, d.Step+1, d.Time, by), true
	case Hold:
		return d.line.Hold(d.Reason, d.Time, by), true
	case RollBack:
		return d.line.RollBack(d.Plan, 0, d.Reason, d.Time, by), true
	case Finish:
		return d.line.Finish(d.Time, by), true
	}
	return Line{}, false
}

// Approval returns the line that approves the next step. ok is false if that needs no approval or
// has one; last says that the plan waits for nothing else. by says who writes the line.
func (d *Decision) Approval(by string) (line Line, last, ok bool) {
	if d.Action != Wait && d.Action != Note || d.Step >= len(d.Plan.Steps) {
		return Line{}, false, false
	}
	line, next := d.line, d.Plan.Steps[d.Step]
	if noted, ok := d.Line(by); ok {
		line = noted
	}
	if !next.Approval || line.Approved >= next.To {
		return Line{}, false, false
	}
	return line.Approve(next.To, d.Time, by), d.unapproved, true
}

// Status returns the exit status that the decision calls for: 0 if the plan went on, waits or
// needs nothing, 1 if it was refused, 3 if it is held from now on, 4 if it was rolled back.
func (d *Decision) Status() int {
	switch d.Action {
	case Refuse:
		return 1
	case Hold:
		return 3
	case RollBack:
		return 4
	}
	return 0
}

// String returns the decision in one line.
func (d *Decision) String() string {
	what := string(d.Action)
	switch d.Action {
	case Nothing:
		what = "nothing to do"
	case Wait, Note:
		what = fmt.Sprintf("waits at %v", d.From)
	case Advance:
		what = fmt.Sprintf("%v → %v", d.From, d.To)
	case Hold:
		what = fmt.Sprintf("held at %v", d.From)
	case RollBack:
		what = fmt.Sprintf("rolled back from %v to %v", d.From, d.To)
	case Finish:
		what = fmt.Sprintf("finished at %v", d.From)
	case Refuse:
		what = "can't go on"
	}
	return fmt.Sprintf("%s in %s: %s: %s", d.Plan.Flag, d.Plan.Environment, what, d.Reason)
}
