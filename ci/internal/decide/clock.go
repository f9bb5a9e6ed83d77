package decide

import (
	"cmp"
	"math"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// A clock is a time, for all those from one to before another at which conditions of
// time hold alike, and how old the flags are.
type clock struct {
	now, from, to int64
	age           int64
}

// levels returns the least and the greatest level of a ramp, which rises or falls.
func (c *clock) levels(r *evaluator.Ramp) (lo, hi uint64) {
	a, b := r.LevelAt(c.from), r.LevelAt(c.to-1)
	return min(a, b), max(a, b)
}

// at returns the clock at one time.
func (c clock) at(now int64) clock { return clock{now, now, now + 1, c.age} }

// A week is one day longer, for what begins within a day.
const (
	day  = 86_400
	week = 8 * day
)

// window lists a window, and when its zone's clocks are changed.
func (p *problem) addWindow(c conditionIn, zone *evaluator.Zone) {
	if zone == nil {
		return
	}
	p.windows = append(p.windows, window{c, zone, p.c.windowHolds(c.cond, zone)})
	for _, o := range zone.Offsets {
		p.events = append(p.events, o.From)
	}
}

// times finds the clocks, the present and what comes after it first. Between two
// events, windows recur every week, and ramps move one way.
func (p *problem) times() {
	now := p.c.now
	events := append(p.events, now, now+1)
	slices.Sort(events)
	events = slices.Compact(events)
	events = slices.DeleteFunc(events, func(t int64) bool { return t <= -math.MaxInt64/2 || t >= math.MaxInt64/2 })
	var list []clock
	add := func(from, to int64) {
		for _, t := range p.openings(from, to) {
			list = append(list, clock{t, from, to, 0})
		}
	}
	add(events[0]-week, events[0])
	for i, from := range events {
		to := from + week
		if i+1 < len(events) {
			to = events[i+1]
		}
		add(from, to)
	}
	rank := func(c clock) int64 {
		if c.now >= now {
			return c.now - now
		}
		return math.MaxInt64/2 + now - c.now
	}
	slices.SortStableFunc(list, func(a, b clock) int { return cmp.Compare(rank(a), rank(b)) })
	seen := make(map[string]bool)
	for _, c := range list {
		if key := p.timeKey(&c); !seen[key] {
			seen[key] = true
			p.clocks = append(p.clocks, c)
		}
	}
	slices.Sort(p.ages)
	fresh := p.clocks
	for _, age := range slices.Compact(p.ages) {
		for _, c := range fresh {
			c.age = age
			p.clocks = append(p.clocks, c)
		}
	}
	if len(p.clocks) > maxClocks {
		p.clocks, p.complete = p.clocks[:maxClocks], false
	}
}

// maxClocks bounds the times that flags are compared at.
const maxClocks = 300

// timeKey returns what is equal for times that all conditions of time and all ramps
// are alike at.
func (p *problem) timeKey(c *clock) string {
	var key []byte
	bit := func(b bool) {
		if b {
			key = append(key, 1)
		} else {
			key = append(key, 0)
		}
	}
	for _, period := range p.periods {
		bit(holdsAt(period, c.now))
	}
	for _, w := range p.windows {
		bit(w.holds(c.now))
	}
	for _, r := range p.ramps {
		lo, hi := c.levels(r.ramp)
		for _, level := range [2]uint64{lo, hi} {
			for i := range 8 {
				key = append(key, byte(level>>(8*i)))
			}
		}
	}
	return string(key)
}

func holdsAt(period *evaluator.Condition, now int64) bool {
	return period.Ints[0] <= now && now < period.Ints[1]
}

// openings returns the first of some times, and when windows open and close in the
// week after it.
func (p *problem) openings(from, to int64) []int64 {
	list := []int64{from}
	if len(p.windows) == 0 {
		return list
	}
	end := min(to, from+week)
	for _, w := range p.windows {
		offset := int64(offsetAt(w.zone, from))
		for d := (from+offset)/day*day - 2*day; d < end+offset+2*day; d += day {
			for _, clock := range []int64{0, w.cond.Ints[1], w.cond.Ints[2]} {
				if t := d + clock - offset; t > from && t < end {
					list = append(list, t)
				}
			}
		}
	}
	return list
}

// offsetAt returns how far a zone is ahead of UTC.
func offsetAt(z *evaluator.Zone, now int64) int {
	seconds := z.Offsets[0].Seconds
	for _, o := range z.Offsets {
		if o.From <= now {
			seconds = o.Seconds
		}
	}
	return seconds
}

// windowHolds compiles a window.
func (c *Comparer) windowHolds(cond *evaluator.Condition, zone *evaluator.Zone) func(now int64) bool {
	const unit = "unit"
	program, err := evaluator.Compile(evaluator.Ruleset{
		Unit: unit, Attributes: []evaluator.Attribute{{Name: unit, Type: evaluator.AttrString}},
		Zones: []evaluator.Zone{*zone},
		Flags: []evaluator.Flag{yesIf(cond)},
	})
	if err != nil {
		return func(int64) bool { return false }
	}
	f := program.Flag("f")
	return func(now int64) bool { return f.Evaluate(&evaluator.Context{Now: now}).Variant() == "yes" }
}
