// Package guard moves releases along the plans that people have reviewed, as far as the
// evidence allows. [Run] asks the sources that a plan's guard names, and [Decide] says what
// follows: wait, clear one more step, hold the plan, roll it back, or finish it. It never goes
// further than the plan, and what can't be measured never counts as a success.
//
// The package publishes nothing, writes no files and reads no clock but the one it is given.
// What asks a source is in the packages beside it: prometheus, cloudwatch and command.
package guard

import "github.com/serin-flags/serin/ci/internal/plan"

// A Plan is a guarded ramp of one flag in one environment.
type Plan = plan.Plan

// A Line says how far a plan has got.
type Line = plan.Line

// Lines are the lines of releases.lock.
type Lines = plan.Lines

// A Share is a share in billionths, which is written as a percentage.
type Share = plan.Share

// A State says whether a plan may go on.
type State = plan.State

// The states.
const (
	Running    = plan.Running
	Held       = plan.Held     // it keeps its share until somebody resumes it
	RolledBack = plan.Back     // until somebody resumes it
	Finished   = plan.Finished // it reached its last step, and nothing watches it any more
)
