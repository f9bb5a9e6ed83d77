package experiment

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/serin-flags/serin/internal/display"
)

// Text writes the report as a table, with lines about what it means.
func (r Report) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	where := ""
	if r.Environment != "" {
		where = " in " + display.Line(r.Environment)
	}
	fmt.Fprintf(out, "%s%s: %s units\n", display.Line(r.Flag), where, thousands(r.Units))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	columns := []string{"VARIANT", "UNITS", "SHARE", "EXPECTED"}
	if r.Variants[0].Mean != nil {
		columns = append(columns, "MEAN")
	}
	if r.compared() {
		columns = append(columns, "DIFFERENCE", percent(1-r.Alpha)+" LIMITS")
	}
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, v := range r.Variants {
		fmt.Fprintln(t, strings.Join(r.row(v), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range r.lines() {
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}

// compared reports whether there are differences.
func (r Report) compared() bool {
	for _, v := range r.Variants {
		if v.Difference != nil {
			return true
		}
	}
	return false
}

// row returns the cells of a variant. The last one isn't empty.
func (r Report) row(v Variant) []string {
	cells := []string{display.Line(v.Name), thousands(v.Units), percent(v.Share), percent(v.Expected)}
	if v.Mean != nil {
		cells = append(cells, number(*v.Mean))
	}
	switch d := v.Difference; {
	case d != nil:
		cells = append(cells, signed(d.Estimate)+r.relative(d.Estimate), signed(d.Low)+" to "+signed(d.High))
	case v.Control && r.compared():
		cells = append(cells, "(control)", "-") // tabwriter aligns only cells that another one follows
	}
	return cells
}

// relative returns a difference in proportion to the control's mean, in parentheses.
func (r Report) relative(d float64) string {
	for _, v := range r.Variants {
		if v.Control && v.Mean != nil && *v.Mean != 0 {
			if x := 100 * d / math.Abs(*v.Mean); math.Abs(x) < 1e6 {
				return fmt.Sprintf(" (%+.3g%%)", x)
			}
		}
	}
	return ""
}

// lines says what the numbers mean, and what isn't in them.
func (r Report) lines() []string {
	var lines []string
	if len(r.Variants) > 1 {
		if r.Mismatch.Found {
			lines = append(lines,
				"sample ratio: a mismatch; find out which units are lost before you believe anything else")
		} else {
			lines = append(lines, "sample ratio: no mismatch")
		}
	}
	for _, v := range r.Variants {
		if v.Difference != nil {
			lines = append(lines, display.Line(v.Name)+": "+v.Difference.verdict())
		}
	}
	if r.Refused != "" {
		lines = append(lines, "no differences: "+r.Refused)
	}
	if r.Sample < 1 {
		lines = append(lines, fmt.Sprintf("note: the units are a random sample of 1 in %.0f", 1/r.Sample))
	}
	for _, c := range []struct {
		n    int64
		what string
	}{
		{r.LeftOut.Crossed, "units exposed to more than one variant"},
		{r.LeftOut.OtherReason, "exposures whose reason isn't \"split\", so that chance didn't choose the variant"},
		{r.LeftOut.Failed, "evaluations without a variant"},
		{r.LeftOut.NoUnit, "events without the ID of a unit"},
		{r.LeftOut.Early, "outcomes from before the exposure"},
		{r.LeftOut.NotExposed, "outcomes of units that weren't exposed, or aren't in the sample"},
	} {
		if c.n > 0 {
			lines = append(lines, fmt.Sprintf("left out (%s): %s", thousands(c.n), c.what))
		}
	}
	return lines
}

// verdict says what the limits say.
func (d Difference) verdict() string {
	switch {
	case d.Low > 0:
		return "higher than the control"
	case d.High < 0:
		return "lower than the control"
	}
	return "no difference to the control is proved"
}

// number returns a number with four digits.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// signed returns a number with its sign.
func signed(x float64) string { return fmt.Sprintf("%+.4g", x) }

// percent returns a share with two digits after the point at most.
func percent(share float64) string {
	text := strconv.FormatFloat(100*share, 'f', 2, 64)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + "%"
}

// thousands returns a number with commas.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
