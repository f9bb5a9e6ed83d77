package main

import "fmt"

// What is expected of every point.
const (
	maxStep        = 1.5 // times the figure before, where the work doesn't grow
	minRatio       = 10  // times Serin's figure by handle, for LaunchDarkly
	minRatioBulk   = 50  // the same of all flags at once
	negligibleStep = 2.0 // nanoseconds: a step of less is not a step
)

// judge returns what misses what is expected of a curve, a line for each.
func (a *axis) judge(c curve) []string {
	var missed []string
	miss := func(f figure, format string, args ...any) {
		missed = append(missed, fmt.Sprintf("%s, %s, %s: ", a.name, c.name, f.label)+fmt.Sprintf(format, args...))
	}
	for i, f := range c.figures {
		for _, way := range []string{byHandle, byName, byView, bulk} {
			if !c.flat || i == 0 {
				break
			}
			before, now := c.figures[i-1].ns[way], f.ns[way]
			if now > maxStep*before && now-before > negligibleStep {
				miss(f, "%s: %.1f ns, %.1f times the %.1f ns of %s; at most %v", way, now, now/before, before,
					c.figures[i-1].label, maxStep)
			}
		}
		if c.exempt {
			continue
		}
		for _, r := range []struct {
			way, peer string
			least     float64
		}{{byHandle, peer, minRatio}, {bulk, peerBulk, minRatioBulk}} {
			if theirs, ok := f.ns[r.peer]; ok && theirs < r.least*f.ns[r.way] {
				miss(f, "%s: %.1f ns, LaunchDarkly %.1f ns: %.1f times; at least %v", r.way, f.ns[r.way], theirs,
					theirs/f.ns[r.way], r.least)
			}
		}
	}
	return missed
}
