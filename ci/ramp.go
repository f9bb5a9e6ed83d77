package ci

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/serin-flags/serin/evaluator"
)

// rampKeys are the keys of a ramp. Of the schedules it has one.
var rampKeys = append([]string{"ramp", "pause", "at"}, schedules...)

var schedules = []string{"steps", "double", "linear"}

// maxSteps bounds the steps of one ramp.
const maxSteps = 1000

// isRamp reports whether the mapping that a rule serves is a ramp, and not a
// split.
func isRamp(n *node) bool {
	if n.get("ramp") != nil {
		return true
	}
	return slices.ContainsFunc(schedules, func(key string) bool {
		s := n.get(key)
		return s != nil && s.kind != scalar
	})
}

// ramp reads a ramp into split.
func (c checker) ramp(n *node, set *variantSet, split *evaluator.Split) bool {
	known, fine := slices.Clone(rampKeys), true
	for _, f := range n.fields {
		if c.misplaced(f, set) {
			known, fine = append(known, f.key.text), false // it is said
		}
	}
	if !c.keys(n, "a ramp", known...) {
		return false
	}
	ramp := &evaluator.Ramp{Rest: set.fallback}
	var ok bool
	if ramp.Variant, ok = c.rampVariant(n, set); !ok {
		return false
	}
	if !c.schedule(n, ramp) {
		return false
	}
	paused, at, ok := c.pause(n)
	switch {
	case !ok:
		return false
	case paused:
		split.Ranges = halves(ramp, levelAt(ramp, at))
	default:
		split.Ramp = ramp
	}
	return fine
}

// rampVariant reads which variant grows.
func (c checker) rampVariant(n *node, set *variantSet) (int, bool) {
	name := n.get("ramp")
	if name == nil {
		c.errorf(n, "the ramp doesn't say which variant grows; write there, for instance: ramp: on")
		return 0, false
	}
	if _, err := parseShare(name.text); err == nil && !set.has(name.text) {
		c.errorf(name, "\"ramp\" names the variant whose share grows, and %s is a share; a split can't have a variant called \"ramp\"", name.text)
		return 0, false
	}
	i, ok := c.within("ramp").variant(name, set)
	if ok && i == set.fallback && !set.inherited {
		c.errorf(name, "the ramp has no effect: %q is the flag's default, which all others get", name.text)
	}
	return i, ok
}

// schedule reads how the share grows.
func (c checker) schedule(n *node, ramp *evaluator.Ramp) bool {
	var key *node
	for _, f := range n.fields {
		switch {
		case !slices.Contains(schedules, f.key.text):
		case key != nil:
			c.errorf(f.key, "a ramp grows by %q or %q, not both", key.text, f.key.text)
			return false
		default:
			key = f.key
		}
	}
	if key == nil {
		c.errorf(n, "the ramp doesn't say how it grows: by \"steps\", \"double\" or \"linear\"")
		return false
	}
	var ok bool
	switch value := n.get(key.text); key.text {
	case "steps":
		ramp.Points, ok = c.steps(value)
	case "double":
		ramp.Points, ok = c.double(value)
	case "linear":
		ramp.Points, ok = c.linear(value)
		ramp.Linear = true
	}
	return ok
}

// steps reads times and the shares that are reached there at once.
func (c checker) steps(n *node) ([]evaluator.Point, bool) {
	if !c.list(n, "\"steps\"") {
		return nil, false
	}
	if len(n.items) > maxSteps {
		c.errorf(n, "the ramp has more than %d steps", maxSteps)
		return nil, false
	}
	points := make([]evaluator.Point, 0, len(n.items))
	before, ok := int64(0), true
	for i, item := range n.items {
		c := c.within("step %d", i+1)
		if !c.keys(item, "a step", "at", "to") || !c.required(item, "the step", "at", "to") {
			ok = false
			continue
		}
		at, fine := c.time(item.get("at"), "\"at\"")
		portion, good := c.plainShare(item.get("to"), "\"to\"")
		if !fine || !good {
			ok = false
			continue
		}
		if len(points) > 0 && at <= points[len(points)-1].At {
			c.errorf(item.get("at"), "its time is not after that of the step before")
			ok = false
		}
		if portion < before {
			c.shrinks(item.get("to"), before, portion)
			ok = false
		}
		before = portion
		points = append(points, evaluator.Point{At: at, Level: boundary(portion)})
	}
	return points, ok
}

// double reads a share that doubles in even intervals, the last time to what is
// left up to "to".
func (c checker) double(n *node) ([]evaluator.Point, bool) {
	if !c.keys(n, "\"double\"", "from", "every", "start", "to") || !c.required(n, "\"double\"", "from", "every", "start") {
		return nil, false
	}
	c = c.within("double")
	from, to, ok := c.fromTo(n)
	every, fine := c.duration(n.get("every"), "\"every\"")
	at, good := c.time(n.get("start"), "\"start\"")
	switch {
	case !ok || !fine || !good:
		return nil, false
	case from == 0:
		c.errorf(n.get("from"), "\"from\" is 0%%, and twice nothing is nothing")
		return nil, false
	}
	var points []evaluator.Point
	for portion := from; portion < to; portion *= 2 {
		points = append(points, evaluator.Point{At: at, Level: boundary(portion)})
		at += every
	}
	if year := time.Unix(at, 0).UTC().Year(); year > lastYear {
		c.errorf(n.get("every"), "doubling from %s to %s would take until the year %d", formatShare(from), formatShare(to), year)
		return nil, false
	}
	return append(points, evaluator.Point{At: at, Level: boundary(to)}), true
}

// linear reads a share that grows all the time between two.
func (c checker) linear(n *node) ([]evaluator.Point, bool) {
	if !c.keys(n, "\"linear\"", "start", "end", "from", "to") || !c.required(n, "\"linear\"", "start", "end") {
		return nil, false
	}
	c = c.within("linear")
	from, to, ok := c.fromTo(n)
	start, fine := c.time(n.get("start"), "\"start\"")
	end, good := c.time(n.get("end"), "\"end\"")
	switch {
	case !ok || !fine || !good:
		return nil, false
	case end <= start:
		c.errorf(n.get("end"), "\"end\" is not after \"start\"")
		return nil, false
	}
	return []evaluator.Point{{At: start, Level: boundary(from)}, {At: end, Level: boundary(to)}}, true
}

// fromTo reads the shares between which a ramp grows: 0 % and 100 % unless it
// says otherwise.
func (c checker) fromTo(n *node) (from, to int64, ok bool) {
	to, ok = whole, true
	if f := n.get("from"); f != nil {
		from, ok = c.plainShare(f, "\"from\"")
	}
	t := n.get("to")
	if t != nil {
		var fine bool
		to, fine = c.plainShare(t, "\"to\"")
		ok = ok && fine
	}
	if ok && from > to {
		c.shrinks(t, from, to)
		ok = false
	}
	return from, to, ok
}

func (c checker) shrinks(n *node, from, to int64) {
	c.errorf(n, "the share shrinks from %s to %s; a ramp only grows", formatShare(from), formatShare(to))
}

// pause reads whether the share stands still, and since when.
func (c checker) pause(n *node) (paused bool, at int64, ok bool) {
	p, t := n.get("pause"), n.get("at")
	ok = true
	if p != nil {
		paused, ok = c.boolean(p, "\"pause\"")
	}
	if t != nil {
		var fine bool
		at, fine = c.time(t, "\"at\"")
		ok = ok && fine
	}
	switch {
	case p == nil && t != nil:
		c.errorf(t, "\"at\" has no effect without \"pause\"; steps have times of their own")
		return false, 0, false
	case paused && t == nil:
		c.errorf(p, "the pause doesn't say since when; write beside it, for instance: at: 2026-12-01T02:00:00Z")
		return false, 0, false
	}
	return paused, at, ok
}

// levelAt returns the level that the ramp has at a time.
func levelAt(r *evaluator.Ramp, now int64) uint64 {
	reached := 0
	for reached < len(r.Points) && r.Points[reached].At <= now {
		reached++
	}
	if reached == 0 {
		return 0
	}
	a := r.Points[reached-1]
	if !r.Linear || reached == len(r.Points) {
		return a.Level
	}
	b := r.Points[reached]
	// A level is at most 2^32, and all times that can be written are less than
	// 2^32 seconds apart.
	return a.Level + (b.Level-a.Level)*uint64(now-a.At)/uint64(b.At-a.At)
}

// halves gives the positions below a level to the variant of a ramp, and the
// others to the rest.
func halves(r *evaluator.Ramp, level uint64) []evaluator.Range {
	var list []evaluator.Range
	if level > 0 {
		list = append(list, evaluator.Range{From: 0, To: level, Variant: r.Variant})
	}
	if level < evaluator.Positions {
		list = append(list, evaluator.Range{From: level, To: evaluator.Positions, Variant: r.Rest})
	}
	return list
}

// duration reads a length of time such as 24h, 90m or 7d, in seconds.
func (c checker) duration(n *node, what string) (int64, bool) {
	if n.kind != scalar {
		c.errorf(n, "%s is a length of time such as 24h, not %s", what, n.describe())
		return 0, false
	}
	seconds, err := parseDuration(n.text)
	if err != nil {
		c.errorf(n, "%s %q: %v", what, shorten(n.text), err)
		return 0, false
	}
	return seconds, true
}

// maxDuration is the longest length of time, in seconds: 100 years.
const maxDuration = 100 * 365 * 24 * 60 * 60

var (
	errDuration     = errors.New("it is not a length of time such as 24h, 90m or 7d")
	errDurationLong = errors.New("it is more than 100 years")
)

// parseDuration parses numbers of days, hours, minutes and seconds, such as 7d
// or 1h30m. The result is in seconds, 1 to maxDuration.
func parseDuration(text string) (int64, error) {
	var total int64
	for rest := text; rest != ""; {
		after := trimDigits(rest)
		digits := rest[:len(rest)-len(after)]
		if digits == "" || after == "" {
			return 0, errDuration
		}
		unit := int64(1)
		switch after[0] {
		case 'd':
			unit = 24 * 60 * 60
		case 'h':
			unit = 60 * 60
		case 'm':
			unit = 60
		case 's':
		default:
			return 0, errDuration
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > maxDuration/unit || total+n*unit > maxDuration {
			return 0, errDurationLong
		}
		total += n * unit
		rest = after[1:]
	}
	if total == 0 {
		return 0, errDuration
	}
	return total, nil
}
