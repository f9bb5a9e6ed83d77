package evaluator

import "time"

// The times that attributes can be: the seconds of the years 1 to 9999.
const (
	firstSecond = -62_135_596_800
	lastSecond  = 253_402_300_799
)

// timeOf returns the time that v holds, in whole seconds of Unix time, and whether it
// holds one: an integer is Unix time, and text is in the format of RFC 3339.
func timeOf(v Value) (seconds int64, ok bool) {
	switch v.kind {
	case KindInt:
		seconds, ok = int64(v.num), true
	case KindString:
		seconds, ok = parseTime(v.str)
	}
	return seconds, ok && firstSecond <= seconds && seconds <= lastSecond
}

// parseTime parses a date-time of RFC 3339 without a leap second. It drops the fraction of
// a second, so it returns the second that the time is in.
func parseTime(s string) (seconds int64, ok bool) {
	const layout = "2006-01-02T15:04:05"
	if len(s) <= len(layout) || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, month, day := digits(s[0:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if min(year, hour, minute, second) < 0 || month < 1 || month > 12 || day < 1 || day > daysOf(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	offset, ok := parseOffset(afterFraction(s[len(layout):]))
	return daysBefore(year, month, day)*86_400 + hour*3600 + minute*60 + second - offset, ok
}

// afterFraction returns what follows a fraction of a second, "" if it lacks its digits.
func afterFraction(s string) string {
	if s[0] != '.' {
		return s
	}
	i := 1
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == 1 {
		return ""
	}
	return s[i:]
}

// parseOffset parses an offset from UTC, such as Z or +08:00.
func parseOffset(s string) (seconds int64, ok bool) {
	if len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, minute := digits(s[1:3]), digits(s[4:6])
	if min(hour, minute) < 0 || hour > 23 || minute > 59 {
		return 0, false
	}
	if seconds = hour*3600 + minute*60; s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// digits returns the number that the digits of s are, or -1 if s has other characters.
func digits(s string) (n int64) {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return -1
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

// daysOf returns the number of days in a month of the Gregorian calendar.
func daysOf(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysBefore returns the days from 1970-01-01 to a date of the Gregorian calendar.
func daysBefore(year, month, day int64) int64 {
	if month <= 2 { // years begin in March, so that the leap day is the last one
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = -1
	}
	year -= era * 400
	return era*146_097 + year*365 + year/4 - year/100 + (153*(month-3)+2)/5 + day - 1 - 719_468
}

// timeRange holds for times from ≤ t ≤ to.
type timeRange struct{ from, to int64 }

func (t timeRange) has(v Value) bool {
	seconds, ok := timeOf(v)
	return ok && t.from <= seconds && seconds <= t.to
}

func (t timeRange) String() string {
	text := func(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
	from, to := max(t.from, firstSecond), min(t.to, lastSecond)
	switch {
	case from > to:
		return "at no time"
	case from == firstSecond && to == lastSecond:
		return "at any time"
	case from == firstSecond:
		return "before " + text(to+1)
	case to == lastSecond:
		return "from " + text(from) + " on"
	}
	return "from " + text(from) + " and before " + text(to+1)
}

// between checks and compiles an OpBetween. For integers it is an instruction of its own.
func (c *Condition) between(t AttributeType) (test, error) {
	if err := c.checkBetween(); err != nil || t != AttrTime {
		return nil, err
	}
	return timeRange{c.Ints[0], c.Ints[1]}, nil
}
