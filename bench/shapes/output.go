package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgsvg" // the format of the curves
)

// table writes what was measured of an axis.
func (a *axis) table(w io.Writer, curves []curve) error {
	fmt.Fprintf(w, "%s: %s\n", a.name, a.title)
	unit := a.unit
	if unit == "" {
		unit = "kind"
	}
	for _, c := range curves {
		mark := ""
		if c.flat {
			mark = " (flat)"
		}
		fmt.Fprintf(w, "\n  %s%s\n", c.name, mark)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(tw, "%s\t%s\tx LD\tx LD bulk\t\n", unit, strings.Join(ways, "\t"))
		for _, f := range c.figures {
			fmt.Fprintf(tw, "%s\t", f.label)
			for _, way := range ways {
				fmt.Fprintf(tw, "%s\t", cell(f.ns[way]))
			}
			fmt.Fprintf(tw, "%s\t%s\t\n", cell(f.ns[peer]/f.ns[byHandle]), cell(f.ns[peerBulk]/f.ns[bulk]))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// cell formats a figure; 0 is none.
func cell(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// plot draws what was measured of an axis into an SVG file: one line for each series by
// handle, and at once, and the same of LaunchDarkly.
func (a *axis) plot(path string, curves []curve) error {
	p := plot.New()
	p.Title.Text = a.title
	p.X.Label.Text, p.Y.Label.Text = a.unit, "nanoseconds for one answer"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	if a.log {
		p.X.Scale = plot.LogScale{}
	}
	p.X.Tick.Marker = ticks(curves)
	if a.unit == "" { // the names of kinds are longer than numbers
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = math.Pi/4, draw.XRight, draw.YCenter
	}
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	p.Add(plotter.NewGrid())
	for i, c := range curves {
		for _, way := range []string{byHandle, bulk, peer} {
			if err := a.add(p, c, way, plotutil.DarkColors[i]); err != nil {
				return err
			}
		}
	}
	p.Y.Min = 1 // the legend stands where nothing is so fast
	return p.Save(9*vg.Inch, 6*vg.Inch, path)
}

// ticks returns a tick for each point of the curves.
func ticks(curves []curve) plot.ConstantTicks {
	var list plot.ConstantTicks
	seen := make(map[float64]bool)
	for _, c := range curves {
		for _, f := range c.figures {
			if !seen[f.x] {
				list = append(list, plot.Tick{Value: f.x, Label: f.label})
			}
			seen[f.x] = true
		}
	}
	return list
}

// add draws a curve of one way of asking, if that was measured.
func (a *axis) add(p *plot.Plot, c curve, way string, of color.Color) error {
	var xys plotter.XYs
	for _, f := range c.figures {
		if ns, ok := f.ns[way]; ok && ns > 0 {
			xys = append(xys, plotter.XY{X: f.x, Y: ns})
		}
	}
	if len(xys) == 0 {
		return nil
	}
	line, points, err := plotter.NewLinePoints(xys)
	if err != nil {
		return err
	}
	line.Color, points.Color = of, of
	shapes := map[string]draw.GlyphDrawer{byHandle: draw.CircleGlyph{}, bulk: draw.SquareGlyph{},
		peer: draw.TriangleGlyph{}}
	points.Shape = shapes[way]
	if way == peer {
		line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	}
	if a.unit == "" { // nothing is between kinds
		line.Width = 0
	}
	p.Add(line, points)
	p.Legend.Add(c.name+", "+way, line, points)
	return nil
}
