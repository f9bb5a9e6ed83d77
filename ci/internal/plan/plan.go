// Package plan has the two halves of a release: the plan, which people write and review, and
// the line of releases.lock, which says how far it has got.
//
// Start at [Plan] and [Line]. A Line changes only by its methods, each of which returns the
// next line with a higher counter. The package reads no files and no clock.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/serin-flags/serin/ci/internal/share"
)

// Whole is the share of everyone.
const Whole Share = 1_000_000_000

// A Plan is a guarded ramp of one flag in one environment. A flag has at most one in each.
type Plan struct {
	Environment string `json:"environment"`
	Flag        string `json:"flag"`
	Namespace   string `json:"namespace"`
	Rule        string `json:"rule"`
	Variant     string `json:"variant"` // the one whose share grows
	// Assigned says how users are assigned to positions, if a rule has other words about that than
	// usual: its unit, salt and hash.
	Assigned string `json:"assigned,omitempty"`
	Start    int64  `json:"start"` // when step 1 may be cleared, in Unix seconds
	Steps    []Step `json:"steps"` // at least one; shares don't shrink
	Guard    *Guard `json:"guard"`
}

// A Step is a share that a plan reaches.
type Step struct {
	To Share `json:"to"`
	// After is how long after the step before it this one may be cleared. It is 0 for the
	// first step.
	After Duration `json:"after,omitempty"`
	// Approval says that a person must approve the step.
	Approval bool `json:"approval,omitempty"`
}

// Cleared returns how many steps a share clears: the number of those that end at it or below
// it. ok is false if no step ends at the share, which isn't 0.
func (p *Plan) Cleared(s Share) (steps int, ok bool) {
	for steps < len(p.Steps) && p.Steps[steps].To <= s {
		steps++
	}
	return steps, s == 0 || steps > 0 && p.Steps[steps-1].To == s
}

// Hash identifies the first steps of a plan and whom they reach, in hexadecimal. Later steps may change while a
// plan runs, so they don't count; the approvals and the time of the start don't either.
func (p *Plan) Hash(steps int) string {
	h := sha256.New()
	io.WriteString(h, p.Variant)
	if p.Assigned != "" {
		fmt.Fprintf(h, "\n%s", p.Assigned)
	}
	for _, s := range p.Steps[:steps] {
		fmt.Fprintf(h, "\n%d %d", s.To, time.Duration(s.After)/time.Second)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// Fits returns why a line isn't that of the plan, nil if it is: the steps that it clears were
// edited since, others are assigned to them, or the rule has another name.
func (p *Plan) Fits(l Line) error {
	steps, ok := p.Cleared(l.Share)
	switch {
	case l.Rule != p.Rule:
		return fmt.Errorf("the ramp is in rule %q, and releases.lock has it in rule %q", p.Rule, l.Rule)
	case !ok:
		return fmt.Errorf("no step of the plan reaches %v, which releases.lock has as cleared", l.Share)
	case p.Hash(steps) != l.Plan && steps == 0:
		return errors.New("another variant grows than the one that releases.lock knows, or users are assigned in another way")
	case p.Hash(steps) != l.Plan:
		return fmt.Errorf("the steps up to %v, which are cleared, or the way in which users are assigned, aren't those that releases.lock knows", l.Share)
	}
	return nil
}

// A Guard says what must hold while a plan advances. Several plans may share one.
type Guard struct {
	Name      string            `json:"name"`
	Sources   map[string]Source `json:"sources,omitempty"`
	Exposures *Exposures        `json:"exposures,omitempty"`
	Metrics   []Metric          `json:"metrics,omitempty"`
	Min       Min               `json:"min"`
	NoData    NoData            `json:"no_data"`
	// Watch is how long the guard goes on at 100%.
	Watch Duration `json:"watch,omitempty"`
	// Alpha is the probability that a plan without any effect fails, over all of its steps
	// and metrics: above 0 and below 0.5.
	Alpha float64 `json:"alpha"`
}

// A Source is where metrics come from: one of its fields is set.
type Source struct {
	Prometheus string `json:"prometheus,omitempty"` // the URL
	CloudWatch string `json:"cloudwatch,omitempty"` // the region
	// Scrape is how far apart two samples of a series are; 0: see Scraped.
	Scrape Duration `json:"scrape,omitempty"`
}

// How far apart samples are if a guard doesn't say.
const (
	prometheusScrape = 15 * time.Second
	cloudScrape      = time.Minute
)

// Scraped returns how far apart two samples of a series are, whether the guard says so or not.
func (s Source) Scraped() Duration {
	switch {
	case s.Scrape > 0:
		return s.Scrape
	case s.CloudWatch != "":
		return Duration(cloudScrape)
	}
	return Duration(prometheusScrape)
}

// A Query is what a source is asked. In its text, $arm stands for "new" or "rest", $window
// for a length of time such as 90s, $flag for the flag and $env for the environment.
type Query struct {
	Source string `json:"source"`
	Text   string `json:"text"`
}

// Exposures counts those who were exposed to an arm.
type Exposures struct {
	Query
	Distinct bool `json:"distinct,omitempty"` // it counts units, each once
}

// A Metric is one thing that a guard watches: one of Bad, Value, Alarm and Command is set.
type Metric struct {
	Name  string `json:"name"`
	Bad   *Query `json:"bad,omitempty"`   // counts bad events
	Value *Query `json:"value,omitempty"` // a number
	// Alarm is the ARN of a CloudWatch alarm, which must not be firing.
	Alarm   string   `json:"alarm,omitempty"`
	Command *Command `json:"command,omitempty"`

	// Rest compares the events of both arms, each per exposure. Those of the new arm fail if
	// their rate is more than 1 + WorseBy times that of the rest.
	Rest    bool    `json:"rest,omitempty"`
	WorseBy float64 `json:"worse_by,omitempty"`
	// Max is the absolute limit: of Bad the rate per exposure, of Value the value.
	Max *float64 `json:"max,omitempty"`
	// Of the last Looks looks, Failures must fail. Both are 1 unless the file says otherwise.
	Failures int `json:"failures"`
	Looks    int `json:"looks"`
	// Back says that a failure rolls back. Otherwise it holds.
	Back bool `json:"back,omitempty"`
}

// A Command is a program that decides by its exit status: 0 is a pass, 1 a failure, and
// anything else an error.
type Command struct {
	Run     []string `json:"run"`
	Timeout Duration `json:"timeout"`
}

// Min is what a step needs before it can advance.
type Min struct {
	Exposures int64    `json:"exposures,omitempty"` // of the new arm
	Time      Duration `json:"time,omitempty"`
}

// NoData says what becomes of a step about which nothing can be measured: after Grace, it is
// held or, with Back, rolled back.
type NoData struct {
	Grace Duration `json:"grace"`
	Back  bool     `json:"back,omitempty"`
}

// A Share is a share in billionths, which is written as a percentage.
type Share int64

// String returns a percentage, such as 5%.
func (s Share) String() string { return share.Format(int64(s)) }

// MarshalText returns a percentage.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText returns.
func (s *Share) UnmarshalText(text []byte) error {
	n, err := share.Parse(string(text))
	*s = Share(n)
	return err
}

// A Duration is a length of time in whole seconds, which is written as Go does.
type Duration time.Duration

// String returns a text such as 4h0m0s.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText returns a text such as 4h0m0s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText returns.
func (d *Duration) UnmarshalText(text []byte) error {
	n, err := time.ParseDuration(string(text))
	*d = Duration(n)
	return err
}
