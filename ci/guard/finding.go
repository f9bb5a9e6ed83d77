package guard

import "time"

// A Verdict is what a metric says about a step.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive" // it needs more evidence
	NoData       Verdict = "no data"      // the source answered, and had nothing that counts
	Error        Verdict = "error"        // the source didn't answer, or its answer can't be true
)

// Findings are what was measured about a plan at one time.
type Findings struct {
	// Exposures is what the exposures say. It is nil if the guard counts none.
	Exposures *Finding `json:"exposures,omitempty"`
	// Mismatch says whether the arms have the shares that the plan gives them. It is nil if
	// the exposures aren't distinct, and at 100%.
	Mismatch *Finding `json:"mismatch,omitempty"`
	// Metrics are in the order of the guard. Comparisons are left out at 100%, and commands
	// if another metric rolls back.
	Metrics []Finding `json:"metrics,omitempty"`
}

// A Finding is what one metric says. Its text holds no credentials.
type Finding struct {
	Metric  string  `json:"metric,omitempty"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"` // in a few words
	// At is the time of the newest data. With NoData it is zero if there were none since the
	// step was cleared, and with Error it says nothing.
	At time.Time `json:"at,omitzero"`
	// New and Rest are what was counted in the arms since the step was cleared.
	New  *Count `json:"new,omitempty"`
	Rest *Count `json:"rest,omitempty"`
	// Tests are the statistics that the verdict rests on.
	Tests []Test `json:"tests,omitempty"`
	// Limit is the largest value that passes, and Values are those looked at, the newest last.
	Limit  *float64  `json:"limit,omitempty"`
	Values []float64 `json:"values,omitempty"`
	// Queries are what sources were asked.
	Queries []Sent `json:"queries,omitempty"`
	// Output is the end of what a command printed.
	Output string `json:"output,omitempty"`
}

// A Count is what was counted in an arm. It needn't be whole, because metrics systems
// extrapolate.
type Count struct {
	Exposures float64  `json:"exposures"`
	Bad       *float64 `json:"bad,omitempty"`
}

// A Test is the state of a sequential test. It fails when the logarithm of its e-value has
// reached the threshold at any time.
type Test struct {
	Name      string  `json:"name"` // what is tested, such as "new ≤ 1.1 × rest"
	Alpha     float64 `json:"alpha"`
	LogE      float64 `json:"log_e"`     // now
	MaxLogE   float64 `json:"max_log_e"` // the highest so far
	Threshold float64 `json:"threshold"` // the logarithm of 1/alpha
	// FailedAt is the end of the period in which it failed.
	FailedAt time.Time `json:"failed_at,omitzero"`
	// Excluded is the smallest ratio of the arms that the data rule out, or 0.
	Excluded float64 `json:"excluded,omitempty"`
}

// Sent is a query as a source got it.
type Sent struct {
	Source string    `json:"source"`         // its name in the guard, or "command" or "alarm"
	Host   string    `json:"host,omitempty"` // that was asked, or the region
	Text   string    `json:"text"`
	From   time.Time `json:"from,omitzero"` // the start of the first period
	To     time.Time `json:"to,omitzero"`   // the end of the last one
	// Period is how long each period is, in seconds, and Periods how many there are; Missing
	// of them had no data.
	Period  int `json:"period,omitempty"`
	Periods int `json:"periods,omitempty"`
	Missing int `json:"missing,omitempty"`
}
