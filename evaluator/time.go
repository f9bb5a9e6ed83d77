package evaluator

import (
	"errors"
	"fmt"
	"slices"
)

const secondsPerDay = 24 * 60 * 60

// A zone is a checked Zone.
type zone []Offset

// offset returns how many seconds local time is ahead of UTC at a time.
func (z zone) offset(now int64) int64 {
	i, exact := slices.BinarySearchFunc(z, now, func(o Offset, now int64) int {
		switch {
		case o.From < now:
			return -1
		case o.From > now:
			return 1
		}
		return 0
	})
	if !exact {
		i = max(i-1, 0)
	}
	return int64(z[i].Seconds)
}

// compileZones checks the time zones and makes them known by name. Rulesets contain the offsets
// themselves, so an evaluation doesn't depend on the time zone database of the machine.
func (c *compiler) compileZones() {
	for _, z := range c.set.Zones {
		if _, dup := c.zones[z.Name]; dup || z.Name == "" {
			c.errorf("the name %q of a time zone is empty or not unique", z.Name)
		}
		if len(z.Offsets) == 0 {
			c.errorf("the time zone %q has no offsets", z.Name)
		}
		for i, o := range z.Offsets {
			if o.Seconds <= -secondsPerDay || o.Seconds >= secondsPerDay {
				c.errorf("the time zone %q is a day or more ahead or behind", z.Name)
			}
			if i > 0 && o.From <= z.Offsets[i-1].From {
				c.errorf("the offsets of the time zone %q are not in order", z.Name)
			}
		}
		c.zones[z.Name] = slices.Clone(z.Offsets)
	}
}

// A window is a compiled OpWindow.
type window struct {
	name        string
	zone        zone
	days        uint8 // bit 0 is Sunday
	open, close int64 // seconds after midnight
}

// checkPeriod returns an error unless c, an OpPeriod, is well formed.
func (c *Condition) checkPeriod() error {
	if len(c.Ints) != 2 || c.Ints[0] >= c.Ints[1] {
		return fmt.Errorf("the period %v is empty", c.Ints)
	}
	return nil
}

// checkWindow returns an error unless c, an OpWindow, is well formed. It doesn't check
// whether the zone exists.
func (c *Condition) checkWindow() error {
	if len(c.Strings) != 1 || len(c.Ints) != 3 {
		return errors.New("a window takes the name of a time zone, and weekdays and two times")
	}
	days, open, end := c.Ints[0], c.Ints[1], c.Ints[2]
	if days < 1 || days > 0x7f {
		return fmt.Errorf("the weekdays of a window are bits of 1 to 127, not %d", days)
	}
	if open < 0 || open >= secondsPerDay || end < 1 || end > secondsPerDay {
		return fmt.Errorf("a window from %d to %d seconds after midnight is not within a day", open, end)
	}
	return nil
}

// has reports whether a time is in the window.
func (w *window) has(now int64) bool {
	day, second := now/secondsPerDay, now%secondsPerDay+w.zone.offset(now)
	for ; second < 0; day-- { // at most twice
		second += secondsPerDay
	}
	for ; second >= secondsPerDay; day++ {
		second -= secondsPerDay
	}
	today := (day%7 + 7 + 4) % 7 // 1 January 1970 was a Thursday
	opens := func(weekday int64) bool { return w.days>>weekday&1 == 1 }
	if w.open < w.close {
		return opens(today) && w.open <= second && second < w.close
	}
	return opens(today) && w.open <= second || opens((today+6)%7) && second < w.close
}

// String describes the window, such as "now in the window mon tue 09:00–17:30 Europe/Berlin".
// It leaves the days out if they are all seven.
func (w *window) String() string {
	clock := func(s int64) string {
		if s%60 != 0 {
			return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
		}
		return fmt.Sprintf("%02d:%02d", s/3600, s/60%60)
	}
	text := "now in the window"
	for i, day := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		if w.days != 0x7f && w.days>>i&1 == 1 {
			text += " " + day
		}
	}
	return fmt.Sprintf("%s %s–%s %s", text, clock(w.open), clock(w.close), w.name)
}
