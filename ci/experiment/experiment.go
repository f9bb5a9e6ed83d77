// Package experiment compares the variants of a flag by what their units, usually users, did.
//
// Start at [New]. Feed it files of exposures, then of outcomes, and take the [Report], which
// is written as a table or drawn as an SVG. Files are JSON lines, in any of the shapes that
// OpenTelemetry events have, or CSV: see [Analysis.Exposures].
//
// # Memory
//
// An analysis remembers at most a number of units, whatever the size of the files. When
// there are more, it keeps those whose hash is below a limit, and lowers the limit as needed.
// The hash doesn't depend on the variant, so the units that are left are a random sample of
// all units, of which all of the statistics are as valid as of all of them. Equal files give
// equal samples. The number of units is exact until the first sampling, and an estimate after
// that.
//
// # Statistics
//
// The e-value for a sample ratio mismatch and the limits of differences are those of package
// sequential. They are valid at every look, so an analysis may be repeated as data come in.
// Units whose exposures name two variants are left out, and counted.
//
// Neither errors nor reports contain the IDs of units.
package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Config says what to compare.
type Config struct {
	Flag        string
	Environment string // "": the files are of one environment
	// Control is the variant that the others are compared with. "": there is no comparison.
	Control string
	// Shares are the variants and their shares, in any unit, such as 90 and 10. None: all
	// variants that were exposed, in equal shares.
	Shares []Share
	// Unit is the name of the attribute or column with the ID of the unit. "": one of
	// feature_flag.context.id, targetingKey and unit.
	Unit string
	// Metric is the name of the attribute or column with a number. A unit's value is the sum
	// of all its numbers, 0 without any. "": a unit's value is 1 if it has an outcome, else 0.
	Metric string
	// Alpha is the chance that a limit of any difference is ever wrong, above 0 and below 1.
	Alpha float64
	// Planned is how many units the experiment is planned for. Limits are narrowest there.
	Planned int64
	// Least is the smallest effect that matters. No difference is reported while it would be
	// overlooked more than once in five times. 0: any difference is reported.
	Least float64
	// Relative says that Least is in proportion to the mean of the control.
	Relative bool
	// MaxUnits is how many units are remembered, about 250 bytes each. 0: 1,000,000.
	MaxUnits int
}

// A Share is the share of a variant that is expected.
type Share struct {
	Variant string
	Weight  float64 // above 0
}

const (
	defaultMaxUnits = 1_000_000
	maxVariants     = 100
	mismatchAlpha   = 0.001 // of the test for a sample ratio mismatch
	power           = 0.8   // with which the smallest effect that matters must be found
)

// check reports what makes no sense.
func (c *Config) check() error {
	switch {
	case c.Flag == "":
		return fmt.Errorf("there is no flag")
	case !(c.Alpha > 0 && c.Alpha < 1):
		return fmt.Errorf("alpha must be above 0 and below 1, not %v", c.Alpha)
	case c.Planned < 1:
		return fmt.Errorf("the planned number of units must be at least 1, not %d", c.Planned)
	case !(c.Least >= 0) || math.IsInf(c.Least, 0):
		return fmt.Errorf("the smallest effect that matters must not be negative, and not %v", c.Least)
	case c.MaxUnits < 0:
		return fmt.Errorf("the number of units to remember must be at least 1, not %d", c.MaxUnits)
	case len(c.Shares) == 1 || len(c.Shares) > maxVariants:
		return fmt.Errorf("there are 2 to %d variants with shares, not %d", maxVariants, len(c.Shares))
	}
	seen := make(map[string]bool)
	for _, s := range c.Shares {
		if !(s.Weight > 0) || math.IsInf(s.Weight, 0) {
			return fmt.Errorf("the share of %q must be above 0, not %v", s.Variant, s.Weight)
		}
		if seen[s.Variant] {
			return fmt.Errorf("variant %q has two shares", s.Variant)
		}
		seen[s.Variant] = true
	}
	if len(seen) > 0 && c.Control != "" && !seen[c.Control] {
		return fmt.Errorf("the control %q has no share", c.Control)
	}
	return nil
}

// An Analysis collects what a flag's units were exposed to and what they did. It isn't safe
// for concurrent use.
type Analysis struct {
	cfg         Config
	units       *sample
	variants    []string
	environment string // of the exposures
	outcomes    bool   // there is something to compare
	left        LeftOut
}

// LeftOut counts the events that don't count.
type LeftOut struct {
	OtherReason int64 `json:"other_reason"` // exposures that chance didn't decide, such as by a rule for staff
	Failed      int64 `json:"failed"`       // evaluations without a variant
	NoUnit      int64 `json:"no_unit"`      // events without the ID of a unit
	Early       int64 `json:"early"`        // outcomes from before the exposure
	NotExposed  int64 `json:"not_exposed"`  // outcomes of units that were never exposed, or aren't in the sample
	Crossed     int64 `json:"crossed"`      // units that were exposed to two variants
}

// New returns an analysis without data.
func New(cfg Config) (*Analysis, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.MaxUnits == 0 {
		cfg.MaxUnits = defaultMaxUnits
	}
	a := &Analysis{cfg: cfg, units: newSample(cfg.MaxUnits)}
	for _, s := range cfg.Shares {
		a.variants = append(a.variants, s.Variant)
	}
	return a, nil
}

// variant returns the index of a variant.
func (a *Analysis) variant(name string) (int32, error) {
	if i := slices.Index(a.variants, name); i >= 0 {
		return int32(i), nil
	}
	if len(a.cfg.Shares) > 0 {
		return 0, fmt.Errorf("variant %.80q has no share: name the shares of all variants", name)
	}
	if len(a.variants) == maxVariants {
		return 0, fmt.Errorf("there are more than %d variants", maxVariants)
	}
	a.variants = append(a.variants, name)
	return int32(len(a.variants) - 1), nil
}

// expose adds an exposure.
func (a *Analysis) expose(e *event) error {
	if e.flag != "" && e.flag != a.cfg.Flag || a.cfg.Environment != "" && e.environment != "" &&
		e.environment != a.cfg.Environment {
		return nil
	}
	if e.reason != "" && !strings.EqualFold(e.reason, "split") {
		a.left.OtherReason++
		return nil
	}
	if e.variant == "" {
		a.left.Failed++
		return nil
	}
	if e.unit == "" {
		a.left.NoUnit++
		return nil
	}
	if e.environment != "" && a.environment != "" && e.environment != a.environment {
		return fmt.Errorf("exposures in the environments %.80q and %.80q: name one", a.environment, e.environment)
	}
	if e.environment != "" {
		a.environment = e.environment
	}
	v, err := a.variant(e.variant)
	if err != nil {
		return err
	}
	u := a.units.add(e.unit)
	if u == nil {
		return nil
	}
	switch {
	case u.variant == noVariant:
		u.variant, u.first = v, e.time
	case u.variant != v:
		u.variant = crossed
	case e.time != 0 && (u.first == 0 || e.time < u.first):
		u.first = e.time
	}
	return a.value(u, e)
}

// outcome adds an outcome.
func (a *Analysis) outcome(e *event) error {
	if e.unit == "" {
		a.left.NoUnit++
		return nil
	}
	u := a.units.find(e.unit)
	switch {
	case u == nil:
		a.left.NotExposed++
		return nil
	case e.time != 0 && u.first != 0 && e.time < u.first:
		a.left.Early++
		return nil
	}
	if a.cfg.Metric == "" {
		u.value = 1
		return nil
	}
	return a.value(u, e)
}

// value adds the number of an event to that of its unit.
func (a *Analysis) value(u *unit, e *event) error {
	if !e.hasNumber {
		return nil
	}
	a.outcomes = true
	sum := u.value + e.number
	if math.Abs(sum) > maxNumber {
		return fmt.Errorf("the numbers of one unit sum to more than %v", float64(maxNumber))
	}
	u.value = sum
	return nil
}

// maxNumber limits the numbers of a metric.
const maxNumber = 1e15

// nanoseconds returns a time as they count since 1970. It returns 0, which is no time, for
// one that an int64 can't hold.
func nanoseconds(t time.Time) int64 {
	if y := t.Year(); y < 1700 || y > 2200 {
		return 0
	}
	return t.UnixNano()
}
