package page

import (
	"fmt"
	"testing"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/internal/served"
)

// TestWidths holds that people see every share, however small it is, and that a bar stays as wide
// as it is.
func TestWidths(t *testing.T) {
	for _, c := range []struct {
		shares []float64
		want   string
	}{
		{[]float64{0.7, 0.3}, "[70 30]"},
		{[]float64{0.999, 0.001}, "[99 1]"},
		{[]float64{0.001, 0.499, 0.5}, "[1 49.9 49.1]"},
		{[]float64{0.0005, 0.0005, 0.999}, "[1 1 98]"},
		{[]float64{1}, "[100]"},
		{nil, "[]"},
	} {
		var shares []served.Share
		for _, s := range c.shares {
			shares = append(shares, served.Share{Share: s})
		}
		if got := fmt.Sprintf("%.4g", widthsOf(shares)); got != c.want {
			t.Errorf("%v is drawn as %s, want %s", c.shares, got, c.want)
		}
	}
}

// TestColors holds that a variant has the color that it has on the page of its flag, also in a
// comparison that begins with another one, and that others have colors of their own.
func TestColors(t *testing.T) {
	m := testModel(t)
	b := diff.Bar{Old: "█░", New: "▓░", Legend: []diff.Legend{{Mark: "█", Means: "blue"}, {Mark: "░", Means: "gone"},
		{Mark: "▓", Means: "red"}}}
	for key, want := range map[string][]int{"colors": {2, 7, 0}, "absent": {0, 1, 2}} {
		rows := drawRows(b, m.byKey[key])
		for i, part := range rows.Legend {
			if part.Kind != want[i] {
				t.Errorf("%s: %s has color %d, want %d", key, part.Name, part.Kind, want[i])
			}
		}
		if rows.Old[0].Kind != want[0] || rows.New[0].Kind != want[2] || rows.New[1].Kind != want[1] {
			t.Errorf("%s: the rows are %v and %v", key, rows.Old, rows.New)
		}
	}
}
