package experiment

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/serin-flags/serin/internal/display"
)

// Measures of the picture, in pixels.
const (
	svgWidth   = 720
	svgHead    = 64
	svgRow     = 44
	svgPlot    = 300 // where the plot begins
	svgEnd     = 690 // where it ends
	svgColumns = 105 // of a line of small text
	svgMiddle  = 6   // from the middle of a row to the base line of its text
)

// SVG draws the variants: their units and, as far as there are differences, the limits of
// each around the estimate. It has no scripts and loads nothing. Its colors follow the
// viewer's color scheme.
func (r Report) SVG(w io.Writer) error {
	out := bufio.NewWriter(w)
	foot := wrap(r.foot(), svgColumns)
	height := svgHead + svgRow*len(r.Variants) + 28 + 16*len(foot)
	title := "Variants of " + r.Flag
	if r.Environment != "" {
		title += " in " + r.Environment
	}
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="title description">
<title id="title">%s</title>
<desc id="description">%s</desc>
<style>
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 12px; fill: #57606a }
.page { fill: #fff }
.axis { stroke: #8c959f; stroke-dasharray: 3 3 }
.limits { stroke: #57606a; stroke-width: 3 }
.estimate { fill: #57606a }
.higher .limits { stroke: #0969da } .higher .estimate { fill: #0969da }
.lower .limits { stroke: #bc4c00 } .lower .estimate { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117 }
.limits { stroke: #9198a1 } .estimate { fill: #9198a1 }
.higher .limits { stroke: #58a6ff } .higher .estimate { fill: #58a6ff }
.lower .limits { stroke: #f0883e } .lower .estimate { fill: #f0883e }
}
</style>
<rect class="page" width="%d" height="%d"/>
<text x="16" y="28">%s</text>
`, svgWidth, height, svgWidth, height, escape(title), escape(strings.Join(r.lines(), "; ")), svgWidth, height, escape(title))
	scale := r.scale()
	if r.compared() {
		fmt.Fprintf(out, `<text class="small" x="%d" y="48">difference to the control, with %s limits</text>`+"\n",
			svgPlot, percent(1-r.Alpha))
		fmt.Fprintf(out, `<line class="axis" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", scale(0), scale(0),
			svgHead-8, svgHead+svgRow*len(r.Variants))
	}
	for i, v := range r.Variants {
		r.drawVariant(out, v, svgHead+svgRow*i+svgRow/2, scale)
	}
	for i, line := range foot {
		fmt.Fprintf(out, `<text class="small" x="16" y="%d">%s</text>`+"\n", svgHead+svgRow*len(r.Variants)+24+16*i,
			escape(line))
	}
	_, _ = out.WriteString("</svg>\n") // Flush returns the error
	return out.Flush()
}

// foot is the line below the picture.
func (r Report) foot() string {
	switch {
	case r.Mismatch.Found:
		return "The variants don't have the expected shares, so they aren't comparable."
	case r.Refused != "":
		return "No differences: " + r.Refused
	}
	return "The variants have the expected shares."
}

// wrap breaks text into lines of so many characters, between words.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// drawVariant draws a variant in the row with the middle y.
func (r Report) drawVariant(out io.Writer, v Variant, y int, scale func(float64) float64) {
	fmt.Fprintf(out, `<text x="16" y="%d">%s</text>`+"\n", y-2, escape(cut(v.Name)))
	fmt.Fprintf(out, `<text class="small" x="16" y="%d">%s units, %s</text>`+"\n", y+14, thousands(v.Units),
		percent(v.Share))
	switch d := v.Difference; {
	case d != nil:
		class := "none"
		if d.Low > 0 {
			class = "higher"
		} else if d.High < 0 {
			class = "lower"
		}
		fmt.Fprintf(out, `<g class="%s"><line class="limits" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+
			`<circle class="estimate" cx="%.1f" cy="%d" r="5"/>`+
			`<title>%s: %s, limits %s to %s</title></g>`+"\n",
			class, scale(d.Low), scale(d.High), y, y, scale(d.Estimate), y, escape(v.Name), signed(d.Estimate),
			signed(d.Low), signed(d.High))
		fmt.Fprintf(out, `<text class="small" x="%.1f" y="%d" text-anchor="middle">%s%s</text>`+"\n",
			scale(d.Estimate), y+20, signed(d.Estimate), r.relative(d.Estimate))
	case v.Control && r.compared():
		fmt.Fprintf(out, `<text class="small" x="%.1f" y="%d" text-anchor="middle">control</text>`+"\n", scale(0),
			y+svgMiddle)
	}
}

// scale returns the place of a difference in the plot. All limits, and 0, are in it.
func (r Report) scale() func(float64) float64 {
	low, high := 0.0, 0.0
	for _, v := range r.Variants {
		if d := v.Difference; d != nil {
			low, high = min(low, d.Low), max(high, d.High)
		}
	}
	if low == high {
		low, high = -1, 1
	}
	return func(x float64) float64 {
		at := svgPlot + (x-low)/(high-low)*(svgEnd-svgPlot)
		return math.Round(at*10) / 10
	}
}

// cut shortens a name to what fits.
func cut(name string) string {
	if runes := []rune(name); len(runes) > 32 {
		return string(runes[:31]) + "…"
	}
	return name
}

// escape returns text for XML, without characters that XML doesn't allow.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(display.Line(text))) // a Builder doesn't fail
	return b.String()
}
