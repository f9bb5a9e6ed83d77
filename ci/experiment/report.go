package experiment

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/serin-flags/serin/ci/internal/sequential"
)

// A Report is what an analysis found. No number in it is NaN or infinite.
type Report struct {
	Flag        string    `json:"flag"`
	Environment string    `json:"environment,omitempty"`
	Metric      string    `json:"metric,omitempty"`
	Units       int64     `json:"units"`  // in the statistics: of all variants
	Sample      float64   `json:"sample"` // the share of all units that is in the statistics; 1: all
	Variants    []Variant `json:"variants"`
	Mismatch    Mismatch  `json:"mismatch"`
	Alpha       float64   `json:"alpha"`
	LeftOut     LeftOut   `json:"left_out"`
	// Refused says why there are no differences although there are outcomes. "": there are, or
	// none were asked for.
	Refused string `json:"refused,omitempty"`
}

// A Variant is what is known of one.
type Variant struct {
	Name     string  `json:"name"`
	Units    int64   `json:"units"`
	Share    float64 `json:"share"`    // of all units, from 0 to 1
	Expected float64 `json:"expected"` // share
	Control  bool    `json:"control,omitempty"`
	// Mean is the mean of the units' values, nil without outcomes.
	Mean *float64 `json:"mean,omitempty"`
	// Difference is that of the means of the variant and the control, nil if there is none.
	Difference *Difference `json:"difference,omitempty"`
	moments    sequential.Moments
}

// A Difference has limits that are right with a chance of 1 - alpha, at all looks and for
// all variants together.
type Difference struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// A Mismatch is the test of whether units fall into variants in the expected shares.
type Mismatch struct {
	LogE  float64 `json:"log_e"` // the natural logarithm of the e-value
	Found bool    `json:"found"` // the e-value is at least 1,000
}

// Report returns what the data say. It fails if there are no exposures that count.
func (a *Analysis) Report() (Report, error) {
	r := Report{
		Flag: a.cfg.Flag, Environment: cmp.Or(a.cfg.Environment, a.environment), Metric: a.cfg.Metric,
		Sample: a.units.share(), Alpha: a.cfg.Alpha, LeftOut: a.left,
	}
	for i, name := range a.variants {
		v := Variant{Name: name, Control: name == a.cfg.Control, Expected: 1 / float64(len(a.variants))}
		if len(a.cfg.Shares) > 0 {
			v.Expected = a.cfg.Shares[i].Weight / a.cfg.weights()
		}
		r.Variants = append(r.Variants, v)
	}
	if err := a.count(&r); err != nil {
		return Report{}, err
	}
	if r.Units == 0 {
		return Report{}, a.nothing()
	}
	if len(a.cfg.Shares) == 0 {
		slices.SortFunc(r.Variants, func(v, w Variant) int { return cmp.Compare(v.Name, w.Name) })
	}
	if len(r.Variants) == 1 {
		if a.cfg.Control != "" {
			r.Refused = fmt.Sprintf("all units got the variant %q, so there is nothing to compare", r.Variants[0].Name)
		}
		return r, nil
	}
	if err := r.test(); err != nil {
		return Report{}, err
	}
	return r, a.compare(&r)
}

func (c *Config) weights() (sum float64) {
	for _, s := range c.Shares {
		sum += s.Weight
	}
	return sum
}

// count counts the units of each variant, and their values.
func (a *Analysis) count(r *Report) error {
	for _, h := range slices.Sorted(maps.Keys(a.units.units)) { // so that sums are the same every time
		switch u := a.units.units[h]; u.variant {
		case crossed:
			r.LeftOut.Crossed++
		default:
			if err := r.Variants[u.variant].moments.Add(u.value); err != nil {
				return err
			}
			r.Units++
		}
	}
	for i := range r.Variants {
		v := &r.Variants[i]
		v.Units = v.moments.N()
		v.Share = float64(v.Units) / float64(max(r.Units, 1))
		if a.outcomes {
			mean := v.moments.Mean()
			v.Mean = &mean
		}
	}
	return nil
}

// nothing says why no exposure counts.
func (a *Analysis) nothing() error {
	switch {
	case a.left.NoUnit > 0:
		return fmt.Errorf("none of the exposures of %q has the ID of a unit; "+
			"the SDK's events have it if ContextID is set in the Config of package sdk/otel", a.cfg.Flag)
	case a.left.OtherReason > 0:
		return fmt.Errorf("none of the exposures of %q has the reason \"split\", so chance chose no variant",
			a.cfg.Flag)
	case len(a.units.units) > 0:
		return fmt.Errorf("all units of %q were exposed to more than one variant", a.cfg.Flag)
	}
	return fmt.Errorf("there are no exposures of %q", a.cfg.Flag)
}

// test looks for a sample ratio mismatch.
func (r *Report) test() error {
	counts, shares := make([]float64, len(r.Variants)), make([]float64, len(r.Variants))
	for i, v := range r.Variants {
		counts[i], shares[i] = float64(v.Units), v.Expected
	}
	logE, err := sequential.Mismatch(counts, shares)
	if err != nil {
		return fmt.Errorf("testing the shares: %w", err)
	}
	r.Mismatch = Mismatch{LogE: logE, Found: logE >= -math.Log(mismatchAlpha)}
	return nil
}

// compare adds the differences to the control, or says why there are none.
func (a *Analysis) compare(r *Report) error {
	at := slices.IndexFunc(r.Variants, func(v Variant) bool { return v.Control })
	switch {
	case a.cfg.Control == "" || !a.outcomes:
		return nil
	case at < 0:
		r.Refused = fmt.Sprintf("no unit got the control %q", a.cfg.Control)
		return nil
	case r.Mismatch.Found:
		r.Refused = "the variants don't have the expected shares of the units, so their units aren't comparable"
		return nil
	}
	control := r.Variants[at].moments
	differences := make([]*Difference, len(r.Variants))
	for i, v := range r.Variants {
		if v.Control {
			continue
		}
		if few := min(v.Units, control.N()); few < sequential.MinValues {
			r.Refused = fmt.Sprintf("at least %d units of each variant are needed, and %q or the control has %d",
				sequential.MinValues, v.Name, few)
			return nil
		}
		d, err := sequential.Difference(v.moments, control, a.cfg.Alpha/float64(len(r.Variants)-1), a.cfg.Planned)
		if err != nil {
			return fmt.Errorf("comparing %q with the control: %w", v.Name, err)
		}
		if r.Refused = a.tooFew(v, control, d.Radius); r.Refused != "" {
			return nil
		}
		differences[i] = &Difference{d.Estimate, d.Low(), d.High()}
	}
	for i, d := range differences {
		r.Variants[i].Difference = d
	}
	return nil
}

// tooFew says that the smallest effect that matters would often be overlooked with so few
// units, or returns "". An effect is found if its limit, the radius, leaves 0 out. The
// estimate of an effect is normal around it, so this has the power to find effects of the
// radius and as many standard errors as the normal distribution's quantile says.
func (a *Analysis) tooFew(v Variant, control sequential.Moments, radius float64) string {
	least, unit := a.cfg.Least, ""
	if a.cfg.Relative {
		least, unit = least*math.Abs(control.Mean()), " of the control's mean"
	}
	if a.cfg.Least == 0 {
		return ""
	}
	if least == 0 {
		return "the mean of the control is 0, so no effect is in proportion to it: give --mde as a number"
	}
	deviation := math.Sqrt(v.moments.Variance()/float64(v.Units) + control.Variance()/float64(control.N()))
	found := radius + distuv.UnitNormal.Quantile(power)*deviation
	if found <= least {
		return ""
	}
	// Limits shrink with the square root of the number of units, and a little faster while there are few.
	more := math.Ceil(math.Pow(found/least, 2)*10) / 10
	text := func(x float64) string {
		if a.cfg.Relative {
			return fmt.Sprintf("%.3g%%", 100*x/math.Abs(control.Mean()))
		}
		return fmt.Sprintf("%.3g", x)
	}
	return fmt.Sprintf("with these units, only effects of %s%s would be found in 80%% of cases, and %s matters: "+
		"about %.4g times as many units are needed", text(found), unit, text(least), more)
}
