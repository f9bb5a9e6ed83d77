package main

import (
	"fmt"
	"strings"
)

// A progress is a bar on a screen.
type progress struct {
	*screen
	what    string
	percent int64 // that is shown, -1: nothing yet
}

func newProgress(s *screen, what string) *progress { return &progress{s, what, -1} }

// show draws the bar again if it differs.
func (p *progress) show(done, total int64) {
	const width = 30
	if total <= 0 {
		return
	}
	percent := min(done*100/total, 100)
	if percent == p.percent {
		return
	}
	p.percent = percent
	full := int(percent) * width / 100
	p.screen.show(fmt.Sprintf("%s [%s%s] %3d%%", p.what, strings.Repeat("█", full),
		strings.Repeat("░", width-full), percent))
}
