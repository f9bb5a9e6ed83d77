package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/serin-flags/serin/internal/display"
)

// A progress is a bar on a terminal. Anywhere else it shows nothing.
type progress struct {
	w     io.Writer // nil: no terminal
	what  string
	shown int64 // percent, -1: nothing yet
}

func newProgress(w io.Writer, what string) *progress {
	p := &progress{what: what, shown: -1}
	if d, ok := w.(*display.Writer); ok {
		w = d.Unwrap() // the bar goes back in its line
	}
	if terminal(w) {
		p.w = w
	}
	return p
}

// terminal reports whether w is a terminal that can go back in a line.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show draws the bar again if it differs.
func (p *progress) show(done, total int64) {
	const width = 30
	if p.w == nil || total <= 0 {
		return
	}
	percent := min(done*100/total, 100)
	if percent == p.shown {
		return
	}
	p.shown = percent
	full := int(percent) * width / 100
	fmt.Fprintf(p.w, "\r%s [%s%s] %3d%%", p.what, strings.Repeat("█", full), strings.Repeat("░", width-full), percent)
}

// clear removes the bar.
func (p *progress) clear() {
	if p.w != nil && p.shown >= 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
