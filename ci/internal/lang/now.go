package lang

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// nowKeys are what a condition on the time may have.
var nowKeys = []string{"after", "before", "weekdays", "from", "to", "zone"}

// weekdays are numbered from Sunday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// fullWeekday matches a weekday that isn't written as it should be.
var fullWeekday = regexp.MustCompile(`(?i)^(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?$`)

// allWeekdays has a bit for each of the weekdays.
const allWeekdays = 1<<7 - 1

// secondsOfDay are those of a day on the clock.
const secondsOfDay = 24 * 60 * 60

// now reads a condition on the time: a period, a window that recurs, or both.
func (c Checker) now(n *source.Node) (cond evaluator.Condition, ok bool) {
	if n.Kind != source.Mapping {
		c.Errorf(n, "\"now\" is a mapping such as {after: 2026-12-01T09:00}, not %s", n.Describe())
		return cond, false
	}
	before := len(c.File.Problems)
	c.Keys(n, "\"now\"", nowKeys...)
	z, ok := c.ZoneOf(n)
	if !ok {
		return cond, false
	}
	var all []evaluator.Condition
	if n.Get("after") != nil || n.Get("before") != nil {
		period, fine := c.period(n, z)
		ok = ok && fine
		all = append(all, period)
	}
	if n.Get("weekdays") != nil || n.Get("from") != nil || n.Get("to") != nil {
		window, fine := c.window(n, z)
		ok = ok && fine
		all = append(all, window)
	}
	if len(all) == 0 {
		if len(c.File.Problems) > before {
			return cond, false // a key is misspelt
		}
		c.Errorf(n, "\"now\" names no time; write after, before, weekdays, or from and to")
		return cond, false
	}
	return conjunction(all), ok
}

// period reads "after" and "before".
func (c Checker) period(n *source.Node, z phrase.Zone) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpPeriod, Ints: []int64{math.MinInt64, math.MaxInt64}}
	after, before := n.Get("after"), n.Get("before")
	ok = true
	if after != nil {
		cond.Ints[0], ok = c.TimeIn(after, "\"after\"", z.Location)
	}
	if before != nil {
		var fine bool
		cond.Ints[1], fine = c.TimeIn(before, "\"before\"", z.Location)
		ok = ok && fine
	}
	if ok && cond.Ints[0] >= cond.Ints[1] {
		c.Errorf(before, "\"before\" is not later than \"after\", so it is never between them")
		ok = false
	}
	return cond, ok
}

// window reads what recurs weekly: "weekdays", and "from" and "to".
func (c Checker) window(n *source.Node, z phrase.Zone) (cond evaluator.Condition, ok bool) {
	days, opens, closes := int64(allWeekdays), int64(0), int64(secondsOfDay)
	ok = true
	if list := n.Get("weekdays"); list != nil {
		days, ok = c.weekdays(list)
	}
	from, to := n.Get("from"), n.Get("to")
	switch {
	case (from == nil) != (to == nil):
		at, missing := from, "to"
		if from == nil {
			at, missing = to, "from"
		}
		c.Errorf(at, "\"from\" and \"to\" go together: %q is missing; a day is from \"00:00\" to \"24:00\"", missing)
		ok = false
	case from != nil:
		var fine, good bool
		opens, fine = c.clock(from, "\"from\"")
		closes, good = c.clock(to, "\"to\"")
		ok = ok && fine && good
		if fine && opens == secondsOfDay {
			c.Errorf(from, "\"from\" is the end of the day; write \"00:00\", and the weekday that follows")
			ok = false
		} else if fine && good && opens == closes {
			c.Errorf(to, "\"to\" is the same as \"from\"; for the whole day leave both out")
			ok = false
		}
	}
	if closes == 0 {
		closes = secondsOfDay // midnight, where the day ends
	}
	return evaluator.Condition{Op: evaluator.OpWindow, Strings: []string{z.Compiled.Name},
		Ints: []int64{days, opens, closes}}, ok
}

// weekdays reads a list of weekdays into bits.
func (c Checker) weekdays(n *source.Node) (days int64, ok bool) {
	values, ok := c.values(n)
	for _, value := range values {
		switch day := slices.Index(weekdays, value.Text); {
		case day < 0:
			hint := "; they are " + strings.Join(weekdays, ", ")
			if fullWeekday.MatchString(value.Text) {
				hint = " (did you mean \"" + strings.ToLower(value.Text[:3]) + "\"?)"
			}
			c.Errorf(value, "%s is no weekday%s", value.Describe(), hint)
			ok = false
		case days&(1<<day) != 0:
			c.Errorf(value, "%q is listed twice", value.Text)
			ok = false
		default:
			days |= 1 << day
		}
	}
	return days, ok
}

// clockShape matches a time of day.
var clockShape = regexp.MustCompile(`^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$`)

// clock reads a time of day, in seconds after midnight.
func (c Checker) clock(n *source.Node, what string) (int64, bool) {
	if n.Kind != source.Scalar || !clockShape.MatchString(n.Text) {
		c.Errorf(n, "%s is a time of day such as \"09:00\", not %s", what, n.Describe())
		return 0, false
	}
	digit := func(i int) int64 { return int64(n.Text[i] - '0') }
	return (digit(0)*10+digit(1))*3600 + (digit(3)*10+digit(4))*60, true
}
